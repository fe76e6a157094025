"""`offbench advise`: where to cut a network, what that gains, and up to where it holds."""

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.shared.arguments import InstanceArgument, Json, ObjectiveOption, SeedOption, WeightsOption
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.runs.advice.advice import Advice
    from offbench.runs.advice.break_even import Curve

_WHAT = {
    "bandwidth": "the device's links carry {low} to {high} times what they do",
    "round-trip": "their round trip is {low} to {high} longer",
    "device-speed": "the device is {low} to {high} times as fast",
    "clients": "{low} to {high} devices share the servers",
}


def advise(
    instance: InstanceArgument,
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    time_limit: Annotated[float, typer.Option(metavar="S", help="Seconds for all together.")] = 60.0,
    seed: SeedOption = 0,
    draws: Annotated[int, typer.Option(metavar="N", help="How often rates and times are drawn, for the regret.")] = 100,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Say where to cut, what that gains, and up to where it holds.

    The recommended cut is compared with the device and the best single server. What else there is follows: the fastest,
    most frugal and cheapest, between which bandwidths and round trips the cut is the best one, and how good it is when
    rates and times aren't what the instance says.
    """
    if not 0 < time_limit < math.inf:
        raise OffbenchError(f"--time-limit: must be above 0 and finite, not {time_limit:g}")
    if draws < 1:
        raise OffbenchError(f"--draws: must be at least 1, not {draws}")

    from offbench.cli.shared import console
    from offbench.cli.shared.given import instance_from
    from offbench.cli.shared.progress import bar

    given = instance_from(instance, objective, weights)
    console.load_evaluator(quiet)

    from offbench.runs.advice.advice import advise as advice_on
    from offbench.runs.advice.advice import facts

    now: list[Any] = [0.0, "starting"]

    def step(share: float, what: str) -> None:
        now[:] = share, what

    with bar(given.name, quiet) as progress:
        if progress is not None:
            progress.follow(lambda: (float(now[0]), str(now[1])))
        found = advice_on(given, time_limit=time_limit, seed=seed, draws=draws, on_step=step)
    if json:
        console.show_json(facts(found))
    else:
        console.show(*_parts(found))


def _parts(advice: "Advice") -> Iterator[Any]:
    from rich.text import Text

    from offbench.files.plain import plain

    solution = advice.solution
    assert solution.evaluation is not None
    from offbench.runs.cuts import told

    yield Text("Recommended", style="bold")
    for line in told(solution.free_problem, advice.placement):
        yield Text(plain(line))
    yield Text(solution.in_words)
    yield Text(_how_good(advice))
    yield ""
    yield _choices(advice)
    yield Text("Up to where it is the best cut", style="bold")
    for name, curve in advice.curves.items():
        yield Text(f"  {_span(name, curve, advice)}")
    if not advice.curves:
        yield Text("  not looked at: the time was up")
    yield from _regret(advice)
    if advice.uses:
        yield Text("Constraints, the tightest first", style="bold")
        yield from (Text(f"  {use}") for use in advice.uses[:3])


def _how_good(advice: "Advice") -> str:
    from offbench.model.objectives import described

    solution = advice.solution
    by = f"by {described(advice.instance)}"
    if solution.status == "optimal":
        return f"No other cut is better {by}: that is proven ({solution.solver})."
    if solution.certified is not None:
        return f"Of what offloading can gain {by}, it misses at most {solution.certified:.1%} ({solution.solver})."
    return f"The best found {by}; nothing is proven ({solution.solver})."


def _choices(advice: "Advice") -> Any:
    from rich.table import Table

    table = Table()
    table.add_column("choice")
    for head in ("delay", "energy", "cost"):
        table.add_column(head, justify="right")
    table.add_column("")
    rows = [("recommended", advice.solution.evaluation, advice.solution.status == "optimal")]
    rows += [(one.name, one.evaluation, one.proven) for one in advice.choices]
    rows += [("everything on the device", advice.solution.client_only, True)]
    for name, found, proven in rows:
        assert found is not None
        note = "" if proven else "not proven"
        table.add_row(name, f"{found.delay_s:.4g} s", f"{found.energy_j:.4g} J", f"${found.cost_usd:.4g}", note)
    return table


def _span(name: str, curve: "Curve", advice: "Advice") -> str:
    low, high = advice.holds(name)
    if math.isnan(low):
        return f"{curve.variation.name}: it is nowhere the best one"
    first, last = curve.points[0].x, curve.points[-1].x
    if name == "clients":
        high = last if high >= last else high - 1
    if name == "clients" and low == high:
        return "only while no other device shares the servers (sampled)"
    text = _WHAT[name].format(low=_number(low, curve), high=_number(high, curve))
    ends = "as far as looked" if low <= first and high >= last else ""
    sure = "exact" if curve.exact else "sampled"
    return f"while {text} ({', '.join(part for part in (sure, ends) if part)})"


def _number(value: float, curve: "Curve") -> str:
    if curve.variation.unit == "s":
        return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.3g} s"
    if curve.variation.unit == "times":
        return f"{value:.2g}" if value < 10 else f"{value:.0f}"
    return f"{value:.0f}"


def _regret(advice: "Advice") -> Iterator[Any]:
    from rich.text import Text

    over, spread = advice.regret, advice.spread
    if over is None:
        return
    yield Text("If the numbers are off", style="bold")
    yield Text(
        f"  In {over.recommended.within:.0%} of {over.draws} draws it is within 5 % of the best cut; in the mean it is "
        f"{over.recommended.mean_regret:.2%} above it, at worst {over.recommended.worst_regret:.2%}."
    )
    yield Text(
        f"  Drawn by factors of up to {spread.rate:g} (rates), {spread.latency:g} (latencies), {spread.seconds:g} "
        f"(a server's times) and {spread.layer_seconds:g} (a layer's)."
    )
    if over.most_robust.placement != over.recommended.placement and over.most_robust.within > over.recommended.within:
        yield Text(f"  The most robust cut is another one: within 5 % in {over.most_robust.within:.0%}.")
