"""The page of a Pareto front: delay, energy and cost in three panels, from disk, on a phone, dark or light."""

from html import escape
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from offbench.files.escaping import in_plotly
from offbench.files.plain import plain
from offbench.runs.pareto import Pareto, Point
from offbench.search.archive import INDICATORS

if TYPE_CHECKING:
    import plotly.graph_objects as go

_LABELS = {"delay_s": "delay (s)", "energy_j": "energy (J)", "cost_usd": "cost ($)"}
_GREY, _GRID = "#888", "rgba(128,128,128,.25)"
_STYLE = """
:root { color-scheme: light dark; }
body { font-family: system-ui, sans-serif; margin: 1rem auto; max-width: 90rem; padding: 0 .6rem; line-height: 1.4; }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: .5rem; }
.panel { min-width: 0; }
h1 { font-size: 1.3rem; }
@media (prefers-color-scheme: dark) {
  body { background: #14161a; color: #e6e6e6; }
  .panel text { fill: #e6e6e6 !important; }
}
"""


# A panel is drawn before those beside it are there, and so too wide.
_RESIZE = (
    "<script>addEventListener('load', () => "
    "document.querySelectorAll('.js-plotly-plot').forEach(panel => Plotly.Plots.resize(panel)))</script>"
)


def front_page(found: Pareto) -> str:
    """Return the page, with all that it needs inside."""
    import plotly.io

    panels = []
    for number, (across, up) in enumerate(combinations(INDICATORS, 2)):
        html = plotly.io.to_html(
            _panel(found, across, up, legend=number == 0), full_html=False, include_plotlyjs=number == 0,
            config={"responsive": True, "displayModeBar": False},
        )  # fmt: skip
        panels.append(f'<div class="panel">{html}</div>')
    name = escape(plain(found.instance.name))
    told = (
        f"{found.size} placements that no other beats in delay, energy and cost at once; hypervolume "
        f"{found.hypervolume:.4f}. The knee, point {escape(found.knee.name)}, is nearest to the least of all three. "
        "A click in the legend hides a solver."
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}: Pareto front</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f'<body><h1>{name}: Pareto front</h1><p>{told}</p><div class="panels">{"".join(panels)}</div>'
        f"{_RESIZE}</body></html>\n"
    )


def _panel(found: Pareto, across: str, up: str, legend: bool) -> "go.Figure":
    import plotly.graph_objects as go

    figure = go.Figure()

    def add(points: list[Point], name: str, marker: dict[str, Any]) -> None:
        at = np.array([point.values for point in points]).reshape(-1, len(INDICATORS))
        figure.add_scatter(
            x=at[:, INDICATORS.index(across)], y=at[:, INDICATORS.index(up)], mode="markers", marker=marker,
            name=in_plotly(name), legendgroup=in_plotly(name), showlegend=legend, hoverinfo="text",
            hovertext=[_told(point) for point in points],
        )  # fmt: skip

    quality = {"color": [point.objective for point in found.front], "colorscale": "Viridis", "size": 6}
    add(found.front, "front", {**quality, "showscale": legend, "colorbar": {"title": "Q", "thickness": 10}})
    add([found.knee], "knee", {"size": 15, "symbol": "circle-open", "color": "#e5484d", "line": {"width": 3}})
    device = [point for point in found.singles if point.by == "device"]
    servers = [point for point in found.singles if point.by != "device"]
    add(device, "everything on the device", {"size": 11, "symbol": "square", "color": "#2f9e44"})
    add(servers, "everything on one server", {"size": 8, "symbol": "square-open", "color": _GREY})
    for point in found.others:
        add([point], point.by, {"size": 10, "symbol": "diamond"})
    axis = {"gridcolor": _GRID, "zerolinecolor": _GRID, "rangemode": "tozero"}
    figure.update_layout(
        xaxis={"title": _LABELS[across], **axis}, yaxis={"title": _LABELS[up], **axis}, height=430,
        paper_bgcolor="rgba(0,0,0,0)", plot_bgcolor="rgba(0,0,0,0)", margin={"l": 60, "r": 10, "t": 10, "b": 45},
        legend={"orientation": "h", "y": -0.2},
    )  # fmt: skip
    return figure


def _told(point: Point) -> str:
    delay, energy, cost = point.values.tolist()
    state = f", dominated by {point.dominated_by} of the front" if point.dominated_by else ""
    totals = f"{delay:.4g} s, {energy:.4g} J, ${cost:.4g}, Q {point.objective:.4g}"
    return in_plotly(f"{point.by} {point.name}: {totals}{state}")
