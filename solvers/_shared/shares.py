"""Descent for thousands of tasks: a share of them at once changes its servers.

Of many tasks each placement is scored as a whole, for all of them wait for one another. At 100 000 subtasks that leaves
some hundred placements in a minute, of which single subtasks move nothing. What matters then is how many tasks run
where; so a move takes tasks at random, from one to all of them, and puts a stretch of each on one server.
"""

from itertools import count

import numpy as np
from numpy.typing import NDArray

from offbench import Search
from offbench.model.problem import Problem

Ints = NDArray[np.int64]


def descend_by_shares(problem: Problem, search: Search, servers: Ints, moves: int | None = None) -> Ints:
    """Make so many moves, or else until the search ends; one that leads to no worse placement is kept.

    Returns
    -------
    numpy.ndarray
        The servers of the best.

    Raises
    ------
    SearchEnded
        When the search ends.
    """
    rng, start = search.rng, problem.arrays.task_start.astype(np.int64)
    layers, task = np.diff(start), problem.task_of
    place = (np.arange(problem.n_subtasks) - start[task]) / layers[task]
    """of each subtask, how much of its task is before it"""
    value = search.propose(servers)
    for _ in count() if moves is None else range(moves):
        chosen = rng.random(problem.n_tasks) < problem.n_tasks ** -rng.random()
        first, last = np.sort(rng.random(2)) if rng.random() < 0.5 else (0.0, 1.0)
        server = int(rng.integers(problem.n_servers))
        moved_ones = chosen[task] & (place >= first) & (place < last) & problem.allowed[:, server]
        moved = np.where(moved_ones, server, servers)
        if (moved != servers).any() and (found := search.propose(moved)) <= value:
            servers, value = moved, found
        else:
            search.check()
    return servers
