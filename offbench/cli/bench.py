"""`offbench bench`: run a suite, or go on with it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.cli.shared.arguments import JobsOption, Json, ObjectiveOption, WeightsOption, jobs_here
from offbench.cli.shared.errors import FAILED, say
from offbench.errors import OffbenchError, one_of

if TYPE_CHECKING:
    from offbench.bench.plan import Plan
    from offbench.bench.runner import Progress, Tally
    from offbench.bench.store import Store
    from offbench.bench.suite import Suite
    from offbench.bench.workers import Backend
    from offbench.cli.shared.interrupt import Ending

RESULTS = Path("results")


def bench(
    suite: Annotated[
        str,
        typer.Argument(metavar="SUITE", help="A suite file, - for stdin, or the name of a shipped one: smoke."),
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Where results go; results/NAME by default.")
    ] = None,
    instances: Annotated[
        list[str] | None, typer.Option("--instance", metavar="NAME", help="Instead of the suite's; repeatable.")
    ] = None,
    solvers: Annotated[
        list[str] | None,
        typer.Option("--solver", metavar="NAME", help="Of the suite's, or another; repeatable."),
    ] = None,
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    seeds: Annotated[
        int | None, typer.Option(metavar="N", help="Seeds 0 to N-1; a solver with one seed in the suite keeps it.")
    ] = None,
    time_limit: Annotated[float | None, typer.Option(metavar="S", help="Seconds for each run.")] = None,
    max_evaluations: Annotated[int | None, typer.Option(metavar="N", help="Placements for each run.")] = None,
    jobs: JobsOption = None,
    backend: Annotated[str, typer.Option(metavar="loky|dask|ray", help="Processes here, or a cluster.")] = "loky",
    address: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The cluster's, such as tcp://host:8786; or one made here.")
    ] = None,
    rerun: Annotated[
        str | None, typer.Option(metavar="failed", help="Run again what ended in an error or was killed.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many runs and how long, and stop.")] = False,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes.")] = False,
) -> None:
    """Run a suite: what has no result yet, and nothing twice.

    The same command goes on where it was stopped, however that was. Every planned run leaves a row; exit code 1
    tells that one failed, or is missing.
    """
    from offbench.bench.plan import plan
    from offbench.bench.store import Store
    from offbench.bench.suite import find_suite, is_file, parse_suite, read_suite, restricted
    from offbench.bench.suite_file import keep_suite
    from offbench.cli.shared.files import check_folder
    from offbench.cli.shared.given import STDIN, check_stdin_once, is_dash
    from offbench.cli.shared.tracked import refuse_tracked
    from offbench.files.text import MOST_MB_OF_TOML, read_stdin, read_text

    chosen = _backend(backend, address)
    here = jobs_here(jobs)
    if rerun not in (None, "failed"):
        raise OffbenchError(f"--rerun: must be 'failed', not '{rerun}'")
    check_stdin_once(suite, *(instances or ()))
    file = Path("-") if is_dash(suite) else find_suite(suite)
    text = read_stdin(STDIN, MOST_MB_OF_TOML) if is_dash(suite) else read_text(file)
    said = parse_suite(text, STDIN) if is_dash(suite) else read_suite(file)
    # Files that are named here are seen from here, those in the suite from its folder.
    named = [str(Path(name).resolve()) if is_file(name) else name for name in solvers or ()]
    on = [str(Path(name).resolve()) if is_file(name) else name for name in instances or ()]
    wanted = restricted(said, on, named, seeds, time_limit, max_evaluations, objective, weights)
    made = plan(wanted, file.parent, required=named, imports=not dry_run)
    store = Store(output or RESULTS / wanted.name)
    if output is None and not dry_run:
        refuse_tracked(store.folder)
    check_folder(store.folder)
    if store.has_plan and not (store.folder / "suite.toml").is_file():
        raise OffbenchError(
            f"{store.folder}: holds runs of no suite (it has no suite.toml), such as `offbench reproduce` makes; "
            "name another folder with --output"
        )
    store.refuse_other_budget(made.jobs)
    at_once = here if chosen == "loky" else jobs or -1
    if not quiet:
        for solver, why in made.absent.items():
            say(f"{solver}: its runs are left as 'not-installed': {why}")
    if dry_run:
        forecast_of(made, store, max(1, at_once), rerun is not None, json)
        if not quiet and any(entrant.parameters or is_file(entrant.name) for entrant in wanted.solvers):
            say("no solver was imported, so no parameters are checked")
        for damage in store.damaged:
            say(damage)
        return
    store.check_there()
    if (told := keep_suite(store.folder, wanted, file, text)) is not None:
        say(told)
    outcome, ending = run_plan(made, store, at_once, chosen, address, rerun is not None, quiet)
    tell(outcome, store, json, quiet)
    if outcome.interrupted:
        raise typer.Exit(ending.exit_code)
    if wanted.validation is not None:
        _validate(store, made, wanted, file.parent, quiet)
    if outcome.failed or outcome.missing:
        raise typer.Exit(FAILED)


def _validate(store: "Store", made: "Plan", suite: "Suite", folder: Path, quiet: bool) -> None:
    """Run the placements that the suite wants measured, and say what came of them."""
    from offbench.bench.validation import validate
    from offbench.cli.shared.console import plural
    from offbench.cli.shared.interrupt import one_interrupt
    from offbench.cli.shared.progress import bar

    now, stop = [0, 1], [False]

    def watch(done: int, total: int) -> bool:
        now[:] = done, total
        return not stop[0]

    def interrupt() -> None:
        stop[0] = True

    rows = [row for row in map(store.get, made.jobs) if row is not None]
    with one_interrupt(interrupt) as ending, bar(suite.name, quiet) as progress:
        if progress is not None:
            progress.follow(lambda: (now[0] / now[1], f"measuring placements, {now[0]} of {now[1]}"))
        found = list(validate(store, rows, suite, folder, watch))
    for one in found:
        if one.message:
            say(f"{one.instance}: a placement couldn't be measured: {one.message}")
    if not quiet:
        count = sum(not one.message for one in found)
        say(f"{plural(count, 'placement')} measured; `offbench table {store.folder} --only measured` compares them")
    if stop[0]:
        raise typer.Exit(ending.exit_code)


def _backend(name: str, address: str | None) -> "Backend":
    backends: tuple[Backend, ...] = ("loky", "dask", "ray")
    for backend in backends:
        if backend == name:
            if address is not None and backend == "loky":
                raise OffbenchError("--address: is of a cluster; give --backend dask or ray")
            return backend
    raise one_of("--backend", name, list(backends))


def forecast_of(made: "Plan", store: "Store", jobs: int, rerun: bool, json: bool) -> None:
    """Say how many runs a plan has, and how long they take."""
    from offbench.bench.forecast import duration, seconds_of_all
    from offbench.bench.runner import to_run
    from offbench.cli.shared.console import show_json, show_line

    _tell_older(made, store)
    todo = to_run(made, store, rerun)
    most_s = seconds_of_all(todo, {}) / jobs
    likely_s = seconds_of_all(todo, store.seconds()) / jobs
    if json:
        show_json(
            {"runs": len(made.jobs), "to_run": len(todo), "at_most_s": most_s, "likely_s": likely_s, "jobs": jobs}
        )
        return
    likely = f", {duration(likely_s)} as the runs that are done went" if likely_s < most_s else ""
    show_line(
        f"{made.suite.name}: {len(made.jobs)} runs, {len(made.jobs) - len(todo)} done, {len(todo)} to make: "
        f"at most {duration(most_s)} with --jobs {jobs}{likely}; into {store.folder}"
    )


def _tell_older(made: "Plan", store: "Store") -> None:
    """Tell of rows that are there but don't count, for something else decided them."""
    from collections import Counter

    from offbench.cli.shared.console import plural

    for what, count in sorted(Counter(what for _, what in store.older(made.jobs)).items()):
        say(f"{store.folder}: {plural(count, 'row')} of {what} than these runs: kept, but made anew")


def run_plan(
    made: "Plan", store: "Store", jobs: int, backend: "Backend", address: str | None, rerun: bool, quiet: bool
) -> "tuple[Tally, Ending]":
    """Run a plan, with a progress bar; Ctrl-C keeps what is done."""
    from offbench.bench.forecast import state
    from offbench.bench.runner import run
    from offbench.cli.shared.interrupt import one_interrupt
    from offbench.cli.shared.progress import bar

    if not quiet:
        _tell_older(made, store)
    known = store.seconds()
    with one_interrupt() as ending, bar(made.suite.name, quiet) as progress:

        def watch(runs: "Progress") -> None:
            if progress is not None:
                progress.follow(lambda: state(runs, known))

        return run(made, store, jobs, backend, address, rerun, watch), ending


def tell(outcome: "Tally", store: "Store", json: bool, quiet: bool) -> None:
    """Say what came of it."""
    from dataclasses import asdict

    from offbench.cli.shared.console import plural, show_json, show_line

    for damage in store.damaged:
        say(damage)
    for loss in outcome.lost:
        say(f"a worker was lost, and its run made again: {loss}")
    if json:
        show_json(asdict(outcome) | {"folder": str(store.folder)})
    elif not quiet:
        failed = (
            f", {outcome.failed} of them failed (`offbench status {store.folder}` says how)" if outcome.failed else ""
        )
        show_line(f"{plural(outcome.done, 'run')} made{failed}; {outcome.skipped} were done before; in {store.folder}")
    if outcome.elsewhere:
        say(f"{plural(outcome.elsewhere, 'run')} left to another process that is at them")
    if outcome.changed:
        say(
            f"{', '.join(outcome.changed)}: its code changed during the suite; its runs are kept as runs of the code "
            "that made them, and those planned are made when the same command runs again"
        )
    if outcome.missing and not outcome.interrupted:
        say(f"{plural(outcome.missing, 'planned run')} without a row; the same command makes them")
    if outcome.interrupted:
        say("interrupted; the same command goes on from here")
