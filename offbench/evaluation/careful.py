"""Coordination of subtasks in 32 digits where 16 are too few; compiled.

H rises from 0 infinitely steeply: of a benefit of 1e-16, the last digit of 1, the cube root of Eq. 11 makes 1e-3. So
where a benefit is what is left of 1 by a small difference, or a delay is what is left of two late times, the difference
is taken of numbers in two parts (`double_double`). What even these can't tell from 0 is 0.

*p* is the problem and *w* the workspace (`workspace`).
"""

import numpy as np

from offbench.evaluation.booking import DIGITS, predecessors, station_of
from offbench.evaluation.compiled import inlined
from offbench.evaluation.coordination import h_of
from offbench.evaluation.double_double import add, less, quotient_of, subtract, sum_of, times
from offbench.evaluation.workspace import first_arrival_s
from offbench.model.arrays import LINK, SCALE

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

# A difference of so small a part of its terms has lost too many digits, and one of this part of them is 0.
_NEAR = 1e-7
_ZERO = 1e-27
# Delays in 32 digits that differ from those in 16 by more than this part.
_DIFFERS = 1e-13


@inlined
def coordinate_carefully(p, w, decided, first_come):
    """Work out H once more of the subtasks that need it."""
    again = w.doubt[0] > 0
    near = 0
    if p.benefits:
        for k in range(decided):
            near += of_near_benefits(p, w, k)
    else:
        for k in range(decided):
            near += short(p, w, k)
    if near > 0 and not again:
        behind = predecessors(p, w, decided, first_come)
        for k in range(decided):
            again |= short(p, w, k) and late(p, w, behind, k)
    if again:
        _book_again(p, w, decided)


@inlined
def of_near_benefits(p, w, k):
    """Work out H once more of a subtask of whose benefits little is left; tell whether that is so of its delay's."""
    t, e, u = (
        w.delay[k] / p.scale[SCALE.delay], w.energy[k] / p.scale[SCALE.energy], w.cost[k] / p.scale[SCALE.cost],
    )  # fmt: skip
    if _near(t) or _near(e) or _near(u):
        of_delay = _benefit(p, _unqueued_s(p, w, k), SCALE.delay) if _near(t) else 1 - min(1.0, t)
        w.coordination[k] = _of_benefits(p, w, k, of_delay)
    return _near(t)


@inlined
def short(p, w, k):
    """Tell whether so little is left of a delay, or of its benefit, that it may have lost too many digits."""
    if p.benefits:
        return _near(w.delay[k] / p.scale[SCALE.delay])
    return w.delay[k] < _NEAR * w.end[k]


@inlined
def late(p, w, behind, k):
    """Tell whether a subtask queues, or may do so but for rounding: behind one that isn't its input."""
    if w.start[k] != w.ready[k]:
        return True
    before = np.int64(behind[k])
    if before == p.gcycles.size:
        return False
    for i in range(p.input_start[k], p.input_start[k + 1]):
        if p.input_of[i] == before:
            return False
    free = w.end[before] + (w.shift[before] - w.shift[k])
    return abs(free - w.ready[k]) <= DIGITS * w.ready[k]


@inlined
def _of_benefits(p, w, k, t):
    e, u = w.energy[k] / p.scale[SCALE.energy], w.cost[k] / p.scale[SCALE.cost]
    e = _benefit(p, _energy_j(p, w, k), SCALE.energy) if _near(e) else 1 - min(1.0, e)
    u = _benefit(p, _cost_usd(p, w, k), SCALE.cost) if _near(u) else 1 - min(1.0, u)
    return h_of(t, e, u, p.lambdas, p.root)


@inlined
def _benefit(p, value, scale):
    """Return how much of 1 is left by a value over its scale; costs are in 1/18000 $."""
    largest = p.scale[scale], p.scale_rest[scale]
    if scale == SCALE.cost:
        largest = times(largest, 18000.0)
    left = subtract(largest, value)[0] / largest[0]
    return left if left > _ZERO else 0.0


@inlined
def _execution_s(p, w, k):
    return p.execution_s[k, w.at[k]], p.execution_rest_s[k, w.at[k]]


@inlined
def _link(p, w, k, i, fact):
    return p.link[p.links_of[k], w.at[p.input_of[i]], w.at[k], fact]


@inlined
def _transfer_s(p, w, k, i):
    if w.at[p.input_of[i]] == w.at[k]:
        return 0.0, 0.0
    return quotient_of(p.input_mb[i], _link(p, w, k, i, LINK.rate_mb_per_s))


@inlined
def _transmission_s(p, w, k, i):
    return add(_transfer_s(p, w, k, i), (_link(p, w, k, i, LINK.latency_s), 0.0))


@inlined
def _unqueued_s(p, w, k):
    """Return execution and transmission delay."""
    longest = 0.0, 0.0
    for i in range(p.input_start[k], p.input_start[k + 1]):
        transfer_s = p.input_mb[i] / _link(p, w, k, i, LINK.rate_mb_per_s)
        if transfer_s + _link(p, w, k, i, LINK.latency_s) == w.transmission[k]:
            longest = _transmission_s(p, w, k, i)
            break
    return add(_execution_s(p, w, k), longest)


@inlined
def _client_of(p, k):
    """Return the number of a subtask's client among the clients."""
    station = np.int64(p.own_station[k])
    return 0 if station == p.client else station - p.kind.size + 1


@inlined
def _energy_j(p, w, k):
    energy = times(_execution_s(p, w, k), p.client_power_w[_client_of(p, k), w.at[k]])
    for i in range(p.input_start[k], p.input_start[k + 1]):
        power_w = _link(p, w, k, i, LINK.power_w)
        energy = add(energy, times(_transfer_s(p, w, k, i), power_w))
    return energy


@inlined
def _cost_usd(p, w, k):
    """Return the cost in 1/18000 $: prices are per hour and for 1000 MB, and a double has no 1/3600."""
    cost = times(times(_execution_s(p, w, k), p.usd_per_h[_client_of(p, k), w.at[k]]), 5.0)
    for i in range(p.input_start[k], p.input_start[k + 1]):
        usd_per_gb = _link(p, w, k, i, LINK.usd_per_gb)
        cost = add(cost, times(times((p.input_mb[i], 0.0), usd_per_gb), 18.0))
    return cost


@inlined
def _book_again(p, w, decided):
    """Book by the same order in numbers of two parts, and work out H where the queueing delay needs it."""
    n, first = p.gcycles.size, first_arrival_s(p)
    high, low = np.zeros(n + p.arrival_s.size), np.zeros(n + p.arrival_s.size)
    free_high, free_low = np.full(w.slot_free.size, -np.inf), np.zeros(w.slot_free.size)
    for i in range(p.arrival_s.size):
        high[n + i], low[n + i] = sum_of(p.arrival_s[i], -first)
    for position in range(decided):
        k = np.int64(w.booked[position])
        ready, transmission = (-1.0, 0.0), (0.0, 0.0)
        for i in range(p.input_start[k], p.input_start[k + 1]):
            source = p.input_of[i]
            late = _transmission_s(p, w, k, i)
            there = add((high[source], low[source]), late)
            if less(ready, there):
                ready, transmission = there, late
        station = station_of(p, k, w.at[k])
        slot = np.int64(p.slot_start[station])
        for other in range(slot + 1, p.slot_start[station + 1]):
            if less((free_high[other], free_low[other]), (free_high[slot], free_low[slot])):
                slot = other
        queued = 0.0, 0.0
        free = free_high[slot], free_low[slot]
        if free_high[slot] > -np.inf and less(ready, free):
            queued = subtract(free, ready)
            if queued[0] <= _ZERO * free[0]:
                queued = 0.0, 0.0
        unqueued = add(_execution_s(p, w, k), transmission)
        delay = add(unqueued, queued)
        end = add(add(ready, queued), _execution_s(p, w, k))
        high[k], low[k] = end
        free_high[slot], free_low[slot] = end
        if abs(delay[0] - w.delay[k]) > _DIFFERS * delay[0] or (p.benefits and _near(delay[0] / p.scale[SCALE.delay])):
            w.delay[k], w.transmission[k] = delay[0], transmission[0]
            t = delay[0] / p.scale[SCALE.delay]
            if p.benefits:
                t = _benefit(p, delay, SCALE.delay) if _near(t) else 1 - min(1.0, t)
                w.coordination[k] = _of_benefits(p, w, k, t)
            else:
                e, u = w.energy[k] / p.scale[SCALE.energy], w.cost[k] / p.scale[SCALE.cost]
                w.coordination[k] = h_of(t, e, u, p.lambdas, p.root)


@inlined
def _near(share):
    return abs(1 - share) < _NEAR
