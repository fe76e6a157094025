"""Cheap constructions and a quick local search before the model: the better the incumbent, the more is ruled out."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from offbench import Placement, Search
from offbench.model.arrays import Ints
from offbench.model.problem import Problem
from offbench.search.greedy import greedy
from offbench.solvers._shared.heft import heft
from offbench.solvers._shared.peft import peft

_BATCH = 128
# Perturbed this often; and together not more than about this many subtasks are scored, half a second.
_ROUNDS = 60
_SCORED = 10_000_000


def construct(problem: Problem, search: Search) -> Ints:
    """Propose a greedy placement, those of HEFT and PEFT, and everything on each server; return the greedy one.

    Greedy sees all of Q but nothing ahead, HEFT and PEFT fill the servers but see delay alone.
    """
    first = greedy(search)
    search.propose(first)
    search.propose(heft(problem, search.check))
    if (problem.allowed.sum(axis=1) > 1).any():
        search.propose(peft(problem, search.check))
        for server in range(problem.n_servers):
            search.propose(problem.everything_on(server))
    return first


def improve(problem: Problem, search: Search, first: Ints) -> None:
    """Propose what small changes of servers make of a *first* placement and of the best, then of the best's order.

    The best may be all on one server, from where small changes lead nowhere. At most half of the evaluations that
    are left are used.
    """
    assert search.incumbent is not None
    allowance = _Allowance(problem, search)
    if (problem.allowed.sum(axis=1) > 1).any():
        best = search.incumbent.servers
        _change_servers(problem, search, first, allowance.part(0.6))
        if not np.array_equal(best, first):
            _change_servers(problem, search, best, allowance.part(0.4))
    if search.incumbent is not None and problem.n_subtasks > 1:
        _change_order(problem, search, allowance)


class _Allowance:
    """How many evaluations may still be used."""

    def __init__(self, problem: Problem, search: Search) -> None:
        self.left = _SCORED // problem.n_subtasks
        if search.budget.max_evaluations is not None:
            self.left = min(self.left, (search.budget.max_evaluations - search.evaluations) // 2)

    def part(self, share: float) -> Iterator[int]:
        """Yield batch sizes until a share of what is left is used."""
        end = self.left - int(self.left * share)
        while self.left > end:
            size = min(_BATCH, self.left - end)
            self.left -= size
            yield size


def _change_servers(problem: Problem, search: Search, servers: Ints, sizes: Iterator[int]) -> None:
    """Descend from some *servers* by small changes, first come, first served; then go on from a perturbed best."""
    best = here = servers
    best_objective = objective = float(search.propose(here))
    patience = 2 + 2 * len(problem.free) * problem.n_servers // _BATCH
    moves = _Moves(problem, search.rng)
    fruitless = rounds = 0
    for size in sizes:
        candidates = moves.around(here, size)
        values = search.propose_many(candidates)
        least = int(values.argmin())
        if values[least] < objective:
            here, objective, fruitless = candidates[least], values[least], 0
            continue
        fruitless += 1
        if fruitless <= patience:
            continue
        if objective < best_objective:
            best, best_objective = here, objective
        if rounds == _ROUNDS:
            return
        here, rounds, fruitless = best, rounds + 1, 0
        for _ in range(3):
            here = moves.around(here, 1)[0]
        objective = search.propose_many(here[None])[0]


class _Moves:
    """Random changes of servers: of one subtask, of a few in a row, or those of two swapped."""

    def __init__(self, problem: Problem, rng: np.random.Generator) -> None:
        self.allowed = problem.allowed
        self.rng = rng
        self.free = problem.free
        # The allowed servers of each subtask come first in its row.
        self.servers = np.argsort(~problem.allowed, axis=1, kind="stable")
        self.choices = problem.allowed.sum(axis=1)

    def around(self, servers: Ints, size: int) -> Ints:
        """Return *size* placements, each one move away; a move that is not allowed changes nothing."""
        n = len(servers)
        rows = np.arange(size)
        k, j = self.rng.choice(self.free, size=(2, size))
        to = self.servers[k, (self.rng.random(size) * self.choices[k]).astype(np.int64)]
        length = np.where(self.rng.random(size) < 0.6, 1, self.rng.integers(2, 6, size))
        at = np.arange(n) - k[:, None]
        inside = (at >= 0) & (at < length[:, None]) & self.allowed.T[to]
        candidates = np.where(inside, to[:, None], servers)
        swapped = (self.rng.random(size) < 0.3) & self.allowed[k, servers[j]] & self.allowed[j, servers[k]]
        candidates[swapped] = servers
        candidates[rows[swapped], k[swapped]] = servers[j[swapped]]
        candidates[rows[swapped], j[swapped]] = servers[k[swapped]]
        return candidates


def _change_order(problem: Problem, search: Search, allowance: _Allowance) -> None:
    """Book subtasks of the best placement earlier or later."""
    assert search.incumbent is not None
    servers = search.incumbent.servers
    order = search.incumbent.order
    if order is None:
        order = start_order(problem, search.incumbent)
    objective = search.propose(Placement(servers, order))
    neighbours = _Neighbours(problem)
    patience = 4 + 4 * problem.n_subtasks // _BATCH
    fruitless = 0
    for size in allowance.part(1.0):
        orders = np.array([_other_order(order, neighbours, search.rng) for _ in range(size)])
        values = search.propose_many(np.repeat(servers[None], size, axis=0), orders)
        least = int(values.argmin())
        fruitless = 0 if values[least] < objective else fruitless + 1
        if values[least] <= objective:  # across a plateau too
            order, objective = orders[least], values[least]
        if fruitless > patience:
            return


class _Neighbours:
    """Inputs and readers of each subtask."""

    def __init__(self, problem: Problem) -> None:
        n = problem.n_subtasks
        sources = [np.array(problem.sources_of(k)) for k in range(n)]
        self.inputs = [each[each < n] for each in sources]
        self.readers = [np.array(problem.readers_of(k), dtype=np.int64) for k in range(n)]


def _other_order(order: Ints, neighbours: _Neighbours, rng: np.random.Generator) -> Ints:
    """Move one subtask to another place between its inputs and its readers."""
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    k = int(rng.integers(len(order)))
    first = int(place[neighbours.inputs[k]].max(initial=-1)) + 1
    last = int(place[neighbours.readers[k]].min(initial=len(order))) - 1
    near = max(first, int(place[k]) - 8), min(last, int(place[k]) + 8)
    low, high = near if rng.random() < 0.7 else (first, last)
    to = int(rng.integers(low, high + 1))
    without: NDArray[np.int64] = np.delete(order, place[k])
    return np.insert(without, to, k)


def start_order(problem: Problem, placement: Placement) -> Ints:
    """Return the order of starts of a placement, which books it the same way or better."""
    from offbench import evaluate

    rows = evaluate(problem, placement).subtasks
    return np.array(sorted(range(len(rows)), key=lambda k: (rows[k]["start_s"], rows[k]["completion_s"], k)))
