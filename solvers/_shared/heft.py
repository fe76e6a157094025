"""The construction of HEFT, heterogeneous earliest finish time: for itself, and for what begins with its placement."""

from collections.abc import Callable

import numpy as np

from offbench import Placement
from offbench.model.problem import Problem
from offbench.solvers._shared.list_scheduling import Floats, PartialSchedule, Times, times_of


def heft(problem: Problem, check: Callable[[], None] = lambda: None) -> Placement:
    """Return HEFT's placement; *check* is called before each subtask, and may raise to end it."""
    times = times_of(problem)
    rank = upward_rank(times)
    order = np.lexsort((np.arange(len(rank)), -rank)).tolist()
    schedule = PartialSchedule(times)
    for k in order:
        check()
        done, places = schedule.finish_s(k)
        server = int(done.argmin())
        schedule.put(k, server, places[server])
    return schedule.placement(order)


def upward_rank(times: Times) -> Floats:
    """Return each subtask's mean execution time plus the longest way from its end to its task's."""
    n, servers = times.execution_s.shape
    execution_s = np.ma.masked_invalid(times.execution_s).mean(axis=1).filled(0)
    pairs = max(1, servers * (servers - 1))
    s_per_mb = [table.sum() / pairs for table in times.s_per_mb]
    latency_s = [table.sum() / pairs for table in times.latency_s]
    table = times.links_of
    rank = np.zeros(n)
    for k in range(n - 1, -1, -1):
        ways = (mb * s_per_mb[table[j]] + latency_s[table[j]] + rank[j] for j, mb in times.readers[k])
        rank[k] = execution_s[k] + max(ways, default=0.0)
    return rank
