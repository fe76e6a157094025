"""One subtask more for the first ones of a placement, at the cost of what it changes; compiled.

First come, first served, the bookings of a prefix stand in the order of their ready times. One subtask more has its
place among them: those before it don't know of it, and of those behind it only what it delays is booked anew.

*p* is the problem and *x* the prefix (`prefix.Prefix`).
"""

from typing import Any, NamedTuple

import numpy as np

from offbench.evaluation.booking import arrive, book, push, serve, station_of
from offbench.evaluation.careful import late, of_near_benefits, short
from offbench.evaluation.compiled import borrowed, compiled, inlined
from offbench.evaluation.constraints import excess
from offbench.evaluation.coordination import h
from offbench.evaluation.held_weights import carry, excess_of, there
from offbench.evaluation.kernel import TOTAL, score_of
from offbench.evaluation.prefix import NUMBER, SUM, prefix_of
from offbench.evaluation.workspace import unpack
from offbench.model.arrays import SCALE, WEIGHT
from offbench.model.problem import FEASIBLE

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

# Bits of `Prefix.odd` beside the first, which is set where rounding may have decided which input is critical.
_SHORT, _LATE = 2, 4


@compiled
def begin(ints, floats, shared, reals, counts, row, servers, decided, completion):
    """Let an empty row be the first *decided* subtasks on their *servers*."""
    p = borrowed(unpack(ints, floats))
    x = borrowed(prefix_of(p, borrowed(shared), borrowed(reals)[row], borrowed(counts)[row]))
    servers, completion = borrowed(servers), borrowed(completion)
    for k in range(decided):
        x.at[k] = servers[k]
        x.execution[k] = p.execution_s[k, servers[k]]
        x.waits_for[k] = p.waits_for[k]
        for kind in range(3):
            x.more_than[kind, k] = 0
    size = 0
    for k in range(decided):
        if x.waits_for[k] == 0:
            x.doubt[0] = 0
            push(x.heap_time, x.heap, size, arrive(p, x, k) + x.shift[k], k)
            x.odd[k] = x.doubt[0] > 0
            size += 1
    serve(p, x, decided, 0, size, x)
    for k in range(decided):
        _work_out(p, x, k)
        x.numbers[NUMBER.odd] += _is_odd(x.odd[k])
        _count(p, x, k)
    x.numbers[NUMBER.decided] = decided
    _add_up(p, x, 0, decided - 1, True)
    if completion.size > 0:
        _tell(p, x, 0, decided, completion[row])


@compiled
def walk(
    ints, floats, allowed, shared, reals, counts, servers, decided, active, completion, totals, tried, ceiling, work
):  # fmt: skip
    """Append subtasks to rows.

    Parameters
    ----------
    ints, floats, allowed, shared, reals, counts
        The problem, packed, and the prefixes.
    servers, decided, active, completion
        As `Prefixes.go_on` has them.
    totals
        Filled with a row of `TOTALS` for each; NaN where the prefix must be scored as a whole.
    tried
        If it has rows: filled with one for each place of the subtask behind the last.
    ceiling
        `Problem.ceiling`, or 1 without constraints, if the best place is to be chosen; or else 0.
    work
        How many bookings that may take.

    Returns
    -------
    int
        How many it took.
    """
    p = borrowed(unpack(ints, floats))
    shared, reals, counts = borrowed(shared), borrowed(reals), borrowed(counts)
    servers, completion, totals, tried = borrowed(servers), borrowed(completion), borrowed(totals), borrowed(tried)
    allowed, active, decided = borrowed(allowed), borrowed(active), borrowed(decided)
    places, took, choose, best_merit = p.kind.size, 0, ceiling > 0, np.inf
    for row in range(decided.size):
        if not active[row]:
            continue
        x = borrowed(prefix_of(p, shared, reals[row], counts[row]))
        stop = decided[row]
        more = 1 if tried.shape[0] > 0 and not choose and stop < p.gcycles.size else 0
        for k in range(np.int64(x.numbers[NUMBER.decided]), stop + more):
            best, doubtful = -1, False
            # Each place is tried, where that is wanted; then one is kept.
            for turn in range(0 if choose or k == stop else places, places + (0 if k == stop else 1)):
                keep, s = turn == places, turn
                if keep:
                    if doubtful:
                        return took
                    s = best if choose else servers[row, k]
                elif not allowed[k, s]:
                    continue
                put = _put(p, x, k, s)
                took += k + 1 - put.position if put.among else 1
                added = _add_up(p, x, put.lowest, k, keep)
                if keep:
                    _count(p, x, k)
                    x.numbers[NUMBER.decided] = k + 1
                    servers[row, k] = s
                    if completion.size > 0:
                        _tell(p, x, put.position, k + 1 if put.among else put.position + 1, completion[row])
                    continue
                doubtful |= x.numbers[NUMBER.odd] > 0
                _fill_tried(p, x, added, k, s, tried[s])
                merit = _merit(p, tried[s], ceiling)
                if best < 0 or merit < best_merit:
                    best, best_merit = s, merit
                _take_back(p, x, k, put)
            if choose and took > work:
                return took
        _fill_now(p, x, stop, totals[row])
    return took


@inlined
def _fill_now(p, x, decided, totals):
    added = _Added(0.0, 0.0, 0.0, 0.0)
    if decided > 0:
        added = _add_up(p, x, decided - 1, decided - 1, False)
    _fill(
        p, x, added, x.sums[SUM.energy_j], x.sums[SUM.cost_usd], x.sums[SUM.imbalances], x.sums[SUM.imbalance],
        x.sums[SUM.memory_violation], totals,
    )  # fmt: skip


@inlined
def _fill_tried(p, x, added, k, s, totals):
    """Fill totals with what the prefix comes to with subtask *k* as well, which is put at place *s* for a trial."""
    memory = x.sums[SUM.memory_violation]
    if not there(p, x.cells, x.held, k, s):
        station = station_of(p, k, s)
        filled = x.held.mb[station] + p.weights_mb[k]
        memory += max(0.0, filled / p.memory_mb[station] - 1) - excess_of(p, x.held, station)
    imbalance = x.sums[SUM.imbalance] + _change_of_imbalance(p, x, s)
    _fill(
        p, x, added, x.sums[SUM.energy_j] + x.energy[k], x.sums[SUM.cost_usd] + x.cost[k],
        x.sums[SUM.imbalances] + imbalance, imbalance, memory, totals,
    )  # fmt: skip


@inlined
def _merit(p, totals, ceiling):
    """Return `Problem.merit`."""
    if not p.constrained or totals[TOTAL.violation] <= FEASIBLE:
        return totals[TOTAL.objective]
    return ceiling * (1 + totals[TOTAL.violation])


@inlined
def _tell(p, x, first, stop, completion):
    """Tell when the subtasks at these positions are complete on the clock, none before what it waits for."""
    for q in range(first, stop):
        k = np.int64(x.booked[q])
        arrival_s = p.arrival_s[x.task_of[k]]
        begin = arrival_s + x.start[k]
        if x.before[k] < p.gcycles.size:
            begin = max(begin, completion[x.before[k]])
        for i in range(p.input_start[k], p.input_start[k + 1]):
            if p.input_of[i] < p.gcycles.size:
                begin = max(begin, completion[p.input_of[i]])
        completion[k] = max(begin, arrival_s + x.end[k])


class _Put(NamedTuple):
    """What putting a subtask changed."""

    position: Any
    """its place among the bookings"""
    among: Any
    """whether any behind it is at its station, so that all behind it were booked anew"""
    lowest: Any
    """the first subtask that has other times than before"""
    odd: Any
    """`NUMBER.odd` before"""


class _Added(NamedTuple):
    """Sums over a prefix that what comes behind can change."""

    coordination: Any
    delay_s: Any
    makespan_s: Any
    late: Any


@inlined
def _put(p, x, k, s):
    """Book subtask *k*, the next one, at place *s*, and anew what that delays."""
    odd = x.numbers[NUMBER.odd]
    x.at[k] = s
    x.execution[k] = p.execution_s[k, s]
    for kind in range(3):
        x.more_than[kind, k] = 0
    x.doubt[0] = 0
    ready = arrive(p, x, k)
    x.odd[k] = x.doubt[0] > 0
    time, station = ready + x.shift[k], station_of(p, k, s)
    position, among = k, False
    while position > 0:
        j = np.int64(x.booked[position - 1])
        if x.ready[j] + x.shift[j] <= time:
            break
        among |= station_of(p, j, x.at[j]) == station
        position -= 1
    if among:
        _remember(x, position, k)
        for q in range(k - 1, position - 1, -1):
            _leave(p, x, np.int64(x.booked[q]))
    for q in range(k, position, -1):
        x.booked[q] = x.booked[q - 1]
    x.booked[position] = k
    _book(p, x, k)
    _work_out(p, x, k)
    x.numbers[NUMBER.odd] += _is_odd(x.odd[k])
    lowest = k
    if among:
        changed = _book_again(p, x, position + 1, k)
        for q in range(position + 1, k + 1):
            j = np.int64(x.booked[q])
            if q >= changed:
                lowest = min(lowest, j)
                _work_out(p, x, j)
            elif x.odd[j] & _SHORT:
                _mark(p, x, j)
            x.numbers[NUMBER.odd] += _is_odd(x.odd[j])
    return _Put(position, among, lowest, odd)


@inlined
def _take_back(p, x, k, put):
    """Undo `_put`."""
    if put.among:
        for q in range(k, put.position - 1, -1):
            _leave(p, x, np.int64(x.booked[q]))
        _recall(x, put.position, k)
    else:
        _leave(p, x, k)
        for q in range(put.position, k):
            x.booked[q] = x.booked[q + 1]
    x.numbers[NUMBER.odd] = put.odd


@inlined
def _book(p, x, k):
    slot, before = book(p, x, k, x.ready[k], False)
    x.slot[k], x.before[k] = slot, before


@inlined
def _leave(p, x, k):
    """Give the slot of subtask *k*, the last that had it, back to who had it before."""
    slot, before = np.int64(x.slot[k]), np.int64(x.before[k])
    x.slot_user[slot] = before
    x.slot_free[slot] = x.end[before] if before < p.gcycles.size else -np.inf


@inlined
def _book_again(p, x, first, k):
    """Book from position *first* to *k* as before; from the first time that is another on as it comes.

    Returns the position of that, or ``k + 1``.
    """
    for q in range(first, k + 1):
        j = np.int64(x.booked[q])
        done = x.end[j]
        _book(p, x, j)
        if x.end[j] != done:
            _book_rest(p, x, q + 1, k + 1)
            return q
    return k + 1


@inlined
def _book_rest(p, x, first, stop):
    """Book what stands at positions *first* to *stop* first come, first served."""
    for q in range(first, stop):
        x.waits_for[x.booked[q]] = 0
    for q in range(first, stop):
        j = np.int64(x.booked[q])
        for i in range(p.reader_start[j], p.reader_start[j + 1]):
            if p.reader_of[i] < stop:
                x.waits_for[p.reader_of[i]] += 1
    size = 0
    for q in range(first, stop):
        j = np.int64(x.booked[q])
        if x.waits_for[j] == 0:
            x.doubt[0] = 0
            push(x.heap_time, x.heap, size, arrive(p, x, j) + x.shift[j], j)
            x.odd[j] = x.doubt[0] > 0
            size += 1
    serve(p, x, stop, first, size, x)


@inlined
def _work_out(p, x, k):
    """Delay and H of subtask *k*, and whether it is odd."""
    x.delay[k] = x.execution[k] + x.transmission[k] + (x.start[k] - x.ready[k])
    x.coordination[k] = h(
        x.delay[k] / p.scale[SCALE.delay], x.energy[k] / p.scale[SCALE.energy], x.cost[k] / p.scale[SCALE.cost],
        p.lambdas, p.root, p.benefits,
    )  # fmt: skip
    if p.weights[WEIGHT.coordination] > 0:
        if p.benefits:
            of_near_benefits(p, x, k)
        _mark(p, x, k)
    else:
        x.odd[k] = 0


@inlined
def _mark(p, x, k):
    x.odd[k] &= 1
    if short(p, x, k):
        x.odd[k] += _SHORT
        if late(p, x, x.before, k):
            x.odd[k] += _LATE


@inlined
def _is_odd(bits):
    return 1 if bits & 1 or bits & _LATE else 0


@inlined
def _count(p, x, k):
    """Count subtask *k*, the next one, in what doesn't depend on times."""
    s = x.at[k]
    kind, had = p.kind[s], x.count[s]
    imbalance = x.sums[SUM.imbalance] + _change_of_imbalance(p, x, s)
    x.sums[SUM.imbalance] = imbalance
    x.sums[SUM.imbalances] += imbalance
    x.more_than[kind, had] += 1
    x.count[s] = had + 1
    x.sums[SUM.energy_j] += x.energy[k]
    x.sums[SUM.cost_usd] += x.cost[k]
    if p.weighed.size > 0:
        x.sums[SUM.memory_violation] += carry(p, x.cells, x.held, k, p.kind.size, s)


@inlined
def _change_of_imbalance(p, x, s):
    """Return by how much Z grows with one more subtask at place *s* (`kernel.balance_of`)."""
    kind = p.kind[s]
    return float(np.int64(p.peers[kind]) - 2 * np.int64(x.more_than[kind, x.count[s]]))


@inlined
def _add_up(p, x, lowest, k, keep):
    """Add up to subtask *k* from the first on that has other times, and *keep* that or not."""
    i = x.task_of[max(0, lowest - 1)]
    gained = x.gained[lowest]
    delay, makespan, too_late = x.tasks[i, 0], x.tasks[i, 1], x.tasks[i, 2]
    latest = x.peak[lowest - 1] if lowest > 0 else 0.0
    for j in range(lowest, k + 1):
        if x.task_of[j] != i:
            delay += latest
            makespan = max(makespan, p.arrival_s[i] + latest)
            too_late += excess(latest, p.deadline_s[i])
            latest = 0.0
            i += 1
            if keep:
                x.tasks[i, 0], x.tasks[i, 1], x.tasks[i, 2] = delay, makespan, too_late
        latest = max(latest, x.end[j])
        gained += x.coordination[j]
        if keep:
            x.peak[j] = latest
            x.gained[j + 1] = gained
    return _Added(
        gained, delay + latest, max(makespan, p.arrival_s[i] + latest), too_late + excess(latest, p.deadline_s[i])
    )


@inlined
def _fill(p, x, added, energy, cost, imbalances, imbalance, memory, totals):
    system_score = score_of(p, added.delay_s, energy, cost)
    balance = imbalances / p.scale[SCALE.balance]
    totals[TOTAL.objective] = (
        p.weights[WEIGHT.score] * system_score
        - p.weights[WEIGHT.coordination] * added.coordination
        + p.weights[WEIGHT.balance] * balance
    )
    totals[TOTAL.delay_s] = added.delay_s
    totals[TOTAL.energy_j] = energy
    totals[TOTAL.cost_usd] = cost
    totals[TOTAL.score] = system_score
    totals[TOTAL.coordination] = added.coordination
    totals[TOTAL.balance] = balance
    totals[TOTAL.final_imbalance] = imbalance
    totals[TOTAL.makespan_s] = added.makespan_s
    memory = max(0.0, memory)
    limits = excess(added.delay_s, p.limit[0]) + excess(energy, p.limit[1]) + excess(cost, p.limit[2])
    totals[TOTAL.violation] = memory + added.late + limits
    totals[TOTAL.memory_violation] = memory
    totals[TOTAL.deadline_violation] = added.late
    totals[TOTAL.limit_violation] = limits
    if x.numbers[NUMBER.odd] > 0:
        totals[TOTAL.objective] = np.nan


@inlined
def _remember(x, first, stop):
    """Keep what the subtasks at positions *first* to *stop* have; none of them is counted as odd until then."""
    for q in range(first, stop):
        j = np.int64(x.booked[q])
        x.bookings[0, q], x.bookings[1, q], x.bookings[2, q], x.bookings[3, q] = j, x.slot[j], x.before[j], x.odd[j]
        x.times[0, q], x.times[1, q], x.times[2, q] = x.ready[j], x.start[j], x.end[j]
        x.times[3, q], x.times[4, q], x.times[5, q] = x.transmission[j], x.delay[j], x.coordination[j]
        x.numbers[NUMBER.odd] -= _is_odd(x.odd[j])


@inlined
def _recall(x, first, stop):
    for q in range(first, stop):
        j = np.int64(x.bookings[0, q])
        x.booked[q], x.slot[j], x.before[j], x.odd[j] = j, x.bookings[1, q], x.bookings[2, q], x.bookings[3, q]
        x.ready[j], x.start[j], x.end[j] = x.times[0, q], x.times[1, q], x.times[2, q]
        x.transmission[j], x.delay[j], x.coordination[j] = x.times[3, q], x.times[4, q], x.times[5, q]
        x.slot_free[x.slot[j]] = x.end[j]
        x.slot_user[x.slot[j]] = j
