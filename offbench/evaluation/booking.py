"""Booking of subtasks on slots (MODEL.md sections 2 and 3), compiled.

*p* is the problem and *w* the workspace (`workspace`). Times count from the arrival of a subtask's own task, so that
a late arrival takes no digits from short delays. Where tasks meet on a slot or in the queue, `Workspace.shift` tells
how far their arrivals are apart.
"""

import numpy as np

from offbench.evaluation.compiled import inlined
from offbench.model.arrays import LINK

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

DIGITS = 1e-12
"""times that differ by so small a part of them may be equal, or the other way round, but for rounding"""


@inlined
def book_in_order(p, w, decided, order):
    """Book by a dispatch order; return a subtask out of order, or -1."""
    for position in range(decided):
        k = order[position]
        if k < 0 or k >= decided or w.waits_for[k] != 0:
            return min(max(k, 0), decided - 1)
        w.waits_for[k] = decided + 1
        w.booked[position] = k
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
            push(w.heap_time, w.heap, size, arrive(p, w, k) + w.shift[k], k)
            size += 1
    serve(p, w, decided, 0, size, None)


@inlined
def goes_in_turn(p, decided):
    """Tell whether each subtask reads the one before it and nothing else, the first one its task's input: a chain."""
    in_turn = p.arrival_s.size == 1 and p.input_start[decided] == decided
    for k in range(1, decided):
        in_turn &= p.input_of[k] == k - 1
    return in_turn


@inlined
def book_in_turn(p, w, decided):
    """Book a chain: what a subtask reads is complete, and so is all before it, so that it waits for nothing."""
    here, done = np.int64(p.client), 0.0
    for k in range(decided):
        there, table = here, p.links_of[k]
        here = np.int64(w.at[k])
        transfer = p.input_mb[k] / p.link[table, there, here, LINK.rate_mb_per_s]
        transmission = transfer + p.link[table, there, here, LINK.latency_s]
        ready = done + transmission
        done = ready + w.execution[k]
        w.transmission[k] = transmission
        w.energy[k] = p.link[table, there, here, LINK.power_w] * transfer + p.run_energy_j[k, here]
        w.cost[k] = p.input_gb[k] * p.link[table, there, here, LINK.usd_per_gb] + p.run_usd[k, here]
        w.ready[k] = w.start[k] = ready
        w.end[k] = done
        w.booked[k] = k


@inlined
def serve(p, w, decided, first, size, log):
    """Book what is in the heap of ready subtasks and what becomes ready by that, from position *first* on.

    A *log* (`prefix.Prefix`) is told which slot each has, who had it before, and of doubts about its inputs.
    """
    w.heap_time[size] = np.inf
    # A ready subtask that never enters the heap if it comes next, as in a chain. Its time is at hand here
    # because a chain is as slow as the way from one completion to the next.
    following, following_time, following_ready = -1, 0.0, 0.0
    for position in range(first, decided):
        if following >= 0 and (size == 0 or _earlier(following_time, following, w.heap_time[0], w.heap[0])):
            k, ready = following, following_ready
        else:
            k = np.int64(w.heap[0])
            ready = w.ready[k]
            if following < 0:
                size -= 1
                following, following_time = np.int64(w.heap[size]), w.heap_time[size]
                w.heap_time[size] = np.inf
            _replace_first(w.heap_time, w.heap, size, following_time, following)
        following = -1
        w.booked[position] = k
        slot, before = book(p, w, k, ready, log is None)
        if log is not None:
            log.slot[k], log.before[k] = slot, before
        for i in range(p.reader_start[k], p.reader_start[k + 1]):
            reader = np.int64(p.reader_of[i])
            if reader >= decided:
                continue
            w.waits_for[reader] -= 1
            if w.waits_for[reader] == 0:
                if log is not None:
                    log.doubt[0] = 0
                ready = arrive(p, w, reader)
                if log is not None:
                    log.odd[reader] = log.doubt[0] > 0
                if following < 0:
                    following, following_time, following_ready = reader, ready + w.shift[reader], ready
                else:
                    push(w.heap_time, w.heap, size, ready + w.shift[reader], reader)
                    size += 1
                    w.heap_time[size] = np.inf


@inlined
def arrive(p, w, k):
    """Section 2: the transfer of the critical input (the first, in a tie), and of all; returns the ready time.

    The transmission delay is that transfer itself, not the ready time less a completion: an indicator that attains its
    scale is exactly 1.
    """
    # The first input apart: it is mostly the only one, and then there is nothing to compare.
    i = p.input_start[k]
    source = p.input_of[i]
    table = p.links_of[k]
    transfer = p.input_mb[i] / p.link[table, w.at[source], w.at[k], LINK.rate_mb_per_s]
    critical = transfer + p.link[table, w.at[source], w.at[k], LINK.latency_s]
    latest = w.end[source] + critical
    energy = p.link[table, w.at[source], w.at[k], LINK.power_w] * transfer
    cost = p.input_gb[i] * p.link[table, w.at[source], w.at[k], LINK.usd_per_gb]
    for i in range(p.input_start[k] + 1, p.input_start[k + 1]):
        source = p.input_of[i]
        transfer = p.input_mb[i] / p.link[table, w.at[source], w.at[k], LINK.rate_mb_per_s]
        transmission = transfer + p.link[table, w.at[source], w.at[k], LINK.latency_s]
        there = w.end[source] + transmission
        w.doubt[0] += (transmission != critical) & (abs(there - latest) <= DIGITS * latest)
        if there > latest:
            latest = there
            critical = transmission
        energy += p.link[table, w.at[source], w.at[k], LINK.power_w] * transfer
        cost += p.input_gb[i] * p.link[table, w.at[source], w.at[k], LINK.usd_per_gb]
    w.ready[k] = latest
    w.transmission[k] = critical
    w.energy[k] = energy + p.run_energy_j[k, w.at[k]]
    w.cost[k] = cost + p.run_usd[k, w.at[k]]
    return latest


@inlined
def book(p, w, k, ready, any_free):
    """Section 3: the slot that becomes free first, or *any_free* at the *ready* time; returns it and who had it.

    Where bookings come in the order of their ready times, a slot that is free now is as good as
    another: all later ones find both free.
    """
    station = station_of(p, k, w.at[k])
    slot = np.int64(p.slot_start[station])
    free = w.slot_free[slot] + (w.shift[w.slot_user[slot]] - w.shift[k])
    if any_free and free <= ready:
        begin = ready
    else:
        for other in range(slot + 1, p.slot_start[station + 1]):
            other_free = w.slot_free[other] + (w.shift[w.slot_user[other]] - w.shift[k])
            if other_free < free:
                slot, free = other, other_free
        begin = max(ready, free)
    done = begin + w.execution[k]
    w.start[k] = begin
    w.end[k] = done
    w.slot_free[slot] = done
    before = w.slot_user[slot]
    w.slot_user[slot] = k
    return slot, before


@inlined
def station_of(p, k, place):
    """Return the station whose slots and memory subtask *k* takes at a place: its own client's, or the server."""
    if p.memory_mb.size > p.kind.size and place == p.client:  # of one client no other station is known
        return np.int64(p.own_station[k])
    return np.int64(place)


@inlined
def free_slots(p, w):
    """Begin to book: no slot was had by any subtask."""
    w.slot_free[:] = -np.inf
    w.slot_user[:] = p.gcycles.size


@inlined
def predecessors(p, w, decided, first_come):
    """Return of each subtask that is booked which one had its slot before it; as many as there are where none had."""
    behind = np.empty(p.gcycles.size, np.uint32)
    free_slots(p, w)
    for position in range(decided):
        k = np.int64(w.booked[position])
        behind[k] = book(p, w, k, w.ready[k], first_come)[1]
    return behind


@inlined
def _earlier(time, k, other_time, other):
    return time < other_time or (time == other_time and k < other)


@inlined
def push(times, subtasks, size, time, k):
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
