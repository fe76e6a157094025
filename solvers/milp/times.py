"""Who can wait for whom, and the earliest and latest times of subtasks: what the model's big numbers come from."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from offbench.model.problem import Problem
from offbench.solvers.milp.choices import places

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Times:
    """Bounds on times, s, that hold for every placement and dispatch order."""

    problem: Problem
    waits_on: Bools
    """whether a subtask can find all slots of a server taken, shape (subtasks, servers)"""
    rivals: list[tuple[int, int]]
    """ordered pairs of subtasks, neither of which needs the other, that can meet where one has to wait"""
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

    def task_of(self, k: int) -> int:
        """Return the task of subtask *k*."""
        return int(np.searchsorted(self.problem.arrays.task_start, k, side="right")) - 1

    def layers_of(self, i: int) -> range:
        """Return the subtasks of task *i*."""
        start = self.problem.arrays.task_start
        return range(int(start[i]), int(start[i + 1]))


def times(problem: Problem) -> Times:
    """Look at who can be where."""
    a = problem.arrays
    n = problem.n_subtasks
    pool = np.diff(a.slot_start.astype(np.int64))
    related = np.eye(n, dtype=np.bool_)
    fastest_s, slowest_s, earliest_s, earliest_start_s = np.zeros((4, n))
    for k in range(n):
        own = np.flatnonzero(problem.allowed[k])
        execution_s = a.gcycles[k] / a.ghz[own]
        arrives_s = []
        least_s, most_s = np.full(len(own), np.inf), np.zeros(len(own))
        for i, source in zip(problem.inputs_of(k), problem.sources_of(k), strict=True):
            transfer_s = a.input_mb[i] / a.link[np.ix_(np.asarray(places(problem, source)), own)][..., 0]
            least_s = np.minimum(least_s, transfer_s.min(axis=0))
            most_s = np.maximum(most_s, transfer_s.max(axis=0))
            sent_s = earliest_s[source] if source < n else a.arrival_s[source - n]
            arrives_s.append(sent_s + transfer_s.min(axis=0))
            if source < n:
                related[k] |= related[source]
        fastest_s[k], slowest_s[k] = (execution_s + least_s).min(), (execution_s + most_s).max()
        ready_s = np.max(arrives_s, axis=0)
        earliest_start_s[k], earliest_s[k] = ready_s.min(), (ready_s + execution_s).min()
    strangers = ~(related | related.T)
    could_meet = strangers.astype(np.int64) @ problem.allowed.astype(np.int64)
    waits_on = problem.allowed & (could_meet >= pool)
    contested = waits_on.any(axis=0)
    meet = strangers & ((problem.allowed[:, None] & problem.allowed[None, :] & contested).any(axis=2))
    rivals = [(int(j), int(k)) for j, k in np.argwhere(meet)]
    return Times(problem, waits_on, rivals, fastest_s, slowest_s, earliest_s, earliest_start_s)
