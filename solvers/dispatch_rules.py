"""P2 by rule: servers are given, a rule says who is served first."""

from typing import ClassVar, Literal

import numpy as np

from offbench import P2, Placement, Search, Solver
from offbench.model.arrays import LINK


class FirstComeFirstServed(Solver):
    """First come, first served: the order of ready times, the paper's rule."""

    name: ClassVar[str] = "fcfs"
    solves: ClassVar[Literal["P1", "P2"]] = "P2"

    def solve(self, problem: P2, search: Search) -> None:
        search.propose(Placement(problem.servers))


class ShortestRemainingWork(Solver):
    """Shortest remaining work first (SRPT): a free slot goes to the task with the least left to run."""

    name: ClassVar[str] = "srpt"
    solves: ClassVar[Literal["P1", "P2"]] = "P2"

    def solve(self, problem: P2, search: Search) -> None:
        search.propose(Placement(problem.servers, shortest_first(problem, search, of_task=True)))


class ShortestProcessingTime(Solver):
    """Shortest processing time first (SPT): a free slot goes to the subtask that runs shortest."""

    name: ClassVar[str] = "spt"
    solves: ClassVar[Literal["P1", "P2"]] = "P2"

    def solve(self, problem: P2, search: Search) -> None:
        search.propose(Placement(problem.servers, shortest_first(problem, search, of_task=False)))


def shortest_first(problem: P2, search: Search, of_task: bool) -> list[int]:
    """Return the dispatch order of a schedule in which no slot idles while a subtask waits for it.

    Of the subtasks whose inputs are booked, the next is the one that can start first; those that
    wait for the same slot can all start when it becomes free, and there the remaining work of their
    tasks (*of_task*) or their own work decides, in seconds on the given servers.
    """
    a = problem.arrays
    n = problem.n_subtasks
    servers = problem.servers
    execution_s = a.execution_s[np.arange(n), servers]
    stations, task_of = problem.stations(servers), problem.task_of
    remaining_s = np.add.reduceat(execution_s, a.task_start[:-1].astype(np.int64))
    at = np.concatenate((servers, np.full(len(a.arrival_s), a.client)))
    end_s = np.concatenate((np.zeros(n), a.arrival_s))
    slot_free_s = [np.zeros(a.slot_start[s + 1] - a.slot_start[s]) for s in range(problem.n_stations)]

    def ready_s(k: int) -> float:
        sources, inputs = problem.sources_of(k), problem.inputs_of(k)
        mb = a.input_mb[inputs.start : inputs.stop]
        link = a.link[a.links_of[k], at[sources], servers[k]]
        return float((end_s[sources] + mb / link[:, LINK.rate_mb_per_s] + link[:, LINK.latency_s]).max())

    def urgency(k: int) -> tuple[float, float, int]:
        work_s = remaining_s[task_of[k]] if of_task else execution_s[k]
        return max(ready[k], slot_free_s[stations[k]].min()), work_s, k

    waits_for = a.waits_for.astype(np.int64)
    ready = {int(k): ready_s(int(k)) for k in np.flatnonzero(waits_for == 0)}
    order = []
    while ready:
        search.check()
        k = min(ready, key=urgency)
        start_s = urgency(k)[0]
        del ready[k]
        order.append(k)
        end_s[k] = start_s + execution_s[k]
        remaining_s[task_of[k]] -= execution_s[k]
        slots = slot_free_s[stations[k]]
        slots[slots.argmin()] = end_s[k]
        for reader in problem.readers_of(k):
            waits_for[reader] -= 1
            if waits_for[reader] == 0:
                ready[reader] = ready_s(reader)
    return order
