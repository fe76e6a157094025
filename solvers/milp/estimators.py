"""What waiting adds to the coordination of a subtask, from above, in straight lines.

H as a function of delay is no line, and neither concave nor convex. For each choice of servers an
interval of waiting times is cut into segments, and on each the least concave function above an
over-estimate of H is a set of lines, which a linear model takes with one variable. What is promised
too much at a waiting time that a solution has is taken back by `Estimators.refine`.

Lines lie on or above H whatever rounding does. Intervals are wider by what rounding makes of a delay, lines lie higher
by their slope times that, and a line whose slope is all rounding is lifted until it is above all points. Leaving
lines out only raises the least of them.
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from offbench.evaluation.coordination import over_estimate
from offbench.model.arrays import SCALE, Arrays
from offbench.solvers.milp.choices import Choices

Key = tuple[int, int]
"""subtask and choice"""

# Steeper lines are left out: they say little and spoil the model's numbers.
_STEEPEST = 1e4
# Bounds of gains are wider by this.
_SPACE = 1 + 1e-6


@dataclass(frozen=True)
class Segment:
    """An interval of waiting times, and lines that bound what waiting adds to H there."""

    low_s: float
    high_s: float
    lines: list[tuple[float, float]]
    """slope per second and value at 0 s of waiting"""
    deepest: float
    """waiting takes no more than this from H"""
    highest: float
    """and adds no more than this"""

    @property
    def unit(self) -> float:
        """A unit of H in which gains are about 1 at most."""
        return max(self.deepest, self.highest) or 1.0

    def at(self, wait_s: float) -> float:
        """Return the least of the lines."""
        return min(slope * wait_s + base for slope, base in self.lines)


@dataclass
class Estimators:
    """The segments of every choice, made when asked for."""

    arrays: Arrays
    blur: float = 0.0
    """by how much rounding changes a delay over its scale at most"""
    tolerance: float = 1e-3
    pieces: int = 10
    cuts: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    """waiting times at which the interval is cut"""
    points: dict[Key, list[float]] = field(default_factory=lambda: defaultdict(list))
    """waiting times at which lines are tight, as far as a concave function can be"""

    def segments(self, key: Key, choices: Choices, longest_s: float) -> list[Segment]:
        """Return the segments of a choice from no waiting to *longest_s*."""
        m = key[1]
        scale_s, t, e, u = float(self.arrays.scale[SCALE.delay]), choices.t[m], choices.e[m], choices.u[m]
        cuts = {0.0, longest_s, *self.cuts[key]}
        if self.arrays.benefits and 0 < (1 - t) * scale_s < longest_s:
            cuts.add(float(1 - t) * scale_s)  # from there on H is 0
        segments = []
        for low_s, high_s in pairwise(sorted(cuts)):
            at = [float(t + wait_s / scale_s) for wait_s in self.points[key] if low_s <= wait_s <= high_s]
            low, high = max(0.0, float(t + low_s / scale_s) - self.blur), float(t + high_s / scale_s) + self.blur
            left = choices.left_of(m)
            x, h = over_estimate(self.arrays, float(e), float(u), low, high, self.tolerance, at, self.pieces, left)
            lines = [(slope / scale_s, base + abs(slope) * self.blur) for slope, base in _hull(x - t, h - choices.h[m])]
            deepest, highest = float(choices.h[m]), max(0.0, float(h.max() - choices.h[m]))
            segments.append(Segment(low_s, high_s, lines, deepest * _SPACE, highest * _SPACE))
        return segments

    def refine(self, key: Key, choices: Choices, longest_s: float, wait_s: float, tolerance: float) -> bool:
        """Make the lines tight at a waiting time, by a cut if nothing else helps; tell whether they were not."""
        if not 0 < wait_s < longest_s:
            return False
        m = key[1]
        t = choices.t[m] + wait_s / self.arrays.scale[SCALE.delay]
        true = float(choices.coordination(self.arrays, t)[m] - choices.h[m])
        loose = self._error(key, choices, longest_s, wait_s, true) > tolerance
        if loose:
            self.points[key].append(wait_s)
            if self._error(key, choices, longest_s, wait_s, true) > tolerance:
                self.cuts[key].append(wait_s)
        return loose

    def _error(self, key: Key, choices: Choices, longest_s: float, wait_s: float, true: float) -> float:
        segments = self.segments(key, choices, longest_s)
        here = bisect_right([segment.low_s for segment in segments], wait_s) - 1
        return segments[here].at(wait_s) - true


def _hull(x: np.ndarray, y: np.ndarray) -> list[tuple[float, float]]:
    """Return the lines, slope and value at 0, of the least concave function above points."""
    if len(x) == 1:
        return [(0.0, float(y[0]))]
    corners: list[tuple[float, float]] = []
    for point in zip(x.tolist(), y.tolist(), strict=True):
        while len(corners) > 1 and _turns_left(corners[-2], corners[-1], point):
            corners.pop()
        corners.append(point)
    lines = [((y2 - y1) / (x2 - x1), y1 - (y2 - y1) / (x2 - x1) * x1) for (x1, y1), (x2, y2) in pairwise(corners)]
    # Close points make slopes that rounding decides: whatever they are, the line shall lie above all points.
    kept = [
        (slope, base + max(0.0, float((y - (slope * x + base)).max())))
        for slope, base in lines
        if abs(slope) <= _STEEPEST
    ]
    return kept or [(0.0, float(y.max()))]


def _turns_left(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> bool:
    return (b[0] - a[0]) * (c[1] - a[1]) >= (b[1] - a[1]) * (c[0] - a[0])
