"""`offbench solve`: run one solver on one instance."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.shared.arguments import (
    InstanceArgument,
    LogDirOption,
    ObjectiveOption,
    SeedOption,
    SettingsOption,
    WeightsOption,
    parse_settings,
)
from offbench.cli.shared.errors import FAILED, say
from offbench.errors import InvalidPlacement, OffbenchError

if TYPE_CHECKING:
    from offbench.model.instance import Instance
    from offbench.runs.solution import Solution


def solve(
    instance: InstanceArgument,
    solver: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="A solver (`offbench solvers` lists them), or ./mine.py; without, one is picked and told.",
        ),
    ] = None,
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    settings: SettingsOption = None,
    policy: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="In place of a solver: a policy from `offbench train`; nothing is learnt. If its solver is a file, "
            "name that as --solver, too.",
        ),
    ] = None,
    rollouts: Annotated[
        int, typer.Option(metavar="N", help="Placements that the policy makes: one greedily, the others sampled.")
    ] = 1,
    seed: SeedOption = 0,
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
    p2: Annotated[
        str | None,
        typer.Option(
            "--p2",
            metavar="NAME",
            help="Then improve the dispatch order by this solver of P2 (spt, search, cp-sat, ...), in what is left of "
            "the budget, a tenth of it at least.",
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the placement here, for `offbench evaluate`; -: stdout."),
    ] = None,
    log_dir: LogDirOption = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes, no summary.")] = False,
) -> None:
    """Run one solver on one instance; where none is named, one that suits it.

    The best placement found is compared with everything on the client. Ctrl-C or SIGTERM ends the run;
    the incumbent is printed and written all the same. Where none found is feasible, that is the one that breaks
    constraints least, and the exit code is 1.
    """
    from offbench.cli.shared.files import check_folder, check_stdout_once, check_writable
    from offbench.cli.shared.given import check_stdin_once

    check_stdin_once(instance, placement)
    check_stdout_once(output, json)
    if solver is None and policy is None and placement is not None:
        raise OffbenchError("--placement: which solver of P2? `offbench solvers` lists them: name one as --solver")
    _check_two_step(two_step, secondary, placement, policy)
    if p2 is not None and (two_step or placement is not None):
        raise OffbenchError("--p2: follows P1 in one step; with --placement, name the solver of P2 as --solver")
    parameters = parse_settings(settings)
    if output is not None:
        check_writable(output)
    if log_dir is not None:
        check_folder(log_dir)
    request: dict[str, Any] = {
        "parameters": parameters,
        "seed": seed,
        "time_limit": time_limit,
        "max_evaluations": max_evaluations,
        "target": target,
    }
    if two_step:
        request["secondary"] = secondary
    else:
        request |= {"policy": policy, "rollouts": rollouts, "p2": p2}

    from offbench.cli.shared.interrupt import one_interrupt

    with one_interrupt() as ending:
        solution = _run((instance, objective, weights), solver, placement, two_step, request, log_dir, quiet)
        try:
            if output is not None:
                _write(solution, output, quiet)
        finally:
            _print(solution, json, quiet, output)
    if solution.stopped == "interrupted":
        raise typer.Exit(ending.exit_code)
    if not solution.feasible:
        raise typer.Exit(FAILED)


def _check_two_step(two_step: bool, secondary: str | None, placement: Path | None, policy: Path | None) -> None:
    if secondary is not None and not two_step:
        raise OffbenchError("--secondary: names the solver of the second step; give --two-step as well")
    if two_step and placement is not None:
        raise OffbenchError("--two-step and --placement: two steps choose the servers, a placement gives them")
    if two_step and policy is not None:
        raise OffbenchError("--two-step and --policy: each step is a problem of its own; name a solver")


def _pick(facts: "Instance", request: dict[str, Any], quiet: bool) -> str:
    """Return the solver that is taken where none is named, and say why; its parameters go with the request."""
    from offbench.runs.suggested import suggested

    pick = suggested(facts)
    request["parameters"] = pick.parameters | request["parameters"]
    if not quiet:
        settings = "".join(f" --set {name}={str(value).lower()}" for name, value in pick.parameters.items())
        say(f"no solver is named, so {pick.solver}{settings} is taken ({pick.why})")
    return pick.solver


def _run(
    instance: tuple[str, str | None, str | None],
    solver: str | None,
    placement: Path | None,
    two_step: bool,
    request: dict[str, Any],
    log_dir: Path | None,
    quiet: bool,
) -> "Solution":
    from offbench.cli.shared.console import load_evaluator, prints_apart
    from offbench.cli.shared.given import instance_from, placement_from
    from offbench.runs.suggested import better_with
    from offbench.search.registry import locate

    for name in (solver, request.get("secondary"), request.get("p2")):
        if name is not None:
            locate(name)
    facts = instance_from(*instance)
    if solver is None and request.get("policy") is None:
        solver = _pick(facts, request, quiet)
    elif not quiet and solver is not None and (better := better_with(solver, request["parameters"])):
        say(better)
    given = placement_from(placement, facts) if placement is not None else None
    load_evaluator(quiet, facts)

    from offbench.cli.shared.progress import bar
    from offbench.cli.shared.tensorboard import logging
    from offbench.runs.solve import solve
    from offbench.runs.two_step import solve_two_step
    from offbench.search.budget import BoundError
    from offbench.search.search import Search

    solution = None
    title = solver or str(request["policy"])
    try:
        with prints_apart(), logging(log_dir) as listener, bar(title, quiet, facts.name) as progress:

            def watch(search: Search) -> None:
                if listener is not None:
                    search.diary.listeners.append(listener)
                if progress is not None:
                    progress.watch(search)

            request["on_start"] = watch
            if not two_step:
                solution = solve(facts, solver, placement=given, **request)
            else:
                if progress is not None:
                    request["on_stage"] = progress.begin
                solution = solve_two_step(facts, str(solver), **request)
    except (BoundError, InvalidPlacement) as error:
        say(f"solver '{title}': {error}; the run is void")
        raise typer.Exit(FAILED) from None
    except KeyboardInterrupt:
        if solution is None:
            raise
        # Only the bar was interrupted, the run is over.
    return solution


def _write(solution: "Solution", output: Path, quiet: bool) -> None:
    from offbench.cli.shared.files import write
    from offbench.files.json import layout

    if solution.placement is not None:
        if not solution.feasible:
            say(f"{output}: what is written breaks constraints; nothing feasible was found")
        write(output, layout(solution.placement.to_file(solution.instance, layers=True)) + "\n", quiet)
    else:
        say(f"{output}: not written, there is no placement")


def _print(solution: "Solution", json: bool, quiet: bool, output: Path | None) -> None:
    from offbench.cli.shared.console import show, show_json
    from offbench.cli.shared.given import is_dash
    from offbench.runs.summary import in_a_line, summary

    if json:
        show_json(solution.to_dict())
    if solution.placement is None:
        say(str(summary(solution)))
    elif is_dash(output):  # stdout is the placement alone
        if not solution.feasible:
            say(in_a_line(solution))
        elif not quiet:
            what = f"{solution.solver} on {solution.instance.name} ({solution.problem})"
            say(f"{what}: {solution.status}: Q {solution.objective:.6g}")
    elif not json and not quiet:
        show(summary(solution))
    elif not solution.feasible:
        say(in_a_line(solution))
