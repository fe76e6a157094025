"""Weights that stations hold, kept up to date while a placement changes (MODEL.md section 4, memory).

Of each weights it is counted how many subtasks at a station hold them. Counts grow with the places, not with the
clients: the weights of a client's own subtasks have a cell each there, and nowhere else.
"""

from typing import Any, NamedTuple

import numpy as np

from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import inlined
from offbench.model.arrays import Ints
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"


class Cells(NamedTuple):
    """Where counts stand; fixed for a problem."""

    first: Ints
    """of each subtask, the cell of its weights at place 0, behind which those of the other places stand; -1 without"""
    own: Ints
    """of each subtask, that at its own client"""
    number: Ints
    """how many cells there are, one number"""


class HeldWeights(NamedTuple):
    """What stations hold; changes in place."""

    count: Any
    """how many subtasks of a station hold the same weights, by cell"""
    mb: Any
    """how much weight each station holds"""


def cells_of(problem: Problem) -> Cells:
    """Return the cells of a problem; none where no memory is limited."""
    a, n, places = problem.arrays, problem.n_subtasks, problem.n_servers
    first, own = np.full(n if a.weighed.size else 0, -1), np.full(n if a.weighed.size else 0, -1)
    weights = a.weights_of.astype(np.int64)
    groups = int(weights.max(initial=-1)) + 1
    pairs, pair_of = np.unique(weights * problem.n_stations + a.own_station[a.weighed], return_inverse=True)
    first[a.weighed] = weights * places
    own[a.weighed] = groups * places + pair_of
    return Cells(first, own, np.array([groups * places + pairs.size]))


@inlined
def hold_nothing(p, cells):
    """Return what stations hold before anything is placed."""
    return HeldWeights(np.zeros(cells.number[0], np.int32), np.zeros(p.memory_mb.size))


@inlined
def carry(p, cells, held, k, old, new):
    """Take the weights of subtask *k* from a place to another, either none if there is no such place.

    Returns what that adds to the violation.
    """
    if cells.first[k] < 0 or old == new:
        return 0.0
    added = 0.0
    if old < p.kind.size:
        cell = cells.own[k] if old == p.client else cells.first[k] + old
        held.count[cell] -= 1
        if held.count[cell] == 0:
            station = station_of(p, k, old)
            added -= excess_of(p, held, station)
            held.mb[station] -= p.weights_mb[k]
            added += excess_of(p, held, station)
    if new < p.kind.size:
        cell = cells.own[k] if new == p.client else cells.first[k] + new
        held.count[cell] += 1
        if held.count[cell] == 1:
            station = station_of(p, k, new)
            added -= excess_of(p, held, station)
            held.mb[station] += p.weights_mb[k]
            added += excess_of(p, held, station)
    return added


@inlined
def there(p, cells, held, k, s):
    """Tell whether the weights of subtask *k* need no more room at a place: they lie there, or it has none."""
    if p.weighed.size == 0 or cells.first[k] < 0:
        return True
    return held.count[cells.own[k] if s == p.client else cells.first[k] + s] > 0


@inlined
def fits(p, cells, held, k, s):
    """Tell whether a place has room for the weights of subtask *k*."""
    if there(p, cells, held, k, s):
        return True
    station = station_of(p, k, s)
    return held.mb[station] + p.weights_mb[k] <= p.memory_mb[station]


@inlined
def excess_of(p, held, station):
    """Return by how much of its memory a station holds too much."""
    return max(0.0, held.mb[station] / p.memory_mb[station] - 1)
