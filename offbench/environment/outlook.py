"""What can be told of the subtask at hand before it is placed, compiled: shared by what observes episodes.

*p* is the problem, *servers* and *completion* those of the subtasks decided so far.
"""

import numpy as np

from offbench.evaluation.compiled import inlined
from offbench.model.problem import LINK

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"


@inlined
def book_all(p, servers, completion, decided, slot_free):
    """Fill *slot_free*: when each slot is free after all decided subtasks.

    The slots of a server become free at the largest of its completions, whichever slots these were on.
    """
    slot_free[:] = 0
    for k in range(decided):
        s = servers[k]
        at = np.int64(p.slot_start[s])
        for slot in range(at + 1, p.slot_start[s + 1]):
            if slot_free[slot] < slot_free[at]:
                at = slot
        slot_free[at] = max(slot_free[at], completion[k])


@inlined
def next_free(p, s, slot_free):
    """Return when the next slot of server *s* is free."""
    found = np.inf
    for slot in range(p.slot_start[s], p.slot_start[s + 1]):
        found = min(found, slot_free[slot])
    return found


@inlined
def source_of(p, i, servers):
    """Return where the source of input *i* is: a server."""
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
    """Return what subtask *k* reads comes to on server *s*.

    When all is there and when the critical input was complete, s; energy, J; cost, $ (MODEL.md section 2).
    """
    ready, sent, energy, cost = -np.inf, 0.0, 0.0, 0.0
    for i in range(p.input_start[k], p.input_start[k + 1]):
        origin, end = source_of(p, i, servers), completion_of(p, i, completion)
        transfer = p.input_mb[i] / p.link[origin, s, LINK.rate_mb_per_s]
        if end + transfer > ready:
            ready, sent = end + transfer, end
        energy += p.link[origin, s, LINK.power_w] * transfer
        cost += p.input_gb[i] * p.link[origin, s, LINK.usd_per_gb]
    return ready, sent, energy, cost
