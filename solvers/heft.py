"""HEFT: heterogeneous earliest finish time."""

from offbench import P1, Search, Solver
from offbench.solvers._shared.heft import heft


class Heft(Solver):
    """Heterogeneous earliest finish time: by upward rank, each where it is done first (Topcuoglu et al., 2002).

    The rank of a subtask is the longest way from its start to the end of its task, with times that
    are means over the servers where it may run, and over pairs of different servers. Gaps are filled. HEFT
    looks at time alone, not at energy, cost, coordination or balance.
    """

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(heft(problem, search.check))
