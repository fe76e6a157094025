"""What an agent sees of a placement in the making (MODEL.md section 7).

An observation has a *dynamic* part, which depends on the actions so far, and a *static* one, which
follows from how many subtasks are decided. Whoever keeps many observations keeps the dynamic part and that
number, and puts them together when they are needed.
"""

from typing import Literal, NamedTuple, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from offbench.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def"

compiled = njit(cache=True, nogil=True, error_model="numpy")

Observation = NDArray[np.float32]
Layout = Literal["paper", "full"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)

# Features of each server in the full layout.
SERVER_FEATURES = ("count", "booked", "free", "execution", "transmission", "energy", "cost")


class Observer(NamedTuple):
    """Where the numbers of an observation stand, and those that never change.

    `paper` (section 4.1.2) is the previous action, then for the subtask at hand and those after it in its task
    the data into it and its work, padded with zeros. Servers are numbered from 1, as in the paper; before
    a task's first subtask stands the client, where its input waits. Data and work are divided by
    the instance's largest.

    `full` puts between the two, for each server: the count of subtasks on it, times servers over
    subtasks; the time booked on it, over that of running everything there; how long after
    the latest input is complete its next slot is free; and for the subtask at hand the execution time, transfer,
    energy and cost there. Times, energy and cost are divided by the instance's scales.
    """

    layout: Layout
    dynamic: int
    """numbers that depend on the actions"""
    longest: int
    """subtasks of the longest task"""
    task_end: NDArray[np.int64]
    """where the task of each subtask ends; for the end itself 0"""
    pairs: Observation
    """data and work of each subtask, shape ``(subtasks, 2)``"""

    @property
    def width(self) -> int:
        """Numbers in an observation."""
        return self.dynamic + 2 * self.longest


def observer(problem: Problem, layout: Layout) -> Observer:
    """Return how a problem is observed."""
    a = problem.arrays
    into = np.add.reduceat(a.input_mb, a.input_start[:-1].astype(np.int64))
    pairs = np.stack([into / (into.max() or 1), a.gcycles / (a.gcycles.max() or 1)], axis=1)
    lengths = np.diff(a.task_start.astype(np.int64))
    task_end = np.append(np.repeat(a.task_start[1:].astype(np.int64), lengths), 0)
    dynamic = 1 + (len(SERVER_FEATURES) * problem.n_servers if layout == "full" else 0)
    return Observer(layout, dynamic, int(lengths.max()), task_end, pairs.astype(np.float32))


@compiled
def compose(dynamic, decided, task_end, pairs, observations):
    """Put observations together: the dynamic part, then the subtasks from the one at hand to its task's end."""
    width = dynamic.shape[1]
    for row in range(decided.size):
        for i in range(width):
            observations[row, i] = dynamic[row, i]
        at = width
        for k in range(decided[row], task_end[decided[row]]):
            observations[row, at] = pairs[k, 0]
            observations[row, at + 1] = pairs[k, 1]
            at += 2
        observations[row, at:] = 0
