"""Figures for papers: PDF and PNG by matplotlib, with the curves and colours of the report."""

from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from offbench.bench.statistics.tests import Ranking
from offbench.files.atomic import write_whole, writing
from offbench.files.escaping import in_matplotlib
from offbench.report.charts import Chart
from offbench.report.palette import Style
from offbench.report.ticks import log_axis

ENDINGS = (".png", ".pdf", ".svg")
# A column of a paper, in inches.
_WIDTH, _HEIGHT = 5.2, 3.4
# Characters of a title; the names in it are cut before.
TITLE = 200


def chart_figure(chart: Chart, styles: dict[str, Style]) -> Any:
    """Return a chart as a matplotlib figure."""
    figure, axes = new(_WIDTH, _HEIGHT + 0.11 * len(chart.lines))
    draw_chart(axes, chart, styles)
    figure.legend(loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    return figure


def draw_chart(axes: Any, chart: Chart, styles: dict[str, Style]) -> None:
    """Draw a chart, but for its legend."""
    for line in chart.lines:
        style = styles[line.solver]
        finite = np.isfinite(line.y)
        draw = {"color": style.colour, "linestyle": style.mpl_dash, "marker": style.mpl_marker, "markevery": 0.12}
        draw |= {"label": in_matplotlib(line.solver), "linewidth": 1.4, "markersize": 4}
        if chart.steps:
            draw["drawstyle"] = "steps-post"
        axes.plot(line.x[finite], line.y[finite], **draw)
        if line.low is not None and line.high is not None:
            band = np.isfinite(line.low) & np.isfinite(line.high)
            axes.fill_between(
                line.x[band], line.low[band], line.high[band], color=style.colour, alpha=0.15, linewidth=0,
                step="post" if chart.steps else None,
            )  # fmt: skip
    axes.set(xlabel=in_matplotlib(chart.x), ylabel=in_matplotlib(chart.y), title=in_matplotlib(chart.title, TITLE))
    for axis, log, scale in ((axes.xaxis, chart.log_x, axes.set_xscale), (axes.yaxis, chart.log_y, axes.set_yscale)):
        if log:
            scale("log")
            log_axis(axis, percent=chart.percent and axis is axes.yaxis)
    axes.grid(alpha=0.25)


def ranks_figure(ranking: Ranking, styles: dict[str, Style]) -> Any:
    """Return the critical-difference diagram (Demsar, 2006)."""
    order = sorted(ranking.ranks, key=lambda solver: (ranking.ranks[solver], solver))
    figure, axes = new(_WIDTH, 0.9 + 0.22 * len(order))
    place = {solver: number for number, solver in enumerate(order)}
    for group in ranking.cliques():
        rows = [place[solver] for solver in group]
        axes.plot([ranking.ranks[group[0]]] * 2, [min(rows), max(rows)], color="0.6", linewidth=4, alpha=0.6)
    for solver, row in place.items():
        rank, style = ranking.ranks[solver], styles[solver]
        axes.plot(rank, row, style.mpl_marker, color=style.colour)
        axes.annotate(f"{rank:.2f}", (rank, row), (6, 0), textcoords="offset points", va="center", fontsize=8)
    best = ranking.ranks[order[0]]
    axes.plot([best, best + ranking.critical_difference], [-0.7, -0.7], color="0.3", linewidth=1.2)
    axes.annotate("critical difference", (best, -0.75), fontsize=7, va="bottom")
    axes.set_yticks(range(len(order)), list(map(in_matplotlib, order)))
    axes.set(xlabel="mean rank (1 is best)", ylim=(len(order) - 0.5, -1.3))
    axes.margins(x=0.12)
    return figure


def save(figures: dict[str, Callable[[], Any]], folder: Path, endings: Sequence[str] = (".pdf", ".png")) -> list[Path]:
    """Write figures, by what their files are called (`file_names`), each in every format; return the files.

    Raises
    ------
    OffbenchError
        If one can't be written.
    """
    import matplotlib.pyplot as plt

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, make in figures.items():
        figure = make()
        for ending in endings:
            paths.append(folder / f"{name}{ending}")
            picture = BytesIO()
            figure.savefig(picture, format=ending[1:], dpi=200)
            with writing(paths[-1]):
                write_whole(paths[-1], _with_few_colours(picture) if ending == ".png" else picture.getvalue())
        plt.close(figure)
    return paths


def _with_few_colours(picture: BytesIO) -> bytes:
    """Return a PNG again with 256 colours, which is a third of its size and looks the same."""
    from PIL import Image

    few = BytesIO()
    with Image.open(picture) as image:
        image.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(few, format="png", optimize=True)
    return few.getvalue()


def new(width: float, height: float, rows: int = 1, columns: int = 1) -> tuple[Any, Any]:
    """Return a matplotlib figure of this size in inches, and its axes or the array of them."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(width, height), layout="constrained")
    for each in figure.axes:
        each.spines[["top", "right"]].set_visible(False)
    return figure, axes
