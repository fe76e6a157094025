"""An advice in words, the same in the terminal and on its page."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from offbench.evaluation.evaluator import Evaluation
from offbench.model.objectives import described
from offbench.model.problem import P1
from offbench.runs.advice.advice import Advice
from offbench.runs.advice.break_even import Curve, same_cut
from offbench.runs.advice.time_shares import time_shares

_WHAT = {
    "bandwidth": "the device's links carry {low} to {high} times what they do",
    "round-trip": "their round trip is {low} to {high} longer",
    "device-speed": "the device is {low} to {high} times as fast",
    "clients": "{low} to {high} devices share the servers",
}


def how_good(advice: Advice) -> str:
    """Say how well the recommended cut is proven."""
    solution = advice.solution
    by = f"by {described(advice.instance)}"
    if solution.status == "optimal":
        return f"No other cut is better {by}: that is proven ({solution.solver})."
    if solution.certified is not None:
        return f"Of what offloading can gain {by}, it misses at most {solution.certified:.1%} ({solution.solver})."
    return f"The best found {by}; nothing is proven ({solution.solver})."


def where_time_goes(advice: Advice) -> str:
    """Say how much of the recommended cut's delay is computing, transfers and waiting."""
    evaluation = advice.solution.evaluation
    assert evaluation is not None
    shares = time_shares(P1(advice.instance), advice.placement, evaluation)
    parts = [f"{seconds(shares.computing_s)} are computing", f"{seconds(shares.transfers_s)} transfers"]
    if shares.waiting_s > 1e-9 * evaluation.delay_s:
        parts.append(f"{seconds(shares.waiting_s)} waiting for a busy server")
    return f"Of its {seconds(evaluation.delay_s)}, {', '.join(parts[:-1])} and {parts[-1]}."


@dataclass(frozen=True)
class ChoiceRow:
    """A line of the table of choices."""

    name: str
    evaluation: Evaluation
    note: str

    @property
    def cells(self) -> tuple[str, ...]:
        """All as text: name, delay, energy, cost, note."""
        e = self.evaluation
        return self.name, f"{e.delay_s:.4g} s", f"{e.energy_j:.4g} J", f"${e.cost_usd:.4g}", self.note


def choice_rows(advice: Advice) -> Iterator[ChoiceRow]:
    """Yield the recommended cut, the other choices and the device, with what is to be said of each."""
    solution, problem = advice.solution, P1(advice.instance)
    assert solution.evaluation is not None
    assert solution.client_only is not None
    yield ChoiceRow("recommended", solution.evaluation, "" if solution.status == "optimal" else "not proven")
    for one in advice.choices:
        notes = [] if one.proven else ["not proven"]
        if same_cut(one.placement, advice.placement):
            # Dispatched in another order layers wait for others.
            alike = math.isclose(one.evaluation.delay_s, solution.evaluation.delay_s, rel_tol=1e-9)
            notes.insert(0, "the same cut" if alike else "the same cut in another order")
        yield ChoiceRow(one.name, one.evaluation, ", ".join(notes))
    device = bool((advice.placement.servers == problem.everything_on(problem.arrays.client)).all())
    yield ChoiceRow("everything on the device", solution.client_only, "the same cut" if device else "")


def span(name: str, curve: Curve, advice: Advice) -> str:
    """Say between which values of a number the recommended cut is the best one."""
    low, high = advice.holds(name)
    if math.isnan(low):
        return f"{curve.variation.name}: it is nowhere the best one"
    first, last = curve.points[0].x, curve.points[-1].x
    if name == "clients":
        high = last if high >= last else high - 1
    if name == "clients" and low == high:
        return "only while no other device shares the servers (sampled)"
    text = _WHAT[name].format(low=number(low, curve), high=number(high, curve))
    ends = "as far as looked" if low <= first and high >= last else ""
    sure = "exact" if curve.exact else "sampled"
    return f"while {text} ({', '.join(part for part in (sure, ends) if part)})"


def number(value: float, curve: Curve) -> str:
    """Write a value of what a curve is over."""
    if curve.variation.unit == "s":
        return seconds(value)
    if curve.variation.unit == "times":
        return f"{value:.2g}" if value < 10 else f"{value:.0f}"
    return f"{value:.0f}"


def seconds(value: float) -> str:
    """Write a time."""
    return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"


def regret_lines(advice: Advice) -> Iterator[str]:
    """Yield sentences on what becomes of the cut when the numbers are off; nothing where there was no time."""
    over = advice.regret
    if over is None:
        return
    found, draws = over.recommended, "draw" if over.draws == 1 else "draws"
    words = f"In {found.within:.0%} of {over.draws} {draws} it is within 5 % of the best cut"
    if found.kept:
        words += f"; in the mean it is {found.mean_regret:.2%} above it, at worst {found.worst_regret:.2%}"
    yield f"{words}; in {found.broken} it breaks a constraint." if found.broken else f"{words}."
    yield _drawn(advice)
    if over.most_robust.placement != found.placement and over.most_robust.within > found.within:
        yield f"The most robust cut is another one: within 5 % in {over.most_robust.within:.0%}."


def _drawn(advice: Advice) -> str:
    """Say from which ranges is drawn."""
    spread, ranges = advice.spread, advice.ranges
    if ranges is None:
        return (
            f"Drawn by factors of up to {spread.rate:g} (rates), {spread.latency:g} (latencies), {spread.seconds:g} "
            f"(a server's times) and {spread.layer_seconds:g} (a layer's)."
        )
    servers = [f"{name} {each.low:.2g} to {each.high:.2g}" for name, each in ranges.servers.items()]
    rates = [one.rate for one in ranges.links]
    latencies = [one.latency for one in ranges.links]
    told = [
        f"{what} {min(one.low for one in found):.2g} to {max(one.high for one in found):.2g}"
        for what, found in (("rates", rates), ("latencies", latencies))
        if found
    ]
    of = f"the ranges of {ranges.source}" if ranges.source else "ranges that were given"
    return (
        f"Drawn from {of}, as factors: {', '.join(told)}, times on {', '.join(servers)}; a layer's by up to "
        f"{spread.layer_seconds:g}."
    )
