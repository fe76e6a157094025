"""What is to be seen, as plain numbers: curves for each solver, drawn by plotly or matplotlib alike."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from offbench.bench.best import UNTRIED, gap_traces
from offbench.bench.frame import traces
from offbench.bench.row import Row
from offbench.bench.statistics.anytime import Trace, anytime_curve, empirical_attainment
from offbench.bench.statistics.profiles import data_profile, performance_profile
from offbench.bench.statistics.times import targets
from offbench.bench.tables import VIRTUAL, Analysis, virtual_best
from offbench.files.escaping import file_names, shortened
from offbench.report.palette import VIRTUAL_BEST, Style, styles

Floats = NDArray[np.float64]
_POINTS = 120
# A logarithmic axis has no zero; gaps below this are drawn on it.
_LEAST_GAP = 1e-4


@dataclass(frozen=True)
class Line:
    """A curve."""

    solver: str
    x: Floats
    y: Floats
    low: Floats | None = None
    """of a band around it"""
    high: Floats | None = None


@dataclass(frozen=True)
class Chart:
    """Curves over one another."""

    name: str
    """also that of its file"""
    title: str
    x: str
    y: str
    lines: tuple[Line, ...]
    log_x: bool = False
    log_y: bool = False
    percent: bool = False
    """whether y is a share"""
    steps: bool = True
    instance: str = ""
    """the one that it is about"""


def looks(analysis: Analysis) -> dict[str, Style]:
    """Return how each solver looks in every chart, and the best of all of them."""
    return {VIRTUAL: VIRTUAL_BEST} | styles(_solvers(analysis))


def charts(analysis: Analysis, rows: Sequence[Row], target: float = 0.01) -> list[Chart]:
    """Return the charts over all instances, those that have something to show; no two have the same name."""
    gaps = gap_traces(rows, analysis.known)
    found = [*_profiles(analysis, rows, target), _attainment(analysis, gaps, target)]
    found += [anytime(analysis, gaps, instance) for instance in analysis.known.index]
    found += learning(rows)
    names = file_names(chart.name for chart in found)
    return [replace(chart, name=name) for chart, name in zip(found, names, strict=True) if chart.lines]


def _solvers(analysis: Analysis) -> list[str]:
    return sorted(set(analysis.table["solver"]))


def _grid(limit_s: float) -> Floats:
    return np.geomspace(min(0.01, limit_s / 100), limit_s, _POINTS)


def anytime(analysis: Analysis, gaps: Mapping[str, Trace], instance: str) -> Chart:
    """Return the median gap of each solver over time on one instance, with its quartiles."""
    table = analysis.table[analysis.table["instance"] == instance]
    lines = []
    for solver in _solvers(analysis):
        runs = table[(table["solver"] == solver) & table["key"].isin(list(gaps))]
        if len(runs):
            seconds = _grid(float(runs["time_limit_s"].max()))
            curves = anytime_curve([gaps[key] for key in runs["key"]], seconds)
            low, middle, high = np.maximum(curves, _LEAST_GAP)
            lines.append(Line(solver, seconds, middle, low, high))
    title = f"{shortened(instance)}: median gap over time, quartiles shaded"
    axes = ("seconds", "missed improvement")
    return Chart(
        f"anytime-{instance}", title, *axes, tuple(lines), log_x=True, log_y=True, percent=True, instance=instance
    )


def _profiles(analysis: Analysis, rows: Sequence[Row], target: float) -> list[Chart]:
    table, known = analysis.table, analysis.known
    tried = table[~table["status"].isin(UNTRIED)].drop(columns="client_only")
    joined = tried.join(known[["client_only", "best_known"]], on="instance")
    hits = targets(joined, dict(traces(rows)), target)
    medians = hits.groupby(["instance", "solver"])["hit_s"].median().unstack("solver")
    # A solver that wasn't tried on an instance didn't solve it.
    times = {str(solver): medians[solver].fillna(math.inf).to_numpy(float) for solver in medians}
    if not times:
        return []
    together = dict(times)
    if len(times) > 1:
        first = virtual_best(hits, "hit_s").groupby("instance")["hit_s"].median()
        together[VIRTUAL] = first.reindex(medians.index).fillna(math.inf).to_numpy(float)
    limit = float(tried["time_limit_s"].max())
    factors, budgets = np.geomspace(1, 1000, _POINTS), _grid(limit)
    solved = f"a gap of {target:.2g} or less"
    performance, data = performance_profile(times, factors), data_profile(together, budgets)
    return [
        Chart(
            "performance", f"Performance profile: {solved}", "times the fastest solver's seconds", "share of instances",
            tuple(Line(solver, factors, y) for solver, y in performance.items()), log_x=True,
        ),
        Chart(
            "data", f"Data profile: {solved}", "seconds", "share of instances",
            tuple(Line(solver, budgets, y) for solver, y in data.items()), log_x=True,
        ),
    ]  # fmt: skip


def _attainment(analysis: Analysis, gaps: Mapping[str, Trace], target: float) -> Chart:
    """Return the share of all runs that have attained the target by each time."""
    lines = []
    for solver in _solvers(analysis):
        runs = [gaps[key] for key in analysis.table.loc[analysis.table["solver"] == solver, "key"] if key in gaps]
        if runs:
            seconds = _grid(float(analysis.table["time_limit_s"].max()))
            lines.append(Line(solver, seconds, empirical_attainment(runs, seconds, [target + 1e-9])[0]))
    title = f"Empirical attainment: a gap of {target:.2g} or less"
    return Chart("attainment", title, "seconds", "share of runs", tuple(lines), log_x=True)


def learning(rows: Sequence[Row]) -> list[Chart]:
    """Return training curves: one chart for each instance and each thing that a solver tells of its learning."""
    found: dict[tuple[str, str], list[Line]] = {}
    for row in sorted(rows, key=lambda row: row.job.cell):
        for name, points in row.curves.items():
            lines = found.setdefault((row.job.instance, name), [])
            if points and all(line.solver != row.job.solver for line in lines):  # one seed of each
                x, y = np.array(points, dtype=float).T
                lines.append(Line(row.job.solver, x, y))
    return [
        Chart(
            f"learning-{instance}-{name}",
            f"{shortened(instance)}: {shortened(name)} while learning, one seed of each",
            "step",
            name,
            tuple(lines),
            steps=False,
            instance=instance,
        )
        for (instance, name), lines in found.items()
    ]
