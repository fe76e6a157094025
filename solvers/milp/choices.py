"""What each subtask amounts to, wherever its inputs and itself are, without queueing (MODEL.md section 2).

Everything here is in the evaluator's arithmetic, step by step, so that the model's constants are the
evaluator's own numbers.
"""

from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.benefits import cost_left, delay_left, energy_left, is_near
from offbench.evaluation.coordination import coordination, largest
from offbench.model.arrays import SCALE, Arrays
from offbench.model.problem import Problem
from offbench.solvers.milp.inputs import transfer_j, transfer_s, transfer_usd

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
    left: Floats | None
    """of energy and of cost, where benefits count, to the last digit (`offbench.evaluation.benefits`);
    shape (choices, 2)"""
    h: Floats
    """coordination without queueing (Eq. 10, 11), no less than any rounding of T makes it"""

    def left_of(self, m: int) -> tuple[float, float] | None:
        """Return what a choice leaves of energy and cost, where benefits count."""
        return None if self.left is None else (float(self.left[m, 0]), float(self.left[m, 1]))

    def coordination(self, arrays: Arrays, t: Floats) -> Floats:
        """Return H of each choice for a delay over its scale."""
        if self.left is None:
            return coordination(arrays, t, self.e, self.u)
        return coordination(arrays, 1 - np.minimum(1, t), self.left[:, 0], self.left[:, 1], counted=True)


def places(problem: Problem, source: int) -> list[int]:
    """Return the places that the source of an input can be at; a task's own input is at its client."""
    if source >= problem.n_subtasks:
        return [problem.arrays.client]
    return [int(s) for s in np.flatnonzero(problem.allowed[source])]


def count(problem: Problem, k: int) -> int:
    """Return how many choices subtask *k* has, without making them."""
    sources = [len(places(problem, source)) for source in problem.sources_of(k)]
    return prod(sources) * int(problem.allowed[k].sum()) * len(sources)


def choices(problem: Problem, k: int, horizon_s: float) -> Choices:
    """Return the choices of subtask *k*; no time on the clock is later than *horizon_s*."""
    a, n = problem.arrays, problem.n_subtasks
    mine = problem.inputs_of(k)
    ways = [places(problem, source) for source in problem.sources_of(k)] + [places(problem, k)]
    servers = np.array(list(product(*ways)), dtype=np.int64)
    own = servers[:, -1]
    execution_s = a.execution_s[k, own]
    sent = [(i, servers[:, c]) for c, i in enumerate(mine)]
    transmission_s = np.stack([transfer_s(a, k, i, source, own) for i, source in sent], axis=1)
    energy_j = sum(transfer_j(a, k, i, source, own) for i, source in sent) + a.run_energy_j[k, own]
    cost_usd = sum(transfer_usd(a, k, i, source, own) for i, source in sent) + a.run_usd[k, own]

    critical = np.tile(np.arange(len(mine)), len(servers))
    rows = np.repeat(np.arange(len(servers)), len(mine))
    sent_s = transmission_s[rows, critical]
    delay_s = execution_s[rows] + sent_s
    t, e, u = (
        delay_s / a.scale[SCALE.delay],
        energy_j[rows] / a.scale[SCALE.energy],
        cost_usd[rows] / a.scale[SCALE.cost],
    )
    # Waiting is what is left of times on the clock, whose rounding counts where H is infinitely steep.
    exact = all(source >= n and a.arrival_s[source - n] == 0 for source in problem.sources_of(k))
    blur = np.where(exact | (sent_s == 0), 0, ROUNDING * horizon_s) / a.scale[SCALE.delay]
    found = Choices(servers[rows], critical, delay_s, t, e, u, _left(problem, k, servers[rows], e, u), np.zeros(len(t)))
    h = np.max([found.coordination(a, np.maximum(0, t + sign * blur)) for sign in (-1, 0, 1)], axis=0)
    for c in np.flatnonzero(blur > _WIDE * t):  # H may have its peak between
        low, high = max(0.0, float(t[c] - blur[c])), float(t[c] + blur[c])
        h[c] = max(h[c], largest(a, float(e[c]), float(u[c]), low, high, found.left_of(int(c))))
    if found.left is not None:
        for c in np.flatnonzero(is_near(t)):
            i = critical[c]
            x = delay_left(problem, k, int(own[rows[c]]), mine[i], int(servers[rows[c], i]))
            h[c] = max(h[c], float(coordination(a, x, found.left[c, 0], found.left[c, 1], counted=True)))
    return replace(found, h=h)


def _left(problem: Problem, k: int, servers: Ints, e: Floats, u: Floats) -> Floats | None:
    if not problem.arrays.benefits:
        return None
    left = 1 - np.minimum(1, np.stack([e, u], axis=1))
    for c in np.flatnonzero(is_near(e) | is_near(u)):
        *sources, s = servers[c].tolist()
        if is_near(e[c]):
            left[c, 0] = energy_left(problem, k, s, sources)
        if is_near(u[c]):
            left[c, 1] = cost_left(problem, k, s, sources)
    return left
