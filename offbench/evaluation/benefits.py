"""What indicators leave of their scales, to the last digit, for bounds.

A benefit is 1 less a cost. Next to 0 the difference has no digits left, and H makes 1e-3 of the last one
(`careful`). There it is taken in exact numbers, as the evaluator takes it in 32 digits.
"""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from offbench.model.arrays import LINK, SCALE, Arrays, Floats
from offbench.model.problem import Problem

NEAR = 1e-6
"""where less is left, it is worked out exactly"""
# More than a standardised cost below 1 can be off by.
_DIGITS = 16 * float(np.finfo(float).eps)


def is_near(cost: Floats | float) -> NDArray[np.bool_]:
    """Tell where 1 less a standardised cost has too few digits."""
    near: NDArray[np.bool_] = np.abs(1 - cost) < NEAR
    return near


def left_of(cost: Floats | float) -> Floats:
    """Return 1 less a standardised cost that isn't near 1, 0 at least; no less than in exact numbers."""
    left: Floats = np.where(cost < 1, 1 - np.minimum(1.0, cost) + _DIGITS, 0.0)
    return left


def delay_left(problem: Problem, k: int, s: int, i: int, q: int) -> float:
    """Return the benefit of a subtask's delay without queueing.

    Parameters
    ----------
    problem, k, s
        The problem, the subtask, its server.
    i
        Its critical input, numbered as in ``Arrays.input_of``.
    q
        The server of that one.
    """
    latency_s = Fraction(float(_link(problem.arrays, k, q, s)[LINK.latency_s]))
    late_s = _transfer_s(problem.arrays, k, i, q, s) + latency_s
    return _left(problem, SCALE.delay, _execution_s(problem, k, s) + late_s)


def energy_left(problem: Problem, k: int, s: int, sources: Sequence[int]) -> float:
    """Return the benefit of a subtask's energy; *sources* are the servers of all its inputs."""
    a = problem.arrays
    energy_j = Fraction(float(a.client_power_w[_client_of(a, k), s])) * _execution_s(problem, k, s)
    for i, q in zip(problem.inputs_of(k), sources, strict=True):
        energy_j += Fraction(float(_link(a, k, q, s)[LINK.power_w])) * _transfer_s(a, k, i, q, s)
    return _left(problem, SCALE.energy, energy_j)


def cost_left(problem: Problem, k: int, s: int, sources: Sequence[int]) -> float:
    """Return the benefit of a subtask's cost; *sources* are the servers of all its inputs."""
    a = problem.arrays
    cost_usd = Fraction(float(a.usd_per_h[_client_of(a, k), s])) / 3600 * _execution_s(problem, k, s)
    for i, q in zip(problem.inputs_of(k), sources, strict=True):
        cost_usd += Fraction(float(a.input_mb[i])) * Fraction(float(_link(a, k, q, s)[LINK.usd_per_gb])) / 1000
    return _left(problem, SCALE.cost, cost_usd)


def _left(problem: Problem, indicator: int, value: Fraction) -> float:
    scale = problem.exact_scales[indicator]
    return max(0.0, float(1 - value / scale)) if scale > 0 else 1.0


def _execution_s(problem: Problem, k: int, s: int) -> Fraction:
    a = problem.arrays
    if a.execution_rest_s[k, s] == 0:  # as measured, or a quotient without a rest
        return Fraction(float(a.execution_s[k, s]))
    server = problem.instance.server_at(int(problem.task_of[k]), s)
    return Fraction(float(a.gcycles[k])) / Fraction(server.compute_ghz)


def _link(a: Arrays, k: int, q: int, s: int) -> Floats:
    link: Floats = a.link[a.links_of[k], q, s]
    return link


def _client_of(a: Arrays, k: int) -> int:
    """Return the number of a subtask's client among the clients."""
    station = int(a.own_station[k])
    return 0 if station == a.client else station - len(a.kind) + 1


def _transfer_s(a: Arrays, k: int, i: int, q: int, s: int) -> Fraction:
    if q == s:
        return Fraction(0)
    return Fraction(float(a.input_mb[i])) / Fraction(float(_link(a, k, q, s)[LINK.rate_mb_per_s]))
