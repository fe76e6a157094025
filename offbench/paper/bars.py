"""Bars in groups, with intervals, and marks for what stands beside them; drawn by plotly or matplotlib alike."""

import math
from dataclasses import dataclass
from typing import Any

from offbench.bench.statistics.intervals import Interval
from offbench.files.escaping import in_matplotlib, in_plotly
from offbench.report.figures import Figure, json_of
from offbench.report.palette import Style
from offbench.report.ticks import log_axis

# Of the room that a category has.
_FILLED = 0.8
# What stands beside a bar: its name, plotly's mark and matplotlib's.
MARKS = (
    ("metaheuristic", "best metaheuristic", "diamond-open", "D"),
    ("optimum", "proven optimum", "star", "*"),
    ("bound", "best lower bound", "line-ew-open", "_"),
)


@dataclass(frozen=True)
class Bar:
    """One bar, NaN where there is nothing."""

    interval: Interval
    metaheuristic: float = math.nan
    optimum: float = math.nan
    bound: float = math.nan


@dataclass(frozen=True)
class Bars:
    """Bars of several series in each category."""

    name: str
    title: str
    y: str
    categories: tuple[str, ...]
    series: tuple[str, ...]
    bars: dict[tuple[str, str], Bar]
    """by category and series"""
    log: bool = False
    """networks differ by orders of magnitude"""

    def places(self, series: str) -> list[tuple[float, Bar]]:
        """Return where on the axis a series' bars stand; categories are at 0, 1, and so on."""
        offset = (self.series.index(series) + 0.5) / len(self.series) - 0.5
        found = ((i + _FILLED * offset, self.bars.get((name, series))) for i, name in enumerate(self.categories))
        return [(x, bar) for x, bar in found if bar is not None and not math.isnan(bar.interval.estimate)]

    @property
    def width(self) -> float:
        """Of a bar."""
        return _FILLED / len(self.series) * 0.92


def bars_figure(bars: Bars, styles: dict[str, Style]) -> Figure:
    """Return bars as plotly's JSON."""
    import plotly.graph_objects as go

    traces: list[Any] = []
    for series in bars.series:
        places = bars.places(series)
        x = [place for place, _ in places]
        e = [bar.interval for _, bar in places]
        traces.append(
            go.Bar(
                x=x, y=[one.estimate for one in e], width=bars.width, name=in_plotly(series),
                marker={"color": styles[series].colour, "opacity": 0.75},
                error_y={
                    "type": "data", "symmetric": False, "array": [one.high - one.estimate for one in e],
                    "arrayminus": [one.estimate - one.low for one in e], "thickness": 1, "width": 2,
                },
                text=[f"{in_plotly(series)}: {one.estimate:.4g} ({one.low:.4g} to {one.high:.4g})" for one in e],
                textposition="none", hovertemplate="%{text}<extra></extra>",
            )
        )  # fmt: skip
    for field, name, mark, _ in MARKS:
        marked = [(x, getattr(bar, field)) for series in bars.series for x, bar in bars.places(series)]
        marked = [(x, y) for x, y in marked if not math.isnan(y)]
        if marked:
            x, y = [x for x, _ in marked], [y for _, y in marked]
            size = {"symbol": mark, "size": 9, "color": "#8A8A8A", "line": {"width": 2, "color": "#8A8A8A"}}
            hover = f"{name}: %{{y:.4g}}<extra></extra>"
            traces.append(go.Scatter(x=x, y=y, mode="markers", name=name, marker=size, hovertemplate=hover))
    layout = {
        "xaxis": {"tickvals": list(range(len(bars.categories))), "ticktext": list(map(in_plotly, bars.categories))},
        "yaxis": {"title": {"text": in_plotly(bars.y)}, "type": "log" if bars.log else "linear"},
        "barmode": "overlay",
    }
    return json_of(go.Figure(traces, layout))


def draw_bars(axes: Any, bars: Bars, styles: dict[str, Style]) -> None:
    """Draw bars with matplotlib, but for the legend."""
    for series in bars.series:
        places = bars.places(series)
        e = [bar.interval for _, bar in places]
        spread = [[one.estimate - one.low for one in e], [one.high - one.estimate for one in e]]
        axes.bar(
            [x for x, _ in places], [one.estimate for one in e], bars.width, yerr=spread, label=in_matplotlib(series),
            color=styles[series].colour, alpha=0.75, error_kw={"elinewidth": 0.8, "capsize": 1.5},
        )  # fmt: skip
    for field, name, _, mark in MARKS:
        marked = [(x, getattr(bar, field)) for series in bars.series for x, bar in bars.places(series)]
        marked = [(x, y) for x, y in marked if not math.isnan(y)]
        if marked:
            fill = {"facecolors": "none"} if mark == "D" else {}
            kind = {"edgecolors": "0.25", "linewidths": 0.9} if mark == "D" else {"color": "0.25", "linewidths": 0.9}
            axes.scatter(*zip(*marked, strict=True), marker=mark, s=16, zorder=3, label=name, **kind, **fill)
    axes.set_xticks(range(len(bars.categories)), list(map(in_matplotlib, bars.categories)))
    axes.set(ylabel=in_matplotlib(bars.y), title=in_matplotlib(bars.title, 200), yscale="log" if bars.log else "linear")
    if bars.log:
        log_axis(axes.yaxis)
    axes.grid(alpha=0.25, axis="y")
