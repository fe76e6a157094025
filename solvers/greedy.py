"""The paper's greedy: the best immediate choice, subtask by subtask (section 5.1)."""

from typing import ClassVar

from offbench import P1, Search, Solver
from offbench.search.greedy import greedy_placement, warm_up
from offbench.solvers._shared.repair import repair


class Greedy(Solver):
    """For each subtask in turn, the server with the best objective so far; never looks ahead.

    What breaks constraints is repaired. Where thousands of tasks compete, nothing that is booked moves for one more
    subtask (`offbench.search.greedy.by_insertion`).
    """

    is_baseline: ClassVar[bool] = True

    def warm_up(self) -> None:
        warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        repair(search, greedy_placement(search))
