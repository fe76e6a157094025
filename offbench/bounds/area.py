"""The area bound: all the work that there is over all the slots that there are, in seconds that have prices.

A *price* for a second of a slot of each server makes one machine of all servers: where the prices of all slots sum
to 1, no second of the clock holds more than one priced second of work. So of a group of tasks (`task_groups`), whose
subtasks start at ``head_s`` at the earliest, the j-th to be through is so no sooner than ``head_s`` and the priced
work of the first j. The delays of the group sum to at least

    sum_i (head_s + tail_s(i) - arrival_s(i)) + sum_i rank(i) * sum_(k of i) price(server of k) * execution_s(k)

with the ranks 1, 2, ... from the last task to the first, and ``tail_s`` the least time from a subtask's end to its
task's. Whatever the order is, no ranks are cheaper than those of the assignment problem of tasks and ranks, in which
each subtask has the server that is cheapest for it in each rank. A task by itself may leave subtasks out of
its area, for a later head or a longer tail (Fernandez and Bussell, 1973).

The delay is divided: a share goes to paths (`subtask_costs`), the rest to areas. The other parts of Q are
those of `subtask_costs`, the inputs where they are cheapest and the balance 0. Any prices and any division give a
bound, so none hangs on the precision of what looks for good ones (`server_prices`).

Where Q is delay alone and all durations are whole multiples of a quantum, so is the delay, and the bound is rounded
up to one. In the evaluator's arithmetic a duration is off by some last digits, and times are sums, maxima and p-th
largest of durations, which don't stretch differences: a delay is off by no more than its task's durations together.

Rounding: no number of the linear program counts (`server_prices`): the bound is worked out from its prices, and lowered
by what its sums can be off by.
"""

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from offbench.bounds.path_flows import flows
from offbench.bounds.server_prices import Division, ServerPrices
from offbench.bounds.subtask_costs import Flow, SubtaskCosts, tables_of_inputs
from offbench.bounds.task_groups import groups_of
from offbench.model.arrays import LINK, SCALE, WEIGHT, Arrays, Floats
from offbench.model.problem import Problem

# Shares of the delay that go to paths. Where coordination weighs, some must, or queueing would be worth too much.
_SHARES = (0.0, 0.25, 0.5, 0.75)
# No quantum is a smaller part of the longest duration than this.
_FINEST = 10**6
_EPS = float(np.finfo(float).eps)


def area_bounds(problem: Problem, steps: SubtaskCosts) -> Iterator[float]:
    """Yield bounds that improve; none where the delay doesn't count, or all tasks' paths are longer than their areas.

    Parameters
    ----------
    problem
        P1, or P2 whose servers are given.
    steps
        Of the problem.
    """
    a = problem.arrays
    per_s = float(a.weights[WEIGHT.score] * a.weights[WEIGHT.delay] / a.scale[SCALE.delay])
    groups = groups_of(problem) if per_s > 0 else []
    busy = [g for g, group in enumerate(groups) if group.longer_s > group.path_s]
    if not busy:
        return
    quantum = _Quantum(problem)
    spread = list(flows(problem))
    paths = [steps.by_own_server(flow) for flow in spread]
    if not all(np.isfinite(costs.min(axis=1)).all() for costs in paths):
        return  # constraints leave nothing
    best = np.array([max(_sum_of_least(costs[group.subtasks]) for costs in paths) for group in groups])

    def bound() -> float:
        value = float(best.sum() - 2 * len(best) * _EPS * np.abs(best).sum())
        return per_s * quantum.whole_s(value / per_s) if quantum.s > 0 else value

    found: dict[int, ServerPrices] = {}
    for share in _SHARES:
        for flow in spread if share > 0 else spread[:1]:
            costs = steps.by_own_server(Flow(share * flow.subtask, share * flow.transfer))
            division = Division(costs, (1 - share) * per_s)
            for g in busy:
                for area in groups[g].areas:
                    prices = ServerPrices(problem, area, division, groups[g].prices)
                    if g not in found or prices.best > found[g].best:
                        found[g] = prices
                best[g] = max(best[g], found[g].best)
            yield bound()
    for g, prices in found.items():
        for value in prices.improve(best[g]):
            best[g] = max(best[g], value)
        yield bound()


def _sum_of_least(costs: Floats) -> float:
    least = costs.min(axis=1)
    return float(least.sum()) - 4 * len(least) * _EPS * float(np.abs(least).sum())


class _Quantum:
    """What the delay is a whole multiple of, where Q is delay alone; `s` is 0 where there is no such thing.

    Parameters
    ----------
    problem
        The problem.
    """

    def __init__(self, problem: Problem) -> None:
        a = problem.arrays
        self.s = 0.0
        others = np.array(
            [
                a.weights[WEIGHT.score] * a.weights[WEIGHT.energy],
                a.weights[WEIGHT.score] * a.weights[WEIGHT.cost],
                a.weights[WEIGHT.coordination],
                a.weights[WEIGHT.balance],
            ]
        )
        if (others / [a.scale[SCALE.energy], a.scale[SCALE.cost], 1, a.scale[SCALE.balance]]).any():
            return
        durations = np.unique(np.concatenate((a.execution_s[problem.allowed], *_transmissions_s(a), a.arrival_s)))
        if durations[-1] == 0:
            return
        fractions = []
        for share in (durations / durations[-1]).tolist():
            fraction = Fraction(share).limit_denominator(_FINEST)
            if abs(float(fraction) - share) > 4 * _EPS * share:
                return
            fractions.append(fraction)
        ticks = math.lcm(*(fraction.denominator for fraction in fractions))
        if ticks <= _FINEST:
            self.s = float(durations[-1]) * math.gcd(*(int(fraction * ticks) for fraction in fractions)) / ticks
        longest_s = float(a.arrival_s.max() + (problem.n_subtasks + 1) * 2 * durations[-1])
        self._off_s = 8 * (problem.n_subtasks + 2) * _EPS * longest_s * len(a.arrival_s)
        """more than the delay can be off a multiple by"""
        if self._off_s > 1e-7 * self.s:
            self.s = 0.0

    def whole_s(self, delay_s: float) -> float:
        """Round a bound on the delay up; what lies a little above a multiple may be there by rounding."""
        return self.s * math.ceil(delay_s / self.s - 1e-6) - self._off_s


def _transmissions_s(a: Arrays) -> Iterator[Floats]:
    """Yield how long the inputs can be on their way, by each table of links."""
    table_of = tables_of_inputs(a)
    for number, table in enumerate(a.link):
        megabytes = np.unique(a.input_mb[table_of == number])
        rate, latency_s = np.unique(table[..., [LINK.rate_mb_per_s, LINK.latency_s]].reshape(-1, 2), axis=0).T
        yield np.unique(megabytes[:, None] / rate + latency_s)
