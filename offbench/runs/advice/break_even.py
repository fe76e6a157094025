"""Up to where a cut is the best one: how the optimum changes with one number of the instance.

Of one chain without H, Z and constraints every total of a placement is a straight line in a function of that number
(`Variation.straight`), for nothing waits. So the optimum is the lower envelope of lines, and its corners are found
exactly, by solving where two lines cross (Eisner and Severance, 1976). Else there are samples, and between two that
differ the change is closed in on.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from offbench.evaluation.evaluator import Evaluation, evaluate
from offbench.model.instance import Instance
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.model.variations import Variation

# Values that differ by less, relative to the larger, are the same line.
_ALIKE = 1e-9
# A change that is closed in on is known to this share of where it is.
_NEAR = 0.01
# A change below this is at zero.
_ZERO = 1e-6


def same_cut(one: Placement, other: Placement) -> bool:
    """Tell whether two placements have the same servers; if they are of more or fewer clients, whether each has."""
    few, many = sorted((one.servers, other.servers), key=len)
    return len(many) % len(few) == 0 and bool((np.tile(few, len(many) // len(few)) == many).all())


@dataclass(frozen=True)
class Optimum:
    """The best placement that is known at one value of the number."""

    x: float
    placement: Placement
    evaluation: Evaluation
    proven: bool

    def same_cut(self, other: "Optimum") -> bool:
        """Tell whether both have the same servers, of several clients each of them."""
        return same_cut(self.placement, other.placement)


@dataclass(frozen=True)
class Change:
    """Where the best cut changes."""

    x: float
    before: Optimum
    after: Optimum


@dataclass(frozen=True)
class Curve:
    """How the optimum changes with one number."""

    variation: Variation
    points: tuple[Optimum, ...]
    """in ascending order of *x*"""
    changes: tuple[Change, ...]
    exact: bool
    """whether there are no other changes in between"""


Solve = Callable[[Instance], tuple[Placement, bool]]
"""returns the best placement of an instance, and whether it is proven"""


def exactly(instance: Instance, variation: Variation, low: float, high: float, solve: Solve) -> Curve:
    """Return the curve of one chain with all its changes between *low* and *high*.

    Parameters
    ----------
    instance
        One chain, without H, Z and constraints, with stated scales.
    variation
        With a `Variation.straight`.
    low, high
        Between which the number lies.
    solve
        An exact solver.
    """
    assert variation.straight is not None
    straight = variation.straight
    ends = (low, high)
    at = [P1(variation.of(instance, x)) for x in ends]
    ts = [straight(x) for x in ends]

    def line(found: Optimum) -> tuple[float, float]:
        values = [evaluate(problem, found.placement).objective for problem in at]
        slope = (values[1] - values[0]) / (ts[1] - ts[0])
        return values[0] - slope * ts[0], slope

    def between(left: Optimum, right: Optimum) -> Iterator[Change | Optimum]:
        """Yield the changes between two optima, and the optima between these, from left to right."""
        (a, b), (c, d) = line(left), line(right)
        if left.same_cut(right) or abs(b - d) <= _ALIKE * max(abs(b), abs(d)):
            return
        t = (c - a) / (b - d)
        if not min(straight(left.x), straight(right.x)) < t < max(straight(left.x), straight(right.x)):
            return
        x = _inverse(variation, t, low, high)
        middle = _solved(instance, variation, x, solve)
        here = a + b * t
        if middle.evaluation.objective >= here - _ALIKE * max(1.0, abs(here)):
            yield Change(x, left, right)
            return
        yield from between(left, middle)
        yield middle
        yield from between(middle, right)

    first, last = (_solved(instance, variation, x, solve) for x in ends)
    found = list(between(first, last))
    points = (first, *(one for one in found if isinstance(one, Optimum)), last)
    changes = tuple(one for one in found if isinstance(one, Change))
    return Curve(variation, points, changes, exact=all(one.proven for one in points))


def sampled(
    instance: Instance,
    variation: Variation,
    xs: list[float],
    solve: Solve,
    go_on: Callable[[], bool] = lambda: True,
    whole: bool = False,
) -> Curve:
    """Return the curve at some values, and where neighbours differ the change between them.

    Parameters
    ----------
    instance
        Any, with stated scales.
    variation
        What changes.
    xs
        Values of the number, ascending.
    solve
        Any solver.
    go_on
        Asked before each step; once it says no, what is there is returned, the values nearest to today's.
    whole
        Whether the number is a whole one.
    """
    nearest = min(range(len(xs)), key=lambda k: abs(xs[k] - variation.base))
    points: list[Optimum] = []
    # From today's value outwards, so that what is left out lies farthest.
    for k in sorted(range(len(xs)), key=lambda k: (abs(k - nearest), k)):
        if points and not go_on():
            break
        ends = [points[0], points[-1]] if points else []
        found = _solved(instance, variation, xs[k], solve, ends)
        points.insert(0 if points and found.x < points[0].x else len(points), found)
    changes: list[Change] = []
    for left, last in pairwise(points):
        before = left
        while not before.same_cut(last):
            low, after = before, last
            while go_on() and after.x - low.x > (1 if whole else max(_ZERO, _NEAR * after.x)):
                middle = _solved(instance, variation, _middle(low.x, after.x, whole), solve, [before, after])
                if middle.same_cut(before):
                    low = middle
                else:
                    after = middle
            changes.append(Change(after.x, low, after))
            before = after  # which may be a third cut, that is the best one only in between
    return Curve(variation, tuple(points), tuple(changes), exact=False)


def _middle(low: float, high: float, whole: bool) -> float:
    if whole:
        return float((int(low) + int(high)) // 2)
    return math.sqrt(low * high) if low > 0 else high / 2


def _solved(
    instance: Instance, variation: Variation, x: float, solve: Solve, neighbours: Sequence[Optimum] = ()
) -> Optimum:
    """Return the optimum at one value: a neighbour's cut where no other is better, for a tie is no change."""
    made = variation.of(instance, x)
    placement, proven = solve(made)
    problem = P1(made)
    found = evaluate(problem, placement)
    for one in neighbours:
        if len(one.placement.servers) == problem.n_subtasks:
            there = evaluate(problem, one.placement)
            if as_good(there, found):
                return Optimum(x, one.placement, there, proven)
    return Optimum(x, placement, found, proven)


def as_good(one: Evaluation, other: Evaluation) -> bool:
    """Tell whether one is as good as another, but for rounding."""
    allowed = _ALIKE * max(abs(one.objective), abs(other.objective))
    return one.feasible and (not other.feasible or one.objective <= other.objective + allowed)


def _inverse(variation: Variation, t: float, low: float, high: float) -> float:
    """Return the *x* of which *straight* is *t*, between two."""
    assert variation.straight is not None
    rising = variation.straight(high) > variation.straight(low)
    for _ in range(200):
        x = (low + high) / 2
        if (variation.straight(x) < t) == rising:
            low = x
        else:
            high = x
    return (low + high) / 2
