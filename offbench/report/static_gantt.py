"""The Gantt chart of a placement for papers, by matplotlib: what the page draws, without its zoom."""

from typing import Any

import numpy as np

from offbench.files.escaping import in_matplotlib, shortened
from offbench.files.numbers import grouped
from offbench.report.palette import readable_on, server_colours
from offbench.report.static_figures import TITLE, new
from offbench.runs.schedule import INPUTS, Schedule

# Inches: of the whole, and of it that the chart itself has; wider the more executions there are.
_WIDTH, _WIDEST, _BESIDE, _ROW = 7.2, 14.0, 1.2, 0.2
# Points: the least width of a bar, what one arrow needs, and a letter.
_LEAST, _ARROW, _LETTER = 1.0, 7.0, 3.4
# Servers in the legend; there may be thousands.
_NAMED = 24


def gantt_figure(found: Schedule, title: str) -> Any:
    """Return the Gantt chart of a placement.

    A row for each slot; above a server's slots, a lane for inputs on their way to it, in the colour of who sends them,
    and for what waits. No bar is too narrow to be seen. Arrows join senders and readers where there is room.
    """
    colours, servers = server_colours(found.instance), found.instance.servers
    row_of = {lane: row for row, lane in enumerate(found.drawn)}
    names = []
    held = {use.name: f"\n{grouped(use.used)} of {grouped(use.admitted)} MB" for use in found.memories}
    for server, slot in found.drawn:
        name = in_matplotlib(servers[server].name)
        if slot == INPUTS:
            names.append(f"\N{RIGHTWARDS ARROW} {name}")
        else:
            told = held.pop(servers[server].name, "")  # in the first of its rows
            names.append((f"{name} · {slot + 1}" if servers[server].pool > 1 else name) + told)
    shown = [k for k, lane in enumerate(_lanes(found)) if lane in row_of]
    width = min(_WIDEST, max(_WIDTH, 0.02 * len(shown)))
    figure, axes = new(width, 1.5 + _ROW * len(row_of))
    end_s = float(found.end[shown].max()) if shown else 1.0
    point = end_s / (72 * (width - _BESIDE))
    least = _LEAST * point
    for number, server in enumerate(dict.fromkeys(server for server, _ in found.drawn)):
        if number % 2:
            mine = [row for (s, _), row in row_of.items() if s == server]
            axes.axhspan(min(mine) - 0.5, max(mine) + 0.5, color="0.955", linewidth=0, zorder=0)

    def bars(ks: list[int], starts: Any, ends: Any, rows: list[int], **how: Any) -> None:
        if ks:
            lengths = np.maximum(ends[ks] - starts[ks], least)
            axes.barh(rows, lengths, left=starts[ks], **{"linewidth": 0, **how})

    senders, waits = found.senders, found.waits
    coming = [k for k in shown if found.ready[k] > found.sent[k] and (int(found.servers[k]), INPUTS) in row_of]
    waiting = [k for k in shown if waits[k]]
    of_inputs = {k: row_of[int(found.servers[k]), INPUTS] for k in (*coming, *waiting)}
    bars(
        coming, found.sent, found.ready, [of_inputs[k] for k in coming], height=0.4,
        color=[colours[s] for s in senders[coming]],
    )  # fmt: skip
    bars(
        waiting, found.ready, found.start, [of_inputs[k] for k in waiting], height=0.6, color="none",
        edgecolor="0.45", hatch="////", linewidth=0.4,
    )  # fmt: skip
    rows = [row_of[lane] for k, lane in enumerate(_lanes(found)) if lane in row_of]
    wide = [float(found.end[k] - found.start[k]) / point for k in shown]
    bars(
        shown, found.start, found.end, rows, height=0.8, color=[colours[s] for s in found.servers[shown]],
        # A line between bars only where it doesn't cover them.
        edgecolor="white", linewidth=[0.5 if each > 4 else 0 for each in wide],
    )  # fmt: skip
    layers = [layer.name for task in found.instance.tasks for layer in task.layers]
    for k, row, room in zip(shown, rows, wide, strict=True):
        if _LETTER * len(layers[k]) + 3 < room:
            middle, ink = (found.start[k] + found.end[k]) / 2, readable_on(colours[found.servers[k]])
            axes.text(middle, row, in_matplotlib(layers[k]), ha="center", va="center", fontsize=5.5, color=ink)
    _arrows(axes, found, row_of, coming, room=72 * (width - _BESIDE))
    _deadlines(axes, found, row_of)
    axes.set_yticks(list(row_of.values()), names, fontsize=7)
    axes.set(
        xlabel=f"seconds; {found.folded}" if found.folded else "seconds", title=in_matplotlib(title, TITLE),
        ylim=(len(row_of) - 0.4, -0.6),
    )  # fmt: skip
    axes.set_xlim(-0.01 * end_s, max(end_s, *(d.at_s for d in found.deadlines if d.at_s <= 2 * end_s), 0) * 1.02)
    axes.grid(alpha=0.25, axis="x")
    axes.set_axisbelow(True)
    _legend(figure, found, colours, bool(waiting))
    return figure


def _lanes(found: Schedule) -> list[tuple[int, int]]:
    return list(zip(found.servers.tolist(), found.slots.tolist(), strict=True))


def _arrows(axes: Any, found: Schedule, row_of: dict[tuple[int, int], int], coming: list[int], room: float) -> None:
    lanes, senders = _lanes(found), found.senders.tolist()
    ends = []
    for k in coming:
        source = int(found.sources[k])
        sender = lanes[source] if source >= 0 else (senders[k], 0)
        if sender in row_of and senders[k] != found.servers[k]:
            ends.append((k, row_of[sender]))
    if len(ends) * _ARROW <= room:
        how = {"arrowstyle": "-|>,head_width=0.12,head_length=0.25", "color": "0.4", "linewidth": 0.5, "shrinkA": 0}
        for k, row in ends:
            axes.annotate(
                "", (found.ready[k], row_of[lanes[k]]), (found.sent[k], row), arrowprops={**how, "shrinkB": 0}
            )


def _deadlines(axes: Any, found: Schedule, row_of: dict[tuple[int, int], int]) -> None:
    lanes = _lanes(found)
    for deadline in found.deadlines:
        row = row_of.get(lanes[deadline.last])
        if row is not None:
            colour = "#C00000" if deadline.late else "black"
            at = [deadline.at_s] * 2
            axes.plot(at, [row - 0.5, row + 0.5], color=colour, linewidth=1.6, marker="D", markersize=2.5)


def _legend(figure: Any, found: Schedule, colours: list[str], waits: bool) -> None:
    """Put below what colours and signs mean; servers only those that are drawn."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    servers = found.instance.servers
    used = list(dict.fromkeys([*(server for server, _ in found.drawn), *found.senders.tolist()]))
    clients = [s for s in used if servers[s].kind == "client"]
    if len(clients) > 3:
        used = [clients[0], *(s for s in used if servers[s].kind != "client")]
    several = len(clients) > 3

    def called(s: int) -> str:
        return "clients" if several and s == clients[0] else in_matplotlib(shortened(servers[s].name, 24))

    signs: list[Any] = [Patch(color=colours[s], label=called(s)) for s in sorted(used)[:_NAMED]]
    arrow = "\N{RIGHTWARDS ARROW}"
    signs.append(Line2D([], [], color="0.55", linewidth=2.5, label=f"{arrow} input on its way, in its sender's colour"))
    if waits:
        signs.append(Patch(facecolor="none", edgecolor="0.45", hatch="////", label="waits for a slot"))
    for late, colour, label in ((False, "black", "deadline"), (True, "#C00000", "deadline missed")):
        if any(deadline.late == late for deadline in found.deadlines):
            signs.append(Line2D([], [], color=colour, marker="D", markersize=3, label=label))
    figure.legend(handles=signs, loc="outside lower center", ncols=6, fontsize=6.5, frameon=False)
