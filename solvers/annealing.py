"""Simulated annealing by heat bath: each step weighs all moves of one kind at one place and draws one of them."""

import numpy as np
from numpy.typing import NDArray
from offbench.solvers._moves import Reorder, move, move_run, order_of, start, swap
from pydantic import Field

from offbench import P1, Search, Solver, evaluate

Ints = NDArray[np.int64]

# Subtasks moved in turn to see what difference a move makes, and steps between two looks at the clock.
_SAMPLE = 200
_STEPS = 10


class Annealing(Solver):
    """Simulated annealing over servers, then over dispatch orders too where subtasks wait.

    A step takes a subtask and a kind of move: the subtask to any server, a run of subtasks to any server,
    an exchange with one near it, or another place in the dispatch order. All placements that the move
    leads to are evaluated and one is drawn with a probability in proportion to exp(-Q / temperature), as in a
    heat bath (Geman and Geman, 1984; of runs only nearly, for a run made even isn't taken back at once).
    The temperature falls geometrically with the share of the budget
    used, between two multiples of the median difference that moving one subtask makes at the start.
    """

    hot: float = Field(default=0.3, gt=0)
    """first temperature, in median differences"""
    cold: float = Field(default=1e-3, gt=0)
    """last temperature, likewise"""
    rehot: float = Field(default=0.03, gt=0)
    """temperature from which the second part starts, likewise"""
    second: float = Field(default=0.4, ge=0, lt=1)
    """share of the budget for the second part, from the best so far and with its dispatch order"""
    longest_run: int = Field(default=9, ge=2)
    """subtasks moved together at most"""

    def solve(self, problem: P1, search: Search) -> None:
        bath = HeatBath(problem, search, start(problem, search), None, self.longest_run)
        typical = bath.typical_difference()
        bath.cool(typical * self.hot, typical * self.cold, 1 - self.second)
        while search.running:
            bath = around_incumbent(problem, search, self.longest_run)
            bath.cool(typical * self.rehot, typical * self.cold, 1)


class HeatBath:
    """A placement that moves at a temperature.

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

    def __init__(self, problem: P1, search: Search, servers: Ints, order: Ints | None, longest_run: int) -> None:
        self._problem, self._search = problem, search
        self.servers, self.order, self._longest_run = servers, order, longest_run
        self._reorder = None if order is None else Reorder(problem)

    def typical_difference(self) -> float:
        """Return the median of what moving a subtask adds to the best of its servers."""
        subtasks = self._search.rng.choice(self._problem.free, size=_SAMPLE)
        values = [self._search.propose_many(move(self._problem, self.servers, int(k))) for k in subtasks]
        differences = np.concatenate([each - each.min() for each in values])
        return float(np.median(differences[differences > 0])) if (differences > 0).any() else 1.0

    def cool(self, hot: float, cold: float, until: float) -> None:
        """Move while the temperature falls from *hot* to *cold* and the search's progress rises to *until*."""
        begin = self._search.progress
        while (progress := self._search.progress) < until:
            temperature = hot * (cold / hot) ** ((progress - begin) / (until - begin))
            for _ in range(_STEPS):
                self.step(temperature)

    def step(self, temperature: float) -> None:
        """Make a move of a random kind with a random subtask: of servers where it has a choice, of the order any."""
        rng = self._search.rng
        kind = rng.integers(3 if self.order is None else 5)
        if kind < 3:
            (self.move, self.move_run, self.swap)[kind](int(rng.choice(self._problem.free)), temperature)
        else:
            self.reorder(int(rng.integers(self._problem.n_subtasks)), temperature)

    def move(self, k: int, temperature: float) -> None:
        """Draw a server for subtask *k*."""
        self._draw(move(self._problem, self.servers, k), temperature)

    def move_run(self, k: int, temperature: float) -> None:
        """Draw a server for a few free subtasks from *k* on, or leave them where they are."""
        first = int(np.searchsorted(self._problem.free, k))
        run = self._problem.free[first : first + int(self._search.rng.integers(2, self._longest_run + 1))]
        self._draw(move_run(self._problem, self.servers, run), temperature)

    def swap(self, k: int, temperature: float) -> None:
        """Draw a subtask to change places with *k*, which may be itself."""
        self._draw(swap(self._problem, self.servers, k), temperature)

    def reorder(self, k: int, temperature: float) -> None:
        """Draw a place in the dispatch order for subtask *k*."""
        assert self._reorder is not None and self.order is not None
        orders = self._reorder(self.order, k)
        values = self._search.propose_many(np.repeat(self.servers[None], len(orders), axis=0), orders)
        self.order = orders[self._drawn(values, temperature)]

    def _draw(self, rows: Ints, temperature: float) -> None:
        orders = None if self.order is None else np.repeat(self.order[None], len(rows), axis=0)
        self.servers = rows[self._drawn(self._search.propose_many(rows, orders), temperature)]

    def _drawn(self, values: NDArray[np.float64], temperature: float) -> int:
        """Draw an index with a probability in proportion to exp(-value / temperature), by the Gumbel trick."""
        return int((self._search.rng.gumbel(size=len(values)) - values / temperature).argmax())


def around_incumbent(problem: P1, search: Search, longest_run: int = 9) -> HeatBath:
    """Return the best placement so far, to be moved with its dispatch order if anything waits in it."""
    assert search.incumbent is not None
    servers, order = search.incumbent.servers, search.incumbent.order
    if order is None and any(row["queueing_s"] > 0 for row in evaluate(problem, servers).subtasks):
        order = order_of(problem, servers)
    return HeatBath(problem, search, servers, order, longest_run)
