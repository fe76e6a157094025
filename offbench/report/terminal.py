"""The Gantt chart of a placement in a terminal."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from offbench.evaluation.breaches import Use, share_in_words
from offbench.files.escaping import shortened
from offbench.files.plain import plain
from offbench.report.schedule import Schedule
from offbench.runs.whereabouts import server_letters

# Columns of the chart, those between it and the names, and the fewest that it has.
_CHART, _GAP, _LEAST = 72, 3, 20


def gantt_text(found: Schedule, columns: int = 110) -> RenderableType:
    """Return a row for each slot; a letter where it runs something, a dot where something waits for the server.

    Parameters
    ----------
    found
        What is drawn.
    columns
        How wide it may be, names included; long ones lose their middle where there is no room.
    """
    longest = max(columns - _GAP - _CHART, columns // 4)
    labels = [_label(found, lane, longest) for lane in found.rows]
    width = max(_LEAST, min(_CHART, columns - _GAP - max(map(len, labels), default=0)))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    for label, (colour, line) in zip(labels, _rows(found, width), strict=True):
        grid.add_row(Text(label, style=colour), Text(line, style=colour))
    total = float(found.end.max())
    grid.add_row("", Text(f"0{f'{total:.4g} s':>{width - 1}}", style="dim"))
    words = "letters: the server runs something, ▏ where it begins; ·: something waits for it"
    if found.deadlines:
        words += "; ◆: a deadline, in the row where its task ends, ✗ one that is missed"
        later = sum(deadline.at_s > total for deadline in found.deadlines)
        if later:
            words += f"; {later:,} deadline{' lies' if later == 1 else 's lie'} after the end of the chart"
    lines: list[RenderableType] = [grid, Text(words, style="dim")]
    if found.folded:
        lines.append(Text(found.folded, style="dim"))
    if memories := found.memories:
        lines.append(_memories(memories))
    return Group(*lines)


def _memories(uses: list[Use], width: int = 30) -> Table:
    """Return a bar for each memory, up to its limit or, where more is held, beyond it."""
    table = Table("memory", "", "weights MB", title=None)
    most = max(1.0, *(use.share for use in uses))
    for use in uses:
        full, limit = round(use.share / most * width), round(width / most)
        bar = "█" * min(full, limit) + "░" * (limit - full) + "▓" * (full - limit)
        style = "red" if use.share > 1 else ""
        held = f"{use.used:.4g} of {use.admitted:.4g} ({share_in_words(use.share)})"
        table.add_row(Text(use.name), Text(bar, style=style), Text(held, style=style))
    return table


def _label(found: Schedule, lane: tuple[int, int], longest: int) -> str:
    server = found.instance.servers[lane[0]]
    slot = f" · {lane[1] + 1}" if server.pool > 1 else ""
    return shortened(plain(server.name), max(3, longest - len(slot))) + slot


def _rows(found: Schedule, width: int) -> Iterator[tuple[str, str]]:
    """Yield for each of the schedule's rows its colour and what stands in it."""
    letters = server_letters(found.instance)
    end_s = float(found.end.max())
    scale = width / max(end_s, 1e-300)
    shown: set[int] = set()
    last_of = {deadline.last: deadline for deadline in found.deadlines}
    here: dict[int, list[int]] = {}
    for k, s in enumerate(found.servers.tolist()):
        here.setdefault(s, []).append(k)
    for server, slot in found.rows:
        symbol, colour = letters[server]
        cells = [" "] * width
        if server not in shown:  # waiting is shown once, in the server's first row
            for k in here[server]:
                for at in range(round(found.ready[k] * scale), round(found.start[k] * scale)):
                    cells[min(at, width - 1)] = "·"
        shown.add(server)
        mine = [k for k in here[server] if found.slots[k] == slot]
        for k in mine:
            first = min(int(found.start[k] * scale), width - 1)
            last = min(max(first, round(found.end[k] * scale) - 1), width - 1)
            cells[first : last + 1] = ["▏" if at == first and last > first else symbol for at in range(first, last + 1)]
        for deadline in (last_of[k] for k in mine if k in last_of):
            if deadline.at_s <= end_s:
                cells[min(int(deadline.at_s * scale), width - 1)] = "✗" if deadline.late else "◆"
        yield colour, "".join(cells)
