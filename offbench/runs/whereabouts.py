"""Where the layers of a placement are, as tables for people: a row for each server, a strip for each task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
from rich.bar import Bar
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from offbench.evaluation.breaches import held_mb, servers_of, share_in_words
from offbench.evaluation.kernel import PART
from offbench.files.numbers import grouped

if TYPE_CHECKING:
    from offbench.evaluation.evaluator import Evaluation
    from offbench.model.instance import Instance
    from offbench.model.placement import Placement

_COLOURS = {"client": ("green",), "edge": ("cyan", "blue"), "cloud": ("magenta", "red")}
_STRIPS_AT_MOST = 12
# More clients than these are one row.
_CLIENTS_AT_MOST = 6
_UNUSED_AT_MOST = 12


def whereabouts(instance: Instance, placement: Placement, evaluation: Evaluation) -> RenderableType:
    """Return how much each server got, and a coloured strip of each task's layers; many clients are one row."""
    servers = servers_of(instance, placement)
    n = len(instance.servers)
    counts = np.bincount(servers, minlength=n)
    busy_s = np.bincount(servers, weights=evaluation.parts[:, PART.execution_s], minlength=n)
    waiting_s = np.bincount(servers, weights=evaluation.parts[:, PART.queueing_s], minlength=n)
    transfers_s = np.bincount(servers, weights=evaluation.parts[:, PART.transmission_s], minlength=n)
    limited = [server.memory_mb for server in instance.servers]
    held = held_mb(instance, placement) if any(limited) else np.zeros(n)
    columns = [
        "server",
        "",
        "layers",
        "share",
        "transfers in s",
        "busy s",
        "waiting s",
        *(["weights MB"] if any(limited) else []),
    ]
    table = Table(*columns, title=None)
    for column in table.columns[2:]:
        column.justify = "right"
    table.columns[1].max_width = 20
    letters = server_letters(instance)
    used = np.flatnonzero(counts).tolist()
    clients = [s for s in used if instance.servers[s].kind == "client"]
    rows = [(instance.servers[s].name, [s]) for s in used]
    if len(clients) > _CLIENTS_AT_MOST:
        first = (f"{len(clients):,} clients", clients)
        rows = [first, *(row for row in rows if instance.servers[row[1][0]].kind != "client")]
    most = max(int(counts[group].sum()) for _, group in rows)
    for name, group in rows:
        letter, style = letters[group[0]]
        count = int(counts[group].sum())
        table.add_row(
            Text(f"{letter} {name}", style=style),
            Bar(most, 0, count, color=style),
            f"{count:,}",
            f"{count / instance.subtasks:.0%}",
            f"{transfers_s[group].sum():.4g}",
            f"{busy_s[group].sum():.4g}",
            f"{waiting_s[group].sum():.4g}",
            *([_weights(held, limited, group)] if any(limited) else []),
        )
    lines: list[RenderableType] = [table, *_unused(instance, counts.tolist())]
    lines += _strips(instance, servers.tolist(), letters)
    return Group(*lines)


def _weights(held: np.ndarray, limited: list[float | None], group: list[int]) -> Text:
    """Tell what a server holds of its memory; of several, what the fullest does."""
    shares = [(held[s] / memory, s, memory) for s in group if (memory := limited[s]) is not None]
    if not shares:
        return Text("")
    share, s, memory = max(shares)
    words = f"{grouped(held[s])} of {grouped(memory)} ({share_in_words(share)})"
    return Text(words if len(group) == 1 else f"at most {words}", style="red" if share > 1 else "")


def _unused(instance: Instance, counts: list[int]) -> Iterator[RenderableType]:
    unused = [server for server, count in zip(instance.servers, counts, strict=True) if count == 0]
    names = [server.name for server in unused]
    if len(names) > _UNUSED_AT_MOST:  # that many are clients
        names = [server.name for server in unused if server.kind != "client"]
        clients = len(unused) - len(names)
        names = [*([f"{clients:,} clients"] if clients else []), *names[:_UNUSED_AT_MOST]]
        if (more := len(unused) - clients - _UNUSED_AT_MOST) > 0:
            names.append(f"{more:,} more")
    if names:
        yield Text(f"not used: {', '.join(names)}", style="dim")


def server_letters(instance: Instance) -> list[tuple[str, str]]:
    """Return a character and a colour for each server: L a client, 1-9 edges and a-z clouds."""
    seen = {"client": 0, "edge": 0, "cloud": 0}
    symbols = {"edge": "123456789", "cloud": "abcdefghijklmnopqrstuvwxyz"}
    letters = []
    for server in instance.servers:
        number = seen[server.kind]
        seen[server.kind] += 1
        colours = _COLOURS[server.kind]
        alphabet = symbols.get(server.kind, "")
        symbol = "L" if server.kind == "client" else alphabet[number] if number < len(alphabet) else "+"
        letters.append((symbol, colours[number % len(colours)]))
    return letters


def _strips(instance: Instance, servers: list[int], letters: list[tuple[str, str]]) -> Iterator[RenderableType]:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    first = 0
    for task in instance.tasks[:_STRIPS_AT_MOST]:
        strip = Text()
        for s in servers[first : first + len(task.layers)]:
            strip.append(*letters[s])
        grid.add_row(Text(task.name), strip)
        first += len(task.layers)
    yield grid
    if len(instance.tasks) > _STRIPS_AT_MOST:
        yield Text(f"... and {len(instance.tasks) - _STRIPS_AT_MOST:,} tasks more", style="dim")
