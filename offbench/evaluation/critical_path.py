"""Critical paths: the earliest start of each subtask, and the least time from its end to that of its task.

Nothing queues, and each reader has its input from wherever that is quickest for it, by the links of its own task's
client, each direction by itself and with its latency; so they hold for all placements, but for last digits: whoever
makes a bound of them takes these off. Constraints are left out.
"""

import numpy as np

from offbench.evaluation.compiled import borrowed, compiled
from offbench.evaluation.workspace import unpack
from offbench.model.arrays import LINK, Floats
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

# There are no NaNs, and the sign of a zero means nothing: so minima can be taken several at a time.
FASTMATH = {"nnan", "nsz"}


def earliest_starts_s(problem: Problem, own_clock: bool = False) -> Floats:
    """Return when each subtask can start at each place at the earliest, infinite where it may not run.

    With *own_clock* times count from the arrival of its task.
    """
    start = np.full(problem.allowed.shape, np.inf)
    _earliest(*problem.packed, problem.allowed, own_clock, start)
    return start


def least_times_to_go_s(problem: Problem) -> Floats:
    """Return how long each task takes from the end of a subtask at each place on, infinite where it may not run."""
    to_go = np.where(problem.allowed, 0.0, np.inf)
    _to_go(*problem.packed, problem.allowed, to_go)
    return to_go


@compiled(fastmath=FASTMATH)
def _earliest(ints, floats, allowed, own_clock, start):
    p = borrowed(unpack(ints, floats))
    n, m = start.shape
    s_per_mb, latency_s = 1 / p.link[..., LINK.rate_mb_per_s], p.link[..., LINK.latency_s].copy()
    arrive, there = np.empty(m), np.empty(m)
    for k in range(n):
        table = p.links_of[k]
        arrive[:] = 0.0
        for i in range(p.input_start[k], p.input_start[k + 1]):
            source, mb = np.int64(p.input_of[i]), p.input_mb[i]
            there[:] = np.inf
            for q in range(m):
                if source < n and allowed[source, q]:
                    done = start[source, q] + p.execution_s[source, q]
                elif source >= n and q == p.client:
                    done = 0.0 if own_clock else p.arrival_s[source - n]
                else:
                    continue
                for s in range(m):
                    there[s] = min(there[s], done + (mb * s_per_mb[table, q, s] + latency_s[table, q, s]))
            for s in range(m):
                arrive[s] = max(arrive[s], there[s])
        for s in range(m):
            if allowed[k, s]:
                start[k, s] = arrive[s]


@compiled(fastmath=FASTMATH)
def _to_go(ints, floats, allowed, to_go):
    p = borrowed(unpack(ints, floats))
    n, m = to_go.shape
    s_per_mb, latency_s = 1 / p.link[..., LINK.rate_mb_per_s], p.link[..., LINK.latency_s].copy()
    rest = np.empty(m)
    for k in range(n - 1, -1, -1):
        table = p.links_of[k]
        for s in range(m):
            rest[s] = p.execution_s[k, s] + to_go[k, s]
        for i in range(p.input_start[k], p.input_start[k + 1]):
            source, mb = np.int64(p.input_of[i]), p.input_mb[i]
            if source >= n:
                continue
            for q in range(m):
                if allowed[source, q]:
                    way = np.inf
                    for s in range(m):
                        way = min(way, (mb * s_per_mb[table, q, s] + latency_s[table, q, s]) + rest[s])
                    to_go[source, q] = max(to_go[source, q], way)
