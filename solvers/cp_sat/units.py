"""Units: seconds as ticks, and Q as whole numbers, so that nothing feasible gets dearer.

CP-SAT knows integers alone. Every duration is rounded *down* to ticks. A placement's times are compositions
of sums, maxima and the p-th largest of times (the booking rule), all of which are monotone and don't stretch
differences. So, booked in the same order with the rounded durations, each time is at most the true one,
and less than it by less than `slack` ticks: on the way to it stand at most one arrival, and the transfer and the
execution of each subtask once. The rounded schedule is itself booked by the rule, so the model has it; what
depends on a time that is not exactly known (the queueing delay in H, whether a subtask queues at all, which
input is critical) is relaxed by `slack` there. Costs are rounded down. So the model's value of a placement, times
`unit`, is at most the placement's Q, and the model's bound is one on Q.

Where all durations are whole multiples of 2^-20 s, or a little finer, nothing is rounded and `slack` is 0.
"""

import math
from dataclasses import dataclass

import numpy as np

from offbench.model.arrays import INDICATOR, LINK, SCALE, WEIGHT
from offbench.model.problem import Problem

from .transfers import flows_s

_DYADIC = range(20, 31)
# A quotient may be rounded up by the processor; a thousandth of a tick is far more than that.
_SAFE = 1e-3
_MOST_TICKS = 2.0**40
# What a part of Q, and the sum of a few, may be off by, of the parts.
_DIGITS = 64 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Units:
    """What a tick and a unit of the model's objective are.

    Parameters
    ----------
    tick_s
        Seconds.
    unit
        Of Q.
    delay
        Units of a tick of delay, for a task whose delay counts.
    slack
        Ticks by which rounding can bring a time forward, less than that.
    """

    tick_s: float
    unit: float
    delay: int
    slack: int

    @classmethod
    def of(cls, problem: Problem, size: float, precision: float, horizon_s: float) -> "Units":
        """Choose units for a problem.

        Parameters
        ----------
        problem
            The problem.
        size
            About how large its Q is, or what counts for as large where Q is close to 0.
        precision
            By how much of it rounding may weaken bounds, roughly.
        horizon_s
            The longest time that there is.
        """
        a = problem.arrays
        n = problem.n_subtasks
        error = precision * size or 1e-12  # where nothing costs anything, any unit will do
        per_s = float(a.weights[WEIGHT.score] * a.weights[WEIGHT.delay] / a.scale[SCALE.delay])
        durations = np.concatenate((
            a.execution_s.ravel(),
            flows_s(problem).ravel(),
            a.link[..., LINK.latency_s].ravel(),
            a.arrival_s,
        ))  # fmt: skip
        exact = next((2.0**bits for bits in _DYADIC if (durations * 2.0**bits % 1 == 0).all()), math.inf)
        if horizon_s * exact < _MOST_TICKS:
            tick_s, slack = 1 / exact, 0
        else:
            slack = 2 * n + 2
            steepest = max(per_s, float(a.weights[WEIGHT.coordination] / a.scale[SCALE.delay]))
            tick_s = error / (slack * steepest * min(n, 10)) if steepest > 0 else math.inf
            # What rounding lets pass of a deadline is as small a part of it.
            admitted_s = min(float(a.deadline_s.min()), float(a.limit[INDICATOR.delay]))
            tick_s = min(tick_s, precision * admitted_s / slack)
            tick_s = min(max(tick_s, horizon_s / _MOST_TICKS), horizon_s / 1000)
        if per_s == 0:
            return cls(tick_s, error / n, 0, slack)
        delay = max(1, math.ceil(per_s * tick_s * n / error))
        return cls(tick_s, per_s * tick_s / delay, delay, slack)

    def ticks(self, seconds: float) -> int:
        """Return a duration in ticks, rounded down."""
        exact = seconds / self.tick_s
        return round(exact) if self.slack == 0 else max(0, math.floor(exact - _SAFE))

    def down(self, *parts: float) -> int:
        """Return a sum of parts of Q in units, rounded down.

        Each part may be off by some last digits of its own, whatever is left of them together.
        """
        off = _DIGITS * sum(abs(part) for part in parts)
        return math.floor((sum(parts) - off) / self.unit - _SAFE)
