"""The latest times of subtasks in placements that are better than the incumbent."""

import math

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.coordination import largest
from offbench.model.problem import SCALE, WEIGHT
from offbench.solvers.milp.choices import Choices
from offbench.solvers.milp.times import Times

Floats = NDArray[np.float64]

# No solution shall lie as close to a limit as a solver's tolerances.
_SLACK = 1e-3
# What adding up makes of sums, as a share of what is added.
_DIGITS = 1e-13


def latest_s(times: Times, choices: list[Choices], objective: float, rounding: float) -> Floats:
    """Return a time for each subtask that no completion is later than where Q is at most *objective*, but for rounding.

    All but the delay costs at least the least of each subtask, energy, cost and coordination together;
    what is left of the objective pays for the delay of all tasks, that of each subtask's own among them.
    """
    problem = times.problem
    a = problem.arrays
    n = problem.n_subtasks
    latest = np.full(n, times.horizon_s * (1 + _SLACK))
    price = float(a.weights[WEIGHT.score] * a.weights[WEIGHT.delay] / a.scale[SCALE.delay])
    if not math.isfinite(objective) or price == 0:
        return latest
    others = [_least(times, k, choices[k] if choices else None) for k in range(n)]
    rounding += _DIGITS * (abs(objective) + sum(map(abs, others)))
    total_s = (objective - sum(others) + rounding) / price
    if not math.isfinite(total_s):
        return latest
    least_s = [max(times.earliest_s[k] for k in times.layers_of(i)) - a.arrival_s[i] for i in range(len(a.arrival_s))]
    after_s = np.zeros(n)
    for k in reversed(range(n)):
        for source in times.problem.sources_of(k):
            if source < n:
                after_s[source] = max(after_s[source], times.fastest_s[k] + after_s[k])
    for i, arrival_s in enumerate(a.arrival_s.tolist()):
        end_s = arrival_s + total_s - (sum(least_s) - least_s[i])
        for k in times.layers_of(i):
            latest[k] = min(latest[k], (end_s - after_s[k]) * (1 + _SLACK))
    largest: Floats = np.maximum(latest, times.earliest_s * (1 + _SLACK))
    return largest


def _least(times: Times, k: int, choices: Choices | None) -> float:
    """Return the least that subtask *k* adds to Q beside delay and balance."""
    if choices is None:
        return 0.0
    a = times.problem.arrays
    _, energy, cost, score, coordination, _ = a.weights.tolist()
    h = choices.h.copy()
    longest = times.horizon_s / float(a.scale[SCALE.delay])
    for c in np.flatnonzero(times.waits_on[k, choices.servers[:, -1]]):
        t = float(choices.t[c])
        h[c] = max(h[c], largest(a, float(choices.e[c]), float(choices.u[c]), t, t + longest))
    return float((score * (energy * choices.e + cost * choices.u) - coordination * h).min())
