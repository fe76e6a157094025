"""Heat baths: a placement of which one neighbour after another is drawn at a temperature.

A step takes a subtask and a kind of move: the subtask to any server, a run of subtasks to any server, an
exchange with one near it, or another place in the dispatch order. All placements that the move leads to are
scored and one is drawn with a probability in proportion to exp(-Q / temperature) (Geman and Geman, 1984; of runs only
nearly, for a run made even isn't taken back at once).
"""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from offbench.solvers._block_bath import walk
from offbench.solvers._moves import Reorder, move, move_run, order_of, swap

from offbench import P1, Placement, Search, load
from offbench.incremental import Blocks, blocks_of
from offbench.problem import Problem

Ints = NDArray[np.int64]

# Subtasks moved in turn to see what difference a move makes.
_SAMPLE = 200
# Random numbers drawn for each step of a walk; after that many they are used again.
_DRAWS = 30


class Bath(ABC):
    """A placement that moves at a temperature. `bath_at` makes one.

    Parameters
    ----------
    problem, search
        What is solved; the search's random generator decides.
    servers
        The placement to start from.
    order
        Its dispatch order, which moves too; None for first come, first served.
    longest_run
        Subtasks moved together at most.
    """

    stride: ClassVar[int]
    """steps between two looks at the clock"""

    def __init__(self, problem: Problem, search: Search, servers: Ints, order: Ints | None, longest_run: int) -> None:
        self._problem, self._search, self._longest_run = problem, search, longest_run
        self.place(servers, order)

    def place(self, servers: Ints, order: Ints | None) -> None:
        """Go on from another placement."""
        self.servers = servers.copy()
        self.order = None if order is None else order.copy()

    def typical_difference(self) -> float:
        """Return the median of what moving a subtask adds to the best of its servers."""
        subtasks = self._search.rng.choice(self._problem.free, size=_SAMPLE)
        values = [self._search.propose_many(move(self._problem, self.servers, int(k))) for k in subtasks]
        differences = np.concatenate([each - each.min() for each in values])
        return float(np.median(differences[differences > 0])) if (differences > 0).any() else 1.0

    def cool(self, hot: float, cold: float, until: float = 1.0) -> None:
        """Move while the temperature falls from *hot* to *cold* and the search's progress rises to *until*."""
        begin = self._search.progress
        while (progress := self._search.progress) < until:
            self.steps(self.stride, hot * (cold / hot) ** ((progress - begin) / (until - begin)))

    @abstractmethod
    def steps(self, count: int, temperature: float) -> float:
        """Make moves of random kinds with random subtasks; return the least objective met, which is proposed."""


class HeatBath(Bath):
    """A bath whose placements the search scores."""

    stride = 10

    def place(self, servers: Ints, order: Ints | None) -> None:
        super().place(servers, order)
        self._reorder = None if order is None else Reorder(self._problem)

    def steps(self, count: int, temperature: float) -> float:
        return min(self.step(temperature) for _ in range(count))

    def step(self, temperature: float) -> float:
        """Make a move of a random kind, of servers with a free subtask, and return the least objective met."""
        rng = self._search.rng
        kind = rng.integers(3 if self.order is None else 5)
        if kind >= 3:
            return self.reorder(int(rng.integers(self._problem.n_subtasks)), temperature)
        return (self.move, self.move_run, self.swap)[kind](int(rng.choice(self._problem.free)), temperature)

    def move(self, k: int, temperature: float) -> float:
        """Draw a server for subtask *k*."""
        return self._draw(move(self._problem, self.servers, k), temperature)

    def move_run(self, k: int, temperature: float) -> float:
        """Draw a server for a few free subtasks from *k* on, or leave them where they are."""
        first = int(np.searchsorted(self._problem.free, k))
        run = self._problem.free[first : first + int(self._search.rng.integers(2, self._longest_run + 1))]
        return self._draw(move_run(self._problem, self.servers, run), temperature)

    def swap(self, k: int, temperature: float) -> float:
        """Draw a subtask to change places with *k*, which may be itself."""
        return self._draw(swap(self._problem, self.servers, k), temperature)

    def reorder(self, k: int, temperature: float) -> float:
        """Draw a place in the dispatch order for subtask *k*."""
        orders, values = self.reorder_values(k)
        self.order = orders[self._drawn(values, temperature)]
        return float(values.min())

    def reorder_values(self, k: int) -> tuple[Ints, NDArray[np.float64]]:
        """Return the orders with subtask *k* elsewhere, and their objectives."""
        assert self._reorder is not None and self.order is not None
        orders = self._reorder(self.order, k)
        return orders, self._search.propose_many(np.repeat(self.servers[None], len(orders), axis=0), orders)

    def _draw(self, rows: Ints, temperature: float) -> float:
        orders = None if self.order is None else np.repeat(self.order[None], len(rows), axis=0)
        values = self._search.propose_many(rows, orders)
        self.servers = rows[self._drawn(values, temperature)]
        return float(values.min())

    def _drawn(self, values: NDArray[np.float64], temperature: float) -> int:
        """Draw an index with a probability in proportion to exp(-value / temperature), by the Gumbel trick."""
        return int((self._search.rng.gumbel(size=len(values)) - values / temperature).argmax())


class BlockBath(Bath):
    """A bath for one task, some six times as fast: compiled, and scored block by block.

    Parameters
    ----------
    problem, search, servers, order, longest_run
        As of `Bath`.
    blocks
        The task's.
    """

    stride = 1000

    def __init__(
        self, problem: P1, search: Search, servers: Ints, order: Ints | None, longest_run: int, blocks: Blocks
    ) -> None:
        super().__init__(problem, search, servers, order, longest_run)
        self._blocks = blocks
        self._choices = np.argsort(~problem.allowed, axis=1, kind="stable")
        self._n_choices = problem.allowed.sum(axis=1)

    def steps(self, count: int, temperature: float) -> float:
        search, most = self._search, self._search.budget.max_evaluations
        left = np.iinfo(np.int64).max if most is None else most - search.evaluations - 1
        order = np.empty(0, dtype=np.int64) if self.order is None else self.order
        best, best_order = self.servers.copy(), order.copy()
        scored = walk(
            *self._problem.packed, self._problem.allowed, *self._blocks, self._problem.free, self._choices,
            self._n_choices, self.servers, order, self.order is not None, search.rng.random((count, 3)),
            search.rng.gumbel(size=_DRAWS * count), temperature, left, self._longest_run, best, best_order,
            np.empty(1),
        )  # fmt: skip
        search.count(scored)
        return search.propose(Placement(best, None if self.order is None else best_order))


def bath_at(problem: P1, search: Search, servers: Ints, longest_run: int, order: Ints | None = None) -> Bath:
    """Return a bath around a placement, over dispatch orders too where subtasks can wait.

    Where *order* is None it begins with that of first come, first served.
    """
    blocks = blocks_of(problem)
    if order is None and (blocks is None or not blocks.in_turn.all()):
        order = order_of(problem, servers)
    if blocks is None:
        return HeatBath(problem, search, servers, order, longest_run)
    return BlockBath(problem, search, servers, order, longest_run, blocks)


def warm_up() -> None:
    """Load the compiled walk, or compile it if it never ran here."""
    problem = P1(load("tiny-chains").model_copy(update={"tasks": load("tiny-chains").tasks[:1]}))
    bath_at(problem, Search(problem), problem.everything_on(problem.arrays.client), 2).steps(1, 1.0)
