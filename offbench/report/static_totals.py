"""Figures for papers of what placements amount to, and of how far solvers are apart; by matplotlib."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from offbench.bench.tables import VIRTUAL, Analysis, virtual_best
from offbench.evaluation.evaluator import Evaluation
from offbench.files.escaping import in_matplotlib
from offbench.report.palette import Style
from offbench.report.static_figures import TITLE, new
from offbench.report.ticks import log_axis

if TYPE_CHECKING:
    import pandas as pd

# Columns of the table of runs, their names, and whether a logarithmic axis suits them.
_TOTALS = (
    ("objective", "Q", False), ("delay_s", "delay, s", True), ("energy_j", "energy, J", True),
    ("cost_usd", "cost, $", True), ("coordination", "H", False), ("balance", "Z", False),
)  # fmt: skip
# A logarithmic axis is for what differs by more than this factor.
_FACTOR = 20.0
_GREY = "0.35"


def totals_figure(analysis: Analysis, instance: str, alone: Evaluation, styles: Mapping[str, Style]) -> Any:
    """Return Q, delay, energy, cost, H and Z of each solver's placements: medians over seeds, lines for their range.

    The dotted line is everything on the device.
    """
    runs = _placed(analysis, instance)
    order = runs.groupby("solver")["objective"].median().sort_values(kind="stable").index.tolist()
    figure, grid = new(7.2, 0.9 + 2 * (0.45 + 0.17 * len(order)), rows=2, columns=3)
    for number, (axes, (column, name, positive)) in enumerate(zip(grid.flat, _TOTALS, strict=True)):
        one = float(getattr(alone, column))
        values = runs[column].to_numpy(float)
        least, most = min(values.min(), one), max(values.max(), one)
        axes.axvline(one, color=_GREY, linewidth=0.9, linestyle=":", label="everything on the device", zorder=1)
        for row, solver in enumerate(order):
            mine, style = runs.loc[runs["solver"] == solver, column].to_numpy(float), styles[solver]
            axes.plot([mine.min(), mine.max()], [row, row], color=style.colour, linewidth=1.2)
            axes.plot(np.median(mine), row, style.mpl_marker, color=style.colour, markersize=4.5)
        if positive and least > 0 and most > _FACTOR * least:
            axes.set_xscale("log")
            log_axis(axes.xaxis)
        axes.set_yticks(range(len(order)), list(map(in_matplotlib, order)) if number % 3 == 0 else [""] * len(order))
        axes.tick_params(labelsize=6.5)
        axes.set_title(name, fontsize=8)
        axes.set_ylim(len(order) - 0.5, -0.5)
        axes.grid(alpha=0.25)
        axes.margins(x=0.08)
    title = f"{instance}: medians over seeds, lines from least to largest"
    figure.suptitle(in_matplotlib(title, TITLE), fontsize=9)
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", fontsize=7, frameon=False)
    return figure


def scatter_figure(analysis: Analysis, instance: str, alone: Evaluation, styles: Mapping[str, Style]) -> Any:
    """Return delay and energy of each run, with everything on the device as a cross and dotted lines through it."""
    runs = _placed(analysis, instance)
    figure, axes = new(5.2, 3.9)
    axes.axvline(alone.delay_s, color=_GREY, linewidth=0.7, linestyle=":")
    axes.axhline(alone.energy_j, color=_GREY, linewidth=0.7, linestyle=":")
    for solver, mine in runs[runs["solver"] != VIRTUAL].groupby("solver"):
        style = styles[str(solver)]
        how = {"linestyle": "none", "color": style.colour, "markersize": 6, "alpha": 0.8}
        axes.plot(mine["delay_s"], mine["energy_j"], style.mpl_marker, label=in_matplotlib(str(solver)), **how)
    axes.plot(alone.delay_s, alone.energy_j, "+", color="black", markersize=11, label="everything on the device")
    points = ((axes.xaxis, axes.set_xscale, "delay_s"), (axes.yaxis, axes.set_yscale, "energy_j"))
    for axis, scale, column in points:
        if min(runs[column].min(), getattr(alone, column)) > 0:
            scale("log")
            log_axis(axis)
    axes.set(xlabel="delay, s", ylabel="energy, J", title=in_matplotlib(f"{instance}: delay and energy", TITLE))
    axes.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=3, fontsize=7, frameon=False)
    return figure


def effects_figure(analysis: Analysis) -> Any:
    """Return A12 of each pair of solvers (Vargha and Delaney, 2000) as colours, with its p-value."""
    (frame,) = (block.frame for block in analysis.blocks if block.name == "pairs")
    solvers = list(dict.fromkeys([*frame["first"], *frame["second"]]))
    if analysis.ranking is not None:
        solvers.sort(key=lambda solver: analysis.ranking.ranks[solver] if analysis.ranking else 0.0)
    at = {solver: number for number, solver in enumerate(solvers)}
    values = np.full((len(at), len(at)), np.nan)
    figure, axes = new(2.0 + 0.55 * len(at), 1.6 + 0.4 * len(at))
    for pair in frame.to_dict("records"):
        row, column = at[pair["first"]], at[pair["second"]]
        for i, j, a12 in ((row, column, pair["a12"]), (column, row, 1 - pair["a12"])):
            values[i, j] = a12
            ink = "white" if abs(a12 - 0.5) > 0.3 else "black"
            axes.text(j, i, f"{a12:.2f}\np {pair['p_holm']:.2g}", ha="center", va="center", fontsize=5.5, color=ink)
    image = axes.imshow(values, cmap="PuOr", vmin=0, vmax=1, aspect="auto")
    names = list(map(in_matplotlib, solvers))
    axes.set_xticks(range(len(at)), names, rotation=35, ha="right", fontsize=7)
    axes.set_yticks(range(len(at)), names, fontsize=7)
    axes.set_title(
        "A12: how probable it is that a run of the row\nmisses less than one of the column; p by Holm", fontsize=8
    )
    figure.colorbar(image, ax=axes, pad=0.02, ticks=(0, 0.5, 1)).ax.tick_params(labelsize=6)
    return figure


def _placed(analysis: Analysis, instance: str) -> "pd.DataFrame":
    """Return the feasible runs on an instance, and the best of each seed once more."""
    import pandas as pd

    table = analysis.table
    runs = table[(table["instance"] == instance) & table["feasible"]]
    return pd.concat([runs, virtual_best(runs, "objective")]) if runs["solver"].nunique() > 1 else runs
