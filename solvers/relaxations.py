"""The bound alone: what `offbench bound` finds, as a solver, so that a suite has a bound of every instance."""

from offbench import P1, Search, Solver
from offbench.bounds import RELAXATIONS, tightest, warm_up


class Relaxations(Solver):
    """Everything on the client, and the best lower bound of all relaxations; it looks for nothing better."""

    def warm_up(self) -> None:
        warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
        limited = search.budget.time_limit is not None
        tightest(
            problem,
            RELAXATIONS,
            search.remaining_s if limited else None,
            lambda relaxation, value: search.bound(value),
        )
