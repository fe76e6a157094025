"""What each figure shows: panels in rows, as plain numbers; beside the agents what the paper could not show."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from offbench.bench.statistics.intervals import Interval
from offbench.paper.bars import Bar, Bars
from offbench.paper.estimates import level, observe
from offbench.paper.experiments import AGENTS, DEFAULTS, PARAMETERS
from offbench.paper.heatmap import Heatmap
from offbench.paper.settings import ALL, BENEFITS, ENVIRONMENTS, PRINTED, READINGS, Setting
from offbench.paper.table import Points, Runs, beside
from offbench.report.charts import Chart, Line

if TYPE_CHECKING:
    import pandas as pd

Panel = Chart | Bars | Heatmap
Rows = list[list[Panel]]
Floats = NDArray[np.float64]

_BINS = 100
_NAMES = {
    "objective": "objective Q", "delay_s": "delay, s", "energy_j": "energy, J", "cost_usd": "cost, $",
    "delay": "delay / T_ref", "energy": "energy / E_ref", "cost": "cost / U_ref", "score": "score SC",
    "coordination": "total H", "balance": "total Z / Z_ref", "edge_balance": "Z / Z_ref at edges",
    "cloud_balance": "Z / Z_ref at clouds",
}  # fmt: skip
_LOG = ("delay_s", "energy_j", "cost_usd")
_READINGS = {PRINTED: "H as printed", BENEFITS: "H of benefits"}
_MARKED = (("metaheuristic", "best metaheuristic"), ("optimum", "proven optimum"))
_SETS = ("A", "A-B", "A-X", ALL)


def panels(figure: str, runs: Runs) -> Rows:
    """Return the rows of panels of a figure, as far as there is something to show."""
    rows = [[panel for panel in row if _shows(panel)] for row in _FIGURES[figure](runs)]
    return [row for row in rows if row]


def _shows(panel: Panel) -> bool:
    if isinstance(panel, Chart):
        return bool(panel.lines)
    if isinstance(panel, Heatmap):
        return bool(panel.rows)
    return any(panel.places(series) for series in panel.series)


# Bars ---------------------------------------------------------------------------------------------------------------


def _grouped(
    by: str, groups: Sequence[Any], values: Sequence[str], names: Sequence[str] = ()
) -> Callable[[Runs], Rows]:
    """Return what makes bars: networks are the categories, a panel for each value and Q, a row for each reading."""

    def rows(runs: Runs) -> Rows:
        return [
            [_bars(runs, reading, by, groups, names or [str(each) for each in groups], value) for value in values]
            for reading in READINGS
        ]

    return rows


def _bars(runs: Runs, reading: str, by: str, groups: Sequence[Any], names: Sequence[str], value: str) -> Bars:
    table = runs.table[(runs.table["reading"] == reading) & (runs.table["agent"].isin(AGENTS))]
    others = beside(runs)
    networks = tuple(dict.fromkeys(table["network"]))
    found = {}
    for network in networks:
        for group, name in zip(groups, names, strict=True):
            some = table[(table["network"] == network) & (table[by] == group)]
            found[network, name] = _bar(some, others, runs.known, value)
    title = f"{_NAMES[value]} ({_READINGS[reading]})"
    return Bars(f"{value}-{reading}-{by}", title, _NAMES[value], networks, tuple(names), found, value in _LOG)


def _bar(some: "pd.DataFrame", others: "pd.DataFrame", known: "pd.DataFrame", value: str) -> Bar:
    numbers = some[value].dropna().to_numpy(float)
    if not len(numbers):
        return Bar(Interval(math.nan, math.nan, math.nan))
    instance = some["instance"].iloc[0]
    marks = {
        what: float(line.iloc[0])
        for what in ("metaheuristic", "optimum")
        if len(line := others.loc[(others["instance"] == instance) & (others["what"] == what), value])
    }
    told = known.loc[[instance]]
    if value == "objective" and not told["proven"].all():
        marks["bound"] = float(told["bound"].to_numpy(float)[0])
    return Bar(centre_of(numbers), **marks)


def centre_of(numbers: Floats) -> Interval:
    """Return the centre of runs with its interval."""
    return observe({0: numbers}, level, [0], (), "above")


# Curves -------------------------------------------------------------------------------------------------------------


def _averaged(name: str, curves: Sequence[Points], logarithm: bool) -> Line:
    """Return the median of several runs' curves, each averaged in bins, and the range of them."""
    end = max(points[-1][0] for points in curves)
    edges = np.linspace(0, end, _BINS + 1)
    rows = []
    for points in curves:
        steps, values = np.array(points, dtype=float).T
        bins = np.clip(np.searchsorted(edges, steps, side="left") - 1, 0, _BINS - 1)
        counts = np.bincount(bins, minlength=_BINS)
        with np.errstate(invalid="ignore"):
            rows.append(np.bincount(bins, weights=values, minlength=_BINS) / counts)
    table = np.array(rows)
    there = ~np.isnan(table).all(axis=0)
    if logarithm:
        table = np.log10(np.maximum(table, 1e-12))
    table, middle = table[:, there], (edges[:-1] + edges[1:]) / 2
    return Line(name, middle[there], np.nanmedian(table, 0), np.nanmin(table, 0), np.nanmax(table, 0))


def _curves(runs: Runs, network: str, reading: str, what: str, named: Iterable[tuple[str, "pd.DataFrame"]]) -> Chart:
    """Return training curves on a network, and over rewards what others get, as level lines."""
    lines = []
    for name, some in named:
        told = [runs.curves[key][what] for key in some["key"] if what in runs.curves.get(key, {})]
        if told:
            lines.append(_averaged(name, told, logarithm=what == "loss"))
    if what == "reward" and lines:
        end = max(line.x[-1] for line in lines)
        for name, objective in _levels(runs, Setting(network, reading=reading).name):
            lines.append(Line(name, np.array([0.0, end]), np.array([-objective, -objective])))
    x, y = ("update", "log10 of the loss") if what == "loss" else ("episode", "reward, -Q")
    title = f"{network}: {what} ({_READINGS[reading]})"
    return Chart(f"{what}-{network}-{reading}", title, x, y, tuple(lines), steps=False)


def _levels(runs: Runs, instance: str) -> Iterable[tuple[str, float]]:
    others = beside(runs)
    better = others[(others["instance"] == instance) & (others["what"] == "metaheuristic")]
    for objective in better["objective"].to_numpy(float):
        yield "best metaheuristic", float(objective)
    known = runs.known.loc[[instance]]
    for bound in known["bound"].dropna().to_numpy(float):
        yield ("proven optimum" if known["proven"].all() else "best lower bound"), float(bound)


def _of_parameters(runs: Runs) -> Rows:
    """Figure 3: a column for each parameter; a row for loss and reward of each network and reading."""

    def chart(network: str, reading: str, what: str, parameter: str) -> Chart:
        table = _ran(runs, network, reading)
        for other, default in DEFAULTS.items():
            table = table[table[other] == default] if other != parameter else table
        named = [(f"{parameter}={value:g}", table[table[parameter] == value]) for value in PARAMETERS[parameter]]
        found = _curves(runs, network, reading, what, named)
        return replace(found, name=f"{found.name}-{parameter}", title=f"{found.title}, by {parameter}")

    networks = dict.fromkeys(runs.table["network"])
    rows = product(networks, READINGS, ("loss", "reward"))
    return [[chart(*row, parameter) for parameter in PARAMETERS] for row in rows]


def _of_agents(what: str) -> Callable[[Runs], Rows]:
    """Figures 4 and 5: a column for each network, a row for each reading; then Q."""

    def chart(runs: Runs, network: str, reading: str) -> Chart:
        table = _ran(runs, network, reading, AGENTS)
        return _curves(runs, network, reading, what, [(name, table[table["agent"] == name]) for name in AGENTS])

    def rows(runs: Runs) -> Rows:
        networks = dict.fromkeys(runs.table["network"])
        curves: Rows = [[chart(runs, network, reading) for network in networks] for reading in READINGS]
        totals: list[Panel] = [_bars(runs, reading, "agent", AGENTS, AGENTS, "objective") for reading in READINGS]
        return [*curves, totals]

    return rows


def _ran(runs: Runs, network: str, reading: str, agents: Sequence[str] = ("ddpqn",)) -> "pd.DataFrame":
    table = runs.table[(runs.table["network"] == network) & (runs.table["reading"] == reading)]
    return table[table["agent"].isin(agents)]


# Over a number --------------------------------------------------------------------------------------------------------


def _over_tasks(runs: Runs) -> Rows:
    """Figure 6: a column for each value, a row for each reading."""
    others = beside(runs)

    def chart(reading: str, value: str) -> Chart:
        table = runs.table[runs.table["reading"] == reading]
        lines = [_line(name, table[table["agent"] == name], value) for name in ("ddpqn", "dqn", "greedy")]
        better = others[(others["reading"] == reading) & (others["what"] == "metaheuristic")]
        lines.append(_line("best metaheuristic", better, value))
        if value == "objective":
            bounds = table.drop_duplicates("instance").assign(
                objective=lambda one: one["instance"].map(runs.known["bound"])
            )
            lines.append(_line("best lower bound", bounds, value))
        title = f"{_NAMES[value]} ({_READINGS[reading]})"
        shown = tuple(line for line in lines if len(line.x))
        return Chart(f"{value}-{reading}", title, "tasks", _NAMES[value], shown, steps=False)

    values = ("delay_s", "energy_j", "cost_usd", "objective")
    return [[chart(reading, value) for value in values] for reading in READINGS]


def _line(name: str, table: "pd.DataFrame", value: str) -> Line:
    groups = [(tasks, some[value].dropna().to_numpy(float)) for tasks, some in table.groupby("tasks")]
    found = [(tasks, *centre_of(numbers)) for tasks, numbers in groups if len(numbers)]
    x, y, low, high = np.array(found, dtype=float).reshape(-1, 4).T
    return Line(name, x, y, low, high)


def _over_layers(runs: Runs) -> Rows:
    """Figure 8: a row for each network, a column for each reading; then Q beside the others'."""
    others = beside(runs)

    def layers(network: str, reading: str) -> Heatmap:
        def choose(table: "pd.DataFrame") -> "pd.DataFrame":
            return table[(table["network"] == network) & (table["reading"] == reading)].dropna(subset="layers")

        table, best = choose(runs.table[runs.table["agent"] == "ddpqn"]), choose(others[others["weights"] == ALL])
        named = [(name, table[table["weights"] == name]) for name in ("A", "A-B", ALL)]
        named += [(f"{ALL}, {name}", best[best["what"] == what]) for what, name in _MARKED]
        rows = {name: np.median(np.stack(some["layers"].to_list()), axis=0) for name, some in named if len(some)}
        title = f"{network}: H of each layer ({_READINGS[reading]})"
        return Heatmap(f"layers-{network}-{reading}", title, "layer", "H", rows)

    networks = dict.fromkeys(runs.table["network"])
    totals: list[Panel] = [
        _bars(runs, reading, "weights", ("A", "A-B", ALL), ("A", "A-B", ALL), "objective") for reading in READINGS
    ]
    maps: Rows = [[layers(network, reading) for reading in READINGS] for network in networks]
    return [*maps, totals]


def _weights(runs: Runs) -> Rows:
    """Figure 7: delay, energy, cost; score, coordination, balance; Q of either."""
    first = _grouped("weights", ("7:2:1", "1:7:2", "2:1:7"), ("delay", "energy", "cost", "objective"))
    objective = ("2:3:5", ALL, "8:1:1")
    names = ("2:3:5", "6:2:2", "8:1:1")
    second = _grouped("weights", objective, ("score", "coordination", "balance", "objective"), names)
    return [row for rows in zip(first(runs), second(runs), strict=True) for row in rows]


_DEC = ("delay_s", "energy_j", "cost_usd", "objective")
_RATIOS = (0.0, 0.2, 0.6, 1.0, 1.8, math.inf)
_FIGURES: dict[str, Callable[[Runs], Rows]] = {
    "fig3": _of_parameters,
    "fig4": _of_agents("loss"),
    "fig5": _of_agents("reward"),
    "fig6": _over_tasks,
    "fig7": _weights,
    "fig8": _over_layers,
    "fig9": _grouped("weights", _SETS, ("coordination", "objective")),
    "fig10": _grouped("weights", ("A", "A-X", ALL), ("edge_balance", "cloud_balance", "objective")),
    "fig11": _grouped("weights", _SETS, _DEC),
    "fig12": _grouped("environment", tuple(ENVIRONMENTS), _DEC),
    "fig13": _grouped("ratio", _RATIOS, _DEC, ("0", "0.2", "0.6", "1", "1.8", "inf")),
}
