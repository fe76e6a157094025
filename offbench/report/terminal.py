"""The Gantt chart of a placement in a terminal."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from offbench.evaluation.breaches import Use, share_in_words
from offbench.files.escaping import shortened
from offbench.files.numbers import grouped
from offbench.files.plain import plain
from offbench.runs.schedule import INPUTS, Schedule
from offbench.runs.whereabouts import server_letters

# Columns of the chart at most and at least, and those between it and the names.
_CHART, _LEAST, _GAP = 160, 20, 3


def gantt_text(found: Schedule, columns: int = 110) -> RenderableType:
    """Return a row for each slot, above a server's the lane of what is on its way to it or waits.

    Parameters
    ----------
    found
        What is drawn.
    columns
        How wide it may be, names included; long ones lose their middle where there is no room.
    """
    labels = [_label(found, lane, columns // 4) for lane in found.drawn]
    width = max(_LEAST, min(_CHART, columns - _GAP - max(map(len, labels), default=0)))
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    for label, line in zip(labels, _rows(found, width), strict=True):
        grid.add_row(Text(label, style=line.style), line)
    total = float(found.end.max())
    grid.add_row("", Text(f"0{f'{total:.4g} s':>{width - 1}}", style="dim"))
    words = "letters: the server runs a layer, ▏ where one begins, its name where there is room"
    if len(found.drawn) > len(found.rows):
        words += "; in a row →: whose letter an input on its way is from; ·: a layer waits for a slot"
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
        held = f"{grouped(use.used)} of {grouped(use.admitted)} ({share_in_words(use.share)})"
        table.add_row(Text(use.name), Text(bar, style=style), Text(held, style=style))
    return table


def _label(found: Schedule, lane: tuple[int, int], longest: int) -> str:
    server = found.instance.servers[lane[0]]
    if lane[1] == INPUTS:
        return f"→ {shortened(plain(server.name), max(3, longest - 2))}"
    slot = f" · {lane[1] + 1}" if server.pool > 1 else ""
    return shortened(plain(server.name), max(3, longest - len(slot))) + slot


def _rows(found: Schedule, width: int) -> Iterator[Text]:
    """Yield what stands in each of the drawn rows, in its server's colour."""
    letters = server_letters(found.instance)
    end_s = float(found.end.max())
    scale = width / max(end_s, 1e-300)
    senders, waits = found.senders.tolist(), found.waits.tolist()
    names = [plain(layer.name) for task in found.instance.tasks for layer in task.layers]
    last_of = {deadline.last: deadline for deadline in found.deadlines}
    here: dict[int, list[int]] = {}
    for k, s in enumerate(found.servers.tolist()):
        here.setdefault(s, []).append(k)

    def cells_of(start_s: float, end_s: float) -> range:
        """Whatever happens has a cell, however short it is."""
        first = min(int(start_s * scale), width - 1)
        return range(first, max(first + 1, min(round(end_s * scale), width)))

    for server, slot in found.drawn:
        symbol, colour = letters[server]
        line: list[tuple[str, str]] = [(" ", "")] * width
        if slot == INPUTS:
            for k in here[server]:
                if found.ready[k] > found.sent[k]:
                    for at in cells_of(found.sent[k], found.ready[k]):
                        line[at] = letters[senders[k]]
            for k in here[server]:
                if waits[k]:  # never in place of what is on its way
                    for at in cells_of(found.ready[k], found.start[k]):
                        line[at] = line[at] if line[at][0] != " " else ("·", "")
        mine = [k for k in here[server] if found.slots[k] == slot]
        for k in mine:
            cells = cells_of(found.start[k], found.end[k])
            text = symbol * len(cells) if len(cells) < 2 else "▏" + symbol * (len(cells) - 1)
            if len(names[k]) + 3 <= len(cells):
                text = f"▏{names[k]} {text[len(names[k]) + 2 :]}"
            for at, character in zip(cells, text, strict=True):
                line[at] = (character, colour)
        for deadline in (last_of[k] for k in mine if k in last_of):
            if deadline.at_s <= end_s:
                line[min(int(deadline.at_s * scale), width - 1)] = ("✗", "red") if deadline.late else ("◆", "")
        drawn = Text(style=colour if slot != INPUTS else "dim")
        for character, style in line:
            drawn.append(character, style)
        yield drawn
