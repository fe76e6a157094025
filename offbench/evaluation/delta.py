"""Placements scored again only where they change.

Where a layer is on every path, what comes after it waits for nothing that came before and sees no more of it
than that layer's server. So a task falls into segments that each end in such a layer: delay, energy, cost and
coordination are sums over them, and a segment is booked by itself, from time 0. The balance alone is
counted over all subtasks. Several tasks wait for one another and are one segment. The arithmetic is the
evaluator's but for the order of sums: differences of 1e-16 or so, which can break a tie of ready times another
way. So these values guide a search, and the evaluator confirms what it finds.

The input of a task is there from its arrival on. So no segment ends before the last layer that reads it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.booking import arrive, book, free_slots
from offbench.evaluation.compiled import inlined
from offbench.evaluation.kernel import add_execution, coordinate, score_of
from offbench.model.arrays import WEIGHT, Ints
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"


class Segments(NamedTuple):
    """The segments of an instance. Subtasks of a segment are consecutive, by index and in every dispatch order."""

    of: Ints
    """the segment of each subtask"""
    start: Ints
    """subtasks of segment b are ``start[b]:start[b + 1]``"""
    in_turn: NDArray[np.bool_]
    """of each segment: whether each subtask reads the one before it, so that none can wait for a slot"""
    waits_for: Ints
    """how many subtasks of its own segment each subtask reads"""


def segments_of(problem: Problem) -> Segments:
    """Return the segments of an instance; several tasks, which wait for one another, are one."""
    a, n = problem.arrays, problem.n_subtasks
    if len(a.arrival_s) > 1:
        inputs = np.searchsorted(a.input_start, np.arange(len(a.input_of)), side="right") - 1
        return Segments(
            np.zeros(n, np.int64), np.array([0, n]), np.zeros(1, np.bool_),
            np.bincount(inputs[a.input_of < n], minlength=n),
        )  # fmt: skip
    readers = np.diff(a.reader_start.astype(np.int64))
    reads = a.waits_for.astype(np.int64)
    last_reader = np.arange(n)
    np.maximum.at(last_reader, a.input_of[a.input_of < n], np.repeat(np.arange(n), reads))
    # A layer k is on every path if all before it are read, by none behind k, and none behind it reads the task's input.
    read_up_to = np.maximum.accumulate(np.where(readers > 0, last_reader, n))
    inputs = np.searchsorted(a.input_start, np.arange(len(a.input_of)), side="right") - 1
    last_at_client = inputs[a.input_of >= n][-1]
    k = np.arange(n)
    cut = (np.concatenate(([0], read_up_to[:-1])) <= k) & (k >= last_at_client)
    cut[-1] = True  # the last segment ends where the task does
    start = np.concatenate(([0], np.flatnonzero(cut) + 1))
    of = np.repeat(np.arange(len(start) - 1), np.diff(start))
    inside = (a.input_of < n) & (a.input_of >= start[of[inputs]])
    follows = np.isin(k, inputs[a.input_of == inputs - 1]) | np.isin(k, start)
    in_turn = np.logical_and.reduceat(follows, start[:-1])
    return Segments(of, start, in_turn, np.bincount(inputs[inside], minlength=n))


class Held(NamedTuple):
    """The placement that a change is made to."""

    servers: Any
    """of each subtask"""
    order: Any
    """its dispatch order; used only if there is one"""
    values: Any
    """what each segment adds to Q, the balance aside"""
    sums: Any
    """and to delay, energy, cost, and the violation of the tasks' deadlines, where there are constraints"""


class Changed(NamedTuple):
    """What all segments add up to; all but the value only where there are constraints."""

    value: Any
    """Q, the balance aside"""
    delay_s: Any
    energy_j: Any
    cost_usd: Any
    late: Any
    """violation of deadlines"""


@inlined
def changed_sums(p, w, segments, held, low, high, order, ordered, keep):
    """Return what all segments add up to after a change of some of the subtasks *low* to *high*.

    Parameters
    ----------
    p, w
        The problem, and the workspace, in which servers are changed already.
    segments
        The segments of the problem.
    held
        The placement before, and what its segments add. New values are kept there if *keep* says so.
    low, high
        The first and last index, or place in the order, that may have changed.
    order
        The dispatch order, changed already, if *ordered*.
    """
    last = segments.of[high]
    if high + 1 == segments.start[last + 1] and last + 2 < segments.start.size:
        last += 1  # it reads the last layer of the segment before
    total = delay = energy = cost = late = 0.0
    for b in range(held.values.size):
        total += held.values[b]
    if p.constrained:
        for b in range(held.values.size):
            delay += held.sums[b, 0]
            energy += held.sums[b, 1]
            cost += held.sums[b, 2]
            late += held.sums[b, 3]
    for b in range(segments.of[low], last + 1):
        for k in range(max(0, segments.start[b] - 1), segments.start[b + 1]):
            if w.at[k] != held.servers[k] or (ordered and order[k] != held.order[k]):
                here = _segment_sums(p, w, segments, b, order, ordered)
                total += here.value - held.values[b]
                if keep:
                    held.values[b] = here.value
                if p.constrained:
                    delay += here.delay_s - held.sums[b, 0]
                    energy += here.energy_j - held.sums[b, 1]
                    cost += here.cost_usd - held.sums[b, 2]
                    late += here.late - held.sums[b, 3]
                    if keep:
                        held.sums[b, 0] = here.delay_s
                        held.sums[b, 1] = here.energy_j
                        held.sums[b, 2] = here.cost_usd
                        held.sums[b, 3] = here.late
                break
    if p.constrained and p.arrival_s.size == 1:
        late = max(0.0, delay / p.deadline_s[0] - 1)
    return Changed(total, delay, energy, cost, late)


@inlined
def _segment_sums(p, w, segments, b, order, ordered):
    """Return what segment *b* adds; to the violation of deadlines only if it is all there is."""
    first, stop = segments.start[b], segments.start[b + 1]
    if first > 0:
        w.end[first - 1] = 0.0
    for k in range(first, stop):
        w.execution[k] = p.execution_s[k, w.at[k]]
    if segments.in_turn[b]:
        for k in range(first, stop):
            time = arrive(p, w, k)
            w.start[k] = time
            w.end[k] = time + w.execution[k]
    elif ordered:
        free_slots(p, w)
        for position in range(first, stop):
            k = order[position]
            book(p, w, k, arrive(p, w, k), False)
    else:
        _book_first_come(p, w, segments, first, stop)
    delay = energy = cost = coordination = late = 0.0
    for i in range(p.arrival_s.size):
        latest = 0.0
        for k in range(max(first, p.task_start[i]), min(stop, p.task_start[i + 1])):
            latest = max(latest, w.end[k])
        delay += latest
        if p.constrained:
            late += max(0.0, latest / p.deadline_s[i] - 1)
    add_execution(p, w, first, stop)
    coordinate(p, w, first, stop)
    for k in range(first, stop):
        energy += w.energy[k]
        cost += w.cost[k]
        coordination += w.coordination[k]
    gained = p.weights[WEIGHT.coordination] * coordination
    return Changed(p.weights[WEIGHT.score] * score_of(p, delay, energy, cost) - gained, delay, energy, cost, late)


@inlined
def _book_first_come(p, w, segments, first, stop):
    """Book the few subtasks of a segment first come, first served."""
    free_slots(p, w)
    for k in range(first, stop):
        w.waits_for[k] = segments.waits_for[k]
        if w.waits_for[k] == 0:
            arrive(p, w, k)
    booked = np.uint32(p.gcycles.size)  # more than any subtask waits for
    for _ in range(first, stop):
        k, earliest = first, np.inf
        for j in range(first, stop):
            if w.waits_for[j] == 0 and w.ready[j] + w.shift[j] < earliest:
                earliest, k = w.ready[j] + w.shift[j], j
        w.waits_for[k] = booked
        book(p, w, k, w.ready[k], True)
        for i in range(p.reader_start[k], p.reader_start[k + 1]):
            j = np.int64(p.reader_of[i])
            if j < stop:
                w.waits_for[j] -= 1
                if w.waits_for[j] == 0:
                    arrive(p, w, j)
