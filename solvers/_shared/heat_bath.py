"""A heat bath: a placement of which one neighbour after another is drawn at a temperature.

A step takes a subtask and a kind of move: the subtask to any server, a run of subtasks to any server, an
exchange with one near it, a stretch of subtasks dealt out to other servers, or another place in the dispatch order. All
placements that the move leads to are scored and one is drawn with a probability in proportion to exp(-Q / temperature)
(Geman and Geman, 1984; of runs and stretches only nearly, for a run made even isn't taken back at once).
"""

import numpy as np
from numpy.typing import NDArray

from offbench import P1, Placement, Search, load
from offbench.evaluation.delta import segments_of
from offbench.evaluation.held_weights import cells_of
from offbench.model.problem import Problem
from offbench.search import greedy
from offbench.solvers._shared.moves import move, order_of
from offbench.solvers._shared.walk import Choices, Moves, Prices, Walker, walk

Ints = NDArray[np.int64]

# How often a stretch is dealt out, by default.
DEAL = 1.0
# Subtasks moved in turn to see what difference a move makes; fewer where that scores more subtasks than so many.
_SAMPLE, _SAMPLE_SUBTASKS = 200, 10_000_000
# Random numbers drawn for each step of a walk; after that many they are used again.
_DRAWS = 30
# A walk scores about this many subtasks, some milliseconds, between two looks at the clock.
_STRIDE = 1_000_000


class HeatBath:
    """A placement that moves at a temperature, over dispatch orders too where subtasks can wait.

    The walk is compiled (`offbench.solvers._shared.walk`), and of one task scores only the segments that change.

    Parameters
    ----------
    problem, search
        What is solved; the search's random generator decides.
    servers
        The placement to start from.
    longest_run
        Subtasks moved together at most.
    order
        The dispatch order to start from; that of first come, first served by default.
    deal
        How often a stretch is dealt out to other servers, for each time that a subtask is moved.
    """

    def __init__(
        self,
        problem: Problem,
        search: Search,
        servers: Ints,
        longest_run: int,
        order: Ints | None = None,
        deal: float = DEAL,
    ) -> None:
        self._problem, self._search, self._longest_run, self._deal = problem, search, longest_run, deal
        self._segments = segments_of(problem)
        self.ordered = not self._segments.in_turn.all()
        """whether subtasks can wait, so that the dispatch order moves too"""
        self._choices, self._cells, self._prices = choices_of(problem), cells_of(problem), prices_of(1.0)
        in_segment = problem.n_subtasks
        if len(problem.arrays.arrival_s) == 1:  # a move at a random subtask has its own segment scored anew
            in_segment = max(8, int((np.diff(self._segments.start) ** 2).sum()) // problem.n_subtasks)
        self.stride = max(1, _STRIDE // (10 * problem.n_servers * in_segment))
        """steps between two looks at the clock"""
        self.place(servers, order)

    def place(self, servers: Ints, order: Ints | None) -> None:
        """Go on from another placement."""
        self.servers = servers.copy()
        if self.ordered:
            order = order_of(self._problem, servers) if order is None else order.copy()
        self.order = order if self.ordered else None

    def typical_difference(self) -> float:
        """Return the median of what moving a subtask adds to the Q that it has on the best of its servers.

        What breaking constraints costs begins with that.
        """
        one = self._problem.n_servers * self._problem.n_subtasks
        subtasks = self._search.rng.choice(self._problem.free, size=max(1, min(_SAMPLE, _SAMPLE_SUBTASKS // one)))
        values = [self._search.propose_violations(move(self._problem, self.servers, int(k)))[0] for k in subtasks]
        differences = np.concatenate([each - each.min() for each in values])
        typical = float(np.median(differences[differences > 0])) if (differences > 0).any() else 1.0
        self._prices = prices_of(typical)
        return typical

    def cool(self, hot: float, cold: float) -> None:
        """Move while the temperature falls from *hot* to *cold* and the search's progress rises to its end."""
        begin = self._search.progress
        while (progress := self._search.progress) < 1:
            self.steps(self.stride, hot * (cold / hot) ** ((progress - begin) / (1 - begin)))

    def steps(self, count: int, temperature: float) -> float:
        """Make moves of random kinds with random subtasks; return the merit of the best met, which is proposed.

        The clock is looked at, and the best so far proposed, every `stride` steps; without any steps, where it stands.
        """
        return min(
            self._walk(min(self.stride, count - done), temperature) for done in range(0, max(count, 1), self.stride)
        )

    def _walk(self, count: int, temperature: float) -> float:
        search, most = self._search, self._search.budget.max_evaluations
        left = np.iinfo(np.int64).max if most is None else most - search.evaluations - 1
        order = np.empty(0, dtype=np.int64) if self.order is None else self.order
        best, best_order = self.servers.copy(), order.copy()
        chance, gumbel = search.rng.random((count, 3)), search.rng.gumbel(size=_DRAWS * count)
        moves = Moves(self._longest_run, self._deal, temperature, chance, gumbel)
        walker = Walker(self.servers, order, best, best_order, np.empty(1), np.empty(3))
        how = self._segments, self._cells, self._choices, moves, self._prices
        search.count(walk(*self._problem.packed, *how, walker, self.ordered, left))
        return search.propose(Placement(best, best_order if self.ordered else None))


def choices_of(problem: Problem) -> Choices:
    """Return what the walk can choose from."""
    servers = np.argsort(~problem.allowed, axis=1, kind="stable")
    return Choices(problem.allowed, servers, problem.allowed.sum(axis=1), problem.free)


def prices_of(per_violation: float) -> Prices:
    """Return what breaking constraints costs at first."""
    return Prices(np.full(3, per_violation), np.zeros(3, np.int64), np.zeros(1, np.int64))


def warm_up() -> None:
    """Load the compiled walk and the greedy that most begin with, or compile them if they never ran here."""
    greedy.warm_up()
    problem = P1(load("tiny-chains"))
    HeatBath(problem, Search(problem), problem.everything_on(problem.arrays.client), 2).steps(1, 1.0)
