"""Booking of subtasks on slots (MODEL.md sections 2 and 3), compiled.

*p* is the problem and *w* the workspace (`workspace`).
"""

import numpy as np

from offbench.evaluation.compiled import inlined
from offbench.model.problem import LINK

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"


@inlined
def book_in_order(p, w, decided, order):
    """Book by a dispatch order; return a subtask out of order, or -1."""
    for position in range(decided):
        k = order[position]
        if k < 0 or k >= decided or w.waits_for[k] != 0:
            return min(max(k, 0), decided - 1)
        w.waits_for[k] = decided + 1
        book(p, w, k, arrive(p, w, k), False)
        for i in range(p.reader_start[k], p.reader_start[k + 1]):
            if p.reader_of[i] < decided:
                w.waits_for[p.reader_of[i]] -= 1
    return -1


@inlined
def book_first_come(p, w, decided):
    """Book first come, first served: by (ready time, subtask index)."""
    size = 0
    for k in range(decided):
        if w.waits_for[k] == 0:
            _push(w.heap_time, w.heap, size, arrive(p, w, k), k)
            size += 1
    w.heap_time[size] = np.inf
    # A ready subtask that never enters the heap if it comes next, as in a chain. Its time is at hand here
    # because a chain is as slow as the way from one completion to the next.
    following, following_time = -1, 0.0
    for _ in range(decided):
        if following >= 0 and (size == 0 or _earlier(following_time, following, w.heap_time[0], w.heap[0])):
            k, time = following, following_time
        else:
            k, time = np.int64(w.heap[0]), w.heap_time[0]
            if following < 0:
                size -= 1
                following, following_time = np.int64(w.heap[size]), w.heap_time[size]
                w.heap_time[size] = np.inf
            _replace_first(w.heap_time, w.heap, size, following_time, following)
        following = -1
        book(p, w, k, time, True)
        for i in range(p.reader_start[k], p.reader_start[k + 1]):
            reader = np.int64(p.reader_of[i])
            if reader >= decided:
                continue
            w.waits_for[reader] -= 1
            if w.waits_for[reader] == 0:
                time = arrive(p, w, reader)
                if following < 0:
                    following, following_time = reader, time
                else:
                    _push(w.heap_time, w.heap, size, time, reader)
                    size += 1
                    w.heap_time[size] = np.inf


@inlined
def arrive(p, w, k):
    """Section 2: completion of the critical input (the first, in a tie), transfers; returns the ready time."""
    # The first input apart: it is mostly the only one, and then there is nothing to compare.
    i = p.input_start[k]
    source = p.input_of[i]
    transfer = p.input_mb[i] / p.link[w.at[source], w.at[k], LINK.rate_mb_per_s]
    critical = w.end[source]
    latest = critical + transfer
    energy = p.link[w.at[source], w.at[k], LINK.power_w] * transfer
    cost = p.input_gb[i] * p.link[w.at[source], w.at[k], LINK.usd_per_gb]
    for i in range(p.input_start[k] + 1, p.input_start[k + 1]):
        source = p.input_of[i]
        transfer = p.input_mb[i] / p.link[w.at[source], w.at[k], LINK.rate_mb_per_s]
        there = w.end[source] + transfer
        if there > latest:
            latest = there
            critical = w.end[source]
        energy += p.link[w.at[source], w.at[k], LINK.power_w] * transfer
        cost += p.input_gb[i] * p.link[w.at[source], w.at[k], LINK.usd_per_gb]
    w.ready[k] = latest
    w.sent[k] = critical
    w.energy[k] = energy
    w.cost[k] = cost
    return latest


@inlined
def book(p, w, k, time, any_free):
    """Section 3: the slot that becomes free first, or *any_free* at the ready *time*.

    Where bookings come in the order of their ready times, a slot that is free now is as good as
    another: all later ones find both free.
    """
    slot = np.int64(p.slot_start[w.at[k]])
    if any_free and w.slot_free[slot] <= time:
        begin = time
    else:
        for other in range(slot + 1, p.slot_start[w.at[k] + 1]):
            if w.slot_free[other] < w.slot_free[slot]:
                slot = other
        begin = max(time, w.slot_free[slot])
    done = begin + w.execution[k]
    w.start[k] = begin
    w.end[k] = done
    w.slot_free[slot] = done


@inlined
def _earlier(time, k, other_time, other):
    return time < other_time or (time == other_time and k < other)


@inlined
def _push(times, subtasks, size, time, k):
    """Put a ready subtask into the binary heap of *size*."""
    child = size
    while child > 0:
        parent = (child - 1) // 2
        if not _earlier(time, k, times[parent], subtasks[parent]):
            break
        times[child] = times[parent]
        subtasks[child] = subtasks[parent]
        child = parent
    times[child] = time
    subtasks[child] = k


@inlined
def _replace_first(times, subtasks, size, time, k):
    """Put a ready subtask in place of the first of the heap; ``times[size]`` is infinite."""
    parent = 0
    child = 1
    while child < size:
        if _earlier(times[child + 1], subtasks[child + 1], times[child], subtasks[child]):
            child += 1
        if _earlier(time, k, times[child], subtasks[child]):
            break
        times[parent] = times[child]
        subtasks[parent] = subtasks[child]
        parent = child
        child = 2 * parent + 1
    times[parent] = time
    subtasks[parent] = k
