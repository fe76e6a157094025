"""Descent for thousands of tasks: a share of them at once changes its servers.

Of many tasks each placement is scored as a whole, for all of them wait for one another. At 100 000 subtasks that leaves
some hundred placements in a minute, of which single subtasks move nothing. What matters then is how many tasks run
where; so a move takes tasks at random, from one to all of them, and puts a stretch of each on one server.
"""

import numpy as np
from numpy.typing import NDArray

from offbench import Search
from offbench.model.problem import Problem

Ints = NDArray[np.int64]

# Instances of several tasks with more subtasks than that are large: a walk of single moves gets nowhere in a minute.
_SUBTASKS = 10_000


def is_large(problem: Problem) -> bool:
    """Tell whether single moves are no use, for each is scored by all subtasks of several tasks."""
    return problem.n_tasks > 1 and problem.n_subtasks > _SUBTASKS


def descend_by_shares(problem: Problem, search: Search, servers: Ints) -> None:
    """Make moves until the search ends; one that leads to no worse placement is kept.

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
    while True:
        chosen = rng.random(problem.n_tasks) < problem.n_tasks ** -rng.random()
        first, last = np.sort(rng.random(2)) if rng.random() < 0.5 else (0.0, 1.0)
        server = int(rng.integers(problem.n_servers))
        moves = chosen[task] & (place >= first) & (place < last) & problem.allowed[:, server]
        moved = np.where(moves, server, servers)
        if (moved != servers).any() and (found := search.propose(moved)) <= value:
            servers, value = moved, found
        else:
            search.check()
