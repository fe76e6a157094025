"""What a solver is handed: clock, budget, evaluator, incumbent, lower bound, trace, randomness.

A solver only proposes; the search scores, counts, keeps the best and ends the run. So every solver
is measured the same way and cannot misreport: what the search has on record it can read and not set.

Where a problem has constraints the best is the best feasible placement, or as long as there is none the one that breaks
them least (MODEL.md section 4).
"""

import math
import operator
from functools import cached_property
from typing import NamedTuple, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbench.errors import InvalidPlacement
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import evaluate, totals_of_many, totals_of_one
from offbench.evaluation.gaps import contradict, is_optimal, tolerance
from offbench.evaluation.kernel import TOTAL, TOTALS
from offbench.evaluation.prefixes import Prefixes
from offbench.model.arrays import Ints
from offbench.model.placement import Placement, indices
from offbench.model.problem import FEASIBLE, Problem
from offbench.search.archive import INDICATORS, Front
from offbench.search.budget import BoundError, Budget, Clock, SearchEnded
from offbench.search.metrics import Diary

Floats = NDArray[np.float64]

# A population is scored in blocks of about this many subtasks, some milliseconds, so that the clock is watched.
_BLOCK = 200_000
# How long before the time limit a library stops at most that was given the time left, and as a share of the limit.
_EARLY_S, _EARLY = 0.1, 0.01
_INDICATORS = [TOTALS.index(name) for name in INDICATORS]
_OBJECTIVE, _VIOLATION = TOTAL.objective, TOTAL.violation
_ABOVE_INDICATORS = 1e150


class TracePoint(NamedTuple):
    """The state of a search when its incumbent or its bound improved."""

    seconds: float
    evaluations: int
    objective: float
    """of the incumbent; infinite before the first that is feasible"""
    bound: float
    """the lower bound; minus infinity before the first"""
    violation: float = 0.0
    """of the incumbent; infinite before the first, 0 where it is feasible"""


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
        self._problem = problem
        self._budget = budget or Budget()
        self._clock = clock or Clock()
        self._diary = Diary()
        self._evaluations = 0
        self._incumbent: Placement | None = None
        self._objective = self._violation = math.inf
        self._lower_bound = -math.inf
        self._policy: Ints | None = None
        self._trace: list[TracePoint] = []
        self._shape, self._row = (problem.n_subtasks,), np.empty((1, len(TOTALS)))
        self._asked_for_time = False
        self.rng = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
        """the only source of randomness"""
        self.front: Front | None = None
        """takes in every placement scored, where somebody wants the Pareto front"""

    @property
    def problem(self) -> Problem:
        """What is solved."""
        return self._problem

    @property
    def budget(self) -> Budget:
        """When the search ends."""
        return self._budget

    @property
    def clock(self) -> Clock:
        """The run's clock."""
        return self._clock

    @property
    def diary(self) -> Diary:
        """What a solver that learns tells of itself."""
        return self._diary

    @property
    def evaluations(self) -> int:
        """Complete placements scored so far."""
        return self._evaluations

    @property
    def incumbent(self) -> Placement | None:
        """The best placement so far: the best feasible one, or as long as none is the one that breaks least."""
        return self._incumbent

    @property
    def objective(self) -> float:
        """Objective of the incumbent; infinite before the first that is feasible."""
        return self._objective

    @property
    def violation(self) -> float:
        """By how much the incumbent breaks constraints: infinite before the first, 0 where it is feasible."""
        return self._violation

    @property
    def lower_bound(self) -> float:
        """The best bound reported so far; minus infinity before the first."""
        return self._lower_bound

    @property
    def trace(self) -> tuple[TracePoint, ...]:
        """A point for each improvement of incumbent or bound."""
        return tuple(self._trace)

    @property
    def policy(self) -> Ints | None:
        """Servers that the policy of a solver that learns chooses now, when it explores nothing; to be set by it.

        Raises
        ------
        InvalidPlacement
            Where it is set to what is no choice of allowed servers, shape ``(n_subtasks,)``.
        """
        return self._policy

    @policy.setter
    def policy(self, servers: ArrayLike | None) -> None:
        if servers is not None:
            choice = Placement(servers)  # a copy
            try:
                evaluate(self._problem, choice)
            except InvalidPlacement as error:
                raise InvalidPlacement(f"search.policy: {error}") from None
            servers = choice.servers
        self._policy = servers

    @property
    def seconds(self) -> float:
        """Seconds on the run's clock."""
        return self._clock.seconds

    @property
    def remaining_s(self) -> float:
        """Seconds left, infinite without a time limit."""
        self._asked_for_time = True
        return self._left_s

    @property
    def _left_s(self) -> float:
        return math.inf if self._budget.time_limit is None else self._budget.time_limit - self.seconds

    @property
    def progress(self) -> float:
        """Share of the budget used: of its time or its evaluations, whichever is more; 0 without limits."""
        time_limit, most = self._budget.time_limit, self._budget.max_evaluations
        of_time = 0.0 if time_limit is None else self.seconds / time_limit
        return max(of_time, 0.0 if most is None else self._evaluations / most)

    @property
    def running(self) -> bool:
        """Whether there is budget left and something to gain: ``while search.running: ...``."""
        return self.ended_by is None

    @property
    def ended_by(self) -> str | None:
        """What ends the search now: optimal, target, max-evaluations, time-limit; None goes on."""
        if self._proven:
            return "optimal"
        if self._budget.target is not None and self._objective <= self._budget.target:
            return "target"
        if self._budget.max_evaluations is not None and self._evaluations >= self._budget.max_evaluations:
            return "max-evaluations"
        if self._left_s <= 0:
            return "time-limit"
        return None

    @property
    def returned_by(self) -> str:
        """What ended a solver that returns now: time-limit, if it asked for what is left and that is used up.

        A library that is given the time that is left stops just before its end. Else finished.
        """
        limit = self._budget.time_limit
        if limit is not None and self._asked_for_time and self._left_s <= max(_EARLY_S, _EARLY * limit):
            return "time-limit"
        return "finished"

    @property
    def _proven(self) -> bool:
        if self._objective == math.inf or self._lower_bound == -math.inf:
            return False
        return is_optimal(self._objective, self._lower_bound, client_only=self.client_only)

    @cached_property
    def client_only(self) -> float:
        """Objective of everything on the client, which no evaluation of the budget goes into."""
        return client_only(self._problem).objective

    @property
    def tolerance(self) -> float:
        """By how much a bound may lie below the incumbent's objective and prove it (MODEL.md section 9)."""
        return tolerance(self._objective, client_only=self.client_only)

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
        """Score one placement and keep it if it is the best so far; return what is to be minimised.

        Parameters
        ----------
        placement
            A placement, or server indices of shape ``(n_subtasks,)`` for first come, first served.

        Returns
        -------
        float
            Its objective Q; of a placement that breaks constraints a number above every Q, and the more it breaks the
            higher (`Problem.merit`).

        Raises
        ------
        SearchEnded
            If the search had ended before, or ends with this proposal.
        InvalidPlacement
            If a subtask stands on a server that isn't allowed (for P2: another than the given one),
            or the dispatch order isn't one.
        """
        given = placement
        if type(given) is Placement:
            servers, order = given.servers, given.order
        elif type(given) is np.ndarray and given.dtype == np.int64 and given.flags.c_contiguous:
            servers, order = given, None
        else:
            placement = given if isinstance(given, Placement) else Placement(given)
            servers, order = placement.servers, placement.order
        self.check()
        fits = servers.shape == self._shape and (order is None or order.shape == self._shape)
        if self.front is not None or not fits or not totals_of_one(self._problem, servers, order, self._row):
            return float(self.propose_many(servers[None], None if order is None else order[None])[0])
        self._evaluations += 1
        objective, violation = self._row.item(_OBJECTIVE), self._row.item(_VIOLATION)
        if violation <= FEASIBLE:
            if objective < self._objective:
                self._improve(Placement(servers, order), objective, 0.0)
        elif violation < self._violation:
            self._improve(Placement(servers, order), objective, violation)
        self.check()
        return objective if violation <= FEASIBLE else self._problem.ceiling * (1 + violation)

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
            The merit of each row, as `propose` has it: Q without constraints.

        Raises
        ------
        SearchEnded, InvalidPlacement
            As `propose`. Rows scored before the end are kept.
        """
        return self._merits(self._score(assignments, orders))

    def propose_violations(self, assignments: ArrayLike, orders: ArrayLike | None = None) -> tuple[Floats, Floats]:
        """Propose a population as `propose_many`, for a solver that weighs constraints in its own way.

        Returns
        -------
        tuple
            Objective Q and violation of each row.
        """
        totals = self._score(assignments, orders)
        return totals[:, TOTAL.objective], totals[:, TOTAL.violation]

    def _merits(self, totals: Floats) -> Floats:
        return self._problem.merit(totals[:, TOTAL.objective], totals[:, TOTAL.violation])

    def propose_indicators(self, assignments: ArrayLike, orders: ArrayLike | None = None) -> Floats:
        """Propose a population as `propose_many`, for a solver that weighs indicators in its own way.

        Returns
        -------
        numpy.ndarray
            Delay (s), energy (J) and cost ($) of each row, shape ``(rows, 3)`` (`archive.INDICATORS`). Of one that
            breaks constraints a number above every other in their place, and the more it breaks the higher: so what
            is feasible dominates it, and what breaks less (Deb et al., 2002, constrained domination).
        """
        totals = self._score(assignments, orders)
        violation = totals[:, TOTAL.violation, None]
        found: Floats = np.where(violation <= FEASIBLE, totals[:, _INDICATORS], _ABOVE_INDICATORS * (1 + violation))
        return found

    def _score(self, assignments: ArrayLike, orders: ArrayLike | None) -> Floats:
        placements = indices(assignments)
        booked = None if orders is None else indices(orders)
        totals = np.empty((len(placements), len(TOTALS)))
        step = max(1, _BLOCK // max(1, self._problem.n_subtasks))
        first = 0
        while first < len(placements):
            self.check()
            last = min(len(placements), first + step)
            if self._budget.max_evaluations is not None:
                last = min(last, first + self._budget.max_evaluations - self._evaluations)
            rows = slice(first, last)
            some_orders = None if booked is None else booked[rows]
            totals[rows] = totals_of_many(self._problem, placements[rows], some_orders)
            self._evaluations += last - first
            if self.front is not None:
                keep = np.flatnonzero(totals[rows, TOTAL.violation] <= FEASIBLE)
                self.front.add(
                    placements[rows][keep],
                    None if some_orders is None else some_orders[keep],
                    totals[rows][keep][:, _INDICATORS],
                )
            best = first + int(np.argmin(self._merits(totals[rows])))
            objective, violation = totals[best, [TOTAL.objective, TOTAL.violation]].tolist()
            feasible = violation <= FEASIBLE
            if objective < self._objective if feasible else violation < self._violation:
                order = None if booked is None else booked[best]
                self._improve(Placement(placements[best], order), objective, 0.0 if feasible else violation)
            first = last
        self.check()
        return totals

    def count(self, evaluations: SupportsIndex) -> None:
        """Count placements that a solver scored in its own way, changes alone (`offbench.evaluation.delta`).

        Their values guide it; what it finds by them, it proposes.

        Raises
        ------
        SearchEnded
            If the search has ended.
        TypeError, ValueError
            If it isn't a whole number from 0 on.
        """
        try:
            more = operator.index(evaluations)
        except TypeError:
            raise TypeError(f"search.count: must be a whole number, not {evaluations!r}") from None
        if more < 0:
            raise ValueError(f"search.count: must not be negative, but is {more}")
        self._evaluations += more
        self.check()

    def next_objectives(self, servers: NDArray[np.int64], decided: int) -> Floats:
        """Score every server for the next subtask, the ones before it decided and no others there.

        Where the same servers were decided in the call before, and fewer or as many of them, this costs what one
        subtask more changes (`offbench.evaluation.prefixes`).

        Parameters
        ----------
        servers
            Server indices, of which the first *decided* count, shape ``(n_subtasks,)``.
        decided
            How many subtasks are decided.

        Returns
        -------
        numpy.ndarray
            Merit of the first ``decided + 1`` subtasks for each server: Q without constraints. Infinite where the
            subtask is not allowed, shape ``(n_servers,)``.

        Raises
        ------
        SearchEnded
            If the search has ended.
        """
        self.check()
        totals = self._prefixes.next_totals(servers, decided)
        return np.where(self._problem.allowed[decided], self._merits(totals), math.inf)

    @cached_property
    def _prefixes(self) -> Prefixes:
        return Prefixes(self._problem)

    def bound(self, value: SupportsFloat) -> None:
        """Report a lower bound on the objective of every feasible placement; the best one counts.

        Where nothing is gained by coordination Q is a sum of costs, so that a bound below 0, by rounding say, is 0.

        Raises
        ------
        BoundError
            If it lies above the incumbent's objective, or isn't a number below infinity.
        SearchEnded
            If it meets the incumbent, which proves it optimal.
        """
        value = float(value)
        if not value < math.inf:
            raise BoundError(f"a lower bound must be a number below infinity, not {value}")
        if self._problem.instance.weights.coordination == 0:
            value = max(0.0, value)
        if value > self._lower_bound:
            self._lower_bound = value
            self._compare()
            self._record()
        self.check()

    def _improve(self, placement: Placement, objective: float, violation: float) -> None:
        self._incumbent, self._violation = placement, violation
        if violation == 0:
            self._objective = objective
        self._compare()
        self._record()

    def _compare(self) -> None:
        if self._objective == math.inf or self._lower_bound == -math.inf:
            return
        if contradict(self._objective, self._lower_bound, client_only=self.client_only):
            raise BoundError(f"lower bound {self._lower_bound!r} lies above the feasible objective {self._objective!r}")

    def _record(self) -> None:
        self._trace.append(
            TracePoint(self.seconds, self._evaluations, self._objective, self._lower_bound, self._violation)
        )
