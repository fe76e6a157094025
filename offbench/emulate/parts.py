"""A placement as parts that run in one go, and what is sent between them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from offbench.model.problem import Problem
from offbench.runs.schedule import Schedule

Tensors = frozenset[str]


@dataclass(frozen=True)
class Part:
    """Layers of one task that a server runs in one go."""

    number: int
    task: int
    server: int
    """index of the instance's servers"""
    slot: int
    subtasks: tuple[int, ...]
    """in the order in which they run"""
    after: tuple[int, ...] = ()
    """numbers of the parts on the same server whose outputs it reads"""


@dataclass(frozen=True)
class Message:
    """What one layer, or a task's client, sends to another server at once."""

    number: int
    task: int
    start: int
    end: int
    """the servers, by index of the instance's"""
    source: int
    """the subtask that makes it, or ``n_subtasks + i`` for the input of task i"""
    after: int | None
    """number of the part with that subtask; None for a task's input"""
    readers: tuple[int, ...]
    """numbers of the parts that read it"""
    tensors: tuple[str, ...]


@dataclass(frozen=True)
class Partition:
    """All of a placement."""

    pieces: tuple[Part, ...]
    """in the order in which they begin, as the evaluator says"""
    messages: tuple[Message, ...]


def parts_of(problem: Problem, found: Schedule, sent: Callable[[int, int], Iterable[str]]) -> Partition:
    """Return a placement's parts: as long as possible, while each sends and waits when the model says so.

    A part begins where something comes from elsewhere, and ends where something leaves. So what leaves is that of a
    part's last layer, and what comes is for its first: the parts have no circles, for each begins after those that it
    reads have ended. Where a server has several slots, branches are parts of their own, which may run at once.

    Parameters
    ----------
    problem
        The instance.
    found
        When the subtasks of its placement run, and on which slots.
    sent
        Tells the tensors that a subtask reads of a source (a subtask, or ``n_subtasks + i``).
    """
    n = problem.n_subtasks
    slot = list(zip(found.servers.tolist(), found.slots.tolist(), strict=True))
    clients = problem.instance.client_of
    tasks: list[int] = problem.task_of.tolist()

    def at(source: int) -> int:
        return slot[source][0] if source < n else clients[source - n]

    remote = [frozenset(u for u in problem.sources_of(k) if at(u) != slot[k][0]) for k in range(n)]
    comes = [frozenset((u, frozenset(sent(u, k))) for u in remote[k]) for k in range(n)]
    """what is sent for each: other tensors of the same source take another time"""
    leaves = frozenset[int]().union(*remote)
    counts = np.bincount(found.servers, minlength=len(problem.instance.servers)).tolist()
    single = [min(one.pool, count) <= 1 for one, count in zip(problem.instance.servers, counts, strict=True)]
    ordered = found.placement.order is not None
    turns = {(slot[k][0], float(found.start[k])) for k in np.flatnonzero(found.ready < found.start).tolist()}
    """when a slot goes to what has waited for it, on which server"""
    groups: list[list[int]] = []
    group_of: dict[int, list[int]] = {}
    latest: dict[int, list[int]] = {}
    """what began last on each server"""

    def joined(k: int) -> list[int] | None:
        """Return the part that a subtask can be the next of."""
        server = slot[k][0]
        if single[server]:
            last = latest.get(server)
            if last is None or tasks[last[-1]] != tasks[k] or last[-1] in leaves:
                return None
            # It may wait for nothing that the part doesn't wait for, or the part would be ready later than its first.
            waited = {u for u in problem.sources_of(last[0]) if u < n} | set(last)
            here = {u for u in problem.sources_of(k) if u < n} - remote[k]
            return last if comes[k] <= comes[last[0]] and here <= waited else None
        own = [u for u in problem.sources_of(k) if u < n]
        if len(own) != 1 or remote[k] or problem.readers_of(own[0]) != [k]:
            return None  # its branch may run beside others
        at_once = found.start[k] <= found.end[own[0]] and (server, float(found.start[k])) not in turns
        at_once = at_once and (not ordered or slot[own[0]] == slot[k])
        return group_of[own[0]] if at_once else None

    for k in booked(found).tolist():
        group = joined(k)
        if group is None:
            group = []
            groups.append(group)
        group.append(k)
        group_of[k] = latest[slot[k][0]] = group
    part_of = {k: number for number, group in enumerate(groups) for k in group}
    parts = tuple(
        Part(
            number, tasks[group[0]], *slot[group[0]], tuple(group),
            after=tuple(sorted({
                part_of[u] for k in group for u in problem.sources_of(k) if u < n and at(u) == slot[k][0]
            } - {number})),
        )
        for number, group in enumerate(groups)
    )  # fmt: skip
    readers: dict[tuple[int, int, Tensors], set[int]] = {}
    for k in range(n):
        for u, tensors in sorted(comes[k], key=lambda one: one[0]):
            readers.setdefault((u, slot[k][0], tensors), set()).add(part_of[k])
    messages = tuple(
        Message(
            number, tasks[u] if u < n else u - n, at(u), end, u, part_of.get(u), tuple(sorted(those)),
            tuple(sorted(tensors)),
        )
        for number, ((u, end, tensors), those) in enumerate(readers.items())
    )  # fmt: skip
    return Partition(parts, messages)


def booked(found: Schedule) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Return the subtasks in the order in which they take their slots (MODEL.md section 3)."""
    if found.placement.order is not None:
        return found.placement.order
    index = np.arange(len(found.start))
    order: np.ndarray[tuple[int], np.dtype[np.int64]] = np.lexsort((index, found.end, found.start))
    return order


def ranks(parts: Partition) -> dict[int, int]:
    """Return each part's place among those of its slot, by number."""
    lanes: dict[tuple[int, int], list[int]] = {}
    for part in parts.pieces:
        lanes.setdefault((part.server, part.slot), []).append(part.number)
    assert all(a < b for lane in lanes.values() for a, b in pairwise(lane))
    return {number: rank for lane in lanes.values() for rank, number in enumerate(lane)}
