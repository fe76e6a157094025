"""`offbench warm-up`: compile ahead what a first run would compile, for images and clusters."""

from collections.abc import Callable
from time import perf_counter
from typing import Annotated, Any

import typer

from offbench.cli.shared.arguments import Json
from offbench.cli.shared.errors import FAILED, say
from offbench.errors import OffbenchError


def warm_up(
    solvers: Annotated[
        list[str] | None, typer.Argument(metavar="SOLVER...", help="Which solvers; all that are installed by default.")
    ] = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print nothing.")] = False,
) -> None:
    """Compile ahead what the evaluator and the solvers compile in their first run on a machine."""
    from offbench.cli.shared.console import show, show_json
    from offbench.cli.shared.progress import bar
    from offbench.search.registry import catalogue, locate

    for name in solvers or ():
        locate(name)
    usable = [entry.name for entry in catalogue().values() if entry.usable]
    rows = []
    with bar("evaluator", quiet, "warm-up") as progress:
        rows.append(_compiled("evaluator", _evaluator))
        for name in solvers or usable:
            if progress is not None:
                progress.begin(name)
            rows.append(_of_solver(name))
    if json:
        show_json(rows)
    elif not quiet:
        show(*_shown(rows))
    faults = [row["error"] for row in rows if "error" in row]
    for fault in faults:
        say(fault)
    if faults:
        raise typer.Exit(FAILED)


def _evaluator() -> None:
    from offbench.evaluation.evaluator import warm_up
    from offbench.search.greedy import warm_up_insertion

    warm_up()
    warm_up_insertion()


def _solver(name: str) -> None:
    from offbench.search.parameters import configure
    from offbench.search.registry import find

    configure(find(name), name, {}).warm_up()


def _of_solver(name: str) -> dict[str, Any]:
    """Warm up a solver; what it raises is told in its row, and keeps no other from being compiled."""
    from offbench.runs.blame import text_of
    from offbench.search.watchdog import signal_behind

    try:
        return _compiled(name, lambda: _solver(name))
    except OffbenchError:
        raise
    except (Exception, SystemExit) as error:
        if isinstance(error, SystemError) and signal_behind(error) is not None:
            raise
        fault = f"{type(error).__name__}: {text_of(error)}".removesuffix(": ")
        return {"name": name, "seconds": 0.0, "compiled": {}, "error": f"solver '{name}' can't be warmed up: {fault}"}


def _compiled(name: str, warm: Callable[[], None]) -> dict[str, Any]:
    """Warm up, and return how long that took and what was compiled."""
    from offbench.evaluation.compiled import COMPILING

    before, begun_s = dict(COMPILING.seconds), perf_counter()
    warm()
    compiled = {each: round(s - before.get(each, 0.0), 3) for each, s in COMPILING.seconds.items()}
    return {
        "name": name,
        "seconds": round(perf_counter() - begun_s, 3),
        "compiled": {each: s for each, s in compiled.items() if s > 0},
    }


def _shown(rows: list[dict[str, Any]]) -> list[Any]:
    from rich.table import Table

    table = Table("", "s", "compiled now")
    table.columns[1].justify = "right"
    for row in rows:
        what = "it failed" if "error" in row else ", ".join(row["compiled"]) or "nothing: it was there"
        table.add_row(row["name"], f"{row['seconds']:.1f}", what)
    total_s = sum(row["seconds"] for row in rows)
    return [table, f"{total_s:.0f} s. What is compiled is kept for the next run."]
