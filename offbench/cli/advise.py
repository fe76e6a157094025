"""`offbench advise`: where to cut a network, what that gains, and up to where it holds."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.shared.arguments import InstanceArgument, Json, ObjectiveOption, SeedOption, WeightsOption
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.runs.advice.advice import Advice


def advise(
    instance: InstanceArgument,
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    time_limit: Annotated[float, typer.Option(metavar="S", help="Seconds for all together.")] = 60.0,
    seed: SeedOption = 0,
    draws: Annotated[int, typer.Option(metavar="N", help="How often rates and times are drawn, for the regret.")] = 100,
    spread: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=FACTOR,...",
            help="By which factors the numbers may be off: rate=2,latency=2,seconds=1.33,layer_seconds=1.2.",
        ),
    ] = None,
    ranges: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Instead, of servers and links: what `instance make --ranges` wrote beside it."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Also write it as one HTML page, with the curves and the cut.")
    ] = None,
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
    from offbench.cli.shared.files import check_stdout_once, check_writable, write
    from offbench.cli.shared.given import instance_from, is_dash
    from offbench.cli.shared.progress import bar

    check_stdout_once(output, json)
    if output is not None:
        check_writable(output)
    given = instance_from(instance, objective, weights)

    from offbench.model.ranges import load_ranges
    from offbench.runs.advice.robust import parse_spread

    factors = None if spread is None else parse_spread(spread)
    within = None if ranges is None else load_ranges(ranges, given)
    console.load_evaluator(quiet)

    from offbench.runs.advice.advice import advise as advice_on
    from offbench.runs.advice.advice import facts

    now: list[Any] = [0.0, "starting"]

    def step(share: float, what: str) -> None:
        now[:] = share, what

    with bar(given.name, quiet) as progress:
        if progress is not None:
            progress.follow(lambda: (float(now[0]), str(now[1])))
        found = advice_on(
            given, time_limit=time_limit, seed=seed, draws=draws, spread=factors, ranges=within, on_step=step
        )
    try:
        if output is not None:
            from offbench.report.advice import advice_page

            write(output, advice_page(found), quiet)
    finally:  # where it can't be written, it is printed all the same
        if json:
            console.show_json(facts(found))
        elif not is_dash(output):
            console.show(*_parts(found))


def _parts(advice: "Advice") -> Iterator[Any]:
    from rich.text import Text

    from offbench.files.plain import plain
    from offbench.runs.advice.words import how_good, regret_lines, span, what_to_do, where_time_goes
    from offbench.runs.cuts import told

    yield Text("Recommended", style="bold")
    for line in what_to_do(advice):
        yield Text(plain(line))
    yield Text(advice.solution.in_words)
    yield Text(where_time_goes(advice))
    yield Text(how_good(advice))
    for line in told(advice.solution.free_problem, advice.placement):
        yield Text(plain(line))
    yield ""
    yield _choices(advice)
    yield Text("Up to where it is the best cut", style="bold")
    for name, curve in advice.curves.items():
        yield Text(f"  {span(name, curve, advice)}")
    if not advice.curves:
        yield Text("  not looked at: the time was up")
    if advice.regret is not None:
        yield Text("If the numbers are off", style="bold")
        yield from (Text(plain(f"  {line}")) for line in regret_lines(advice))
    if advice.uses:
        yield Text("Constraints, the tightest first", style="bold")
        yield from (Text(f"  {use}") for use in advice.uses[:3])


def _choices(advice: "Advice") -> Any:
    from rich.table import Table

    from offbench.runs.advice.words import choice_rows

    table = Table()
    table.add_column("choice")
    for head in ("delay", "energy", "cost"):
        table.add_column(head, justify="right")
    table.add_column("")
    for row in choice_rows(advice):
        table.add_row(*row.cells)
    return table
