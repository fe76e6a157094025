"""`offbench references update`: run solvers and relaxations for better references."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.cli.references.file import Names, checked_names, read
from offbench.cli.shared.arguments import ObjectiveOption
from offbench.cli.shared.errors import FAILED, say
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.evaluation.references import Reference
    from offbench.model.instance import Instance
    from offbench.runs.update_references import Effort, Improved


def update(
    names: Names = None,
    objective: ObjectiveOption = None,
    solvers: Annotated[
        list[str] | None,
        typer.Option(
            "--solver", metavar="NAME", help="A solver to run; repeatable. By default all that are installed."
        ),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PARAMETER=VALUE", help="A parameter of the one --solver; repeatable."),
    ] = None,
    time_limit: Annotated[
        float, typer.Option(metavar="S", help="Seconds for each solver, and for all relaxations together.")
    ] = 60.0,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the solvers' random numbers.")] = 0,
    placement: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Run nothing: take this placement of the one INSTANCE."),
    ] = None,
    by: Annotated[str | None, typer.Option(metavar="TEXT", help="Who found the placement, or how.")] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Improve this file instead of the shipped one.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes.")] = False,
) -> None:
    """Improve the references by running solvers and relaxations.

    No entry gets worse: a lower objective, by the shared evaluator, or a higher bound is taken. If a
    bound lies above an objective, nothing is written.
    """
    from offbench.cli.shared.console import load_evaluator, show_line
    from offbench.cli.shared.files import check_writable, write
    from offbench.cli.shared.given import is_dash
    from offbench.cli.shared.interrupt import one_interrupt
    from offbench.evaluation.references import References, references, shipped_path
    from offbench.model.instance import shipped
    from offbench.model.objectives import named

    chosen = checked_names(names, shipped())
    if objective is not None:
        chosen = [f"{name}@{objective}" for name in chosen]
    given = [named(name) for name in chosen]
    if (placement is None) != (by is None) or (placement is not None and (len(chosen) != 1 or solvers)):
        raise OffbenchError("--placement: needs one INSTANCE, --by TEXT and no --solver")
    target = output or shipped_path()
    check_writable(target)
    is_file = not is_dash(target) and target.exists()
    load_evaluator(quiet)

    from offbench.runs.update_references import changes, merge_all
    from offbench.search.budget import BoundError

    effort = _effort(solvers, settings, time_limit, seed)
    begun = read(target) if is_file else references()
    better: dict[str, Reference] = {}
    failures: list[str] = []
    interrupted = False
    try:
        with one_interrupt() as ending:
            for name, instance in zip(chosen, given, strict=True):
                before = begun.instances.get(name)
                improved = _improved(instance, before, effort, placement, by, quiet)
                better[name] = improved.reference
                failures += improved.failures
                for refusal in improved.refusals if not quiet else ():
                    say(refusal)
                told = ", ".join(changes(before, improved.reference)) or "no change"
                show_line(f"{name}: {told}", to_stderr=is_dash(target))
                interrupted = improved.interrupted
                if interrupted:
                    break
        # Read once more, for somebody else may have improved the file meanwhile.
        now = read(target) if is_file else References(instances=begun.instances)
        merged = merge_all(now, better)
    except BoundError as error:
        say(f"references: {error}; nothing is written")
        raise typer.Exit(FAILED) from None
    if merged != now or not is_file:
        try:
            write(target, merged.to_text(), quiet)
        except OffbenchError:  # hours of work, perhaps
            print(merged.to_text(), end="")
            raise
    for failure in failures:
        say(failure)
    if interrupted:
        raise typer.Exit(ending.exit_code)
    if failures:
        raise typer.Exit(FAILED)


def _effort(solvers: list[str] | None, settings: list[str] | None, time_limit: float, seed: int) -> "Effort":
    from offbench.bounds import RELAXATIONS
    from offbench.cli.shared.arguments import parse_settings
    from offbench.runs.update_references import Effort
    from offbench.search.registry import catalogue

    if settings and (not solvers or len(solvers) != 1):
        raise OffbenchError("--set: needs exactly one --solver, whose parameter it is")
    installed = [entry.name for entry in catalogue().values() if not entry.missing and entry.solves != "?"]
    chosen = list(dict.fromkeys(solvers)) if solvers else installed
    return Effort(chosen, RELAXATIONS, parse_settings(settings), seed, time_limit)


def _improved(
    instance: "Instance",
    before: "Reference | None",
    effort: "Effort",
    placement: Path | None,
    by: str | None,
    quiet: bool,
) -> "Improved":
    from offbench.cli.shared.console import prints_apart
    from offbench.cli.shared.given import placement_from
    from offbench.cli.shared.progress import bar
    from offbench.runs.update_references import Improved, begin, improve, origin, with_placement

    reference = begin(instance, before)
    if placement is not None and by is not None:
        given = placement_from(placement, instance)
        return Improved(with_placement(reference, instance, given, origin(by, "elsewhere")))
    with prints_apart(), bar(instance.name, quiet, instance.name) as progress:
        if progress is None:
            return improve(instance, reference, effort)
        return improve(instance, reference, effort, progress.begin, progress.watch)
