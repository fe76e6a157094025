"""The construction of PEFT, predict earliest finish time: for itself, and for what begins with its placement."""

from collections.abc import Callable
from heapq import heappop, heappush

import numpy as np

from offbench import Placement
from offbench.model.problem import Problem
from offbench.solvers._shared.list_scheduling import Floats, PartialSchedule, Times, times_of


def peft(problem: Problem, check: Callable[[], None] = lambda: None) -> Placement:
    """Return PEFT's placement; *check* is called before each subtask, and may raise to end it."""
    times = times_of(problem)
    table = optimistic_costs(times)
    rank = np.where(problem.allowed, table, 0).sum(axis=1) / problem.allowed.sum(axis=1)
    waits_for = problem.arrays.waits_for.astype(np.int64)
    schedule = PartialSchedule(times)
    ready = [(-rank[k], k) for k in np.flatnonzero(waits_for == 0).tolist()]
    ready.sort()
    order = []
    while ready:
        check()
        _, k = heappop(ready)
        order.append(k)
        done, places = schedule.finish_s(k)
        server = int((done + table[k]).argmin())
        schedule.put(k, server, places[server])
        for j, _ in times.readers[k]:
            waits_for[j] -= 1
            if waits_for[j] == 0:
                heappush(ready, (-rank[j], j))
    return schedule.placement(order)


def optimistic_costs(times: Times) -> Floats:
    """Return the seconds from a subtask's end to its task's, at best, for each server; shape as of the times."""
    table = np.zeros(times.execution_s.shape)
    for k in range(len(table) - 1, -1, -1):
        for j, mb in times.readers[k]:
            links = times.links_of[j]
            way = table[j] + times.execution_s[j] + (mb * times.s_per_mb[links] + times.latency_s[links])
            table[k] = np.maximum(table[k], way.min(axis=1))
    return table
