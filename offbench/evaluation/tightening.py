"""What constraints leave: the places of each subtask that a feasible placement can use (MODEL.md section 4, violation).

A placement is feasible up to a violation of 1e-9, and a sum of n numbers is off by n last digits; `ROOM` is more than
both together. What is ruled out here breaks a constraint by more than that, whatever the rest of the placement is, so
bounds on the placements that are left are bounds on the feasible ones.
"""

from copy import copy

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.compiled import borrowed, compiled
from offbench.evaluation.critical_path import FASTMATH, earliest_starts_s, least_times_to_go_s
from offbench.evaluation.workspace import unpack
from offbench.model.arrays import INDICATOR, LINK, Floats
from offbench.model.problem import FEASIBLE, Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

Admitted = NDArray[np.bool_]

ROOM = 1 + 2 * FEASIBLE
"""what is more than so many times what is admitted is no matter of rounding"""
# Each round rules out what the one before made impossible; mostly the first says all.
_ROUNDS = 3


def tightened(problem: Problem) -> Problem:
    """Return the problem with the places that a feasible placement can use; itself without constraints.

    Where a subtask has none left no placement is feasible, and the problem is returned as it is: there is nothing to
    bound.
    """
    if not problem.constrained:
        return problem
    found = tighten(admitting(problem, fitting(problem)))
    return found if found.allowed.any(axis=1).all() else problem


def tighten(problem: Problem) -> Problem:
    """Return the problem without the places that deadlines and limits rule out; a subtask may have none left.

    Parameters
    ----------
    problem
        P1 or P2, in which every subtask has a place; or one has none already, and it is returned as it is.
    """
    for _ in range(_ROUNDS):
        if not problem.allowed.any(axis=1).all():
            break
        following = admitting(problem, _in_time(problem) & _within_limits(problem))
        if (following.allowed == problem.allowed).all():
            break
        problem = following
    return problem


def admitting(problem: Problem, places: Admitted) -> Problem:
    """Return the problem where subtasks may run at no other *places*, shape ``(n_subtasks, n_servers)``."""
    made = copy(problem)
    made.__dict__.pop("free", None)  # goes by what is allowed
    made.allowed = problem.allowed & places
    return made


def fitting(problem: Problem) -> Admitted:
    """Tell where a subtask's own weights alone don't exceed the memory."""
    a = problem.arrays
    memory_mb = np.broadcast_to(a.memory_mb[: problem.n_servers], problem.allowed.shape).copy()
    memory_mb[:, a.client] = a.memory_mb[a.own_station]
    fits: Admitted = a.weights_mb[:, None] <= memory_mb * ROOM
    return fits


def paths_s(problem: Problem) -> Floats:
    """Return how long a subtask's task takes at least if it runs at a place, infinite where it may not.

    The quickest way through it, from the task's arrival on, nothing queues. Every subtask must have a place.
    """
    return earliest_starts_s(problem, own_clock=True) + problem.arrays.execution_s + least_times_to_go_s(problem)


def least_delays_s(problem: Problem, paths: Floats) -> Floats:
    """Return the least delay of each task: that of its critical path, each subtask where its way is quickest."""
    found: Floats = np.maximum.reduceat(paths.min(axis=1), problem.arrays.task_start[:-1].astype(np.int64))
    return found


def least_energies_and_costs(problem: Problem) -> tuple[Floats, Floats]:
    """Return joules and dollars of each subtask at each place, infinite where it may not run.

    Each input comes from where that takes least. A placement's totals are sums of no less.
    """
    energy_j, cost_usd = np.full((2, *problem.allowed.shape), np.inf)
    _least(*problem.packed, problem.allowed, energy_j, cost_usd)
    return energy_j, cost_usd


def _in_time(problem: Problem) -> Admitted:
    a = problem.arrays
    paths = paths_s(problem)
    most_s = a.deadline_s[problem.task_of] * ROOM
    if np.isfinite(a.limit[INDICATOR.delay]):
        least_s = least_delays_s(problem, paths)
        # The other tasks take at least what they take alone.
        rest_s = least_s.sum() - least_s
        most_s = np.minimum(most_s, (a.limit[INDICATOR.delay] * ROOM - rest_s)[problem.task_of])
    in_time: Admitted = paths <= most_s[:, None]
    return in_time


def _within_limits(problem: Problem) -> Admitted:
    limit = problem.arrays.limit
    within = np.ones_like(problem.allowed)
    if np.isfinite(limit[[INDICATOR.energy, INDICATOR.cost]]).any():
        totals = zip(least_energies_and_costs(problem), limit[[INDICATOR.energy, INDICATOR.cost]], strict=True)
        for values, most in totals:
            least = values.min(axis=1)
            within &= values - least[:, None] + least.sum() <= most * ROOM
    return within


@compiled(fastmath=FASTMATH)
def _least(ints, floats, allowed, energy_j, cost_usd):
    p = borrowed(unpack(ints, floats))
    n, m = allowed.shape
    j_per_mb = p.link[..., LINK.power_w] / p.link[..., LINK.rate_mb_per_s]
    usd_per_gb = p.link[..., LINK.usd_per_gb].copy()
    least_j, least_usd = np.empty(m), np.empty(m)
    for k in range(n):
        table = p.links_of[k]
        for s in range(m):
            if allowed[k, s]:
                energy_j[k, s], cost_usd[k, s] = p.run_energy_j[k, s], p.run_usd[k, s]
        for i in range(p.input_start[k], p.input_start[k + 1]):
            source, mb, gb = np.int64(p.input_of[i]), p.input_mb[i], p.input_gb[i]
            least_j[:], least_usd[:] = np.inf, np.inf
            for q in range(m):
                if (source < n and allowed[source, q]) or (source >= n and q == p.client):
                    for s in range(m):
                        least_j[s] = min(least_j[s], mb * j_per_mb[table, q, s])
                        least_usd[s] = min(least_usd[s], gb * usd_per_gb[table, q, s])
            for s in range(m):
                energy_j[k, s] += least_j[s]
                cost_usd[k, s] += least_usd[s]
