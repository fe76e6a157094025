"""What is written of a figure: its numbers and its picture; of all of them: claims, runs and the page."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from offbench.bench.formats import csv_of
from offbench.bench.store import Store
from offbench.files.atomic import write_whole, writing
from offbench.paper.claims import claims
from offbench.paper.drawing import numbers, picture
from offbench.paper.experiments import DDPQN, Experiment, Scope
from offbench.paper.findings import Finding, judge
from offbench.paper.panels import Rows, panels
from offbench.paper.table import VALUES, Runs, runs

# Of the table of all runs.
_COLUMNS = (
    "instance", "network", "weights", "reading", "edges", "clouds", "tasks", "solver", "seed", "status",
    "lower_bound", "client_only", *(name for name in VALUES if name != "layers"), "seconds", "evaluations", "cpu",
    "crowded", "commit", "key",
)  # fmt: skip


@dataclass(frozen=True)
class Result:
    """What there is of one figure."""

    experiment: Experiment
    runs: Runs
    rows: Rows
    findings: tuple[Finding, ...]


def result(experiment: Experiment, scope: Scope, store: Store) -> Result:
    """Return what a store's runs say of a figure.

    Raises
    ------
    Contradiction
        If a bound lies above an objective.
    """
    found = runs(experiment, scope, store)
    judged = tuple(judge(claim, found.table) for claim in claims() if claim.figure == experiment.figure)
    return Result(experiment, found, panels(experiment.figure, found), judged)


def write_figure(found: Result, folder: Path, label: str) -> list[Path]:
    """Write a figure's numbers (``data/FIGURE.csv``) and its picture (``figures/FIGURE.png`` and ``.pdf``).

    Parameters
    ----------
    found
        What there is.
    folder
        Where.
    label
        Stands in the picture's title, so that a quick run's can't be taken for the full one's.
    """
    from offbench.report.static_figures import save

    name = found.experiment.figure
    data = folder / "data" / f"{name}.csv"
    _write(data, csv_of(numbers(found.rows), float_format="%.8g"))
    by = ", by DDPQN" if found.experiment.agents == (DDPQN,) else ""
    title = f"Figure {name.removeprefix('fig')}: {found.experiment.title}{by}{label}"
    return [data, *save({name: lambda: picture(found.rows, title)}, folder / "figures")]


def write_all(found: Sequence[Result], folder: Path, claims_table: str) -> list[Path]:
    """Write all runs as one table (``data/runs.csv``), and the claims (``claims.md``)."""
    import pandas as pd

    tables = pd.concat([one.runs.table[list(_COLUMNS)] for one in found])
    whole = tables.drop_duplicates("key").sort_values(["instance", "solver", "seed"])
    paths = [folder / "data" / "runs.csv", folder / "claims.md"]
    _write(paths[0], csv_of(whole, float_format="%.8g"))
    _write(paths[1], claims_table)
    return paths


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
