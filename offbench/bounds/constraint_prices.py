"""Prices for what is constrained: memories, deadlines and limits as parts of the objective (Lagrangian relaxation).

A feasible placement uses no more of anything than is admitted, but for a violation that is no matter (`ROOM`). So with
any prices that aren't negative, its Q is at least

    Q + sum_j price_j * (used_j / admitted_j - ROOM)

Energy and cost are sums over subtasks. So is what a station holds, at least: each of the layers that may hold the same
weights there counts for an equal share of them. And a task's delay is at least what a flow through it takes
(`subtask_costs`). So all that is used is charged for in steps, as Q is made of, and whatever bounds these bounds that.

The best prices are looked for by the subgradient method (Held and Karp, 1971): what is used too much gets dearer. Any
prices give a bound, so none hangs on the precision of what finds them.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from offbench.bounds.frontier import Program
from offbench.bounds.state_space import Window
from offbench.bounds.subtask_costs import Charges, Flow, SubtaskCosts, tables_of_inputs
from offbench.evaluation.tightening import ROOM
from offbench.model.arrays import INDICATOR, LINK, SCALE, Floats, Ints
from offbench.model.problem import Problem

_ROUNDS = 60
# A step aims at so much above the best bound, of all that steps can differ by; less, where a few don't get higher.
_AIM = 0.25
_PATIENCE = 3
_CLOSE = 1e-6
_EPS = float(np.finfo(float).eps)


class Prices(NamedTuple):
    """What using all that is admitted is charged."""

    limits: Floats
    """of each `INDICATOR`'s total"""
    deadlines: Floats
    """of each task"""
    memories: Floats
    """of each station"""


class Uses:
    """What placements use of what is admitted; of an indicator that cannot occur, nothing.

    Parameters
    ----------
    problem
        With constraints.
    """

    def __init__(self, problem: Problem) -> None:
        a = problem.arrays
        self._problem = problem
        scale = np.where(np.isfinite(a.scale[:3]), a.scale[:3], 0.0)
        self._of_limit, self._of_deadline = scale / a.limit, scale[SCALE.delay] / a.deadline_s
        """what a subtask that attains the scale takes of what is admitted"""
        self._station = np.tile(np.arange(problem.n_servers), (problem.n_subtasks, 1))
        self._station[:, a.client] = a.own_station
        self.held = np.zeros(problem.allowed.shape)
        """of each station's memory, the share that is taken at least for each subtask there"""
        k = a.weighed.astype(np.int64)
        for place in range(problem.n_servers if k.size else 0):
            at = problem.allowed[k, place]
            station = self._station[k[at], place]
            same = np.unique(a.weights_of[at].astype(np.int64) * problem.n_stations + station, return_inverse=True)[1]
            self.held[k[at], place] = a.weights_mb[k[at]] / a.memory_mb[station] / np.bincount(same)[same]

    def nothing(self) -> Prices:
        """Return prices of 0."""
        return Prices(np.zeros(3), np.zeros(self._problem.n_tasks), np.zeros(self._problem.n_stations))

    def charges(self, prices: Prices) -> Charges:
        """Return what steps cost at these prices beside their part of Q."""
        indicators = np.tile(prices.limits * self._of_limit, (self._problem.n_tasks, 1))
        indicators[:, INDICATOR.delay] += prices.deadlines * self._of_deadline
        return Charges(indicators, prices.memories[self._station] * self.held)

    def beyond(self, servers: Ints, flow: Flow) -> Prices:
        """Return how far what servers use is beyond what is admitted, as a share; where there is no limit, 0."""
        a, n = self._problem.arrays, self._problem.n_subtasks
        k = np.arange(n)
        reader = np.repeat(k, a.input_start[1:].astype(np.int64) - a.input_start[:-1])
        at = np.concatenate((servers, np.full(self._problem.n_tasks, a.client)))
        link = a.link[tables_of_inputs(a), at[a.input_of], servers[reader]]
        sent_s = a.input_mb / link[:, LINK.rate_mb_per_s]
        delay_s = flow.subtask * a.execution_s[k, servers]
        delay_s += np.bincount(reader, weights=flow.transfer * (sent_s + link[:, LINK.latency_s]), minlength=n)
        delays_s = np.bincount(self._problem.task_of, weights=delay_s)
        energy_j = a.run_energy_j[k, servers].sum() + (sent_s * link[:, LINK.power_w]).sum()
        cost_usd = a.run_usd[k, servers].sum() + (a.input_gb * link[:, LINK.usd_per_gb]).sum()
        held = np.bincount(self._station[k, servers], weights=self.held[k, servers], minlength=len(a.memory_mb))
        return Prices(
            np.where(np.isfinite(a.limit), np.array([delays_s.sum(), energy_j, cost_usd]) / a.limit - 1, 0),
            np.where(np.isfinite(a.deadline_s), delays_s / a.deadline_s - 1, 0),
            np.where(np.isfinite(a.memory_mb), held - 1, 0),
        )


def priced(problem: Problem, uses: Uses, flow: Flow, window: Window) -> Iterator[tuple[float, Prices]]:
    """Yield bounds and the prices that they are from, 0 first, until nothing is used beyond what is admitted.

    Parameters
    ----------
    problem, uses
        The problem and what its placements use.
    flow
        How the delay is spread.
    window
        What is known of the counts.
    """
    prices = uses.nothing()
    best, at_best, span, aim, waited = -np.inf, (prices, prices), 0.0, 0.0, 0
    for number in range(_ROUNDS):
        steps = SubtaskCosts(problem, charges=uses.charges(prices))
        program = Program(problem, [[[step]] for step in steps.under(flow)], problem.n_servers**2)
        tables = program.to_go(window)
        value = less_admitted(program.bound_of(tables), prices)
        yield value, prices
        if not value < np.inf:
            return
        beyond = uses.beyond(program.cheapest(window, tables), flow)
        if number == 0:
            span = float(sum(np.ptp(stage.cost[stage.cost < np.inf]) for stage in program.stages))
            aim = _AIM * span
        waited = 0 if value > best + _CLOSE * span else waited + 1
        if value > best:
            best, at_best = value, (prices, beyond)
        if waited == _PATIENCE:
            value, (prices, beyond) = best, at_best
            aim, waited = aim / 2, 0
        # What costs nothing and isn't used up gets no cheaper.
        beyond = Prices(*(np.where(price > 0, by, np.maximum(0, by)) for price, by in zip(prices, beyond, strict=True)))
        size = sum(float(by @ by) for by in beyond)
        if size == 0 or aim <= _CLOSE * span:
            return
        far = (best + aim - value) / size
        prices = Prices(*(np.maximum(0, price + far * by) for price, by in zip(prices, beyond, strict=True)))


def less_admitted(bound: float, prices: Prices) -> float:
    """Return a bound on Q from one on Q and what is charged: less the price of what is admitted."""
    charged = np.concatenate(prices)
    return bound - float(charged.sum()) * (ROOM + (len(charged) + 4) * _EPS)
