"""HEFT: heterogeneous earliest finish time."""

from offbench import P1, Search, Solver
from offbench.solvers._shared.heft import heft
from offbench.solvers._shared.list_scheduling import warm_up
from offbench.solvers._shared.repair import repair


class Heft(Solver):
    """Heterogeneous earliest finish time: by upward rank, each where it is done first (Topcuoglu et al., 2002).

    The rank of a subtask is the longest way from its start to the end of its task, with times that
    are means over the places where it may run, and over pairs of different ones. Gaps are filled, memories that are
    full passed over. HEFT looks at time alone, not at energy, cost, coordination or balance. What breaks constraints
    is repaired.
    """

    def warm_up(self) -> None:
        warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        repair(search, heft(problem, search.check))
