"""The coordination H of a subtask (Eq. 10, 11), and piecewise-linear functions of delay that lie on or above it.

An exact solver that linearises H must not promise less than what a placement gets: over-estimates of
H make lower bounds on the objective, in which H counts negatively.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import ArrayLike, NDArray

from offbench.evaluation.compiled import compiled, inlined
from offbench.model.arrays import INDICATOR, Arrays

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

Floats = NDArray[np.float64]

# Added to each value of an over-estimate, relative to it and to what its slope makes of the delay's last digits.
_ALLOWANCE = 1e-12
_DIGIT = 4e-16
# Beyond t = 1 benefits are 0: an over-estimate that is above 0 at 1 comes down on this length.
_STEP = 1e-9
_NARROWEST = 2.0**-50


@inlined
def h(t, e, u, lambdas, root, benefits):
    """Return H of a subtask (Eq. 10 and 11) for standardised indicators, as costs in both readings; compiled."""
    if benefits:
        t, e, u = 1 - min(1.0, t), 1 - min(1.0, e), 1 - min(1.0, u)
    return h_of(t, e, u, lambdas, root)


@inlined
def h_of(t, e, u, lambdas, root):
    """Return H for indicators as they count, be they costs or benefits; compiled."""
    total = t + e + u
    share = 1 / total if total > 0 else 0.0
    x = (t * share) * (e * share) * (u * share)
    coupling = 3 * (math.sqrt(x) if root == 2 else np.cbrt(x))
    return math.sqrt(
        coupling * (lambdas[INDICATOR.delay] * t + lambdas[INDICATOR.energy] * e + lambdas[INDICATOR.cost] * u)
    )


@compiled
def _h_of_each(t, e, u, lambdas, root, benefits, found):
    for i in range(found.size):
        found[i] = h(t[i], e[i], u[i], lambdas, root, benefits)


def coordination(arrays: Arrays, t: ArrayLike, e: ArrayLike, u: ArrayLike, counted: bool = False) -> Floats:
    """Return H for standardised indicators, in the evaluator's arithmetic.

    Parameters
    ----------
    arrays
        The problem, for the reading of Eq. 11: costs or benefits, root, lambdas.
    t, e, u
        Delay, energy and cost over their scales, as costs in both readings; shapes that broadcast.
    counted
        Whether they are given as they count instead: as benefits where these are wanted.
    """
    t, e, u = np.broadcast_arrays(t, e, u)
    found = np.empty(t.shape)
    flat = (np.asarray(values, dtype=np.float64).ravel() for values in (t, e, u, arrays.lambdas))
    _h_of_each(*flat, arrays.root, arrays.benefits and not counted, found.reshape(-1))
    return found


def over_estimate(
    arrays: Arrays,
    e: float,
    u: float,
    low: float,
    high: float,
    tolerance: float = 1e-4,
    at: Iterable[float] = (),
    pieces: int = 200,
    left: tuple[float, float] | None = None,
) -> tuple[Floats, Floats]:
    """Return breakpoints and values of a piecewise-linear function of t, on or above H on all of an interval.

    Between two inflection points H is concave, and lies under its tangents, or convex, and lies
    under its chords. The inflection points are among the roots of a polynomial of degree 4. A root's
    rounding error misjudges only a stretch where the curvature is itself of the order of rounding errors;
    the allowance on each value, 1e-12 of it and four units in the last place of the delay, covers this
    and the rounding of values and slopes.

    Parameters
    ----------
    arrays
        The problem, for the reading of Eq. 11.
    e, u
        Energy and cost over their scales, as costs in both readings.
    low, high
        Ends of the interval of t, delay over its scale.
    tolerance
        How far above H it may be, where *pieces* allow. Near ``t = 0`` of costs and ``t = 1`` of benefits,
        where H is infinitely steep, some 1e-5 is the least possible.
    at
        Values of t at which it must be as good as equal to H.
    pieces
        About how many pieces at most, beside those that *at* asks for.
    left
        Benefits of energy and cost, where they are known better than 1 less the cost (`benefits`).

    Returns
    -------
    tuple of numpy.ndarray
        Increasing values of t, the first *low* and the last *high*, and the function at them; one of
        each if *low* is *high*.

    Raises
    ------
    ValueError
        If *low* and *high* are no interval of finite numbers from 0 on.
    """
    if not 0 <= low <= high < math.inf:
        raise ValueError(f"no interval of delays: {low} to {high}")
    curve = _curve(arrays, e, u, left)
    ends = np.array([low, high])
    if low == high or (arrays.benefits and 1 - low == 1 - high):
        t = np.unique(ends)
        if left is None:
            return t, coordination(arrays, t, e, u) * (1 + _ALLOWANCE)
        return t, coordination(arrays, 1 - np.minimum(1, t), *left, counted=True) * (1 + _ALLOWANCE)
    if curve is None or (arrays.benefits and low >= 1):
        return ends, np.zeros(2)
    if not arrays.benefits:
        return _merge(_estimate(curve, low, high, tolerance, at, pieces))
    points = _estimate(curve, 1 - min(1.0, high), 1 - low, tolerance, (1 - t for t in at if t < 1), pieces)
    t, h = _merge((1 - x, value) for x, value in points)
    t[0], t[-1] = low, min(1.0, high)
    if high > 1:
        down = 1 + min(_STEP, (high - 1) / 2)
        t, h = np.append(t, (down, high)), np.append(h, (0, 0))
    return t, h


def largest(
    arrays: Arrays, e: float, u: float, low: float, high: float = math.inf, left: tuple[float, float] | None = None
) -> float:
    """Return the supremum of H over an interval of t, or a little more; infinite where H grows for ever.

    *left* as in `over_estimate`.
    """
    curve = _curve(arrays, e, u, left)
    if curve is None:
        return 0.0
    grows = not arrays.benefits and arrays.lambdas[0] > 0
    if grows and high == math.inf and arrays.root == 3:
        return math.inf
    # Rounding may have taken all that there is of a benefit.
    first, last = (1 - min(1.0, high), 1 - min(1.0, low) + _DIGIT) if arrays.benefits else (low, high)
    turns = [x for x in _real_parts(curve.rise) if first < x < last]
    heights = [curve.height(x) for x in (first, last, *turns) if x < math.inf]
    if grows and high == math.inf:
        heights.append(math.sqrt(3 * float(arrays.lambdas[0]) * math.sqrt(curve.e * curve.u)))
    return float(max(heights)) * (1 + _ALLOWANCE)


@dataclass(frozen=True)
class _Curve:
    """H as a function of x, which is t as a cost or a benefit; the other two indicators are fixed above 0."""

    root: int
    lambdas: tuple[float, float, float]
    e: float
    u: float
    rise: Polynomial
    """has the sign of the slope"""
    bend: Polynomial
    """has the sign of the curvature"""

    def height(self, x: float) -> float:
        of_delay, of_energy, of_cost = self.lambdas
        total = x + self.e + self.u
        product = (x / total) * (self.e / total) * (self.u / total)
        coupling = 3 * (math.sqrt(product) if self.root == 2 else math.cbrt(product))
        return math.sqrt(coupling * (of_delay * x + of_energy * self.e + of_cost * self.u))

    def slope(self, x: float) -> float:
        if x <= 0:
            return math.inf
        of_delay, of_energy, of_cost = self.lambdas
        total = x + self.e + self.u
        development = of_delay * x + of_energy * self.e + of_cost * self.u
        return self.height(x) * ((1 / x - 3 / total) / self.root + of_delay / development) / 2

    def tangent(self, x: float, at: float) -> float:
        """Return the tangent at *x* > 0 for another abscissa, the slope's rounding error added."""
        height = self.height(x)
        return height + self.slope(x) * (at - x) + 8 * _DIGIT * height * abs(at / x - 1)


def _curve(arrays: Arrays, e: float, u: float, left: tuple[float, float] | None = None) -> _Curve | None:
    """Return the curve of H over t, or None where H is 0 for all t.

    With ``L = log H``, ``s = t + e + u`` and ``p = 1 / root``: ``2 L' = p (1/t - 3/s) + λ1/Y``, and the
    curvature is ``H (L'' + L'²)``. Both are brought to a common denominator, which is positive.
    """
    if arrays.benefits:
        e, u = (1 - min(1.0, e), 1 - min(1.0, u)) if left is None else left
    of_delay, of_energy, of_cost = arrays.lambdas.tolist()
    others = of_energy * e + of_cost * u
    if e <= 0 or u <= 0 or of_delay + others <= 0:
        return None
    p = 1 / arrays.root
    t, total, development = Polynomial([0, 1]), Polynomial([e + u, 1]), Polynomial([others, of_delay])
    rise = p * (total - 3 * t) * development + of_delay * t * total
    bend = 2 * (p * (3 * t**2 - total**2) * development**2 - of_delay**2 * t**2 * total**2) + rise**2
    return _Curve(arrays.root, (of_delay, of_energy, of_cost), e, u, rise, bend)


def _real_parts(polynomial: Polynomial) -> list[float]:
    """Return the real part of every root: a point too many costs a piece, one too few would cost validity."""
    trimmed = polynomial.trim()
    return [float(x) for x in np.real(trimmed.roots())] if trimmed.degree() > 0 else []


def _estimate(
    curve: _Curve, low: float, high: float, tolerance: float, at: Iterable[float], pieces: int
) -> Iterator[tuple[float, float]]:
    """Cut the interval at inflections, then where the error is largest; yield breakpoints and values."""
    cuts = sorted({low, high, *(x for x in (*_real_parts(curve.bend), *at) if low < x < high)})
    heap = [_Piece.between(curve, a, b) for a, b in pairwise(cuts)]
    heapify(heap)
    final: list[_Piece] = []
    while heap and len(heap) + len(final) < pieces + len(cuts) and heap[0].error > tolerance:
        worst = heappop(heap)
        middle = worst.middle
        if middle is None:
            final.append(worst)
            continue
        heappush(heap, _Piece.between(curve, worst.low, middle, worst.concave))
        heappush(heap, _Piece.between(curve, middle, worst.high, worst.concave))
    for piece in (*final, *heap):
        yield from piece.points()


def _merge(points: Iterable[tuple[float, float]]) -> tuple[Floats, Floats]:
    """Sort breakpoints; where several values stand at one, the largest counts."""
    value: dict[float, float] = {}
    for x, height in points:
        value[x] = max(height, value.get(x, 0.0))
    where = sorted(value)
    return np.array(where), np.array([value[x] for x in where])


@dataclass(frozen=True)
class _Piece:
    """A stretch on which H is concave or convex; its two end tangents cross at ``(cross, height)``."""

    curve: _Curve
    low: float
    high: float
    concave: bool
    cross: float
    height: float
    error: float
    """of the tangents if concave, of the chord if convex, at most"""

    def __lt__(self, other: "_Piece") -> bool:
        return self.error > other.error

    @classmethod
    def between(cls, curve: _Curve, low: float, high: float, concave: bool | None = None) -> "_Piece":
        at_low, at_high = curve.height(low), curve.height(high)
        slope_low, slope_high = curve.slope(low), curve.slope(high)
        cross = low + (high - low) / 2
        if concave is None:
            concave = bool(curve.bend(cross) <= 0)
        if slope_low == math.inf:
            concave, cross = True, low
        elif slope_low != slope_high:
            cross = low + (at_high - at_low - slope_high * (high - low)) / (slope_low - slope_high)
            cross = min(high, max(low, cross))
        tangents = [curve.tangent(x, cross) for x in (low, high) if x > 0]
        if concave:
            height = max(tangents)
            error = height - curve.height(cross)
        else:
            height = min(tangents)
            error = at_low + (at_high - at_low) * (cross - low) / (high - low) - height
        return cls(curve, low, high, concave, cross, height, error)

    @property
    def middle(self) -> float | None:
        """Where to cut, if the numbers are fine enough for it."""
        if self.low < self.cross < self.high:
            return self.cross
        # H is infinitely steep at 0 and like a power there, so the next tangent is much nearer.
        return self.high / 16 if self.low == 0 and self.high > _NARROWEST else None

    def points(self) -> Iterator[tuple[float, float]]:
        """Yield breakpoints and values, the ends included."""
        steepest = abs(self.curve.slope(self.low if self.low > 0 else self.high))
        allowance = _DIGIT * max(1.0, self.high) * steepest
        values = {x: self.curve.height(x) for x in (self.low, self.high)}
        if self.concave:
            values[self.cross] = max(self.height, values.get(self.cross, 0.0))
        for x, value in values.items():
            yield x, value * (1 + _ALLOWANCE) + allowance
