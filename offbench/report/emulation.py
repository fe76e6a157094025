"""The page of an emulation: what was predicted and what was measured, in time and one by one."""

from typing import Any

import numpy as np

from offbench.emulate.comparison import Compared, compared, message_name, part_name
from offbench.emulate.measuring import Emulation
from offbench.emulate.words import in_words
from offbench.files.escaping import in_plotly
from offbench.files.plain import plain
from offbench.report.figures import Figure
from offbench.report.page import render
from offbench.report.palette import OKABE_ITO, server_colours

_BAR, _THIN = 0.8, 0.3
_HEADS = ("what", "name", "predicted (ms)", "measured (ms)", "quartiles (ms)", "off")


def emulation_page(title: str, found: Emulation) -> str:
    """Return the page, with all that it needs inside."""
    rows = compared(found)
    instance = found.cut.problem.instance
    colours = server_colours(instance)
    used = sorted({part.server for part in found.cut.parts.pieces} | {one.start for one in found.cut.parts.messages})
    figures = {"lanes": _lanes(found, colours), "scatter": _scatter(rows)} if rows else {}
    titles = {"lanes": "Above what was predicted, below the median of what was measured",
              "scatter": "Each part and transfer; on the line it takes what was predicted"}  # fmt: skip
    words = list(in_words(found, rows))
    return render(
        '{% include "emulation.html" %}',
        plain(title),
        words[0] if words else "",
        {"figures": figures, "runs": [], "instances": []},
        notes=[],
        titles={name: titles[name] for name in figures},
        words=words[1:],
        keys=[{"name": plain(instance.servers[s].name), "colour": colours[s]} for s in used],
        table={
            "name": "compared", "heads": _HEADS, "right": (False, False, True, True, True, True), "notes": [],
            "rows": [_cells(row) for row in rows],
        },
        how=[
            f"Compute: {found.compute}; links: {found.links}. {found.conditions['warm_up']} runs for warm-up, "
            f"{found.runs} that count; seed {found.conditions['seed']}.",
            f"ONNX Runtime {found.conditions['onnxruntime']}, {found.conditions['processor']}, one thread a slot.",
            *(f"The uncut network {plain(name)} takes {1e3 * took:.4g} ms here."
              for name, took in found.whole_s.items()),
        ],
    )  # fmt: skip


def _cells(row: Compared) -> tuple[str, ...]:
    return (
        row.kind, plain(row.name), f"{1e3 * row.predicted_s:.4g}", f"{1e3 * row.measured_s:.4g}",
        f"{1e3 * row.low_s:.4g} to {1e3 * row.high_s:.4g}", "" if np.isnan(row.error) else f"{row.error:+.1%}",
    )  # fmt: skip


def _lanes(found: Emulation, colours: list[str]) -> Figure:
    """Return both in time: for each server a row for what was predicted and one for what was measured."""
    cut, instance = found.cut, found.cut.problem.instance
    used = sorted({part.server for part in cut.parts.pieces} | {one.start for one in cut.parts.messages})
    row = {s: -3.0 * k for k, s in enumerate(used)}
    predicted = cut.predicted
    bars: list[tuple[float, float, float, float, str, str]] = []
    """from, to, at which height, how thick, colour, words"""
    for part in cut.parts.pieces:
        name = part_name(found, part)
        low, high = float(predicted.start[part.subtasks[0]]), float(predicted.end[part.subtasks[-1]])
        start, end = (float(np.median(values[:, part.number])) for values in (found.start, found.end))
        for a, b, y, what in ((low, high, 0.0, "predicted"), (start, end, -1.0, "measured")):
            bars.append((a, b, row[part.server] + y, _BAR, colours[part.server], f"{name}<br>{what} {_ms(b - a)}"))
    rows = {one.number: each for one, each in zip(cut.parts.messages, _transfers(found), strict=True)}
    for one in cut.parts.messages:
        name, n = message_name(found, one), cut.problem.n_subtasks
        low = float(predicted.end[one.source]) if one.source < n else instance.tasks[one.source - n].arrival_s
        start, end = (float(np.median(values[:, one.number])) for values in (found.sent, found.there))
        for a, b, y, what in (
            (low, low + rows[one.number].predicted_s, 0.0, "predicted"), (start, end, -1.0, "measured")
        ):  # fmt: skip
            bars.append((a, b, row[one.end] + y + 0.4, _THIN, colours[one.start], f"{name}<br>{what} {_ms(b - a)}"))
    traces: list[dict[str, Any]] = []
    for thick in (_BAR, _THIN):
        mine = [bar for bar in bars if bar[3] == thick]
        traces.append({
            "type": "bar", "orientation": "h", "base": [1e3 * bar[0] for bar in mine],
            "x": [1e3 * (bar[1] - bar[0]) for bar in mine], "y": [bar[2] for bar in mine], "width": thick,
            "marker": {"color": [bar[4] for bar in mine], "line": {"width": 0}}, "showlegend": False,
            "hovertext": [_safe(bar[5]) for bar in mine], "hovertemplate": "%{hovertext}<extra></extra>",
            "textposition": "none",
        })  # fmt: skip
    names = {s: in_plotly(plain(instance.servers[s].name, 20)) for s in used}
    ticks = [(row[s] + y, f"{names[s]}, {what}") for s in used for y, what in ((0.0, "predicted"), (-1.0, "measured"))]
    layout = {
        "barmode": "overlay", "height": 90 + 66 * len(used), "margin": {"l": 170},
        "xaxis": {"title": {"text": "milliseconds"}},
        "yaxis": {"tickvals": [y for y, _ in ticks], "ticktext": [text for _, text in ticks], "zeroline": False},
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _transfers(found: Emulation) -> list[Compared]:
    return [row for row in compared(found) if row.kind == "transfer"]


def _scatter(rows: list[Compared]) -> Figure:
    """Return what each part and transfer takes, predicted and measured, both logarithmic."""
    traces: list[dict[str, Any]] = []
    shown = [row for row in rows if row.kind != "task" and row.predicted_s > 0 and row.measured_s > 0]
    if shown:
        ends = [1e3 * f(min(row.predicted_s, row.measured_s) if f is min else max(row.predicted_s, row.measured_s)
                        for row in shown) for f in (min, max)]  # fmt: skip
        traces.append({
            "type": "scatter", "mode": "lines", "x": ends, "y": ends, "hoverinfo": "skip", "showlegend": False,
            "line": {"color": OKABE_ITO[6], "dash": "dot", "width": 1},
        })  # fmt: skip
    for number, (kind, symbol) in enumerate((("part", "circle"), ("transfer", "diamond"))):
        mine = [row for row in shown if row.kind == kind]
        traces.append({
            "type": "scatter", "mode": "markers", "name": f"{kind}s", "x": [1e3 * row.predicted_s for row in mine],
            "y": [1e3 * row.measured_s for row in mine],
            "marker": {"color": OKABE_ITO[number], "symbol": symbol, "size": 7, "opacity": 0.8},
            "hovertext": [_safe(f"{row.name}<br>{_ms(row.predicted_s)} → {_ms(row.measured_s)}") for row in mine],
            "hovertemplate": "%{hovertext}<extra></extra>",
        })  # fmt: skip
    layout = {
        "xaxis": {"title": {"text": "predicted (ms)"}, "type": "log"},
        "yaxis": {"title": {"text": "measured (ms)"}, "type": "log"}, "height": 360,
    }  # fmt: skip
    return {"data": traces, "layout": layout}


def _safe(text: str) -> str:
    return "<br>".join(in_plotly(plain(line), 120) for line in text.split("<br>"))


def _ms(seconds: float) -> str:
    return f"{1e3 * seconds:.4g} ms"
