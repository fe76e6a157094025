"""Brute force as a solver, to be measured beside the others."""

import math
from typing import Any, ClassVar, Literal

from experiments._shared.brute_force import best
from offbench.search.budget import Infeasible
from offbench.search.solver import Solver

ENUMERATE = f"{__file__}:Enumerate"
"""its name where solvers are named"""


class Enumerate(Solver):
    """Proposes the best of all placements, and its objective as the bound."""

    solves: ClassVar[Literal["P1", "P2"]] = "P1"

    def solve(self, problem: Any, search: Any) -> None:
        objective, placement = best(problem)
        if objective == math.inf:
            raise Infeasible("every placement breaks a constraint")
        search.propose(placement)
        search.bound(objective)
