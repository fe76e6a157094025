"""The paper's greedy: the best immediate choice, subtask by subtask (section 5.1)."""

from typing import ClassVar

from offbench import P1, Search, Solver
from offbench.search.greedy import greedy


class Greedy(Solver):
    """For each subtask in turn, the server with the best objective so far; never looks ahead."""

    is_baseline: ClassVar[bool] = True

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(greedy(search))
