"""`offbench solve`: run one solver on one instance."""

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.arguments import InstanceArgument
from offbench.cli.errors import FAILED, INTERRUPTED, say
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.solution import Solution


def solve(
    instance: InstanceArgument,
    solver: Annotated[
        str | None, typer.Option(metavar="NAME", help="A solver (`offbench solvers` lists them), or ./mine.py.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PARAMETER=VALUE", help="A parameter of the solver; repeatable."),
    ] = None,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the solver's random numbers.")] = 0,
    time_limit: Annotated[
        float | None,
        typer.Option(metavar="S", help="Seconds, the solver's import included; 60 if no budget is given."),
    ] = None,
    max_evaluations: Annotated[
        int | None, typer.Option(metavar="N", help="How many placements may be evaluated.")
    ] = None,
    target: Annotated[float | None, typer.Option(metavar="Q", help="Stop at an objective as low as this.")] = None,
    placement: Annotated[
        Path | None, typer.Option(metavar="FILE", help="For P2: the placement whose servers are given.")
    ] = None,
    two_step: Annotated[
        bool, typer.Option("--two-step", help="First each module as one layer, then its inside with the rest pinned.")
    ] = False,
    secondary: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="With --two-step: the solver of the second step, if it is another."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the placement here, for `offbench evaluate`.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes, no summary.")] = False,
) -> None:
    """Run one solver on one instance.

    The best placement found is compared with everything on the client. Ctrl-C ends the run; the
    incumbent is printed and written all the same.
    """
    from offbench.cli.files import check_writable

    if solver is None:
        raise OffbenchError(f"--solver: which one? There are {_known_solvers()}")
    _check_two_step(two_step, secondary, placement)
    parameters = parse_settings(settings or [])
    if output is not None:
        check_writable(output)
    request: dict[str, Any] = {
        "parameters": parameters,
        "seed": seed,
        "time_limit": time_limit,
        "max_evaluations": max_evaluations,
        "target": target,
    }

    from offbench.cli.interrupt import one_interrupt

    with one_interrupt():
        solution = _run(instance, [solver, *([secondary] if secondary else [])], placement, two_step, request, quiet)
        try:
            if output is not None:
                _write(solution, output, quiet)
        finally:
            _print(solution, json, quiet)
    if solution.stopped == "interrupted":
        raise typer.Exit(INTERRUPTED)
    if solution.placement is None:
        raise typer.Exit(FAILED)


def parse_settings(settings: list[str]) -> dict[str, str]:
    """Turn ``["lr=0.1"]`` into ``{"lr": "0.1"}``; the solver checks names and values.

    Raises
    ------
    OffbenchError
        If one has no ``=``, or a parameter is given twice.
    """
    parameters: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name:
            raise OffbenchError(f"--set {setting}: must be PARAMETER=VALUE")
        if name in parameters:
            raise OffbenchError(f"--set {setting}: '{name}' is given twice")
        parameters[name] = value
    return parameters


def _check_two_step(two_step: bool, secondary: str | None, placement: Path | None) -> None:
    if secondary is not None and not two_step:
        raise OffbenchError("--secondary: names the solver of the second step; give --two-step as well")
    if two_step and placement is not None:
        raise OffbenchError("--two-step and --placement: two steps choose the servers, a placement gives them")


def _known_solvers() -> str:
    from offbench.solver import catalogue

    return ", ".join(catalogue())


def _run(
    instance: str, solvers: list[str], placement: Path | None, two_step: bool, request: dict[str, Any], quiet: bool
) -> "Solution":
    from offbench.cli.console import load_evaluator
    from offbench.instance import load
    from offbench.placement import load_placement
    from offbench.solver import locate

    for solver in solvers:
        locate(solver)
    solver = solvers[0]
    facts = load(instance)
    given = load_placement(placement, facts) if placement is not None else None
    load_evaluator()

    from offbench.cli.progress import bar
    from offbench.run import solve
    from offbench.search import BoundError
    from offbench.two_step import solve_two_step

    solution = None
    try:
        # What a solver prints must not land among the results.
        with redirect_stdout(sys.stderr), bar(solver, quiet) as progress:
            if progress is not None:
                request["on_start"] = progress.watch
            if not two_step:
                solution = solve(facts, solver, placement=given, **request)
            else:
                if progress is not None:
                    request["on_stage"] = progress.begin
                solution = solve_two_step(facts, solver, secondary=(solvers[1:] or [None])[0], **request)
    except BoundError as error:
        say(f"solver '{solver}': {error}; the run is void")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        if solution is None:
            raise
        # Only the bar was interrupted, the run is over.
    return solution


def _write(solution: "Solution", output: Path, quiet: bool) -> None:
    from offbench.cli.files import write
    from offbench.jsonfile import layout

    if solution.placement is not None:
        write(output, layout(solution.placement.to_file(solution.instance)) + "\n", quiet)
    else:
        say(f"{output}: not written, there is no placement")


def _print(solution: "Solution", json: bool, quiet: bool) -> None:
    from offbench.cli.console import show, show_json
    from offbench.summary import summary

    if json:
        show_json(solution.to_dict())
    if solution.placement is None:
        say(str(summary(solution)))
    elif not json and not quiet:
        show(summary(solution))
