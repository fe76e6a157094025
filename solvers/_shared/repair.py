"""From a placement that breaks constraints to one that keeps them, by moving what is to blame (MODEL.md section 4)."""

import numpy as np
from numpy.typing import NDArray

from offbench import Placement, Search, evaluate
from offbench.evaluation.kernel import PART
from offbench.model.arrays import Floats, Ints
from offbench.model.problem import FEASIBLE, Problem

# A step tries about so many subtasks' bookings at most, some tenths of a second of scoring.
_TRIED = 10_000_000
# Where a step finds nothing that breaks less, a few subtasks to blame are placed at random; so often.
_KICKS, _KICKED = 20, 5
# Of the moves that mend at least this part of what the best one does the cheapest is made.
_ENOUGH = 0.5


def repair(search: Search, placement: Placement) -> Placement:
    """Propose a placement; if it breaks constraints, move subtasks until none is broken.

    A step moves one or several consecutive subtasks of a task to one place, some of which are *to blame*: in a memory
    that is too full, in a task that is late or at a station where such a one waits, or any where a limit is exceeded.
    Of the moves that mend much the one with the least Q is made. Where none mends anything, a few
    are placed at random and it goes on, some times. Of a large instance a step tries a random part, several moves at
    once among them.

    Parameters
    ----------
    search
        The search to propose to.
    placement
        Where to begin; its dispatch order stays, unless nothing helps.

    Returns
    -------
    Placement
        The best placement met: feasible, or what breaks least.

    Raises
    ------
    SearchEnded
        If the search ends before.
    """
    problem, order = search.problem, placement.order
    servers = placement.servers.copy()
    violation = float(_propose(search, servers[None], order)[1][0])
    best, least = servers, violation
    kicks = 0
    while least > FEASIBLE:
        blamed = to_blame(problem, Placement(servers, order))
        blamed = blamed[problem.allowed[blamed].sum(axis=1) > 1]
        if not blamed.size:
            break
        rows = _moved(problem, servers, blamed, search.rng)
        objectives, violations = _propose(search, rows, order)
        mended = violation - violations
        if violations.min() < least:
            best, least = rows[int(violations.argmin())], float(violations.min())
        if mended.max() > 1e-12 * violation:
            kept = violations <= FEASIBLE
            if not kept.any():
                kept = mended >= _ENOUGH * mended.max()
            chosen = int(np.where(kept, objectives, np.inf).argmin())
            servers, violation = rows[chosen], float(violations[chosen])
            if violation <= FEASIBLE:
                best, least = servers, violation
            continue
        if kicks == _KICKS:
            break
        kicks += 1
        servers = best.copy()
        for k in search.rng.choice(blamed, min(_KICKED, len(blamed)), replace=False):
            servers[k] = search.rng.choice(np.flatnonzero(problem.allowed[k]))
        violation = float(_propose(search, servers[None], order)[1][0])
        if violation < least:
            best, least = servers, violation
    if least > FEASIBLE and order is not None:
        return repair(search, Placement(best))
    return Placement(best, order)


def to_blame(problem: Problem, placement: Placement) -> Ints:
    """Return the subtasks whose move may mend what a placement breaks, ascending."""
    a = problem.arrays
    found = evaluate(problem, placement)
    blamed = np.zeros(problem.n_subtasks, dtype=np.bool_)
    if found.limit_violation > 0:
        blamed[:] = True
    stations = problem.stations(placement.servers)
    if found.memory_violation > 0:
        blamed |= (held_mb(problem, placement.servers) > a.memory_mb)[stations] & (a.weights_mb > 0)
    if found.deadline_violation > 0:
        took_s = (
            np.maximum.reduceat(found.parts[:, PART.completion_s], a.task_start[:-1].astype(np.int64)) - a.arrival_s
        )
        late = (took_s > a.deadline_s)[problem.task_of]
        waits = late & (found.parts[:, PART.queueing_s] > 0)
        blamed |= late | np.isin(stations, np.unique(stations[waits]))
    return np.flatnonzero(blamed)


def held_mb(problem: Problem, servers: Ints) -> Floats:
    """Return how much weight each station holds, what is the same once; nothing where no memory is limited."""
    a = problem.arrays
    k, stations = a.weighed.astype(np.int64), problem.stations(servers)
    held = np.zeros(problem.n_stations)
    _, first = np.unique(np.stack([a.weights_of.astype(np.int64), stations[k]]), axis=1, return_index=True)
    np.add.at(held, stations[k[first]], a.weights_mb[k[first]])
    return held


def _propose(search: Search, rows: Ints, order: Ints | None) -> tuple[Floats, Floats]:
    orders = None if order is None else np.repeat(order[None], len(rows), axis=0)
    return search.propose_violations(rows, orders)


def _moved(problem: Problem, servers: Ints, blamed: Ints, rng: np.random.Generator) -> Ints:
    """Return placements in which subtasks to blame have moved, the rest of their runs along with them."""
    start, n = problem.arrays.task_start.astype(np.int64), problem.n_subtasks
    longest = int(np.diff(start).max())
    lengths = sorted({min(longest, 2**i) for i in range(longest.bit_length() + 1)})
    options = [(k, length, s) for k in (blamed if len(blamed) * n < _TRIED else rng.permutation(blamed)[: _TRIED // n])
               for length in lengths for s in range(problem.n_servers)]  # fmt: skip
    most = max(20, _TRIED // n)
    # Of a large instance several at once: no step can try all, and none alone mends much.
    together = 1
    if len(options) > most:
        together = max(1, len(blamed) // 20)
        options = [options[i] for i in rng.choice(len(options), most, replace=False)]
    rows = np.repeat(servers[None], len(options), axis=0)
    for row, (k, length, s) in zip(rows, options, strict=True):
        _move(problem, row, start, int(k), length, s)
        if together > 1:
            for other in rng.choice(blamed, int(together ** rng.random()), replace=False):
                _move(problem, row, start, int(other), int(rng.choice(lengths)), int(rng.integers(problem.n_servers)))
    changed: NDArray[np.bool_] = (rows != servers).any(axis=1)
    return rows[changed] if changed.any() else rows[:1]


def _move(problem: Problem, row: Ints, start: Ints, k: int, length: int, place: int) -> None:
    """Move subtask *k* and those behind it in its task, *length* in all, as far as they may run there."""
    stop = min(k + length, int(start[np.searchsorted(start, k, side="right")]))
    run = slice(k, stop)
    row[run] = np.where(problem.allowed[run, place], place, row[run])
