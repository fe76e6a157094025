"""How far a placement exceeds what is admitted (MODEL.md section 4, violation), and what it breaks.

*p* is the problem and *w* the workspace (`workspace`).
"""

import numpy as np

from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import inlined

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"


@inlined
def excess(value, most):
    """Return by how much a value exceeds what is admitted, as a share of that."""
    return value / most - 1 if value > most else 0.0


@inlined
def memory_violation(p, w, decided):
    """Return by how much memories are exceeded, added up."""
    memory = 0.0
    if p.weighed.size > 0:
        hold(p, w.at, decided, w.held_mb, w.holds)
        for s in range(p.memory_mb.size):
            memory += excess(w.held_mb[s], p.memory_mb[s])
    return memory


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
