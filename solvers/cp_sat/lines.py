"""What queueing adds to the model's objective: straight lines below what it is worth."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from ortools.sat.python import cp_model

from .choices import Literal
from .queueing import Worth
from .units import Units

# No sum of terms may exceed what 64 bits hold.
_LARGEST = 2**61
_DIGITS = 4 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Queue:
    """How long a subtask queues."""

    ticks: cp_model.LinearExprT
    queues: Literal
    """where it is false, it doesn't"""
    most: int


class Run(NamedTuple):
    """A way to run a subtask, as far as its queueing goes."""

    literal: Literal
    worth: Worth
    met_s: list[float]
    """queueing delays at which the lines are to be exact"""


class Fineness(NamedTuple):
    """Of the lines."""

    lines: int
    """on each interval, at most, beside those that have to be exact somewhere"""
    ticks: int
    """slopes are whole multiples of a unit of the objective for so many ticks, or fewer where numbers get too large"""


def queueing_cost(
    model: cp_model.CpModel,
    units: Units,
    queue: Queue,
    runs: list[Run],
    splits: list[float],
    fineness: Fineness,
) -> cp_model.LinearExprT:
    """Return a variable that is at least what queueing adds to the objective, as far as the lines show it.

    A line has one slope for all options and an intercept for each, the highest that keeps it below the
    option's function on an interval of queueing delays. It may be off by `Units.slack` ticks there: the interval is
    wider by so much, and the line lower by what they make of its slope.

    Parameters
    ----------
    model
        Gets variables and constraints.
    units
        Ticks and units of the objective.
    queue
        Of the subtask.
    runs
        Of their literals one is true.
    splits
        Seconds at which a new interval begins.
    fineness
        Of the lines.
    """
    lowest = min(math.floor(worth.value.min() / units.unit) for _, worth, _ in runs) - 1
    highest = max(math.ceil(worth.value.max() / units.unit) for _, worth, _ in runs) + 1
    added = model.new_int_var(min(lowest, 0), max(highest, 1), "")
    model.add(added == 0).only_enforce_if(~queue.queues)
    span = highest - lowest
    firsts = sorted({0, *(x for x in (round(split / units.tick_s) for split in splits) if 0 < x <= queue.most)})
    lasts = [*(first - 1 for first in firsts[1:]), queue.most]
    if len(firsts) == 1:
        _lines(model, units, queue, runs, (0, queue.most), added, span, fineness, [])
        return added
    inside = [model.new_bool_var("") for _ in firsts]
    model.add_exactly_one(inside)
    for literal, first, last in zip(inside, firsts, lasts, strict=True):
        model.add_linear_constraint(queue.ticks, first, last).only_enforce_if(literal)
        _lines(model, units, queue, runs, (first, last), added, span, fineness, [literal])
    return added


def _lines(
    model: cp_model.CpModel,
    units: Units,
    queue: Queue,
    runs: list[Run],
    interval: tuple[int, int],
    added: cp_model.IntVar,
    span: int,
    fineness: Fineness,
    conditions: list[Literal],
) -> None:
    first_s, last_s = (interval[0] - units.slack) * units.tick_s, (interval[1] + units.slack) * units.tick_s
    hulls = [worth.between(max(0.0, first_s), last_s) for _, worth, _ in runs]
    slopes = sorted({slope for hull in hulls for slope in _slopes(hull)})
    if len(slopes) > fineness.lines:
        slopes = [slopes[x] for x in np.linspace(0, len(slopes) - 1, fineness.lines).round().astype(int)]
        exact = {slope for hull, run in zip(hulls, runs, strict=True) for slope in _slopes_at(hull, run.met_s)}
        slopes = sorted(exact.union(slopes))
    literals = [run.literal for run in runs]
    for slope in slopes:
        ticks = fineness.ticks
        while ticks:
            # In units for so many ticks.
            whole = math.floor(slope * units.tick_s / units.unit * ticks)
            intercepts = [_intercept(units, hull, ticks, whole) - abs(whole) * units.slack for hull in hulls]
            if ticks * span + abs(whole) * queue.most + sum(map(abs, intercepts)) < _LARGEST:
                line = model.add(
                    ticks * added - whole * queue.ticks >= cp_model.LinearExpr.weighted_sum(literals, intercepts)
                )
                if conditions:
                    line.only_enforce_if([*conditions, queue.queues])
                break
            ticks //= 2


def _intercept(units: Units, hull: Worth, ticks: int, whole: int) -> int:
    """Return the highest intercept of a line below a hull, less what the products here can be off by."""
    heights, falls = ticks * hull.value / units.unit, whole * hull.queued_s / units.tick_s
    return math.floor((heights - falls - _DIGITS * (np.abs(heights) + np.abs(falls))).min() - 1e-3)


def _slopes(hull: Worth) -> list[float]:
    if len(hull.queued_s) < 2:
        return [0.0]
    return (np.diff(hull.value) / np.diff(hull.queued_s)).tolist()


def _slopes_at(hull: Worth, met_s: list[float]) -> list[float]:
    """Return the slopes before and after each point."""
    slopes = _slopes(hull)
    found = []
    for queued_s in met_s:
        after = int(np.searchsorted(hull.queued_s, queued_s))
        found += slopes[max(0, after - 2) : after + 1]
    return found
