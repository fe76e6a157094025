"""What can be told of the subtask at hand before it is placed, compiled: shared by what observes episodes.

*p* is the problem, *x* the prefix that is decided (`evaluation.prefix`), *servers* (places, as in `Arrays`) and
*completion* those of its subtasks.
"""

from typing import NamedTuple

import numpy as np

from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import inlined
from offbench.evaluation.held_weights import there
from offbench.model.arrays import LINK

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


@inlined
def next_free(p, x, k, s, completion):
    """Return when the next slot is free that subtask *k* can have at place *s*, behind all that are decided."""
    found = np.inf
    station = station_of(p, k, s)
    for slot in range(p.slot_start[station], p.slot_start[station + 1]):
        user = np.int64(x.slot_user[slot])
        found = min(found, completion[user] if user < p.gcycles.size else 0.0)
    return max(0.0, found)


@inlined
def latest_of(p, x, k):
    """Return when all subtasks before *k* of its task are complete; its arrival where none is."""
    task = x.task_of[k]
    return p.arrival_s[task] + (x.peak[k - 1] if k > p.task_start[task] else 0.0)


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
def constraint_facts(p, x, task, k, s, used, latest, done, energy, cost, fact):
    """Fill *fact* (`CONSTRAINT`) for subtask *k* of a task at place *s*.

    Parameters
    ----------
    x
        The subtasks decided so far (`prefix.Prefix`).
    used
        Total delay, energy and cost so far.
    latest, done
        When the task's subtasks are complete, those before this one, and with it, s.
    energy, cost
        What this one adds, J and $.
    """
    station = station_of(p, k, s)
    left = 1 - x.held.mb[station] / p.memory_mb[station]
    taken = 0.0 if there(p, x.cells, x.held, k, s) else p.weights_mb[k] / p.memory_mb[station]
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
