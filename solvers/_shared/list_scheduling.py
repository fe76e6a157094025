"""What HEFT and PEFT share: times on servers and links, and a schedule with slots that fills its gaps."""

from bisect import bisect_left, insort
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offbench import Placement
from offbench.model.problem import LINK, Problem

Floats = NDArray[np.float64]


class Times(NamedTuple):
    """How long things take; a source is a subtask, or behind them all a task's input."""

    execution_s: Floats
    """of each subtask at each place, infinite where it may not run, shape ``(n_subtasks, n_servers)``"""
    inputs: list[list[tuple[int, float]]]
    """source and size in MB of each input of each subtask"""
    readers: list[list[tuple[int, float]]]
    """reader and size in MB for each subtask"""
    s_per_mb: Floats
    """from place to place, 0 at the same one, shape ``(tables, n_servers, n_servers)``"""
    latency_s: Floats
    """likewise"""
    links_of: list[int]
    """by which of these tables each subtask gets what it reads"""
    arrival_s: Floats
    """of each task's input"""
    client: int
    own_station: list[int]
    """of each subtask, the station that the client is"""
    slots: list[int]
    """of each station"""


def times_of(problem: Problem) -> Times:
    """Return the times of a problem."""
    a, n = problem.arrays, problem.n_subtasks
    megabytes = a.input_mb.tolist()
    inputs = [
        [(source, megabytes[i]) for source, i in zip(problem.sources_of(k), problem.inputs_of(k), strict=True)]
        for k in range(n)
    ]
    readers: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    for k, row in enumerate(inputs):
        for source, mb in row:
            if source < n:
                readers[source].append((k, mb))
    return Times(
        execution_s=np.where(problem.allowed, a.execution_s, np.inf),
        inputs=inputs,
        readers=readers,
        s_per_mb=1 / a.link[..., LINK.rate_mb_per_s],
        latency_s=a.link[..., LINK.latency_s],
        links_of=a.links_of.tolist(),
        arrival_s=a.arrival_s,
        client=a.client,
        own_station=a.own_station.tolist(),
        slots=np.diff(a.slot_start.astype(np.int64)).tolist(),
    )


class PartialSchedule:
    """Subtasks on slots. One is put into the first gap that is long enough, also before what was put earlier.

    Parameters
    ----------
    times
        Of the problem.
    """

    def __init__(self, times: Times) -> None:
        n = len(times.inputs)
        self._times = times
        self.servers = np.full(n + len(times.arrival_s), times.client)
        self.end_s = np.concatenate((np.zeros(n), times.arrival_s))
        self.start_s = np.zeros(n)
        self._busy: list[list[list[tuple[float, float]]]] = [[[] for _ in range(slots)] for slots in times.slots]

    def ready_s(self, k: int) -> Floats:
        """Return when the inputs of a subtask would be at each place, shape ``(n_servers,)``."""
        sources, mb = zip(*self._times.inputs[k], strict=True)
        at, table = list(sources), self._times.links_of[k]
        from_there = self.servers[at]
        transfer_s = np.array(mb) * self._times.s_per_mb[table, from_there].T + self._times.latency_s[table, from_there].T
        arrive: Floats = self.end_s[at] + transfer_s
        latest: Floats = arrive.max(axis=1)
        return latest

    def finish_s(self, k: int) -> tuple[Floats, list[tuple[int, float]]]:
        """Return when a subtask could be done on each server, infinite where it may not run; slot and start there."""
        execution_s = self._times.execution_s[k]
        done, places = np.full(len(execution_s), np.inf), [(0, np.inf)] * len(execution_s)
        for s, ready in enumerate(self.ready_s(k).tolist()):
            if execution_s[s] < np.inf:
                starts = [_first_gap(busy, ready, execution_s[s]) for busy in self._busy[self._station(k, s)]]
                slot = int(np.argmin(starts))
                places[s] = slot, starts[slot]
                done[s] = starts[slot] + execution_s[s]
        return done, places

    def put(self, k: int, server: int, place: tuple[int, float]) -> None:
        """Let a subtask run on a server, at a place that `finish_s` returned."""
        slot, start_s = place
        end_s = start_s + float(self._times.execution_s[k, server])
        self.servers[k], self.start_s[k], self.end_s[k] = server, start_s, end_s
        insort(self._busy[self._station(k, server)][slot], (start_s, end_s))

    def _station(self, k: int, place: int) -> int:
        return self._times.own_station[k] if place == self._times.client else place

    def placement(self, booked: list[int]) -> Placement:
        """Return the schedule as servers and dispatch order: by start, then by end, then as *booked*.

        Booked in that order, no subtask starts later than here.
        """
        rank = np.empty(len(booked), dtype=np.int64)
        rank[booked] = np.arange(len(booked))
        return Placement(self.servers[: len(booked)], np.lexsort((rank, self.end_s[: len(booked)], self.start_s)))


def _first_gap(busy: list[tuple[float, float]], ready_s: float, execution_s: float) -> float:
    """Return the first start from *ready_s* on, among what runs in a slot."""
    i = bisect_left(busy, (ready_s, ready_s))
    start = ready_s if i == 0 else max(ready_s, busy[i - 1][1])
    while i < len(busy) and start + execution_s > busy[i][0]:
        start = max(start, busy[i][1])
        i += 1
    return start
