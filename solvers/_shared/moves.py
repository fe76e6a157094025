"""Neighbours of a placement: one subtask, two that change places, one served earlier or later.

Each returns the rows of a population with the placement itself among them.
"""

import numpy as np
from numpy.typing import NDArray

from offbench import Placement, Search, evaluate
from offbench.model.problem import Problem
from offbench.search.greedy import greedy_placement
from offbench.solvers._shared.walk import NEAR

Ints = NDArray[np.int64]


def move(problem: Problem, servers: Ints, k: int) -> Ints:
    """Return the placements with subtask *k* on each of its servers."""
    targets = np.flatnonzero(problem.allowed[k])
    rows = np.repeat(servers[None], len(targets), axis=0)
    rows[:, k] = targets
    return rows


def swap(problem: Problem, servers: Ints, k: int) -> Ints:
    """Return the placements in which subtask *k* and another, or itself, change places: of the free ones near it."""
    at = int(np.searchsorted(problem.free, k))
    near = problem.free[max(0, at - NEAR) : at + NEAR + 1]
    near = near[(near == k) | problem.allowed[k, servers[near]] & problem.allowed[near, servers[k]]]
    rows = np.repeat(servers[None], len(near), axis=0)
    rows[:, k] = servers[near]
    rows[np.arange(len(near)), near] = servers[k]
    return rows


class Reorder:
    """Moves of a subtask within a dispatch order, between its inputs and its readers.

    Parameters
    ----------
    problem
        Whose graph it is.
    """

    def __init__(self, problem: Problem) -> None:
        n = problem.n_subtasks
        sources = [np.array(problem.sources_of(k)) for k in range(n)]
        self._inputs = [each[each < n] for each in sources]
        self._readers = [np.array(problem.readers_of(k), dtype=np.int64) for k in range(n)]

    def __call__(self, order: Ints, k: int) -> Ints:
        """Return the orders with subtask *k* at each place near its own that it can have, shape (places, subtasks)."""
        n = len(order)
        at = np.empty(n, dtype=np.int64)
        at[order] = np.arange(n)
        first = max(int(at[k]) - NEAR, int(at[self._inputs[k]].max(initial=-1)) + 1)
        last = min(int(at[k]) + NEAR, int(at[self._readers[k]].min(initial=n)) - 1)
        others = np.delete(order[first : last + 1], at[k] - first)
        rows = np.repeat(order[None], last - first + 1, axis=0)
        size = last - first
        # In row i, k is at place i of the window; the others keep their order around it.
        place = np.arange(size + 1)
        rows[:, first : last + 1] = k
        row, column = np.nonzero(place[:, None] != place)
        rows[row, first + column] = np.tile(others, size + 1)
        return rows


def order_of(problem: Problem, servers: Ints) -> Ints:
    """Return the dispatch order in which first come, first served starts the subtasks; ties as they were booked."""
    rows = evaluate(problem, Placement(servers)).subtasks
    ready = np.array([row["start_s"] - row["queueing_s"] for row in rows])
    # A difference of late times: what is ready at once may be so but for its last digits.
    ready = np.round(ready / max(1e-300, float(ready.max()) * 1e-13))
    # What takes no time can be ready with what reads it; by rounding it would be behind that.
    a, n = problem.arrays, problem.n_subtasks
    layer = a.input_of < n
    reads: Ints = np.diff(a.input_start.astype(np.int64)).astype(np.int64)
    readers = np.repeat(np.arange(n), reads)[layer]
    for source, reader in zip(a.input_of[layer].tolist(), readers.tolist(), strict=True):
        if ready[source] > ready[reader]:
            ready[reader] = ready[source]
    return np.lexsort((np.arange(n), ready))


def start(problem: Problem, search: Search) -> Ints:
    """Propose everything on each server, then the greedy's placement; return the best of them."""
    rows = np.array([problem.everything_on(s) for s in range(problem.n_servers)])
    values = search.propose_many(rows)
    found = greedy_placement(search)
    servers = found.servers
    if found.order is not None:  # as of a large instance; what goes on from here is served as it comes
        search.propose(found)
    best: Ints = servers if search.propose(servers) < values.min() else rows[values.argmin()]
    return best
