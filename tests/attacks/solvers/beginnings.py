"""A solver that fails before its run begins."""

import os

from offbench import P1, Search, Solver


class Beginnings(Solver):
    """Its warm-up goes wrong; the run itself is fine."""

    how: str

    def warm_up(self) -> None:
        print("no warm-up today")
        os._exit(9)

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
