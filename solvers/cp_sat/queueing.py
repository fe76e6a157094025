"""What queueing is worth: the delay that it costs less the coordination that it gains.

A queued subtask adds ``f(w) = a w - ϕ (H(T + w) - H(T))`` to Q, where w is its queueing delay, T its delay
without, and a what a second of its task's delay costs. The model has f through straight lines below it:
over-estimates of H (`offbench.evaluation.coordination`) make under-estimates of f, of which the lower convex hull is
taken; where that falls short, on one interval after another.

Rounding: the over-estimates stay on or above H in exact numbers (`coordination`), and each corner is lowered by more
than what its own few sums can be off by.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from offbench.evaluation.coordination import over_estimate
from offbench.model.arrays import SCALE, WEIGHT, Floats
from offbench.model.problem import Problem

from .options import Option

_DIGITS = 16 * float(np.finfo(float).eps)


class Worth(NamedTuple):
    """Corners of a piecewise-linear function on or below f; the first is at 0."""

    queued_s: Floats
    value: Floats
    """part of Q"""
    vanishes_s: float = np.inf
    """from here on H is 0, where it comes down too steeply for any line"""
    beyond: tuple[float, float] = (0.0, 0.0)
    """f there: at 0 if it went on so to there, and its slope"""

    def at(self, queued_s: float) -> float:
        """Return its value."""
        if queued_s >= self.vanishes_s:
            return self.beyond[0] + self.beyond[1] * queued_s
        return float(np.interp(queued_s, self.queued_s, self.value))

    def between(self, first_s: float, last_s: float) -> "Worth":
        """Return the corners of its lower convex hull over an interval, as far as it reaches."""
        last_s = min(last_s, float(self.queued_s[-1]))
        first_s = min(first_s, last_s)
        if first_s >= self.vanishes_s:
            ends = np.unique([first_s, last_s])
            return Worth(ends, self.beyond[0] + self.beyond[1] * ends)
        inner = self.queued_s[(self.queued_s > first_s) & (self.queued_s < last_s)]
        queued_s = np.concatenate(([first_s], inner, [last_s])) if last_s > first_s else np.array([first_s])
        return _lower_hull(queued_s, np.interp(queued_s, self.queued_s, self.value))


def worth(
    problem: Problem, option: Option, per_s: float, most_s: float, tolerance: float, at: Iterable[float] = ()
) -> Worth:
    """Return an under-estimate of what queueing adds to Q.

    Parameters
    ----------
    problem
        The problem.
    option
        How the subtask is run.
    per_s
        What a second of delay costs, part of Q.
    most_s
        The longest queueing delay.
    tolerance
        How far H may be over-estimated.
    at
        Queueing delays at which it must not be.
    """
    a = problem.arrays
    of_h = float(a.weights[WEIGHT.coordination])
    if option.loose or of_h == 0 or most_s <= 0:
        ends = np.array([0.0, most_s]) if most_s > 0 else np.zeros(1)
        return Worth(ends, per_s * ends)
    scale = float(a.scale[SCALE.delay])
    first = option.delay_s / scale
    last = first + most_s / scale
    points = [first + queued_s / scale for queued_s in at if 0 < queued_s < most_s]
    left = option.left if a.benefits else None
    t, h = over_estimate(a, option.energy, option.cost, first, last, tolerance, points, left=left)
    beyond = of_h * option.coordination, per_s
    if len(t) == 1:  # the interval is as good as a point
        return Worth(
            np.array([0.0, most_s]), np.array([0.0, per_s * most_s]) - max(0.0, of_h * float(h[0]) - beyond[0])
        )
    queued_s = (t - first) * scale
    value = per_s * queued_s - of_h * (h - option.coordination)
    value -= _DIGITS * (per_s * queued_s + of_h * (h + option.coordination))
    queued_s[0], queued_s[-1] = 0, most_s
    vanishes_s = scale - option.delay_s if a.benefits else np.inf
    return Worth(queued_s, np.minimum(value, np.where(queued_s > 0, np.inf, 0)), vanishes_s, beyond)


def _lower_hull(x: Floats, y: Floats) -> Worth:
    corners: list[tuple[float, float]] = []
    for point in zip(x.tolist(), y.tolist(), strict=True):
        while len(corners) > 1 and _above(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    return Worth(np.array([c[0] for c in corners]), np.array([c[1] for c in corners]))


def _above(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Tell whether the middle point is on or above the line through the others."""
    return (middle[1] - first[1]) * (last[0] - first[0]) >= (last[1] - first[1]) * (middle[0] - first[0])
