"""What can be told of the subtask at hand before it is placed, compiled: shared by what observes episodes.

*p* is the problem, *servers* (places, as in `Arrays`) and *completion* those of the subtasks decided so far.
"""

import numpy as np

from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import inlined
from offbench.model.problem import LINK

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"


@inlined
def book_all(p, servers, completion, decided, slot_free):
    """Fill *slot_free*: when each slot is free after all decided subtasks.

    The slots of a station become free at the largest of its completions, whichever slots these were on.
    """
    slot_free[:] = 0
    for k in range(decided):
        s = station_of(p, k, servers[k])
        at = np.int64(p.slot_start[s])
        for slot in range(at + 1, p.slot_start[s + 1]):
            if slot_free[slot] < slot_free[at]:
                at = slot
        slot_free[at] = max(slot_free[at], completion[k])


@inlined
def next_free(p, k, s, slot_free):
    """Return when the next slot is free that subtask *k* can have at place *s*."""
    found = np.inf
    station = station_of(p, k, s)
    for slot in range(p.slot_start[station], p.slot_start[station + 1]):
        found = min(found, slot_free[slot])
    return found


@inlined
def source_of(p, i, servers):
    """Return where the source of input *i* is: a place."""
    source = p.input_of[i]
    return p.client if source >= p.gcycles.size else servers[source]


@inlined
def completion_of(p, i, completion):
    """Return when the source of input *i* is complete; a task's input on arrival."""
    source = p.input_of[i]
    n = p.gcycles.size
    return p.arrival_s[source - n] if source >= n else completion[source]


@inlined
def transfers(p, k, s, servers, completion):
    """Return what subtask *k* reads comes to at place *s*.

    When all is there and when the critical input was complete, s; energy, J; cost, $ (MODEL.md section 2).
    """
    ready, sent, energy, cost = -np.inf, 0.0, 0.0, 0.0
    table = p.links_of[k]
    for i in range(p.input_start[k], p.input_start[k + 1]):
        origin, end = source_of(p, i, servers), completion_of(p, i, completion)
        transfer = p.input_mb[i] / p.link[table, origin, s, LINK.rate_mb_per_s]
        arrives = end + (transfer + p.link[table, origin, s, LINK.latency_s])
        if arrives > ready:
            ready, sent = arrives, end
        energy += p.link[table, origin, s, LINK.power_w] * transfer
        cost += p.input_gb[i] * p.link[table, origin, s, LINK.usd_per_gb]
    return ready, sent, energy, cost
