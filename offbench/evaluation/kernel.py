"""The evaluator's compiled loops: booking, then the numbers (MODEL.md sections 2-4).

Numba caches the machine code on disk. A call of a compiled function costs about 0.1 us for each
array that it takes, as much as scoring several subtasks, so a problem travels as two flat arrays that
`unpack` takes apart again; `problem.Arrays` says what the fields mean.
"""

from math import sqrt

import numpy as np
from numba import njit

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, assignment"

compiled = njit(cache=True, nogil=True, error_model="numpy")
inlined = njit(forceinline=True, error_model="numpy")

# Columns of a row of totals, and of a row of parts.
TOTALS = (
    "objective", "delay_s", "energy_j", "cost_usd", "score", "coordination", "balance",
    "final_imbalance", "makespan_s",
)  # fmt: skip
PARTS = (
    "delay_s", "execution_s", "transmission_s", "queueing_s", "energy_j", "cost_usd", "coordination",
    "imbalance", "start_s", "completion_s",
)  # fmt: skip


@compiled
def score(ints, floats, allowed, placements, orders, decided, totals, parts):
    """Score each row of *placements* on its first *decided* subtasks.

    Parameters
    ----------
    ints, floats
        The problem, packed.
    allowed
        Which servers each subtask may run on, shape ``(subtasks, servers)``.
    placements
        Server of each subtask, shape ``(rows, subtasks)``.
    orders
        Dispatch order of each row, or no rows: first come, first served.
    decided
        How many subtasks count, from the first on; the others are as if not there.
    totals
        Filled with a row of `TOTALS` for each placement.
    parts
        If it has rows: filled with a row of `PARTS` for each subtask of the last placement.

    Returns
    -------
    int
        -1, or ``row * subtasks + k`` where subtask *k* stands on a server that isn't allowed, or in
        the dispatch order twice or before an input.
    """
    # Plain local arrays: a field of a record costs a reference count wherever a loop reads it.
    (
        client, root, benefits, task_start, waits_at_first, input_start, input_of, reader_start, reader_of,
        slot_start, kind, peers, gcycles, arrival, input_mb, input_gb, ghz, usd_per_s, client_power, link, scale,
        weights, lambdas,
    ) = unpack(ints, floats)  # fmt: skip
    n = gcycles.size
    tasks = arrival.size
    # Sources of data: the subtasks, then the tasks' inputs, which are at the client on arrival.
    at = np.empty(n + tasks, np.uint32)
    at[n:] = client
    end = np.empty(n + tasks)
    end[n:] = arrival
    execution = np.empty(n)
    ready = np.empty(n)
    sent = np.empty(n)
    start = np.empty(n)
    delay = np.empty(n)
    energy = np.empty(n)
    cost = np.empty(n)
    coordination = np.empty(n)
    waits_for = np.empty(n, np.uint32)
    heap_time = np.empty(n + 1)
    heap = np.empty(n + 1, np.uint32)
    slot_free = np.empty(slot_start[-1])
    count = np.empty(kind.size, np.uint32)
    more_than = np.empty((3, decided), np.uint32)

    for row in range(placements.shape[0]):
        for k in range(decided):
            server = placements[row, k]
            if server < 0 or server >= kind.size or not allowed[k, server]:
                return row * n + k
            at[k] = server
            execution[k] = gcycles[k] / ghz[server]
            waits_for[k] = waits_at_first[k]
        slot_free[:] = -np.inf
        if orders.shape[0] > 0:
            fault = _book_in_order(
                decided, orders[row], waits_for, input_start, input_of, input_mb, input_gb, reader_start, reader_of,
                link, slot_start, at, execution, ready, sent, start, end, energy, cost, slot_free,
            )  # fmt: skip
            if fault >= 0:
                return row * n + fault
        else:
            _book_first_come(
                decided, heap_time, heap, waits_for, input_start, input_of, input_mb, input_gb, reader_start,
                reader_of, link, slot_start, at, execution, ready, sent, start, end, energy, cost, slot_free,
            )  # fmt: skip
        for k in range(decided):
            delay[k] = execution[k] + (ready[k] - sent[k]) + (start[k] - ready[k])
            energy[k] += client_power[at[k]] * execution[k]
            cost[k] += usd_per_s[at[k]] * execution[k]
        coordinate(decided, delay, energy, cost, coordination, scale, lambdas, root, benefits)
        imbalances, imbalance = balance_of(decided, at, kind, peers, count, more_than, parts)

        delay_sum = makespan = energy_sum = cost_sum = coordination_sum = 0.0
        for i in range(tasks):
            if task_start[i] >= decided:
                break
            latest = 0.0
            for k in range(task_start[i], min(decided, task_start[i + 1])):
                latest = max(latest, end[k])
                energy_sum += energy[k]
                cost_sum += cost[k]
                coordination_sum += coordination[k]
            delay_sum += latest - arrival[i]
            makespan = max(makespan, latest)
        system_score = (
            weights[0] * delay_sum / scale[0] + weights[1] * energy_sum / scale[1] + weights[2] * cost_sum / scale[2]
        )
        balance = imbalances / scale[3]
        totals[row, 0] = weights[3] * system_score - weights[4] * coordination_sum + weights[5] * balance
        totals[row, 1] = delay_sum
        totals[row, 2] = energy_sum
        totals[row, 3] = cost_sum
        totals[row, 4] = system_score
        totals[row, 5] = coordination_sum
        totals[row, 6] = balance
        totals[row, 7] = imbalance
        totals[row, 8] = makespan

    if parts.shape[0] > 0:
        for k in range(decided):
            parts[k, 0] = delay[k]
            parts[k, 1] = execution[k]
            parts[k, 2] = ready[k] - sent[k]
            parts[k, 3] = start[k] - ready[k]
            parts[k, 4] = energy[k]
            parts[k, 5] = cost[k]
            parts[k, 6] = coordination[k]
            parts[k, 8] = start[k]
            parts[k, 9] = end[k]
    return -1


@compiled
def _book_in_order(
    decided, order, waits_for, input_start, input_of, input_mb, input_gb, reader_start, reader_of, link,
    slot_start, at, execution, ready, sent, start, end, energy, cost, slot_free,
):  # fmt: skip
    """Section 3, a dispatch order; returns a subtask out of order, or -1."""
    for position in range(decided):
        k = order[position]
        if k < 0 or k >= decided or waits_for[k] != 0:
            return min(max(k, 0), decided - 1)
        waits_for[k] = decided + 1
        time = arrive(k, input_start, input_of, input_mb, input_gb, link, at, end, ready, sent, energy, cost)
        book(k, time, False, slot_start, at, execution, start, end, slot_free)
        for i in range(reader_start[k], reader_start[k + 1]):
            if reader_of[i] < decided:
                waits_for[reader_of[i]] -= 1
    return -1


@compiled
def _book_first_come(
    decided, heap_time, heap, waits_for, input_start, input_of, input_mb, input_gb, reader_start, reader_of, link,
    slot_start, at, execution, ready, sent, start, end, energy, cost, slot_free,
):  # fmt: skip
    """Section 3, first come, first served: by (ready time, subtask index)."""
    size = 0
    for k in range(decided):
        if waits_for[k] == 0:
            time = arrive(k, input_start, input_of, input_mb, input_gb, link, at, end, ready, sent, energy, cost)
            _push(heap_time, heap, size, time, k)
            size += 1
    heap_time[size] = np.inf
    # A ready subtask that never enters the heap if it comes next, as in a chain. Its time is at hand here
    # because a chain is as slow as the way from one completion to the next.
    following, following_time = -1, 0.0
    for _ in range(decided):
        if following >= 0 and (size == 0 or _earlier(following_time, following, heap_time[0], heap[0])):
            k, time = following, following_time
        else:
            k, time = np.int64(heap[0]), heap_time[0]
            if following < 0:
                size -= 1
                following, following_time = np.int64(heap[size]), heap_time[size]
                heap_time[size] = np.inf
            _replace_first(heap_time, heap, size, following_time, following)
        following = -1
        book(k, time, True, slot_start, at, execution, start, end, slot_free)
        for i in range(reader_start[k], reader_start[k + 1]):
            reader = np.int64(reader_of[i])
            if reader >= decided:
                continue
            waits_for[reader] -= 1
            if waits_for[reader] == 0:
                time = arrive(
                    reader, input_start, input_of, input_mb, input_gb, link, at, end, ready, sent, energy, cost
                )
                if following < 0:
                    following, following_time = reader, time
                else:
                    _push(heap_time, heap, size, time, reader)
                    size += 1
                    heap_time[size] = np.inf


@inlined
def unpack(ints, floats):
    """Take apart what `problem.Problem.packed` holds."""
    e = ints[3:23]
    servers = np.int64(e[7]) - np.int64(e[6])
    return (
        np.int64(ints[0]), np.int64(ints[1]), ints[2] > 0,
        ints[23 : e[0]], ints[e[0] : e[1]], ints[e[1] : e[2]], ints[e[2] : e[3]], ints[e[3] : e[4]],
        ints[e[4] : e[5]], ints[e[5] : e[6]], ints[e[6] : e[7]], ints[e[7] : e[8]],
        floats[: e[9]], floats[e[9] : e[10]], floats[e[10] : e[11]], floats[e[11] : e[12]],
        floats[e[12] : e[13]], floats[e[13] : e[14]],
        floats[e[14] : e[15]], floats[e[15] : e[16]].reshape((servers, servers, 3)),
        floats[e[16] : e[17]], floats[e[17] : e[18]], floats[e[18] : e[19]],
    )  # fmt: skip


@inlined
def arrive(k, input_start, input_of, input_mb, input_gb, link, at, end, ready, sent, energy, cost):
    """Section 2: completion of the critical input (the first, in a tie), transfers; returns the ready time."""
    # The first input apart: it is mostly the only one, and then there is nothing to compare.
    i = input_start[k]
    source = input_of[i]
    transfer = input_mb[i] / link[at[source], at[k], 0]
    critical = end[source]
    latest = critical + transfer
    energy_k = link[at[source], at[k], 1] * transfer
    cost_k = input_gb[i] * link[at[source], at[k], 2]
    for i in range(input_start[k] + 1, input_start[k + 1]):
        source = input_of[i]
        transfer = input_mb[i] / link[at[source], at[k], 0]
        there = end[source] + transfer
        if there > latest:
            latest = there
            critical = end[source]
        energy_k += link[at[source], at[k], 1] * transfer
        cost_k += input_gb[i] * link[at[source], at[k], 2]
    ready[k] = latest
    sent[k] = critical
    energy[k] = energy_k
    cost[k] = cost_k
    return latest


@inlined
def book(k, time, any_free, slot_start, at, execution, start, end, slot_free):
    """Section 3: the slot that becomes free first, or *any_free* at the ready *time*.

    Where bookings come in the order of their ready times, a slot that is free now is as good as
    another: all later ones find both free.
    """
    slot = np.int64(slot_start[at[k]])
    if any_free and slot_free[slot] <= time:
        begin = time
    else:
        for other in range(slot + 1, slot_start[at[k] + 1]):
            if slot_free[other] < slot_free[slot]:
                slot = other
        begin = max(time, slot_free[slot])
    done = begin + execution[k]
    start[k] = begin
    end[k] = done
    slot_free[slot] = done


@inlined
def coordinate(decided, delay, energy, cost, coordination, scale, lambdas, root, benefits):
    """Eq. 10 and 11 of each subtask; the usual reading in a loop that the compiler vectorises.

    Indicators are divided, not multiplied by an inverse: one that attains its scale must be exactly
    1, for a cube root makes 1e-6 of a benefit of 1e-16.
    """
    largest_delay, largest_energy, largest_cost = scale[0], scale[1], scale[2]
    of_delay, of_energy, of_cost = lambdas[0], lambdas[1], lambdas[2]
    if root == 2 and not benefits:
        for k in range(decided):
            t, e, u = delay[k] / largest_delay, energy[k] / largest_energy, cost[k] / largest_cost
            total = t + e + u
            share = 1 / total if total > 0 else 0.0
            x = (t * share) * (e * share) * (u * share)
            coordination[k] = sqrt(3 * sqrt(x) * (of_delay * t + of_energy * e + of_cost * u))
        return
    for k in range(decided):
        t, e, u = delay[k] / largest_delay, energy[k] / largest_energy, cost[k] / largest_cost
        if benefits:
            t, e, u = 1 - min(1.0, t), 1 - min(1.0, e), 1 - min(1.0, u)
        total = t + e + u
        share = 1 / total if total > 0 else 0.0
        x = (t * share) * (e * share) * (u * share)
        coupling = 3 * (sqrt(x) if root == 2 else np.cbrt(x))
        coordination[k] = sqrt(coupling * (of_delay * t + of_energy * e + of_cost * u))


@inlined
def balance_of(decided, at, kind, peers, count, more_than, parts):
    """Eq. 12 after each subtask in index order; returns the sum of all and the last."""
    count[:] = 0
    more_than[:] = 0
    imbalances = imbalance = 0
    for k in range(decided):
        group = kind[at[k]]
        had = count[at[k]]
        # One more here: farther from each server of the kind that has no more, nearer to the others.
        imbalance += np.int64(peers[group]) - 2 * np.int64(more_than[group, had])
        more_than[group, had] += 1
        count[at[k]] = had + 1
        imbalances += imbalance
        if parts.shape[0] > 0:
            parts[k, 7] = imbalance
    return imbalances, imbalance


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
