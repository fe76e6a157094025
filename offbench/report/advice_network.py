"""The cut drawn into the network: columns of layers by depth, a lane for each branch, and what is sent before them."""

from dataclasses import dataclass

import numpy as np

from offbench.evaluation.breaches import servers_of
from offbench.evaluation.evaluator import Evaluation
from offbench.evaluation.kernel import PART
from offbench.files.escaping import shortened
from offbench.model.arrays import LINK
from offbench.model.placement import Placement
from offbench.model.problem import Problem
from offbench.report.palette import readable_on, server_colours
from offbench.runs.advice.words import seconds
from offbench.runs.whereabouts import server_letters

# Networks that are drawn; more are the same again.
TASKS_AT_MOST = 8
# Layers of a network whose names are written; of more there is a letter for the server.
_NAMED_AT_MOST = 30
_SERVERS_NAMED_AT_MOST = 12


@dataclass(frozen=True)
class Cell:
    """A layer."""

    name: str
    server: str
    letter: str
    colour: str
    ink: str
    takes: str
    receives: str
    """what comes from other servers, empty for nothing"""

    @property
    def tip(self) -> str:
        """All of it in a line."""
        more = f"; receives {self.receives}" if self.receives else ""
        return f"{self.name} on {self.server}, {self.takes}{more}"


@dataclass(frozen=True)
class Arrival:
    """What is sent before a column of layers."""

    size: str
    takes: str
    """of the longest transfer"""
    to: str
    tip: str


@dataclass(frozen=True)
class Column:
    """Layers of one depth."""

    arrival: Arrival | None
    cells: tuple[Cell | None, ...]
    """a place for each lane, the last ones left out where they are empty"""


@dataclass(frozen=True)
class Drawing:
    """One network."""

    name: str
    columns: tuple[Column, ...]
    named: bool
    """whether there is room for names"""

    @property
    def cells(self) -> list[Cell]:
        """All layers, by depth."""
        return [cell for column in self.columns for cell in column.cells if cell is not None]


@dataclass(frozen=True)
class ServerKey:
    """What a colour means, and what that server got."""

    name: str
    letter: str
    colour: str
    ink: str
    layers: int
    busy: str


def server_keys(problem: Problem, placement: Placement, evaluation: Evaluation) -> list[ServerKey]:
    """Return the servers that got layers, in the instance's order."""
    instance = problem.instance
    servers = servers_of(instance, placement)
    busy_s = np.bincount(servers, weights=evaluation.parts[:, PART.execution_s], minlength=len(instance.servers))
    counts = np.bincount(servers, minlength=len(instance.servers))
    colours, letters = server_colours(instance), server_letters(instance)
    return [
        ServerKey(
            instance.servers[s].name, letters[s][0], colours[s], readable_on(colours[s]), int(counts[s]),
            seconds(float(busy_s[s])),
        )
        for s in np.flatnonzero(counts).tolist()
    ]  # fmt: skip


def drawings(problem: Problem, placement: Placement, evaluation: Evaluation) -> list[Drawing]:
    """Return the networks of an instance, the first `TASKS_AT_MOST`, with a placement of them."""
    instance, a, n = problem.instance, problem.arrays, problem.n_subtasks
    servers = servers_of(instance, placement)
    colours, letters = server_colours(instance), server_letters(instance)

    def received(k: int) -> list[tuple[float, float, str]]:
        """Return size, time and sender of what a layer reads from other servers."""
        found = []
        for entry in problem.inputs_of(k):
            source = int(a.input_of[entry])
            at = int(placement.servers[source]) if source < n else a.client
            if at != placement.servers[k]:
                link = a.link[a.links_of[k], at, placement.servers[k]]
                took_s = float(a.input_mb[entry] / link[LINK.rate_mb_per_s] + link[LINK.latency_s])
                found.append((float(a.input_mb[entry]), took_s, problem.server_name(k, at)))
        return found

    made = []
    for i, task in enumerate(instance.tasks[:TASKS_AT_MOST]):
        first = problem.subtasks_of(i).start
        columns: list[Column] = []
        named = len(task.layers) <= _NAMED_AT_MOST
        for row in lanes(problem, i):
            cells: list[Cell | None] = []
            arrived: list[tuple[float, float, str]] = []
            to: dict[str, str] = {}
            for k in row:
                if k is None:
                    cells.append(None)
                    continue
                server, comes = int(servers[k]), received(k)
                if comes:
                    arrived += comes
                    to[instance.servers[server].name] = letters[server][0]
                cells.append(
                    Cell(
                        shortened(task.layers[k - first].name), shortened(instance.servers[server].name),
                        letters[server][0], colours[server], readable_on(colours[server]),
                        seconds(float(evaluation.parts[k, PART.execution_s])), "; ".join(map(_sent, comes)),
                    )
                )  # fmt: skip
            columns.append(Column(_arrival(arrived, to), tuple(cells)))
        if sum(column.arrival is not None for column in columns) > _SERVERS_NAMED_AT_MOST:
            named = False
        made.append(Drawing(task.name, tuple(columns), named))
    return made


def lanes(problem: Problem, i: int) -> list[list[int | None]]:
    """Return the layers of a task by depth; at each depth one for each lane, None where the lane is empty there.

    A layer goes on in the lane of what it reads; who finds that taken by another reader begins a lane of its own, which
    ends where its last layer has been read.
    """
    depth: dict[int, int] = {}
    for k in problem.subtasks_of(i):
        depth[k] = 1 + max((depth[source] for source in problem.sources_of(k) if source in depth), default=-1)
    columns: list[list[int | None]] = [[] for _ in range(1 + max(depth.values()))]
    last: list[int] = []
    placed: set[int] = set()
    for k in sorted(depth, key=lambda k: (depth[k], k)):
        column = columns[depth[k]]
        taken = {lane for lane, other in enumerate(column) if other is not None}
        goes_on = [lane for lane, end in enumerate(last) if end in problem.sources_of(k) and lane not in taken]
        over = [
            lane
            for lane, end in enumerate(last)
            if lane not in taken and all(reader in placed for reader in problem.readers_of(end))
        ]
        lane = min(goes_on, default=min(over, default=len(last)))
        last[lane : lane + 1] = [k]
        placed.add(k)
        column += [None] * (lane + 1 - len(column))
        column[lane] = k
    return columns


def _sent(one: tuple[float, float, str]) -> str:
    mb, took_s, sender = one
    return f"{mb:.3g} MB from {shortened(sender)} in {seconds(took_s)}"


def _arrival(arrived: list[tuple[float, float, str]], to: dict[str, str]) -> Arrival | None:
    if not arrived:
        return None
    size, longest_s = sum(mb for mb, _, _ in arrived), max(took_s for _, took_s, _ in arrived)
    goes = shortened(next(iter(to))) if len(to) == 1 else ", ".join(to.values())
    return Arrival(f"{size:.3g} MB", seconds(longest_s), goes, "; ".join(map(_sent, arrived)))
