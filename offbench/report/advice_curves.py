"""Break-even curves and the histogram of regrets, as plotly's JSON."""

import math
from collections.abc import Sequence
from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np

from offbench.evaluation.evaluator import Evaluation, evaluate
from offbench.files.escaping import in_plotly
from offbench.model.objectives import objective_of
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.report.figures import Figure
from offbench.report.palette import OKABE_ITO
from offbench.runs.advice.advice import Advice, cut_in_words, for_all_clients
from offbench.runs.advice.break_even import Curve
from offbench.runs.advice.words import number

BEST, RECOMMENDED, DEVICE, TODAY = OKABE_ITO[0], OKABE_ITO[1], OKABE_ITO[2], OKABE_ITO[6]
# Values at which curves are drawn; of large instances only those that were solved.
_STEPS, _LARGE = 41, 500
# From where on the upper end is so many times the lower one that the axis is logarithmic.
_LOG = 30.0
_MS = 0.001
_ROUND_TRIPS = {0.0: "0", 0.001: "1 ms", 0.01: "10 ms", 0.1: "100 ms", 1.0: "1 s"}
_UNITS = {"times": "times today's", "s": "longer than today", "clients": "devices"}
_BINS, _BINNED = 20, 10
_SHAPES = {"best": (BEST, "solid", 3), "recommended": (RECOMMENDED, "dash", 2), "device": (DEVICE, "dot", 2)}
_NAMES = {"best": "the best cut", "recommended": "the recommended cut", "device": "everything on the device"}


def curve_figure(advice: Advice, name: str) -> Figure:
    """Return what the best cut, the recommended one and the device amount to over one number."""
    curve = advice.curves[name]
    what, of = _drawn(advice)
    xs, rows = _values(advice, name, of)
    at = _positions(name, xs)
    traces: list[dict[str, Any]] = []
    shown = [y for values in rows.values() for y in values if y is not None]
    low, high = min(shown), max(shown)
    log = low > 0 and high / low > _LOG
    today = _positions(name, [curve.variation.base])[0]
    traces.append({
        "type": "scatter", "x": [today, today], "y": [low if log else min(0.0, low), high], "mode": "lines",
        "line": {"color": TODAY, "width": 1.5}, "hoverinfo": "skip", "showlegend": False,
    })  # fmt: skip
    for key, (colour, dash, width) in _SHAPES.items():
        traces.append({
            "type": "scatter", "x": at, "y": rows[key], "mode": "lines", "showlegend": False, "name": _NAMES[key],
            "line": {"color": colour, "dash": dash, "width": width},
            "text": [number(x, curve) for x in xs],
            "hovertemplate": f"{_NAMES[key]} at %{{text}}: {what} %{{y:.4g}}<extra></extra>",
        })  # fmt: skip
    if curve.changes:
        traces.append({
            "type": "scatter", "mode": "markers", "showlegend": False, "hoverinfo": "text",
            "x": _positions(name, [change.x for change in curve.changes]),
            "y": [_at(xs, rows["best"], change.x) for change in curve.changes],
            "hovertext": [_wrapped(line) for line in change_lines(advice, curve)],
            "marker": {"symbol": "diamond", "size": 10, "color": BEST, "line": {"color": "#fff", "width": 1}},
        })  # fmt: skip
    xaxis: dict[str, Any] = {"title": {"text": _UNITS[curve.variation.unit]}}
    if name in ("bandwidth", "device-speed"):
        xaxis["type"] = "log"
    elif name == "round-trip":
        xaxis |= {"tickvals": _positions(name, list(_ROUND_TRIPS)), "ticktext": list(_ROUND_TRIPS.values())}
    else:
        points = [one.x for one in curve.points]
        xaxis |= {"tickvals": points, "ticktext": [f"{x:.0f}" for x in points]}
    yaxis = {"title": {"text": what}} | ({"type": "log"} if log else {"rangemode": "tozero"})
    return {"data": traces, "layout": {"xaxis": xaxis, "yaxis": yaxis, "height": 300, "hovermode": "closest"}}


def change_lines(advice: Advice, curve: Curve) -> list[str]:
    """Return in words where the best cut changes, and into which one."""
    lines = []
    for change in curve.changes:
        before, after = ("; ".join(cut_in_words(advice, one)) for one in (change.before, change.after))
        lines.append(f"at {number(change.x, curve)}: below {before}; above {after}")
    return lines


def regret_figure(advice: Advice) -> Figure | None:
    """Return in how many draws the recommended cut is how far above the best one; None where that is in no draw."""
    over = advice.regret
    if over is None or len(over.recommended.kept) < _BINNED or over.recommended.worst_regret <= 0:
        return None
    counts, edges = np.histogram(100 * np.array(over.recommended.kept), bins=_BINS)
    middles = (edges[1:] + edges[:-1]) / 2
    bars = {
        "type": "bar", "x": middles.tolist(), "y": counts.tolist(), "width": float(edges[1] - edges[0]),
        "marker": {"color": RECOMMENDED}, "showlegend": False,
        "text": [f"{a:.2g} to {b:.2g} %" for a, b in pairwise(edges.tolist())], "textposition": "none",
        "hovertemplate": "%{text}: %{y} draws<extra></extra>",
    }  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": "above the best cut (%)"}}, "yaxis": {"title": {"text": "draws"}},
        "height": 260,
    }  # fmt: skip
    return {"data": [bars], "layout": layout}


def _drawn(advice: Advice) -> tuple[str, Any]:
    """Return what is drawn: Q, or the one of delay, energy and cost that it is."""
    one = {
        "latency": ("delay (s)", "delay_s"),
        "energy": ("energy (J)", "energy_j"),
        "cost": ("cost (dollars)", "cost_usd"),
    }
    what, field = one.get(objective_of(advice.instance) or "", ("Q", "objective"))

    def of(found: Evaluation) -> float | None:
        return float(getattr(found, field)) if found.feasible else None

    return what, of


def _values(advice: Advice, name: str, of: Any) -> tuple[list[float], dict[str, list[float | None]]]:
    """Return values of the number, and of each line what it is there.

    The best is the best of all cuts that are the best somewhere: between two changes of an exact curve one of them is
    the optimum, and where there are samples it is the best one known.
    """
    base, curve = advice.instance, advice.curves[name]
    xs = {curve.variation.base, *(one.x for one in curve.points), *(change.x for change in curve.changes)}
    low, high = curve.points[0].x, curve.points[-1].x
    if name != "clients" and P1(base).n_subtasks <= _LARGE:
        xs |= {float(x) for x in np.geomspace(max(low, _MS), high, _STEPS)}
    known = [*curve.points, *(one for change in curve.changes for one in (change.before, change.after))]
    cuts = {(one.placement.servers.tobytes(), str(one.placement.order)): one.placement for one in known}
    rows: dict[str, list[float | None]] = {"best": [], "recommended": [], "device": []}
    for x in sorted(xs):
        problem = P1(curve.variation.of(base, x))
        mine = evaluate(problem, for_all_clients(advice.placement, problem))
        device = evaluate(problem, Placement(problem.everything_on(problem.arrays.client)))
        others = [evaluate(problem, cut) for cut in cuts.values() if len(cut.servers) == problem.n_subtasks]
        kept = [one for one in (*others, mine, device) if one.feasible]
        rows["best"].append(of(min(kept, key=lambda one: one.objective)) if kept else None)
        rows["recommended"].append(of(mine))
        rows["device"].append(of(device))
    return sorted(xs), rows


def _positions(name: str, xs: Sequence[float]) -> list[float]:
    """Return where values are on the axis; that of round trips begins with 0 and is logarithmic from a few ms on."""
    return [math.log10(1 + x / _MS) for x in xs] if name == "round-trip" else list(xs)


def _at(xs: list[float], ys: list[float | None], x: float) -> float | None:
    return ys[min(range(len(xs)), key=lambda k: abs(xs[k] - x))]


def _wrapped(line: str) -> str:
    return "<br>".join(in_plotly(part, 80) for part in wrap(line, 60)[:8])
