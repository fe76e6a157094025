"""Exact solving of P1 and P2 by one mixed-integer linear model."""

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import AfterValidator

from offbench import Search, Solver
from offbench.model.problem import Problem
from offbench.search.solver import Solves
from offbench.solvers._shared.own_time import in_own_time
from offbench.solvers.milp.refinement import prove
from offbench.solvers.milp.writing import check_name, check_path


class Milp(Solver):
    """Proven optimum of P1 or P2 by a mixed-integer linear model, solved by HiGHS through Pyomo."""

    solves: ClassVar[Solves] = "P1 and P2"

    write: Annotated[Path, AfterValidator(check_name)] | None = None
    """file in the current folder that the model is written to, `.mps` or `.lp`"""

    def solve(self, problem: Problem, search: Search) -> None:
        if self.write is not None:
            check_path(self.write)
        prove(in_own_time(problem), search, self.write)
