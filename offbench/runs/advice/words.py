"""An advice in words, the same in the terminal and on its page."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from offbench.evaluation.evaluator import Evaluation
from offbench.evaluation.kernel import PART
from offbench.files.numbers import grouped
from offbench.model.objectives import described
from offbench.model.problem import P1
from offbench.runs.advice.advice import Advice
from offbench.runs.advice.break_even import Curve, same_cut
from offbench.runs.advice.time_shares import time_shares
from offbench.runs.cuts import Stretch, cuts, row, told
from offbench.runs.in_words import dollars

TASKS_AT_MOST = 6
"""networks that are told one by one"""
# Parts of a network that a sentence names, and what is told in millionths, s and J.
_PARTS, _SMALL = 4, 1e-4

_WHAT = {
    "bandwidth": "the device's links carry {low} to {high} times what they do",
    "round-trip": "their round trip is {low} to {high} longer",
    "device-speed": "the device is {low} to {high} times as fast",
    "clients": "{low} to {high} devices share the servers",
}


def what_to_do(advice: Advice) -> Iterator[str]:
    """Say of each network in a sentence where its layers run, without the layer that brings the result home."""
    problem = P1(advice.instance)
    for i, (name, stretches) in enumerate(cuts(problem, advice.placement)):
        if i == TASKS_AT_MOST:
            yield f"So for {len(advice.instance.tasks) - i:,} more; --json has all."
            return
        device = advice.instance.servers[advice.instance.client_of[i]]
        parts = [_part(stretch) for stretch in _without_result(advice, i, stretches)]
        back = len(parts) < len(stretches)
        if len(parts) > 1:
            more = f"; then {len(parts) - _PARTS:,} parts more" if len(parts) > _PARTS else ""
            yield f"Cut {name} into {len(parts):,} parts: {', then '.join(parts[:_PARTS])}{more}."
        elif stretches[0].only == device.name:
            yield f"Run all of {name} on {device.name}, the device: no cut that was found is better."
        elif stretches[0].only is not None:
            yield f"Run all of {name} on {stretches[0].only}{', and bring the result back' if back else ''}."
        else:
            yield f"Spread {name}: {parts[0]}."


def _without_result(advice: Advice, i: int, stretches: list[Stretch]) -> list[Stretch]:
    """Leave out a last layer that takes no time, such as what `instance make` adds to bring the result home."""
    evaluation, problem = advice.solution.evaluation, P1(advice.instance)
    last = problem.subtasks_of(i).stop - 1
    assert evaluation is not None
    if len(problem.subtasks_of(i)) == 1 or evaluation.parts[last, PART.execution_s] > 0:
        return stretches
    name = problem.instance.tasks[i].layers[-1].name
    left = {server: [one for one in names if one != name] for server, names in stretches[-1].layers.items()}
    rest = replace(stretches[-1], layers={server: names for server, names in left.items() if names})
    return [*stretches[:-1], *([rest] if rest.layers else [])]


def _part(stretch: Stretch) -> str:
    return " and ".join(f"{row(names)} on {server}" for server, names in stretch.layers.items())


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
        return self.name, seconds(e.delay_s, 4), joules(e.energy_j), dollars(e.cost_usd, 4), self.note


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
    whom = "everything on the device" if len(advice.instance.clients) == 1 else "everything on the devices"
    notes = ["the same cut"] if device else []
    if not solution.client_only.feasible:
        notes.append("breaks constraints")
    yield ChoiceRow(whom, solution.client_only, ", ".join(notes))


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


def seconds(value: float, digits: int = 3) -> str:
    """Write a time."""
    if 0 < value < _SMALL:
        return f"{value * 1e6:.{digits}g} µs"
    return f"{value * 1e3:.{digits}g} ms" if value < 1 else f"{grouped(value, digits)} s"


def joules(value: float, digits: int = 4) -> str:
    """Write an energy."""
    if 0 < value < _SMALL:
        return f"{value * 1e6:.{digits}g} µJ"
    return f"{value * 1e3:.{digits}g} mJ" if 0 < value < 1 else f"{grouped(value, digits)} J"


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
    best = over.most_robust
    if not over.another_is_clearly_more_robust:
        if found.within < 1:
            yield "No other cut that was the best one in a draw is within 5 % clearly more often."
        return
    worst = f", at worst {best.worst_regret:.2%} above the best" if best.kept else ""
    broken = f", in {best.broken} it breaks a constraint" if best.broken else ""
    yield f"The most robust cut is another one, within 5 % in {best.within:.0%}{worst}{broken}:"
    yield from told(P1(advice.instance), best.placement)


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
