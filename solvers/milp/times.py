"""Who can wait for whom, and the earliest and latest times of subtasks: what the model's big numbers come from.

Two clients are two servers: subtasks at the client of their own tasks wait for one another only if that is the same.
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from offbench.model.arrays import Ints
from offbench.model.problem import Problem
from offbench.solvers.milp.choices import places
from offbench.solvers.milp.inputs import transfer_s

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Times:
    """Bounds on times, s, that hold for every placement and dispatch order."""

    problem: Problem
    waits_on: Bools
    """whether a subtask can find all slots taken at a place, shape (subtasks, places)"""
    contested: Bools
    """whether somebody can there, at the station that the subtask finds at the place"""
    strangers: Ints
    """how many subtasks that it doesn't need can be there"""
    pool: Ints
    """how many slots the subtask finds there"""
    related: list[Bools | None]
    """of each task, which of its subtasks need which, or the other way round; None where all do"""
    fastest_s: Floats
    """least transfer and execution of each subtask after its critical input"""
    slowest_s: Floats
    """most of it"""
    earliest_s: Floats
    """completion of each subtask at the earliest"""
    earliest_start_s: Floats
    """start of each subtask at the earliest"""

    @property
    def start_s(self) -> float:
        """Nothing begins earlier."""
        return float(self.problem.arrays.arrival_s.min(initial=math.inf))

    @cached_property
    def horizon_s(self) -> float:
        """No completion is later: what delays a start is a chain of other subtasks, each of which counts once."""
        return float(self.problem.arrays.arrival_s.max(initial=0) + self.slowest_s.sum())

    @cached_property
    def single_file(self) -> bool:
        """Whether tasks are chains and nobody ever waits, so that a delay is a sum of T and needs no clock."""
        return all(self.problem.chains) and not self.waits_on.any()

    @cached_property
    def least_delays_s(self) -> list[float]:
        """No delay of each task is less."""
        arrivals_s = self.problem.arrays.arrival_s.tolist()
        return [max(self.earliest_s[k] for k in self.layers_of(i)) - at_s for i, at_s in enumerate(arrivals_s)]

    @cached_property
    def longest_delays_s(self) -> list[float]:
        """No delay of each task is more."""
        arrivals_s = self.problem.arrays.arrival_s.tolist()
        if self.single_file:
            return [float(self.slowest_s[self.layers_of(i)].sum()) for i in range(len(arrivals_s))]
        return [self.horizon_s - at_s for at_s in arrivals_s]

    @cached_property
    def after_s(self) -> Floats:
        """Its task goes on for no less after each subtask."""
        n = self.problem.n_subtasks
        after_s = np.zeros(n)
        for k in reversed(range(n)):
            for source in self.problem.sources_of(k):
                if source < n:
                    after_s[source] = max(after_s[source], self.fastest_s[k] + after_s[k])
        return after_s

    @cached_property
    def fewest_rivals(self) -> int:
        """There are at least as many `rivals`, counted without making them."""
        here = self.problem.allowed & self.contested
        return int(np.where(here, self.strangers, 0).sum(axis=0).max(initial=0))

    @cached_property
    def rivals(self) -> list[tuple[int, int]]:
        """Ordered pairs of subtasks, neither of which needs the other, that can meet where one has to wait."""
        a, here, at = self.problem.arrays, self.problem.allowed & self.contested, stations(self.problem)
        members: dict[int, Ints] = {}
        pairs = []
        for j in range(self.problem.n_subtasks):
            meets = np.zeros(self.problem.n_subtasks, np.bool_)
            for s in np.flatnonzero(here[j]).tolist():
                station = int(at[j, s])
                if station not in members:
                    mine = here[:, s] if s != a.client else here[:, s] & (a.own_station == station)
                    members[station] = np.flatnonzero(mine)
                meets[members[station]] = True
            i = self.task_of(j)
            layers, related = self.layers_of(i), self.related[i]
            meets[layers] &= False if related is None else ~related[j - layers.start]
            pairs += [(j, k) for k in np.flatnonzero(meets).tolist()]
        return pairs

    def task_of(self, k: int) -> int:
        """Return the task of subtask *k*."""
        return int(self.problem.task_of[k])

    def layers_of(self, i: int) -> range:
        """Return the subtasks of task *i*."""
        return self.problem.subtasks_of(i)

    def together(self, j: int, k: int) -> list[int]:
        """Return the places where two subtasks can meet at one station, and somebody may have to wait."""
        a = self.problem.arrays
        both = self.problem.allowed[j] & self.problem.allowed[k] & self.contested[j]
        return [int(s) for s in np.flatnonzero(both) if s != a.client or a.own_station[j] == a.own_station[k]]


def times(problem: Problem) -> Times:
    """Look at who can be where."""
    a, n = problem.arrays, problem.n_subtasks
    fastest_s, slowest_s, earliest_s, earliest_start_s = np.zeros((4, n))
    for k in range(n):
        own = np.flatnonzero(problem.allowed[k])
        execution_s = a.execution_s[k, own]
        arrives_s = []
        least_s, most_s = np.full(len(own), np.inf), np.zeros(len(own))
        for i, source in zip(problem.inputs_of(k), problem.sources_of(k), strict=True):
            sent_s = transfer_s(a, k, i, np.array(places(problem, source))[:, None], own)
            least_s = np.minimum(least_s, sent_s.min(axis=0))
            most_s = np.maximum(most_s, sent_s.max(axis=0))
            begun_s = earliest_s[source] if source < n else a.arrival_s[source - n]
            arrives_s.append(begun_s + sent_s.min(axis=0))
        fastest_s[k], slowest_s[k] = (execution_s + least_s).min(), (execution_s + most_s).max()
        ready_s = np.max(arrives_s, axis=0)
        earliest_start_s[k], earliest_s[k] = ready_s.min(), (ready_s + execution_s).min()
    related = [_related(problem, i) for i in range(problem.n_tasks)]
    pool = np.diff(a.slot_start).astype(np.int64)[stations(problem)]
    strangers = _strangers(problem, related)
    waits_on = problem.allowed & (strangers >= pool)
    return Times(
        problem, waits_on, _at_stations(problem, waits_on) > 0, strangers, pool, related, fastest_s, slowest_s,
        earliest_s, earliest_start_s,
    )  # fmt: skip


def stations(problem: Problem) -> Ints:
    """Return the station that each subtask finds at each place, shape (subtasks, places)."""
    found: Ints = problem.stations(np.tile(np.arange(problem.n_servers), (problem.n_subtasks, 1)).T).T
    return found


def _at_stations(problem: Problem, who: Bools) -> Ints:
    """Return how many of *who* are at the station that each subtask finds at each place."""
    a = problem.arrays
    counts = np.tile(who.sum(axis=0), (problem.n_subtasks, 1))
    own = np.bincount(a.own_station, weights=who[:, a.client], minlength=problem.n_stations)
    counts[:, a.client] = own[a.own_station]
    return counts


def _strangers(problem: Problem, related: list[Bools | None]) -> Ints:
    """Return how many can be at the station that each subtask finds at each place, those that it needs left out."""
    counts = _at_stations(problem, problem.allowed)
    for i, needs in enumerate(related):
        layers = problem.subtasks_of(i)
        allowed = problem.allowed[layers].astype(np.int64)
        counts[layers] -= allowed.sum(axis=0) if needs is None else needs.astype(np.int64) @ allowed
    return counts


def _related(problem: Problem, i: int) -> Bools | None:
    """Return which subtasks of a task need which, or the other way round; None for a chain, where all do."""
    if problem.chains[i]:
        return None
    layers = problem.subtasks_of(i)
    needs = np.eye(len(layers), dtype=np.bool_)
    for k in layers:
        for source in problem.sources_of(k):
            if source < problem.n_subtasks:
                needs[k - layers.start] |= needs[source - layers.start]
    return needs | needs.T
