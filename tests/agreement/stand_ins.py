"""Solvers of tiny instances by enumeration: one that is right, and two that must be caught."""

from typing import Any, ClassVar, Literal

from agreement.brute_force import assignments, best
from offbench.search.solver import Solver


class Enumerate(Solver):
    """Proposes the best of all placements, and its objective as the bound."""

    solves: ClassVar[Literal["P1", "P2"]] = "P1"

    def solve(self, problem: Any, search: Any) -> None:
        objective, placement = best(problem)
        search.propose(placement)
        search.bound(objective)


class Careless(Solver):
    """Knows no dispatch orders, and takes what it finds first come, first served for the optimum."""

    def solve(self, problem: Any, search: Any) -> None:
        search.bound(min(search.propose_many([row])[0] for row in assignments(problem)))


class Boastful(Solver):
    """Reports a bound above the optimum and a placement that doesn't give it away."""

    def solve(self, problem: Any, search: Any) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
        search.bound(search.objective)
