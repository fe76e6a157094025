"""A value of each layer as colours, a row for each series; drawn by plotly or matplotlib alike."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbench.files.escaping import in_matplotlib, in_plotly
from offbench.report.figures import Figure, json_of

_COLOURS = "viridis"


@dataclass(frozen=True)
class Heatmap:
    """Rows of a matrix by name; over a hundred jagged lines would hide one another."""

    name: str
    title: str
    x: str
    z: str
    """what the colours mean"""
    rows: dict[str, NDArray[np.float64]]
    """top to bottom, each of the same length"""


def heatmap_figure(heatmap: Heatmap) -> Figure:
    """Return a heat map as plotly's JSON."""
    import plotly.graph_objects as go

    names, values = list(map(in_plotly, heatmap.rows)), [row.tolist() for row in heatmap.rows.values()]
    layers = list(range(1, len(values[0]) + 1))
    told = f"%{{y}}<br>{heatmap.x} %{{x}}: {heatmap.z} %{{z:.4g}}<extra></extra>"
    bar = {"title": {"text": heatmap.z}, "thickness": 12}
    colours = go.Heatmap(x=layers, y=names, z=values, colorscale=_COLOURS, colorbar=bar, hovertemplate=told)
    layout = {
        "xaxis": {"title": {"text": heatmap.x}, "showgrid": False},
        "yaxis": {"autorange": "reversed", "showgrid": False},
        "height": 130 + 34 * len(names),
    }
    return json_of(go.Figure([colours], layout))


def draw_heatmap(axes: Any, heatmap: Heatmap) -> None:
    """Draw a heat map with matplotlib, and its bar of colours."""
    values = np.stack(list(heatmap.rows.values()))
    extent = (0.5, values.shape[1] + 0.5, len(values) - 0.5, -0.5)
    image = axes.imshow(values, cmap=_COLOURS, aspect="auto", interpolation="nearest", extent=extent)
    axes.set_yticks(range(len(values)), list(map(in_matplotlib, heatmap.rows)))
    axes.set(xlabel=heatmap.x, title=heatmap.title)
    axes.figure.colorbar(image, ax=axes, pad=0.02, aspect=12).ax.tick_params(labelsize=6)
