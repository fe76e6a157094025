"""The Gantt chart of a placement in a terminal."""

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from offbench.report.schedule import Schedule
from offbench.runs.whereabouts import server_letters


def gantt_text(found: Schedule, width: int = 72) -> RenderableType:
    """Return a row for each slot; a letter where it runs something, a dot where something waits for the server."""
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    for line in _rows(found, width):
        grid.add_row(*line)
    total = float(found.end.max())
    grid.add_row("", Text(f"0{f'{total:.4g} s':>{width - 1}}", style="dim"))
    return Group(
        grid, Text("letters: the server runs something, ▏ where it begins; ·: something waits for it", style="dim")
    )


def _rows(found: Schedule, width: int) -> Iterator[tuple[Text, Text]]:
    letters, servers = server_letters(found.instance), found.instance.servers
    scale = width / max(float(found.end.max()), 1e-300)
    shown: set[int] = set()
    for server, slot in found.lanes:
        symbol, colour = letters[server]
        cells = [" "] * width
        if server not in shown:  # waiting is shown once, in the server's first row
            for k in _of(found, server, None):
                for at in range(round(found.ready[k] * scale), round(found.start[k] * scale)):
                    cells[min(at, width - 1)] = "·"
        shown.add(server)
        for k in _of(found, server, slot):
            first = min(int(found.start[k] * scale), width - 1)
            last = min(max(first, round(found.end[k] * scale) - 1), width - 1)
            cells[first : last + 1] = ["▏" if at == first and last > first else symbol for at in range(first, last + 1)]
        name = servers[server].name + (f" · {slot + 1}" if servers[server].pool > 1 else "")
        yield Text(name, style=colour), Text("".join(cells), style=colour)


def _of(found: Schedule, server: int, slot: int | None) -> list[int]:
    return [
        k
        for k, (s, own) in enumerate(zip(found.servers.tolist(), found.slots.tolist(), strict=True))
        if s == server and (slot is None or own == slot)
    ]
