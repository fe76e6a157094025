"""What a solver is handed: clock, budget, evaluator, incumbent, lower bound, trace, randomness.

A solver only proposes; the search scores, counts, keeps the best and ends the run. So every solver
is measured the same way and cannot misreport.
"""

import math
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import prefix_objectives, totals_of_many
from offbench.evaluation.gaps import contradict, is_optimal, tolerance
from offbench.evaluation.kernel import TOTAL, TOTALS
from offbench.model.placement import Placement, indices
from offbench.model.problem import Ints, Problem
from offbench.search.archive import INDICATORS, Front
from offbench.search.budget import BoundError, Budget, Clock, SearchEnded
from offbench.search.metrics import Diary

Floats = NDArray[np.float64]

# A population is scored in blocks of about this many subtasks, some milliseconds, so that the clock is watched.
_BLOCK = 200_000
# How long before the time limit a library stops at most that was given the time left, and as a share of the limit.
_EARLY_S, _EARLY = 0.1, 0.01
_INDICATORS = [TOTALS.index(name) for name in INDICATORS]


class TracePoint(NamedTuple):
    """The state of a search when its incumbent or its bound improved."""

    seconds: float
    evaluations: int
    objective: float
    """of the incumbent; infinite before the first"""
    bound: float
    """the lower bound; minus infinity before the first"""


class Search:
    """One run's clock, budget, evaluator, incumbent, bound and trace.

    Parameters
    ----------
    problem
        What is solved.
    budget
        When to end; nothing ends it by default.
    seed
        Of `rng`.
    clock
        The run's clock; a new one by default.
    """

    def __init__(
        self, problem: Problem, budget: Budget | None = None, seed: int = 0, clock: Clock | None = None
    ) -> None:
        self.problem = problem
        self.budget = budget or Budget()
        self.clock = clock or Clock()
        self.rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        """the only source of randomness"""
        self.evaluations = 0
        """complete placements scored so far"""
        self.incumbent: Placement | None = None
        """the best placement so far"""
        self.objective = math.inf
        """of the incumbent"""
        self.lower_bound = -math.inf
        """the best bound reported so far"""
        self.diary = Diary()
        """what a solver that learns tells of itself"""
        self.policy: Ints | None = None
        """servers that such a solver's policy chooses now, when it explores nothing"""
        self.trace: list[TracePoint] = []
        """a point for each improvement of incumbent or bound"""
        self._asked_for_time = False
        self.front: Front | None = None
        """takes in every placement scored, where somebody wants the Pareto front"""

    @property
    def seconds(self) -> float:
        """Seconds on the run's clock."""
        return self.clock.seconds

    @property
    def remaining_s(self) -> float:
        """Seconds left, infinite without a time limit."""
        self._asked_for_time = True
        return self._left_s

    @property
    def _left_s(self) -> float:
        return math.inf if self.budget.time_limit is None else self.budget.time_limit - self.seconds

    @property
    def progress(self) -> float:
        """Share of the budget used: of its time or its evaluations, whichever is more; 0 without limits."""
        time_limit, most = self.budget.time_limit, self.budget.max_evaluations
        of_time = 0.0 if time_limit is None else self.seconds / time_limit
        return max(of_time, 0.0 if most is None else self.evaluations / most)

    @property
    def running(self) -> bool:
        """Whether there is budget left and something to gain: ``while search.running: ...``."""
        return self.ended_by is None

    @property
    def ended_by(self) -> str | None:
        """What ends the search now: optimal, target, max-evaluations, time-limit; None goes on."""
        if self._proven:
            return "optimal"
        if self.budget.target is not None and self.objective <= self.budget.target:
            return "target"
        if self.budget.max_evaluations is not None and self.evaluations >= self.budget.max_evaluations:
            return "max-evaluations"
        if self._left_s <= 0:
            return "time-limit"
        return None

    @property
    def returned_by(self) -> str:
        """What ended a solver that returns now: time-limit, if it asked for what is left and that is used up.

        A library that is given the time that is left stops just before its end. Else finished.
        """
        limit = self.budget.time_limit
        if limit is not None and self._asked_for_time and self._left_s <= max(_EARLY_S, _EARLY * limit):
            return "time-limit"
        return "finished"

    @property
    def _proven(self) -> bool:
        if self.incumbent is None or self.lower_bound == -math.inf:
            return False
        return is_optimal(self.objective, self.lower_bound, client_only=self.client_only)

    @cached_property
    def client_only(self) -> float:
        """Objective of everything on the client, which no evaluation of the budget goes into."""
        return client_only(self.problem).objective

    @property
    def tolerance(self) -> float:
        """By how much a bound may lie below the incumbent's objective and prove it (MODEL.md section 9)."""
        return tolerance(self.objective, client_only=self.client_only)

    def check(self) -> None:
        """End the solver here if the search has ended; for long stretches without a proposal.

        Raises
        ------
        SearchEnded
            If `running` is false.
        """
        if not self.running:
            raise SearchEnded

    def propose(self, placement: Placement | ArrayLike) -> float:
        """Score one placement and keep it if it is the best so far.

        Parameters
        ----------
        placement
            A placement, or server indices of shape ``(n_subtasks,)`` for first come, first served.

        Returns
        -------
        float
            Its objective Q.

        Raises
        ------
        SearchEnded
            If the search had ended before, or ends with this proposal.
        InvalidPlacement
            If a subtask stands on a server that isn't allowed (for P2: another than the given one),
            or the dispatch order isn't one.
        """
        if not isinstance(placement, Placement):
            placement = Placement(placement)
        orders = None if placement.order is None else placement.order[None]
        return float(self.propose_many(placement.servers[None], orders)[0])

    def propose_many(self, assignments: ArrayLike, orders: ArrayLike | None = None) -> Floats:
        """Score a population and keep the best of it if it is the best so far.

        Parameters
        ----------
        assignments
            Server indices, shape ``(rows, n_subtasks)``.
        orders
            Dispatch orders, same shape; first come, first served without.

        Returns
        -------
        numpy.ndarray
            The objective of each row.

        Raises
        ------
        SearchEnded, InvalidPlacement
            As `propose`. Rows scored before the end are kept.
        """
        return self._score(assignments, orders)[:, TOTAL.objective]

    def propose_indicators(self, assignments: ArrayLike, orders: ArrayLike | None = None) -> Floats:
        """Propose a population as `propose_many`, for a solver that weighs indicators in its own way.

        Returns
        -------
        numpy.ndarray
            Delay (s), energy (J) and cost ($) of each row, shape ``(rows, 3)`` (`archive.INDICATORS`).
        """
        return self._score(assignments, orders)[:, _INDICATORS]

    def _score(self, assignments: ArrayLike, orders: ArrayLike | None) -> Floats:
        placements = indices(assignments)
        booked = None if orders is None else indices(orders)
        totals = np.empty((len(placements), len(TOTALS)))
        step = max(1, _BLOCK // max(1, self.problem.n_subtasks))
        first = 0
        while first < len(placements):
            self.check()
            last = min(len(placements), first + step)
            if self.budget.max_evaluations is not None:
                last = min(last, first + self.budget.max_evaluations - self.evaluations)
            rows = slice(first, last)
            some_orders = None if booked is None else booked[rows]
            totals[rows] = totals_of_many(self.problem, placements[rows], some_orders)
            self.evaluations += last - first
            if self.front is not None:
                self.front.add(placements[rows], some_orders, totals[rows, _INDICATORS])
            best = first + int(np.argmin(totals[rows, TOTAL.objective]))
            if totals[best, TOTAL.objective] < self.objective:
                order = None if booked is None else booked[best]
                self._improve(Placement(placements[best], order), float(totals[best, TOTAL.objective]))
            first = last
        self.check()
        return totals

    def count(self, evaluations: int) -> None:
        """Count placements that a solver scored in its own way, changes alone (`offbench.evaluation.delta`).

        Their values guide it; what it finds by them, it proposes.

        Raises
        ------
        SearchEnded
            If the search has ended.
        """
        self.evaluations += evaluations
        self.check()

    def next_objectives(self, servers: NDArray[np.int64], decided: int) -> Floats:
        """Score every server for the next subtask, the ones before it decided and no others there.

        Parameters
        ----------
        servers
            Server indices, of which the first *decided* count, shape ``(n_subtasks,)``.
        decided
            How many subtasks are decided.

        Returns
        -------
        numpy.ndarray
            Q of the first ``decided + 1`` subtasks for each server, infinite where the subtask is
            not allowed, shape ``(n_servers,)``.

        Raises
        ------
        SearchEnded
            If the search has ended.
        """
        self.check()
        allowed = np.flatnonzero(self.problem.allowed[decided])
        candidates = np.repeat(servers[None, : decided + 1], len(allowed), axis=0)
        candidates[:, decided] = allowed
        objectives = np.full(self.problem.n_servers, math.inf)
        objectives[allowed] = prefix_objectives(self.problem, candidates)
        return objectives

    def bound(self, value: float) -> None:
        """Report a lower bound on the objective of every placement; the best one counts.

        Where nothing is gained by coordination Q is a sum of costs, so that a bound below 0, by rounding say, is 0.

        Raises
        ------
        BoundError
            If it lies above the incumbent's objective, or isn't a number.
        SearchEnded
            If it meets the incumbent, which proves it optimal.
        """
        if math.isnan(value):
            raise BoundError("a lower bound must be a number, not NaN")
        if self.problem.instance.weights.coordination == 0:
            value = max(0.0, value)
        if value > self.lower_bound:
            self.lower_bound = float(value)
            self._compare()
            self._record()
        self.check()

    def _improve(self, placement: Placement, objective: float) -> None:
        self.incumbent, self.objective = placement, objective
        self._compare()
        self._record()

    def _compare(self) -> None:
        if self.incumbent is None or self.lower_bound == -math.inf:
            return
        if contradict(self.objective, self.lower_bound, client_only=self.client_only):
            raise BoundError(f"lower bound {self.lower_bound!r} lies above the feasible objective {self.objective!r}")

    def _record(self) -> None:
        self.trace.append(TracePoint(self.seconds, self.evaluations, self.objective, self.lower_bound))
