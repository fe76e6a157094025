"""What an agent sees of a placement in the making (MODEL.md section 7).

An observation has a *dynamic* part, which depends on the actions so far, and a *static* one, which
follows from the *state*: of which instance how many subtasks are decided. Whoever keeps many observations
keeps dynamic parts and states, and puts them together when they are needed.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from offbench.environment.outlook import CONSTRAINT
from offbench.errors import OffbenchError, nearest
from offbench.evaluation.compiled import compiled
from offbench.model.arrays import Ints
from offbench.model.problem import FEASIBLE, Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

Observation = NDArray[np.float32]
Layout = Literal["paper", "full"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)


class ServerFact(NamedTuple):
    """Where the facts of a place stand in the full layout."""

    placed: int = 0
    booked: int = 1
    free: int = 2
    execution: int = 3
    transmission: int = 4
    energy: int = 5
    cost: int = 6


FACT = ServerFact()


class Observer:
    """Where the numbers of an observation stand, and those that never change.

    `paper` (section 4.1.2) is the previous action, then for the subtask at hand and those after it in its task
    the data into it and its work, padded with zeros. Servers are numbered from 1, as in the paper; before
    a task's first subtask stands the client, where its input waits. Data and work are divided by
    the instance's largest.

    `full` puts between the two, for each server: the count of subtasks on it, times servers over
    subtasks; the work booked on it, over all work; how long after the latest input is complete its next
    slot is free; and for the subtask at hand the execution time, transfer, energy and cost there. Times, energy
    and cost are divided by the instance's scales. Where there are constraints, `ConstraintFact` of each server
    follows, and the shares left of the limits of delay, energy and cost.

    Servers are places: the client is that of the task at hand. So no number grows with the clients.

    Parameters
    ----------
    problems
        What is observed: one problem, or several with the same number of servers.
    layout
        `paper` or `full`.
    longest
        Subtasks that there is room for; those of the longest task by default.
    constrained
        Whether the full layout has what is about constraints; by default where one of the problems has any.

    Raises
    ------
    OffbenchError
        If there is no such layout, the problems differ in their servers, or a task is longer than *longest*.
    """

    def __init__(
        self,
        problems: Sequence[Problem],
        layout: Layout = "paper",
        longest: int | None = None,
        constrained: bool | None = None,
    ) -> None:
        if layout not in LAYOUTS:
            raise OffbenchError(f"observation: unknown layout '{layout}'{nearest(layout, list(LAYOUTS))}")
        servers = {problem.n_servers for problem in problems}
        if len(servers) > 1:
            raise OffbenchError(f"observation: instances with {sorted(servers)} servers can't share one")
        lengths = [task_lengths(problem) for problem in problems]
        most = max(int(each.max()) for each in lengths)
        if longest is not None and most > longest:
            raise OffbenchError(f"observation: has room for tasks of {longest} subtasks, not for one of {most}")
        self.layout: Layout = layout
        self.n_servers = servers.pop()
        self.longest = longest or most
        self.constrained = any(problem.constrained for problem in problems) if constrained is None else constrained
        self.dynamic = _dynamic(layout, self.n_servers, self.constrained)
        """numbers that depend on the actions"""
        self.first_state = np.cumsum([0, *(problem.n_subtasks + 1 for problem in problems)])
        """states of problem i, from none to all subtasks decided, stand at ``first_state[i]:first_state[i + 1]``"""
        self._pairs = np.concatenate([_pairs(problem) for problem in problems])
        ends: list[Ints] = [np.append(np.repeat(np.cumsum(each), each), 0) for each in lengths]
        for end, first in zip(ends, self.first_state.tolist(), strict=False):
            end[end > 0] += first
        self._task_end = np.concatenate(ends)
        everywhere = np.ones((1, self.n_servers), dtype=np.bool_)
        self._masks = np.concatenate([part for problem in problems for part in (possible(problem), everywhere)])

    @property
    def width(self) -> int:
        """Numbers in an observation."""
        return width(self.layout, self.n_servers, self.longest, self.constrained)

    def masks(self, states: Ints) -> NDArray[np.bool_]:
        """Return the places `possible` for the subtask at hand, shape ``(rows, n_servers)``; any at the end."""
        return self._masks[states]

    def compose(self, dynamic: Observation, states: Ints, out: Observation | None = None) -> Observation:
        """Return observations from their dynamic parts and states, shape ``(rows, width)``."""
        if out is None:
            out = np.empty((len(dynamic), self.width), dtype=np.float32)
        _compose(dynamic, states, self._task_end, self._pairs, out)
        return out


def width(layout: Layout, n_servers: int, longest: int, constrained: bool = False) -> int:
    """Return how many numbers are in an observation with room for so many subtasks."""
    return _dynamic(layout, n_servers, constrained) + 2 * longest


def _dynamic(layout: Layout, n_servers: int, constrained: bool) -> int:
    if layout == "paper":
        return 1
    return 1 + len(FACT) * n_servers + (len(CONSTRAINT) * n_servers + 3 if constrained else 0)


def possible(problem: Problem) -> NDArray[np.bool_]:
    """Return where each subtask may run and its weights alone fit, shape ``(n_subtasks, n_servers)``.

    What fits nowhere may stand wherever it is allowed, so that there always is a choice; no placement is feasible then.
    """
    a = problem.arrays
    memory_mb = np.repeat(a.memory_mb[None, : problem.n_servers], problem.n_subtasks, axis=0)
    memory_mb[:, a.client] = a.memory_mb[a.own_station]
    fits = problem.allowed & (a.weights_mb[:, None] <= memory_mb * (1 + FEASIBLE))
    found: NDArray[np.bool_] = np.where(fits.any(axis=1, keepdims=True), fits, problem.allowed)
    return found


def task_lengths(problem: Problem) -> Ints:
    """Return how many subtasks each task has."""
    start = problem.arrays.task_start.astype(np.int64)
    return start[1:] - start[:-1]


def _pairs(problem: Problem) -> Observation:
    """Return data into and work of each subtask, and a row for the end."""
    a = problem.arrays
    into = np.add.reduceat(a.input_mb, a.input_start[:-1].astype(np.int64))
    pairs = np.stack([into / (into.max() or 1), a.gcycles / (a.gcycles.max() or 1)], axis=1)
    return np.concatenate([pairs, np.zeros((1, 2))]).astype(np.float32)


@compiled
def _compose(dynamic, states, task_end, pairs, observations):
    """Put observations together: the dynamic part, then the subtasks from the one at hand to its task's end."""
    width = dynamic.shape[1]
    for row in range(states.size):
        for i in range(width):
            observations[row, i] = dynamic[row, i]
        at = width
        for k in range(states[row], task_end[states[row]]):
            observations[row, at] = pairs[k, 0]
            observations[row, at + 1] = pairs[k, 1]
            at += 2
        observations[row, at:] = 0
