"""A solver that serves the last task first, all on the client."""

import numpy as np

from offbench import P1, Placement, Search, Solver


class Reversed(Solver):
    """Everything on the client, the last task first."""

    def solve(self, problem: P1, search: Search) -> None:
        starts = problem.arrays.task_start.astype(np.int64)
        tasks = [np.arange(starts[i], starts[i + 1]) for i in range(len(starts) - 1)]
        search.propose(Placement(problem.everything_on(problem.arrays.client), np.concatenate(tasks[::-1])))
