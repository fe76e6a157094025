"""What the evolutionary solvers share: chromosomes for DEAP, a first population, crossover and mutation.

Transfers make neighbours belong together, so both operators work on stretches of subtasks.
"""

from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbench import P1, Search
from offbench.evaluation.delta import segments_of
from offbench.search.greedy import greedy
from offbench.solvers._shared.moves import order_of

Ints = NDArray[np.int64]


class Individual:
    """A chromosome: a server for each subtask, and the dispatch order that goes with it, or none."""

    def __init__(self, servers: Ints, order: Ints | None, fitness: Any) -> None:
        self.servers, self.order, self.fitness = servers, order, fitness

    def copy(self) -> "Individual":
        """Return a copy with the same fitness."""
        return Individual(self.servers.copy(), None if self.order is None else self.order.copy(), copy(self.fitness))

    def __deepcopy__(self, memo: object) -> "Individual":
        return self.copy()  # the hall of fame's way

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Individual) and np.array_equal(self.servers, other.servers)


def first_population(problem: P1, search: Search, size: int, ordered: bool, fitness: type) -> list[Individual]:
    """Return the greedy's placement, everything on each server, and placements at random."""
    constant = [problem.everything_on(s) for s in range(problem.n_servers)]
    search.propose_many(np.array(constant))
    rows = [greedy(search), *constant]
    choices = [np.flatnonzero(problem.allowed[k]) for k in problem.free]
    while len(rows) < size:
        row = constant[0].copy()
        row[problem.free] = [search.rng.choice(servers) for servers in choices]
        rows.append(row)
    return [Individual(row, order_of(problem, row) if ordered else None, fitness()) for row in rows[:size]]


def ends_of(problem: P1, by_segment: bool) -> Ints:
    """Return where a stretch that is exchanged may begin and end: at free subtasks, or at segments that have some."""
    if not by_segment:
        return np.append(problem.free, problem.n_subtasks)
    segments = segments_of(problem)
    ends: Ints = segments.start[np.append(np.unique(segments.of[problem.free]), len(segments.start) - 1)]
    return ends


def exchange(rng: np.random.Generator, ends: Ints, one: Individual, other: Individual) -> None:
    """Exchange a stretch of subtasks between two of the *ends*."""
    first, last = np.sort(ends[rng.integers(len(ends), size=2)])
    part = slice(first, last)
    one.servers[part], other.servers[part] = other.servers[part].copy(), one.servers[part].copy()
    if one.order is not None and other.order is not None:
        one.order[part], other.order[part] = other.order[part].copy(), one.order[part].copy()
    del one.fitness.values, other.fitness.values


def move_run(problem: P1, rng: np.random.Generator, longest: int, individual: Individual) -> None:
    """Put a free subtask, or a run of those that may run there, on a server."""
    free = problem.free
    at = rng.integers(len(free))  # some times as fast as `choice`
    first = free[at]
    run = free[at : at + (1 if rng.random() < 0.5 else int(rng.integers(2, longest + 1)))]
    servers = np.flatnonzero(problem.allowed[first])
    server = int(servers[rng.integers(len(servers))])
    individual.servers[run] = np.where(problem.allowed[run, server], server, individual.servers[run])
    del individual.fitness.values
