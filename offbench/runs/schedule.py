"""When each subtask runs, on which slot, and what it waits for: what a Gantt chart draws."""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.breaches import Use, servers_of, uses
from offbench.evaluation.evaluator import Evaluation, evaluate
from offbench.evaluation.kernel import PARTS
from offbench.model.arrays import LINK
from offbench.model.instance import Instance
from offbench.model.placement import Placement
from offbench.model.problem import FEASIBLE, P1, Problem

Floats = NDArray[np.float64]


CLIENTS_AT_MOST = 12
"""clients that have a lane each; more are counted"""
INPUTS = -1
"""stands for a slot in the lane of what is on its way to a server, or waits there"""


class Deadline(NamedTuple):
    """A task's deadline."""

    task: int
    last: int
    """the subtask with which the task is complete"""
    at_s: float
    """on the clock of all tasks"""
    share: float
    """of the time until it that the task takes: above 1 it is late"""

    @property
    def late(self) -> bool:
        """Whether it is missed by more than rounding."""
        return self.share > 1 + FEASIBLE


@dataclass(frozen=True)
class Schedule:
    """A placement in time; arrays have an item for each subtask, times in seconds."""

    instance: Instance
    placement: Placement
    evaluation: Evaluation
    servers: NDArray[np.int64]
    """indices of the instance's servers, a client's own subtasks on it"""
    slots: NDArray[np.int64]
    """of its server, from 0 on"""
    sources: NDArray[np.int64]
    """whose output came last of its inputs; -1 for the task's own input"""
    sent: Floats
    """when that set out"""
    ready: Floats
    """when that had come"""
    start: Floats
    end: Floats

    @property
    def names(self) -> list[str]:
        """``task / layer`` of each subtask, the layer alone where there is one task."""
        single = len(self.instance.tasks) == 1
        return [
            layer.name if single else f"{task.name} / {layer.name}"
            for task in self.instance.tasks
            for layer in task.layers
        ]

    @property
    def lanes(self) -> list[tuple[int, int]]:
        """The (server, slot) pairs that are used, in order."""
        return sorted({(int(s), int(k)) for s, k in zip(self.servers, self.slots, strict=True)})

    @cached_property
    def clients(self) -> list[int]:
        """The clients that run something, by their index: those first whose tasks take most of their deadlines."""
        hurry: dict[int, float] = {}
        for deadline in self.deadlines:
            client = self.instance.client_of[deadline.task]
            hurry[client] = max(hurry.get(client, 0.0), deadline.share)
        used = {int(s) for s in self.servers if self.instance.servers[s].kind == "client"}
        return sorted(used, key=lambda s: (-hurry.get(s, 0.0), s))

    @property
    def rows(self) -> list[tuple[int, int]]:
        """The `lanes` that are drawn: without those of clients for which there is no room (`CLIENTS_AT_MOST`)."""
        left = set(self.clients[CLIENTS_AT_MOST:])
        return [lane for lane in self.lanes if lane[0] not in left]

    @property
    def drawn(self) -> list[tuple[int, int]]:
        """The `rows`, and above each server's the lane (server, `INPUTS`), if inputs come from elsewhere or wait."""
        busy = set(self.servers[(self.ready > self.sent) | self.waits].tolist())
        found: list[tuple[int, int]] = []
        for server, slot in self.rows:
            if server in busy and (not found or found[-1][0] != server):
                found.append((server, INPUTS))
            found.append((server, slot))
        return found

    @property
    def senders(self) -> NDArray[np.int64]:
        """The server that each subtask's last input came from; a task's own input is at its client."""
        own = np.repeat(self.instance.client_of, [len(task.layers) for task in self.instance.tasks])
        return np.where(self.sources >= 0, self.servers[self.sources], own)

    @property
    def waits(self) -> NDArray[np.bool_]:
        """Which subtasks wait for a slot, by more than rounding."""
        return np.asarray(self.start - self.ready > 1e-9 * self.end.max())

    @property
    def folded(self) -> str:
        """Say of how many clients there is no lane, as they run nothing or are too many; empty for none."""
        all_clients, used = len(self.instance.clients), len(self.clients)
        parts = []
        if used > CLIENTS_AT_MOST:
            parts.append(f"{used - CLIENTS_AT_MOST:,} more clients run layers")
        if used < all_clients > 1:
            idle = all_clients - used
            parts.append(f"{idle:,} client{' runs' if idle == 1 else 's run'} nothing")
        return ", ".join(parts)

    @property
    def memories(self) -> list[Use]:
        """What each server holds of its memory, those of clients for which there is no room left out."""
        found = [use for use in uses(self.instance, self.placement, self.evaluation) if use.kind == "memory"]
        kinds = {server.name: server.kind for server in self.instance.servers}
        clients = [use for use in found if kinds[use.name] == "client"]
        left = {use.name for use in clients[CLIENTS_AT_MOST:]}
        return [use for use in found if use.name not in left]

    @property
    def deadlines(self) -> "list[Deadline]":
        """Where each deadline lies, on the row of the layer with which its task is complete."""
        found, first = [], 0
        for i, task in enumerate(self.instance.tasks):
            last, first = first + int(self.end[first : first + len(task.layers)].argmax()), first + len(task.layers)
            if task.deadline_s is not None:
                share = (float(self.end[last]) - task.arrival_s) / task.deadline_s
                found.append(Deadline(i, last, task.arrival_s + task.deadline_s, share))
        return found


def schedule(instance: Instance, placement: Placement) -> Schedule:
    """Return the schedule of a placement, its times by the shared evaluator.

    Raises
    ------
    OffbenchError
        If the placement isn't one of this instance.
    """
    problem = P1(instance)
    evaluation = evaluate(problem, placement)
    column = {name: evaluation.parts[:, c] for c, name in enumerate(PARTS)}
    start, end = column["start_s"], column["completion_s"]
    ready = start - column["queueing_s"]
    sent = ready - column["transmission_s"]
    # First come, first served: by ready time, then by index.
    order = placement.order if placement.order is not None else np.lexsort((np.arange(len(ready)), ready))
    slots = np.zeros(len(ready), dtype=np.int64)
    servers = servers_of(instance, placement)
    counts = np.bincount(servers, minlength=len(instance.servers)).tolist()
    free = [np.zeros(min(server.pool, count)) for server, count in zip(instance.servers, counts, strict=True)]
    for k in order:
        mine = free[servers[k]]
        slots[k] = np.argmin(mine)  # the slot that becomes free first (MODEL.md section 3)
        mine[slots[k]] = end[k]
    sources = _sources(problem, placement, end)
    return Schedule(instance, placement, evaluation, servers, slots, sources, sent, ready, start, end)


def _sources(problem: Problem, placement: Placement, end: Floats) -> NDArray[np.int64]:
    """Return which subtask's output came last of each subtask's inputs, -1 for a task's own (MODEL.md section 2)."""
    a = problem.arrays
    n = len(end)
    reader = np.repeat(np.arange(n), np.diff(a.input_start))
    place = np.concatenate((placement.servers, np.full(len(a.arrival_s), a.client)))
    link = a.link[a.links_of[reader], place[a.input_of], place[reader]]
    sent = np.concatenate((end, a.arrival_s))[a.input_of]
    there = sent + (a.input_mb / link[:, LINK.rate_mb_per_s] + link[:, LINK.latency_s])
    # In a tie the first one counts.
    last = np.lexsort((np.arange(len(reader)), -there, reader))[a.input_start[:-1]]
    found = a.input_of[last].astype(np.int64)
    return np.where(found < n, found, -1)
