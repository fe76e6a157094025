"""Prices of the servers' slots, and the best of them for the area bound of a group (`area`).

The bound is concave in the prices, and its slope is how long each server is busy. Kelley's cutting planes
climb it: each prices tried give a plane on or above it, and the next ones are looked for below all planes.

Rounding: the linear program only says which prices to try. They are made non-negative and divided by their sum over
slots, and the bound is the value of an assignment at these, less some last digits of its parts for each term. That
they sum to 1 but for a last digit is within that.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbench.model.arrays import Floats, Ints
from offbench.model.problem import Problem

_ROUNDS = 60
# Until the bound is this close to the best there can be, of it and of its parts.
_CLOSE = 1e-7
# Of more ranks than this, not all are told apart.
_MOST_RANKS = 60
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Area:
    """Subtasks that share slots."""

    subtasks: Ints
    """all subtasks of the tasks, ascending"""
    task: Ints
    """the task of each, counted from 0"""
    inside: NDArray[np.bool_]
    """which of them count to the area; the others only cost what they do beside it"""
    fixed_s: float
    """head, tails and arrivals: what the tasks' delays sum to beside the work"""


@dataclass(frozen=True)
class Division:
    """What each subtask costs on each server beside the area, and what a second of the area costs."""

    costs: Floats
    per_s: float


def fair_prices(problem: Problem) -> Floats:
    """Return prices that are as the places' speeds, so that work costs the same everywhere; 0 for those not in use."""
    instance = problem.instance
    ghz = np.array([instance.servers[s].compute_ghz for s in instance.places])
    prices = np.where(problem.allowed.any(axis=0), ghz / ghz.max(), 0)
    fair: Floats = prices / float(prices @ _slots(problem, np.arange(problem.n_subtasks)))
    return fair


class ServerPrices:
    """The area bound of a group as a function of prices.

    Parameters
    ----------
    problem, area, division
        What it is about.
    first
        Prices to begin with.
    """

    def __init__(self, problem: Problem, area: Area, division: Division, first: Floats) -> None:
        a = problem.arrays
        self._area, self._per_s = area, division.per_s
        self._costs = division.costs[area.subtasks]
        self._execution_s = a.execution_s[area.subtasks] * area.inside[:, None]
        self._pool = _slots(problem, area.subtasks)
        tasks = int(area.task[-1]) + 1
        width = math.ceil(tasks / _MOST_RANKS)
        self._ranks = np.arange(1, tasks + 1, width)
        # Of each rank, where ranks that aren't told apart are taken for the lowest of them.
        self._row = np.arange(tasks) // width
        self.best = -math.inf
        """the best bound so far"""
        self.prices = first
        """those of the best"""
        # The planes: the bound at prices of 0, went it on so to there, and its slopes.
        self._planes: list[tuple[float, Floats]] = []
        self._try(first)

    def improve(self, enough: float) -> Iterator[float]:
        """Yield bounds at other prices, until there is little left to gain or none can be above *enough*."""
        from scipy.optimize import linprog  # takes long, and most runs that import bounds solve no linear program

        servers = len(self._pool)
        for _ in range(_ROUNDS):
            # Variables: the prices, and a height that is below all planes.
            slopes = np.array([slope for _, slope in self._planes])
            highest = linprog(
                [*[0] * servers, -1],
                A_ub=np.column_stack((-slopes, np.ones(len(slopes)))), b_ub=[at_zero for at_zero, _ in self._planes],
                A_eq=[[*self._pool, 0]], b_eq=[1], bounds=[*[(0, 1)] * servers, (None, None)],
            )  # fmt: skip
            if highest.x is None:
                return
            left = float(highest.x[-1]) - max(self.best, enough)
            if left <= _CLOSE * max(abs(self.best), self._per_s * abs(self._area.fixed_s)):
                return
            # Halfway to there: planes say little of prices far from those tried.
            yield self._try((self.prices + highest.x[:-1]) / 2)

    def _try(self, prices: Floats) -> float:
        prices = np.maximum(prices, 0)
        prices = prices / float(prices @ self._pool)
        per_rank = self._per_s * self._execution_s * prices
        rows = np.arange(len(self._costs))
        at = np.empty((len(self._ranks), len(rows)), np.int64)
        sums = []
        for row, rank in enumerate(self._ranks.tolist()):
            total = self._costs + rank * per_rank
            at[row] = total.argmin(axis=1)
            sums.append(np.bincount(self._area.task, weights=total[rows, at[row]]))
        from scipy.optimize import linear_sum_assignment

        ranked, task = linear_sum_assignment(np.array(sums)[self._row])
        row_of = np.empty(len(task), np.int64)
        row_of[task] = self._row[ranked]
        row_of = row_of[self._area.task]
        server = at[row_of, rows]
        own = self._costs[rows, server]
        load = self._per_s * self._ranks[row_of] * self._execution_s[rows, server]
        slope = np.bincount(server, weights=load, minlength=len(prices)).astype(np.float64)
        priced, fixed = load * prices[server], self._per_s * self._area.fixed_s
        size = float(np.abs(own).sum() + priced.sum()) + abs(fixed)
        value = float(own.sum() + priced.sum()) + fixed - 4 * (len(rows) + len(prices)) * _EPS * size
        self._planes.append((value - float(slope @ prices), slope))
        if value > self.best:
            self.best, self.prices = value, prices
        return value


def _slots(problem: Problem, subtasks: Ints) -> Floats:
    """Return how many slots these subtasks have at each place: those of all their clients together at the client's."""
    a = problem.arrays
    slots = np.diff(a.slot_start.astype(np.int64)).astype(np.float64)
    found = slots[: problem.n_servers].copy()
    found[a.client] = slots[np.unique(a.own_station[subtasks])].sum()
    return found
