"""Which weights lie where while subtasks are placed one after another, where memory is limited.

*p* is the problem.
"""

from typing import Any, NamedTuple

import numpy as np

from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import inlined
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"


class Weights(NamedTuple):
    """Which weights lie where."""

    number: Any
    """those of each subtask; -1 without"""
    own: Any
    """of each subtask, the number of its weights at its own client"""
    at_servers: Any
    """whether they lie at a place, shape ``(weights, places)``"""
    at_clients: Any
    """whether they lie at a client, by their number there"""
    held_mb: Any
    """how much each station holds"""


def weights_of(problem: Problem) -> Weights:
    """Return the weights of a problem, none of which lie anywhere."""
    a, n = problem.arrays, problem.n_subtasks
    number, own = np.full(n, -1), np.full(n, -1)
    k = a.weighed.astype(np.int64)
    number[k] = a.weights_of
    pairs, own_of = np.unique(np.stack([number[k], a.own_station[k].astype(np.int64)]), axis=1, return_inverse=True)
    own[k] = own_of.reshape(-1)
    return Weights(
        number=number,
        own=own,
        at_servers=np.zeros((int(number.max(initial=-1)) + 1, problem.n_servers), np.bool_),
        at_clients=np.zeros(pairs.shape[1], np.bool_),
        held_mb=np.zeros(problem.n_stations),
    )


@inlined
def there(p, weights, k, s):
    """Tell whether the weights of subtask *k* need no more room at a place: they lie there, or it has none."""
    if weights.number[k] < 0:
        return True
    return weights.at_clients[weights.own[k]] if s == p.client else weights.at_servers[weights.number[k], s]


@inlined
def hold(p, weights, k, s):
    """Let the weights of subtask *k* lie at a place."""
    if not there(p, weights, k, s):
        if s == p.client:
            weights.at_clients[weights.own[k]] = True
        else:
            weights.at_servers[weights.number[k], s] = True
        weights.held_mb[station_of(p, k, s)] += p.weights_mb[k]


@inlined
def fits(p, weights, k, s):
    """Tell whether a place has room for the weights of subtask *k*."""
    if there(p, weights, k, s):
        return True
    station = station_of(p, k, s)
    return weights.held_mb[station] + p.weights_mb[k] <= p.memory_mb[station]
