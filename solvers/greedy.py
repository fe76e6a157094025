"""The paper's greedy: the best immediate choice, subtask by subtask (section 5.1)."""

from typing import ClassVar

from offbench import P1, Search, Solver


class Greedy(Solver):
    """For each subtask in turn, the server with the best objective so far; never looks ahead."""

    is_baseline: ClassVar[bool] = True

    def solve(self, problem: P1, search: Search) -> None:
        servers = problem.everything_on(problem.arrays.client)
        for k in problem.free:
            servers[k] = search.next_objectives(servers, k).argmin()
        search.propose(servers)
