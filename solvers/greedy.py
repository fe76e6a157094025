"""The paper's greedy: the best immediate choice, subtask by subtask (section 5.1)."""

from typing import ClassVar

from offbench import P1, Placement, Search, Solver
from offbench.search.greedy import greedy
from offbench.solvers._shared.repair import repair


class Greedy(Solver):
    """For each subtask in turn, the server with the best objective so far; never looks ahead. What breaks constraints is repaired."""

    is_baseline: ClassVar[bool] = True

    def solve(self, problem: P1, search: Search) -> None:
        repair(search, Placement(greedy(search)))
