"""The paper's greedy: the best immediate choice, subtask by subtask (section 5.1)."""

import numpy as np

from offbench import P1, Search, Solver


class Greedy(Solver):
    """For each subtask in turn, the server with the best objective so far; never looks ahead."""

    def solve(self, problem: P1, search: Search) -> None:
        servers = np.zeros(problem.n_subtasks, dtype=np.int64)
        for k in range(problem.n_subtasks):
            servers[k] = search.next_objectives(servers, k).argmin()
        search.propose(servers)
