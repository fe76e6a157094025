"""Panels as pictures: one of matplotlib's for each figure, one of plotly's for each panel; and their numbers."""

import math
from typing import TYPE_CHECKING, Any

from offbench.paper.bars import MARKS, Bars, bars_figure, draw_bars
from offbench.paper.experiments import DDPQN
from offbench.paper.heatmap import Heatmap, draw_heatmap, heatmap_figure
from offbench.paper.panels import Panel, Rows
from offbench.report.charts import Chart
from offbench.report.figures import Figure, figure
from offbench.report.palette import Style, styles

if TYPE_CHECKING:
    import pandas as pd

_AGENT = "#EE3377"
_BESIDE = {
    "best metaheuristic": Style("#8A8A8A", "dash", "diamond", "--", "D"),
    "proven optimum": Style("#8A8A8A", "dot", "star", ":", "*"),
    "best lower bound": Style("#8A8A8A", "dashdot", "line-ew", "-.", "_"),
}
# Of a panel, inches; wide where a row has few.
_WIDE, _NARROW, _HEIGHT = 4.8, 3.2, 2.9


def names(panel: Panel) -> list[str]:
    """Return the names of what a panel shows."""
    if isinstance(panel, Heatmap):
        return []
    return list(panel.series) if isinstance(panel, Bars) else [line.solver for line in panel.lines]


def looks(rows: Rows) -> dict[str, Style]:
    """Return a style for each name, the same in all panels of a figure; the paper's agent has a colour of its own."""
    found = styles(list(dict.fromkeys(name for row in rows for panel in row for name in names(panel))))
    own = {name: style._replace(colour=_AGENT) for name, style in found.items() if name == DDPQN.name}
    return found | own | _BESIDE


def interactive(panel: Panel, look: dict[str, Style]) -> Figure:
    """Return a panel as plotly's JSON."""
    if isinstance(panel, Bars):
        return bars_figure(panel, look)
    if isinstance(panel, Heatmap):
        return heatmap_figure(panel)
    drawn = figure(panel, look)
    drawn["layout"]["yaxis"].pop("rangemode", None)
    return drawn


def picture(rows: Rows, title: str) -> Any:
    """Return all panels as one matplotlib figure."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    from offbench.report.static_figures import draw_chart

    look = looks(rows)
    columns = max(len(row) for row in rows)
    size = (columns * (_WIDE if columns < 3 else _NARROW), len(rows) * _HEIGHT)
    drawn, grid = plt.subplots(len(rows), columns, figsize=size, layout="constrained", squeeze=False)
    for axes_row, row in zip(grid, rows, strict=True):
        for axes in axes_row[len(row) :]:
            axes.remove()
        for axes, panel in zip(axes_row, row, strict=False):
            axes.spines[["top", "right"]].set_visible(False)
            if isinstance(panel, Chart):
                draw_chart(axes, panel, look)
            elif isinstance(panel, Heatmap):
                draw_heatmap(axes, panel)
            else:
                draw_bars(axes, panel, look)
            axes.tick_params(labelsize=6)
            axes.set_title(axes.get_title(), fontsize=8)
            axes.xaxis.label.set_size(7)
            axes.yaxis.label.set_size(7)
            _legend(axes, names(panel))
    drawn.suptitle(title, fontsize=10)
    return drawn


def _legend(axes: Any, first: list[str]) -> None:
    """Put a legend below, in the order of what is shown, marks last."""
    labelled = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    shown = {name: labelled[name] for name in (*first, *labelled) if name in labelled}
    if shown:
        below = (0.5, -0.2 if axes.get_xlabel() else -0.1)
        small = {"ncols": 2, "fontsize": 5.5, "frameon": False}
        axes.legend(shown.values(), shown.keys(), loc="upper center", bbox_to_anchor=below, **small)


def numbers(rows: Rows) -> "pd.DataFrame":
    """Return what is drawn as a table: panel, series, x, y, and low and high of its interval or range."""
    import pandas as pd

    found: list[tuple[Any, ...]] = []
    for panel in (panel for row in rows for panel in row):
        if isinstance(panel, Chart):
            for line in panel.lines:
                low = line.y if line.low is None else line.low
                high = line.y if line.high is None else line.high
                found += [(panel.name, line.solver, *each) for each in zip(line.x, line.y, low, high, strict=True)]
            continue
        if isinstance(panel, Heatmap):
            for row, values in panel.rows.items():
                found += [(panel.name, row, layer, y, y, y) for layer, y in enumerate(values, start=1)]
            continue
        for (category, series), bar in panel.bars.items():
            if not math.isnan(bar.interval.estimate):
                found.append((panel.name, series, category, *bar.interval))
            marks = ((name, getattr(bar, field)) for field, name, _, _ in MARKS)
            found += [(panel.name, f"{series}, {name}", category, y, y, y) for name, y in marks if not math.isnan(y)]
    return pd.DataFrame(found, columns=["panel", "series", "x", "y", "low", "high"])
