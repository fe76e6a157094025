"""The construction of PEFT, predict earliest finish time: for itself, and for what begins with its placement."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

import numpy as np

from offbench import Placement
from offbench.model.arrays import LINK, Floats, Ints
from offbench.model.problem import Problem
from offbench.solvers._shared.list_scheduling import schedule


def peft(problem: Problem, check: Callable[[], None] = lambda: None) -> Placement:
    """Return PEFT's placement; *check* is called now and then, and may raise to end it."""
    table = optimistic_costs(problem)
    rank = np.where(problem.allowed, table, 0).sum(axis=1) / problem.allowed.sum(axis=1)
    return schedule(problem, _as_they_get_ready(problem, rank), table, check)[0]


def _as_they_get_ready(problem: Problem, rank: Floats) -> Ints:
    """Return the subtasks inputs before readers, of those whose inputs all went before the highest *rank* first."""
    waits_for = problem.arrays.waits_for.tolist()
    key = (-rank).tolist()
    ready = [(key[k], k) for k, waits in enumerate(waits_for) if waits == 0]
    heapify(ready)
    order = []
    while ready:
        _, k = heappop(ready)
        order.append(k)
        for j in problem.readers_of(k):
            waits_for[j] -= 1
            if waits_for[j] == 0:
                heappush(ready, (key[j], j))
    return np.array(order)


def optimistic_costs(problem: Problem) -> Floats:
    """Return the seconds from each subtask's end to its task's, at best, for each place."""
    a, n = problem.arrays, problem.n_subtasks
    execution_s = np.where(problem.allowed, a.execution_s, np.inf)
    s_per_mb, latency_s = 1 / a.link[..., LINK.rate_mb_per_s], a.link[..., LINK.latency_s]
    table = np.zeros(execution_s.shape)
    for k in range(n - 1, -1, -1):
        links = int(a.links_of[k])
        for source, i in zip(problem.sources_of(k), problem.inputs_of(k), strict=True):
            if source < n:
                sent_s = float(a.input_mb[i]) * s_per_mb[links] + latency_s[links]
                way = table[k] + execution_s[k] + sent_s
                table[source] = np.maximum(table[source], way.min(axis=1))
    return table
