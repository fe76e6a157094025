"""What each subtask amounts to, wherever its inputs and itself are, without queueing (MODEL.md section 2).

Everything here is in the evaluator's arithmetic, step by step, so that the model's constants are the
evaluator's own numbers.
"""

from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.coordination import coordination, largest
from offbench.model.problem import SCALE, Problem

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# What adding and subtracting a few times makes of the last digit of a time.
ROUNDING = 8 * np.finfo(np.float64).eps

# Beyond this share of a delay rounding isn't small.
_WIDE = 1e-6


@dataclass(frozen=True)
class Choices:
    """Every choice of servers of a subtask's inputs, its own, and of the input that comes last (the critical one)."""

    servers: Ints
    """server of each input, then the subtask's own; shape (choices, inputs + 1)"""
    critical: Ints
    """position of the critical input among the inputs"""
    delay_s: Floats
    """T without queueing (Eq. 5)"""
    t: Floats
    """the same over its scale"""
    e: Floats
    """energy over its scale (Eq. 6)"""
    u: Floats
    """cost over its scale (Eq. 7-9)"""
    h: Floats
    """coordination without queueing (Eq. 10, 11), no less than any rounding of T makes it"""


def places(problem: Problem, source: int) -> list[int]:
    """Return the servers that the source of an input can be on; a task's own input is at the client."""
    if source >= problem.n_subtasks:
        return [problem.arrays.client]
    return [int(s) for s in np.flatnonzero(problem.allowed[source])]


def count(problem: Problem, k: int) -> int:
    """Return how many choices subtask *k* has, without making them."""
    sources = [len(places(problem, source)) for source in problem.sources_of(k)]
    return prod(sources) * int(problem.allowed[k].sum()) * len(sources)


def choices(problem: Problem, k: int, horizon_s: float) -> Choices:
    """Return the choices of subtask *k*; no time on the clock is later than *horizon_s*."""
    a = problem.arrays
    mine = problem.inputs_of(k)
    ways = [places(problem, source) for source in problem.sources_of(k)] + [places(problem, k)]
    servers = np.array(list(product(*ways)), dtype=np.int64)
    own = servers[:, -1]
    execution_s = a.gcycles[k] / a.ghz[own]
    transfer_s = np.stack([a.input_mb[i] / a.link[servers[:, c], own, 0] for c, i in enumerate(mine)], axis=1)
    energy_j = sum(a.link[servers[:, c], own, 1] * transfer_s[:, c] for c in range(len(mine)))
    energy_j = energy_j + a.client_power_w[own] * execution_s
    cost_usd = sum(a.input_gb[i] * a.link[servers[:, c], own, 2] for c, i in enumerate(mine))
    cost_usd = cost_usd + a.usd_per_s[own] * execution_s

    critical = np.tile(np.arange(len(mine)), len(servers))
    rows = np.repeat(np.arange(len(servers)), len(mine))
    sent_s = transfer_s[rows, critical]
    delay_s = execution_s[rows] + sent_s
    t, e, u = (
        delay_s / a.scale[SCALE.delay],
        energy_j[rows] / a.scale[SCALE.energy],
        cost_usd[rows] / a.scale[SCALE.cost],
    )
    # The evaluator takes T from times on the clock, whose rounding counts where H is infinitely steep.
    first = int(a.input_of[mine[0]]) - problem.n_subtasks
    exact = first >= 0 and a.arrival_s[first] == 0
    blur = np.where(exact | (sent_s == 0), 0, ROUNDING * horizon_s) / a.scale[SCALE.delay]
    h = np.max([coordination(a, np.maximum(0, t + sign * blur), e, u) for sign in (-1, 0, 1)], axis=0)
    for c in np.flatnonzero(blur > _WIDE * t):  # H may have its peak between
        h[c] = max(h[c], largest(a, float(e[c]), float(u[c]), max(0.0, float(t[c] - blur[c])), float(t[c] + blur[c])))
    return Choices(servers[rows], critical, delay_s, t, e, u, h)
