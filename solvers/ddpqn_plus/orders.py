"""Dispatch orders of windows: that of the placement they are in, some with a subtask moved in it."""

import numpy as np
from numpy.typing import NDArray

from offbench.model.problem import Problem
from offbench.solvers._shared.moves import order_of
from offbench.solvers._shared.walk import NEAR

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Orders:
    """A dispatch order, as the place of each subtask in it; other orders are as well, and need not be whole numbers.

    Parameters
    ----------
    problem
        Whose graph it is.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        a, n = problem.arrays, problem.n_subtasks
        inside = a.input_of < n
        self._inputs = a.input_of[inside].astype(np.int64)
        self._readers = np.repeat(np.arange(n), a.waits_for.astype(np.int64))
        self.place: Floats = np.zeros(n)
        """of each subtask, from 0 on"""

    def follow(self, servers: Ints, order: Ints | None) -> None:
        """Take a placement's order; that of first come, first served if it has none."""
        n = len(servers)
        self.place[order_of(self._problem, servers) if order is None else order] = np.arange(n)

    def moved(self, subtasks: Ints, rng: np.random.Generator) -> Floats:
        """Return this order once for each of some subtasks, every other one moved, shape ``(rows, n_subtasks)``.

        To anywhere between its inputs and its readers that is near its own place.
        """
        after, before = np.full(len(self.place), -1.0), np.full(len(self.place), float(len(self.place)))
        np.maximum.at(after, self._readers, self.place[self._inputs])
        np.minimum.at(before, self._inputs, self.place[self._readers])
        own = self.place[subtasks]
        first, last = np.maximum(after[subtasks], own - NEAR - 1), np.minimum(before[subtasks], own + NEAR + 1)
        places = np.floor(rng.uniform(first, last)) + 0.5
        found = np.repeat(self.place[None], len(subtasks), axis=0)
        moving = np.arange(1, len(subtasks), 2)
        found[moving, subtasks[moving]] = places[moving]
        return found

    def possible(self, places: Floats) -> bool:
        """Return whether inputs come before their readers."""
        return bool((places[self._inputs] < places[self._readers]).all())
