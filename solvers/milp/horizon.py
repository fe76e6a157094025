"""The latest times of subtasks in placements that are better than the incumbent."""

import math

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.coordination import largest
from offbench.model.arrays import SCALE, WEIGHT
from offbench.solvers.milp.choices import Choices
from offbench.solvers.milp.times import Times

Floats = NDArray[np.float64]

# No solution shall lie as close to a limit as a solver's tolerances.
_SLACK = 1e-3
# What adding up makes of sums, as a share of what is added.
_DIGITS = 1e-13


def least(times: Times, choices: list[Choices]) -> float:
    """Return a lower bound on Q: each task at its earliest, of each subtask what costs least."""
    parts = [_least(times, k, each) for k, each in enumerate(choices)]
    price = _price_per_s(times)
    parts += [price * wait_s for wait_s in times.least_delays_s] if price > 0 else []
    total = sum(parts) - _DIGITS * sum(map(abs, parts))
    return total if math.isfinite(total) else -math.inf


def latest_s(times: Times, choices: list[Choices], objective: float, rounding: float, due_s: Floats) -> Floats:
    """Return a time for each subtask that no completion is later than where Q is at most *objective*, but for rounding.

    All but the delay costs at least the least of each subtask, energy, cost and coordination together;
    what is left of the objective pays for the delay of all tasks, that of each subtask's own among them.
    No task is complete later than *due_s* (`constraints`).
    """
    problem = times.problem
    a = problem.arrays
    latest = np.full(problem.n_subtasks, times.horizon_s * (1 + _SLACK))
    price = _price_per_s(times)
    total_s = math.inf
    if math.isfinite(objective) and price > 0:
        others = [_least(times, k, each) for k, each in enumerate(choices)]
        rounding += _DIGITS * (abs(objective) + sum(map(abs, others)))
        total_s = (objective - sum(others) + rounding) / price
    if not math.isfinite(total_s) and not np.isfinite(due_s).any():
        return latest
    least_s = times.least_delays_s
    all_s = sum(least_s)
    for i, arrival_s in enumerate(a.arrival_s.tolist()):
        end_s = arrival_s + total_s - (all_s - least_s[i])
        end_s = min(end_s if math.isfinite(end_s) else math.inf, float(due_s[i]))
        for k in times.layers_of(i):
            latest[k] = min(latest[k], (end_s - times.after_s[k]) * (1 + _SLACK))
    largest: Floats = np.maximum(latest, times.earliest_s * (1 + _SLACK))
    return largest


def _price_per_s(times: Times) -> float:
    a = times.problem.arrays
    return float(a.weights[WEIGHT.score] * a.weights[WEIGHT.delay] / a.scale[SCALE.delay])


def _least(times: Times, k: int, choices: Choices) -> float:
    """Return the least that subtask *k* adds to Q beside delay and balance."""
    a = times.problem.arrays
    _, energy, cost, score, coordination, _ = a.weights.tolist()
    h = choices.h.copy()
    longest = times.horizon_s / float(a.scale[SCALE.delay])
    for c in np.flatnonzero(times.waits_on[k, choices.servers[:, -1]]):
        t = float(choices.t[c])
        h[c] = max(h[c], largest(a, float(choices.e[c]), float(choices.u[c]), t, t + longest, choices.left_of(int(c))))
    return float((score * (energy * choices.e + cost * choices.u) - coordination * h).min())
