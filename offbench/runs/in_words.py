"""What a placement means for a person, in a sentence: beside the device, beside one server, and what bought its Q."""

from offbench.evaluation.client_only import elsewhere
from offbench.evaluation.evaluator import Evaluation
from offbench.evaluation.single_server import Single
from offbench.model.instance import Instance

# Ratios closer to 1 than this are told as "as fast as".
_ALIKE = 0.005
# Of what is below this share of it, "100% less" would be told.
_NEARLY_NOTHING = 0.005
# Below, an amount of money is told for a million runs, $.
_SMALL_USD = 1e-4


def in_words(instance: Instance, found: Evaluation, device: Evaluation, single: Single | None) -> str:
    """Tell how delay, energy and cost compare with everything on the device and on the best single server.

    Where Q is lower than the device's, but delay or score are not, it is told what bought that (`bought`).
    """
    whom = _device(instance) + _but(device, elsewhere(instance))
    breaks = "" if found.feasible else "breaks constraints and "
    same = (found.delay_s, found.energy_j, found.cost_usd) == (device.delay_s, device.energy_j, device.cost_usd)
    beside = f"no different from {whom}" if same else _beside(found, device, whom)
    parts = [f"This {breaks}is {beside}"]
    if single is not None:
        w = instance.weights
        best = "the best single server" if w.coordination == w.balance == 0 else "the single server of the lowest Q"
        one = f"everything on {single.server}, {best}{_but(single.evaluation, single.elsewhere)}"
        parts.append(f"it is {_beside(found, single.evaluation, one)}")
    return " ".join([f"{'; '.join(parts)}.", bought(instance, found, device)]).strip()


def bought(instance: Instance, found: Evaluation, device: Evaluation) -> str:
    """Tell what makes Q lower than the device's where delay or score get worse; empty where neither does."""
    slower = found.delay_s > device.delay_s * (1 + _ALIKE)
    worse = found.score > device.score * (1 + _ALIKE)
    if not found.feasible or not found.objective < device.objective or not (slower or worse):
        return ""
    here, there = addends(instance, found), addends(instance, device)
    changes = {name: here[name] - there[name] for name in here}
    by = ", ".join(f"{name} {change:+.3g}" for name, change in changes.items() if abs(change) > 1e-12)
    what = " and ".join(
        [
            *(
                [f"{_times(found.delay_s / device.delay_s)} slower than {_device(instance)}"]
                if slower and device.delay_s
                else []
            ),
            *(["of a worse score"] if worse else []),
        ]
    )
    return f"Q is lower by {device.objective - found.objective:.3g}, but this is {what}: what changes Q is {by}."


def addends(instance: Instance, found: Evaluation) -> dict[str, float]:
    """Return the three addends of Q by name: score, H and Z, each with its weight and sign (Eq. 18)."""
    w = instance.weights
    return {
        "score": w.score * found.score,
        "H": 0.0 - w.coordination * found.coordination,
        "Z": w.balance * found.balance,
    }


def _device(instance: Instance) -> str:
    return "the device" if len(instance.clients) == 1 else "the devices"


def _but(there: Evaluation, elsewhere: int) -> str:
    """Tell what makes a placement no choice to compare with: layers that may not be there, or what it breaks."""
    layers = f"but for {elsewhere:,} layer{'s' if elsewhere > 1 else ''} that may not run there" if elsewhere else ""
    breaks = "" if there.feasible else "not feasible"
    asides = "; ".join(filter(None, (layers, breaks)))
    return f" ({asides})" if asides else ""


def _beside(found: Evaluation, other: Evaluation, whom: str) -> str:
    delay = _compared(found.delay_s, other.delay_s, "s", "faster", "slower", "as fast as")
    energy = _more_or_less(found.energy_j, other.energy_j, "J", "energy")
    cost = _more_or_less(found.cost_usd, other.cost_usd, "$", "cost")
    return f"{delay} {whom}, with {energy} and {cost}"


def _compared(value: float, other: float, unit: str, less: str, more: str, alike: str) -> str:
    if other == 0 or value == 0:
        return f"{value:.3g} {unit} against {other:.3g} {unit} of"
    ratio = value / other
    if abs(ratio - 1) <= _ALIKE:
        return alike
    return f"{_times(ratio if ratio > 1 else 1 / ratio)} {more if ratio > 1 else less} than"


def _more_or_less(value: float, other: float, unit: str, what: str) -> str:
    if other == 0 or value == 0:
        amount, against = (dollars(each) if unit == "$" else f"{each:.3g} {unit}" for each in (value, other))
        against = "nothing" if other == 0 else against
        told = f"a {what} of {amount}" if " " in amount and unit == "$" else f"{amount} of {what}"
        return f"the same {what}" if value == other else f"{told} instead of {against}"
    ratio = value / other
    if abs(ratio - 1) <= _ALIKE:
        return f"the same {what}"
    if 0.5 <= ratio <= 1.5:
        return f"{abs(ratio - 1):.0%} {'more' if ratio > 1 else 'less'} {what}"
    if ratio < _NEARLY_NOTHING:
        return f"{100 * ratio:.2g}% of the {what}"
    return f"{_times(ratio)} the {what}" if ratio > 1 else f"{1 - ratio:.0%} less {what}"


def dollars(value: float, digits: int = 3) -> str:
    """Write an amount of money; what is too small to be thought of, for a million runs."""
    if 0 < value < _SMALL_USD:
        return f"${value * 1e6:.{digits}g} per million runs"
    return f"${value:.{digits}g}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if 1000 <= ratio < 1e9 else f"{ratio:.3g} times"
