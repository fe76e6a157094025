"""HEFT: heterogeneous earliest finish time."""

import numpy as np

from offbench import P1, Search, Solver
from offbench.solvers._shared.list_scheduling import Floats, PartialSchedule, Times, times_of


class Heft(Solver):
    """Heterogeneous earliest finish time: by upward rank, each where it is done first (Topcuoglu et al., 2002).

    The rank of a subtask is the longest way from its start to the end of its task, with times that
    are means over the servers where it may run, and over pairs of different servers. Gaps are filled. HEFT
    looks at time alone, not at energy, cost, coordination or balance.
    """

    def solve(self, problem: P1, search: Search) -> None:
        times = times_of(problem)
        rank = upward_rank(times)
        order = np.lexsort((np.arange(len(rank)), -rank)).tolist()
        schedule = PartialSchedule(times)
        for k in order:
            search.check()
            done, places = schedule.finish_s(k)
            server = int(done.argmin())
            schedule.put(k, server, places[server])
        search.propose(schedule.placement(order))


def upward_rank(times: Times) -> Floats:
    """Return each subtask's mean execution time plus the longest way from its end to its task's."""
    n, servers = times.execution_s.shape
    execution_s = np.ma.masked_invalid(times.execution_s).mean(axis=1).filled(0)
    s_per_mb = times.s_per_mb.sum() / max(1, servers * (servers - 1))
    rank = np.zeros(n)
    for k in range(n - 1, -1, -1):
        rank[k] = execution_s[k] + max((mb * s_per_mb + rank[j] for j, mb in times.readers[k]), default=0.0)
    return rank
