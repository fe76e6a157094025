"""Two solvers of tiny instances that must be caught."""

from typing import Any

from experiments._shared.brute_force import assignments
from offbench.search.solver import Solver


class Careless(Solver):
    """Knows no dispatch orders, and takes what it finds first come, first served for the optimum."""

    def solve(self, problem: Any, search: Any) -> None:
        search.bound(min(search.propose_many([row])[0] for row in assignments(problem)))


class Boastful(Solver):
    """Reports a bound above the optimum and a placement that doesn't give it away."""

    def solve(self, problem: Any, search: Any) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
        search.bound(search.objective)
