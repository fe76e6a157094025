"""How far a placement exceeds what is admitted (MODEL.md section 4, violation), and what it breaks.

*p* is the problem and *w* the workspace (`workspace`).
"""

import numpy as np

from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import inlined

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"


@inlined
def violations(p, w, decided, totals):
    """Return by how much memories, deadlines and limits are exceeded, each as a share of what is admitted, added up."""
    memory = 0.0
    if p.weighed.size > 0:
        hold(p, w.at, decided, w.held_mb, w.holds)
        for s in range(p.memory_mb.size):
            memory += max(0.0, w.held_mb[s] / p.memory_mb[s] - 1)
    deadlines = 0.0
    for i in range(p.deadline_s.size):
        if p.task_start[i] >= decided:
            break
        if p.deadline_s[i] < np.inf:
            latest = 0.0
            for k in range(p.task_start[i], min(decided, p.task_start[i + 1])):
                latest = max(latest, w.end[k])
            deadlines += max(0.0, latest / p.deadline_s[i] - 1)
    limits = 0.0
    for indicator in range(p.limit.size):
        limits += max(0.0, totals[indicator] / p.limit[indicator] - 1)
    return memory, deadlines, limits


@inlined
def hold(p, at, decided, held_mb, holds):
    """Fill *held_mb*: how much weight each station holds with the first *decided* subtasks *at* their places."""
    for s in range(p.memory_mb.size):
        held_mb[s] = 0.0
        holds[s] = p.gcycles.size
    for x in range(p.weighed.size):
        k = np.int64(p.weighed[x])
        if k < decided:
            station = station_of(p, k, at[k])
            if holds[station] != p.weights_of[x]:  # what is the same lies there once
                holds[station] = p.weights_of[x]
                held_mb[station] += p.weights_mb[k]
