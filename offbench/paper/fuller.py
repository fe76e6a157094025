"""What a folder's files were made from, so that fuller results don't give way to emptier ones."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from offbench.bench.frame import PENDING
from offbench.bench.job import NOT_INSTALLED, Job
from offbench.bench.row import Row
from offbench.bench.store import Store
from offbench.errors import OffbenchError
from offbench.paper.experiments import FULL, Experiment, Scope, experiments

Cell = tuple[str, str, int]
"""of a run: instance, solver, seed"""

RUNS = Path("data") / "runs.csv"
_NOT_MADE = (PENDING, "not-installed")


def file_of(figure: str) -> Path:
    """Return the file of a figure's numbers, in a folder."""
    return Path("data") / f"{figure}.csv"


def runs_there(store: Store, figures: Sequence[str], scope: Scope) -> dict[str, int]:
    """Return of how many runs each figure's files in a folder are, at most, where there are such files.

    Counted are the runs of its instances and solvers, with whatever seed, that the folder has rows of or that
    its table of all runs has; that one goes on to have them where the rows stay elsewhere.
    """
    made = {row.job.cell for row in store.rows() if row.status != "not-installed"} | _table(store.folder / RUNS)
    known = [experiments(scope), experiments(FULL)]
    found = {}
    for figure in figures:
        if (store.folder / file_of(figure)).is_file():
            pairs = {pair for each, of in zip(known, (scope, FULL), strict=True) for pair in _pairs(each[figure], of)}
            found[figure] = sum((instance, solver) in pairs for instance, solver, _ in made)
    return found


def _table(path: Path) -> set[Cell]:
    """Return the runs of a table of all runs; none where it can't be read."""
    import pandas as pd

    try:
        table = pd.read_csv(path, usecols=["instance", "solver", "seed", "status"])
    except (FileNotFoundError, ValueError):  # none, or none of ours
        return set()
    made = table[~table["status"].isin(_NOT_MADE)]
    return {
        (str(instance), str(solver), int(seed))
        for instance, solver, seed in zip(made["instance"], made["solver"], made["seed"], strict=True)
    }


def _pairs(experiment: Experiment, scope: Scope) -> set[tuple[str, str]]:
    """Return the instances and solvers of an experiment."""
    return {
        (str(instance.name), entrant.label)
        for suite in experiment.suites(scope)
        for instance in suite.instances
        if not isinstance(instance, str)
        for entrant in suite.solvers
    }


def count(runs: Iterable[Row | Job]) -> int:
    """Return how many runs were made, or can be."""
    return sum(run.status != "not-installed" if isinstance(run, Row) else run.code != NOT_INSTALLED for run in runs)


def refuse_emptier(folder: Path, there: Mapping[str, int], new: Mapping[str, int]) -> None:
    """Refuse to replace a figure's files by ones of fewer runs.

    Parameters
    ----------
    folder
        Whose files they are.
    there, new
        Of how many runs each figure's files are and would be (`runs_there`).

    Raises
    ------
    OffbenchError
        If one would be of fewer.
    """
    fewer = {figure: number for figure, number in new.items() if number < there.get(figure, 0)}
    if fewer:
        told = ", ".join(
            f"{file_of(figure)} is of {there[figure]} runs, not {number}" for figure, number in fewer.items()
        )
        raise OffbenchError(
            f"{folder}: has fuller results than these: {told}; "
            "--overwrite replaces them, --output writes to another folder"
        )
