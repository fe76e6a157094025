"""A folder of results as an argument, and what it has."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.bench.frame import Results
    from offbench.bench.store import Store
    from offbench.bench.tables import Analysis

Folder = Annotated[Path, typer.Argument(metavar="RESULTS", help="A folder that `offbench bench` wrote.")]
Target = Annotated[
    float, typer.Option(metavar="GAP", help="Missed improvement that times are taken to, such as 0.01 for 1 %.")
]

Exclude = Annotated[
    list[str] | None,
    typer.Option(
        metavar="RUN-KEY|SOLVER",
        help="Go on without a run, or all of a solver's, that something is wrong with; repeatable.",
    ),
]


def analysed(
    folder: Path, target: float, spread: int, exclude: list[str] | None = None
) -> "tuple[Store, Results, Analysis]":
    """Return what a folder has, and its statistics, without the runs that a feasible placement refutes."""
    from offbench.bench.best import REFERENCE
    from offbench.bench.contradictions import set_aside
    from offbench.bench.frame import results, without
    from offbench.bench.store import Store
    from offbench.bench.tables import analyse
    from offbench.evaluation.references import references

    left_out = list(dict.fromkeys(exclude or ()))
    known = {reference.hash: reference for reference in references().instances.values()}
    if REFERENCE in left_out:
        known = {}
        left_out.remove(REFERENCE)
    if not 0 <= target < 1:
        raise OffbenchError(f"--target: must be from 0 to below 1, not {target}")
    store = Store.of_results(folder)
    try:
        found = without(results(store), left_out)
    except OffbenchError as error:
        raise OffbenchError(f"--exclude: {error}") from None
    if not len(found.table):
        raise OffbenchError(f"{folder}: has no runs yet")
    found, known = set_aside(found, known)
    if not len(found.table):
        raise OffbenchError(f"{folder}: has no run that nothing refutes")
    return store, found, analyse(found, known, target, spread)
