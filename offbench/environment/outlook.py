"""What can be told of the subtask at hand before it is placed, compiled: shared by what observes episodes.

*p* is the problem, *servers* (places, as in `Arrays`) and *completion* those of the subtasks decided so far.
"""

from typing import NamedTuple

import numpy as np

from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import inlined
from offbench.model.arrays import LINK, Arrays, Ints

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"


class ConstraintFact(NamedTuple):
    """Where the facts of a place stand that are about constraints; shares of what is admitted, of no limit 0."""

    memory_left: int = 0
    """before the subtask is there; 1 without a limit, negative where it is exceeded already"""
    memory_taken: int = 1
    """by its weights; 0 where they lie there already"""
    deadline_left: int = 2
    """of its task when it is complete there; 1 without a deadline"""
    delay_taken: int = 3
    """of the limit of all delays"""
    energy_taken: int = 4
    cost_taken: int = 5
    breaks: int = 6
    """what all that adds to the violation"""


CONSTRAINT = ConstraintFact()


def alike(arrays: Arrays) -> Ints:
    """Return where in ``weighed`` what has the same weights as each subtask stands, from and to, shape ``(n, 2)``."""
    found = np.zeros((len(arrays.gcycles), 2), np.int64)
    for column, which in enumerate((arrays.weights_of, arrays.weights_of + 1)):
        found[arrays.weighed, column] = np.searchsorted(arrays.weights_of, which)
    return found


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


@inlined
def mark_weights(p, k, servers, alike, there):
    """Fill *there*: the places where what subtask *k* has to hold lies already."""
    there[:] = False
    for x in range(alike[k, 0], alike[k, 1]):
        j = np.int64(p.weighed[x])
        if j >= k:
            continue
        station = station_of(p, j, servers[j])
        if station == p.own_station[k]:
            there[p.client] = True
        elif station < there.size and station != p.client:
            there[station] = True


@inlined
def constraint_facts(p, task, k, s, there, held_mb, used, latest, done, energy, cost, fact):
    """Fill *fact* (`CONSTRAINT`) for subtask *k* of a task at place *s*.

    Parameters
    ----------
    there, held_mb
        Where its weights are (`mark_weights`), and how much each station holds (`constraints.hold`).
    used
        Total delay, energy and cost so far.
    latest, done
        When the task's subtasks are complete, those before this one, and with it, s.
    energy, cost
        What this one adds, J and $.
    """
    station = station_of(p, k, s)
    left = 1 - held_mb[station] / p.memory_mb[station]
    taken = 0.0 if there[s] else p.weights_mb[k] / p.memory_mb[station]
    fact[CONSTRAINT.memory_left] = left
    fact[CONSTRAINT.memory_taken] = taken
    breaks = max(0.0, taken - left) - max(0.0, -left)
    before = (latest - p.arrival_s[task]) / p.deadline_s[task]
    after = (max(latest, done) - p.arrival_s[task]) / p.deadline_s[task]
    fact[CONSTRAINT.deadline_left] = 1 - after
    breaks += max(0.0, after - 1) - max(0.0, before - 1)
    adds = (max(0.0, done - latest), energy, cost)
    for indicator in range(3):
        before = used[indicator] / p.limit[indicator]
        taken = adds[indicator] / p.limit[indicator]
        fact[CONSTRAINT.delay_taken + indicator] = taken
        breaks += max(0.0, before + taken - 1) - max(0.0, before - 1)
    fact[CONSTRAINT.breaks] = breaks
