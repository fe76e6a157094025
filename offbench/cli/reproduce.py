"""`offbench reproduce`: the paper's experiments, figure by figure, and what becomes of its claims."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.cli.shared.arguments import JobsOption, Json, jobs_here
from offbench.cli.shared.errors import FAILED, say
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.bench.store import Store
    from offbench.paper.experiments import Scope
    from offbench.paper.results import Result


def reproduce(
    figure: Annotated[str | None, typer.Argument(metavar="FIGURE", help="fig3 to fig13, or all.")] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Few seeds, seconds a run, two networks: all in 15 minutes on two cores.")
    ] = False,
    report: Annotated[
        bool, typer.Option("--report", help="Write one page of all figures, from the runs that there are.")
    ] = False,
    output: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where results go; results/paper-full by default, or results/paper-quick."),
    ] = None,
    seeds: Annotated[int | None, typer.Option(metavar="N", help="Seeds 0 to N-1 of the agents.")] = None,
    time_limit: Annotated[float | None, typer.Option(metavar="S", help="Seconds for each run.")] = None,
    seconds: Annotated[float | None, typer.Option(hidden=True, help="What --time-limit was called.")] = None,
    jobs: JobsOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many runs and how long, and stop.")] = False,
    rerun: Annotated[
        str | None, typer.Option(metavar="failed", help="Run again what ended in an error or was killed.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace files of more runs than these, which is refused otherwise.")
    ] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes.")] = False,
) -> None:
    """Run a figure's experiment and hold the paper's claims against it.

    The same command goes on where it was stopped, and figures share runs. Data and figures are written, but not over
    those of more runs; for each claim, in our words, it prints what we observe and whether it holds.
    """
    from dataclasses import replace
    from math import inf

    from offbench.bench.plan import together
    from offbench.bench.store import Store
    from offbench.cli.bench import forecast_of, run_plan, tell
    from offbench.cli.shared.files import check_folder
    from offbench.cli.shared.tracked import refuse_tracked
    from offbench.paper.experiments import FIGURES, FULL, QUICK, chosen, experiments
    from offbench.paper.fuller import count, refuse_emptier, runs_there

    if figure is None and not report:
        raise OffbenchError(f"figure: name one of {', '.join(FIGURES)} or all, or give --report")
    if dry_run and figure is None:
        raise OffbenchError("--dry-run: of which figure? name one, or all")
    if seeds is not None and seeds < 1:
        raise OffbenchError(f"--seeds: must be at least 1, not {seeds}")
    at_once = jobs_here(jobs)
    time_limit = seconds if time_limit is None else time_limit
    if time_limit is not None and not 0 < time_limit < inf:
        raise OffbenchError(f"--time-limit: must be above 0 and finite, not {time_limit:g}")
    if rerun not in (None, "failed"):
        raise OffbenchError(f"--rerun: must be 'failed', not '{rerun}'")
    scope = QUICK if quick else FULL
    if seeds is not None:
        scope = replace(scope, seeds=seeds)
    if time_limit is not None:
        scope = replace(scope, time_limit_s=time_limit)
    known = experiments(scope)
    wanted = chosen(figure) if figure is not None else []
    store = Store(output or Path("results") / ("paper-quick" if quick else "paper-full"))
    if output is None and not dry_run:
        refuse_tracked(store.folder)
    if (store.folder / "suite.toml").is_file():
        raise OffbenchError(
            f"{store.folder}: holds the runs of a suite (suite.toml); name another folder with --output"
        )
    there: dict[str, int] = {}
    if wanted:
        plans = {name: known[name].plan(scope) for name in wanted}
        plan = together(str(figure), list(plans.values()))
        check_folder(store.folder)
        if not overwrite and not dry_run:  # what it would come to at best
            there = runs_there(store, wanted, scope)
            refuse_emptier(store.folder, there, {name: count(each.jobs) for name, each in plans.items()})
        if dry_run:
            forecast_of(plan, store, at_once, rerun is not None, json)
            return
        if not quiet and not json:
            forecast_of(plan, store, at_once, rerun is not None, False)
        outcome, ending = run_plan(plan, store, at_once, "loky", None, rerun is not None, quiet)
        if not json or outcome.interrupted:
            tell(outcome, store, json, quiet)
        if outcome.interrupted:
            raise typer.Exit(ending.exit_code)
    elif not store.has_plan:
        raise OffbenchError(f"{store.folder}: has no runs; `offbench reproduce all` makes them")
    shown = wanted or list(FIGURES)
    written = list(FIGURES) if report else wanted
    found = _results(written, scope, store, quiet)
    if not overwrite:
        there = runs_there(store, [name for name in written if name not in there], scope) | there
        refuse_emptier(store.folder, there, {name: found[name].runs.made for name in written})
    try:
        _write([found[name] for name in written], scope, quick, store.folder, report, quiet)
    finally:  # where it can't be written, it is printed all the same
        _show([found[name] for name in shown], json)
    if wanted and (outcome.failed or outcome.missing):
        raise typer.Exit(FAILED)


def _results(figures: list[str], scope: "Scope", store: "Store", quiet: bool) -> "dict[str, Result]":
    from offbench.bench.best import Contradiction
    from offbench.cli.shared.progress import bar
    from offbench.paper.experiments import experiments
    from offbench.paper.results import result

    known = experiments(scope)
    found: dict[str, Result] = {}
    with bar("figures", quiet) as progress:
        if progress is not None:
            progress.follow(lambda: (len(found) / len(figures), f"{len(found)} of {len(figures)}"))
        for name in figures:
            try:
                found[name] = result(known[name], scope, store)
            except Contradiction as error:
                say(str(error))
                raise typer.Exit(FAILED) from None
    for damage in store.damaged:
        say(damage)
    return found


def _write(found: "list[Result]", scope: "Scope", quick: bool, folder: Path, report: bool, quiet: bool) -> None:
    from offbench.cli.shared.files import write
    from offbench.paper.results import write_all, write_figure

    label = " (quick)" if quick else ""
    before = {path for path in folder.rglob("*") if path.is_file()}
    paths = [path for one in found if one.rows for path in write_figure(one, folder, label)]
    if report:
        from offbench.paper.report import claims_markdown, page

        findings = [finding for one in found for finding in one.findings]
        paths += write_all(found, folder, claims_markdown(findings, scope, quick))
        write(folder / "report.html", page(found, scope, quick), quiet)
    if not quiet:
        replaced = sorted(str(path.relative_to(folder)) for path in paths if path in before)
        say(f"wrote {len(paths)} files into {folder}: data/, figures/{', claims.md' if report else ''}")
        if replaced:
            say(f"of these it replaced {', '.join(replaced)}")


def _show(found: "list[Result]", json: bool) -> None:
    from offbench.cli.shared.console import show, show_json

    findings = [finding for one in found for finding in one.findings]
    if json:
        from offbench.bench.formats import records
        from offbench.paper.table import missed

        figures = [
            {
                "figure": one.experiment.figure,
                "runs": len(one.runs.table),
                "missing": one.runs.missing,
                "missed_improvement": records(missed(one.runs)),
            }
            for one in found
        ]
        show_json({"figures": figures, "claims": [finding.to_dict() for finding in findings]})
        return

    from rich.console import Group
    from rich.table import Table

    from offbench.paper.report import observed, of_best, tally

    table = Table(show_lines=True)
    heads = ("the paper, in our words", "verdict", "we observe (95 % interval)", "best placements known")
    for head, share in zip(heads, (3, 2, 4, 3), strict=True):
        table.add_column(head, ratio=share)
    for one in findings:
        told = (f"{one.claim.id}: {one.claim.text}", one.verdict, observed(one), of_best(one))
        table.add_row(*(Group(*text.splitlines()) for text in told))
    show(table)
    show(tally(findings))
