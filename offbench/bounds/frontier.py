"""The frontier relaxation: dynamic programming over the subtasks in index order.

Behind subtask k, all that matters to the steps still to come is where the *live* subtasks are, those that aren't
pinned and have readers to come, and what a window knows of the counts. Queueing, the spread of the delay and what the
window forgets are relaxed (`subtask_costs`, `state_space`); where too many subtasks are live, the server of some is
forgotten, and their readers find them where they are cheapest. Each makes placements cheaper, never dearer.

Rounding: the steps are lower bounds in exact numbers. What their sums can be off by is `Program.rounding`, which every
bound is lowered by; minima add nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from offbench.bounds.state_space import Window
from offbench.bounds.subtask_costs import SubtaskCost
from offbench.evaluation.compiled import compiled
from offbench.model.arrays import SCALE, WEIGHT, Floats, Ints
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def"

# There are no NaNs, and the sign of a zero means nothing: so minima can be taken several at a time.
FASTMATH = {"nnan", "nsz"}
# States that are worked on together, so that they stay in the processor's cache.
_BLOCK = 512


@dataclass(frozen=True)
class ProgramStage:
    """One subtask's place in the dynamic program."""

    live: tuple[int, ...]
    """the subtasks whose servers matter before it, ascending"""
    cost: Floats
    """its step by the servers of the live ones, then its own"""
    into: Ints
    """the row of the next stage, by row and server"""


Case = Sequence[SubtaskCost]
"""steps of consecutive subtasks under one assumption"""


def _stages(problem: Problem, cases: Sequence[Sequence[Case]], rows: int) -> list[list[list[ProgramStage]]]:
    """Lay out the dynamic program: for each part of the problem, for each of its cases, a stage for each subtask."""
    m = problem.n_servers
    a = problem.arrays
    pinned = {int(k): int(problem.allowed[k].argmax()) for k in np.flatnonzero(problem.allowed.sum(axis=1) == 1)}
    weight = {int(k): float(mb) for mb, k in zip(a.input_mb, a.input_of, strict=True)}
    last_reader = np.full(problem.n_subtasks, -1)
    for k in range(problem.n_subtasks):
        for source in problem.sources_of(k):
            if source < problem.n_subtasks:
                last_reader[source] = k
    live: tuple[int, ...] = ()
    into: dict[tuple[int, tuple[int, ...]], Ints] = {}
    first, made = 0, []
    for part in cases:
        laid = []
        for case in part:
            before, chain = live, []
            for k, step in enumerate(case, first):
                after = tuple(source for source in (*before, k) if last_reader[source] > k and source not in pinned)
                while m ** len(after) > max(rows, m):
                    # Whose server is forgotten: the output that is cheapest to send; never the one just placed.
                    old = after[:-1] if after[-1] == k else after
                    least = min(old, key=lambda source: weight.get(source, 0.0))
                    after = tuple(source for source in after if source != least)
                axes = (*before, k)
                kept = tuple(axes.index(source) for source in after)
                if (len(axes), kept) not in into:
                    into[len(axes), kept] = _into(len(axes), kept, m)
                chain.append(ProgramStage(before, _known(step, before, pinned, m), into[len(axes), kept]))
                before = after
            laid.append(chain)
        made.append(laid)
        live = before
        first += len(part[0])
    return made


def _known(step: SubtaskCost, live: tuple[int, ...], pinned: dict[int, int], m: int) -> Floats:
    """Return the step's cost over the live servers; inputs that are forgotten are where they are cheapest."""
    cost = step.cost
    for axis, source in reversed(list(enumerate(step.inputs))):
        if source not in live:
            cost = np.take(cost, pinned[source], axis) if source in pinned else cost.min(axis=axis)
    kept = [source for source in step.inputs if source in live]
    order = sorted(range(len(kept)), key=lambda axis: kept[axis])
    cost = cost.transpose(*order, len(kept))
    shape = [m if source in kept else 1 for source in live]
    if cost.ndim == len(live) + 1 and cost.flags.c_contiguous and cost.flags.writeable:
        return cost.reshape(-1, m)  # of many subtasks, copies would take much memory
    full = np.broadcast_to(cost.reshape(*shape, m), (*[m] * len(live), m))
    return np.array(full.reshape(-1, m), order="C")  # always writable, so of one type, for which all is compiled once


def _into(axes: int, kept: tuple[int, ...], m: int) -> Ints:
    """Return the row by servers along *axes*, of which some are *kept*."""
    row = np.zeros((m,) * axes, np.int64)
    for axis in kept:
        shape = [m if i == axis else 1 for i in range(axes)]
        row = row * m + np.arange(m).reshape(shape)
    return np.ascontiguousarray(row.reshape(-1, m))


class Program:
    """The relaxation as a dynamic program, for any window.

    Parameters
    ----------
    problem
        P1, or P2 whose servers are given.
    parts
        The steps of all subtasks in parts, each with one or several cases of which one must hold.
    rows
        How many combinations of live servers may be told apart; at least one for each server.
    """

    def __init__(self, problem: Problem, parts: Sequence[Sequence[Case]], rows: int = 1) -> None:
        a = problem.arrays
        self.problem = problem
        self._parts = _stages(problem, parts, rows)
        self.unit = float(a.weights[WEIGHT.balance] / a.scale[SCALE.balance])
        """cost of an imbalance of 1 after one subtask"""
        terms = [
            max(np.abs(stage.cost[stage.cost < np.inf]).max(initial=0.0) for stage in stages)
            for part in self._parts
            for stages in zip(*part, strict=True)
        ]
        # The imbalance after one subtask is at most that of all on one server.
        largest_imbalance = self.unit * problem.n_subtasks * float(a.peers.max())
        self.rounding = float(4 * np.finfo(float).eps * len(terms) * (sum(terms) + largest_imbalance * len(terms)))
        """more than sums of the steps, from end to end, can be off by: of n terms by n last digits of all together"""

    @property
    def stages(self) -> list[ProgramStage]:
        """One for each subtask, where there is only one case."""
        return [stage for (case,) in self._parts for stage in case]

    def to_go(self, window: Window, check: Callable[[], None] = lambda: None) -> list[Floats]:
        """Return the least cost of the subtasks from the beginning of each part on.

        Parameters
        ----------
        window
            What is known of the counts.
        check
            Called between stages; may raise to end it.

        Returns
        -------
        list of numpy.ndarray
            For each part and the end, by row of its first stage and state of the window.
        """
        return list(self._backward(window, check))[::-1]

    def lower_bound(self, window: Window) -> float:
        """Return the relaxation's optimum, less what rounding may have added."""
        for table in self._backward(window, lambda: None):
            first = table
        return self.bound_of([first])

    def bound_of(self, tables: Sequence[Floats]) -> float:
        """Return the same from what `to_go` returned."""
        return float(tables[0][0, 0]) - self.rounding

    def _backward(self, window: Window, check: Callable[[], None]) -> Iterator[Floats]:
        table = np.zeros((1, window.n_states))
        yield table
        for part in reversed(self._parts):
            table = reduce(np.minimum, (self._along(case, table, window, check)[0] for case in part))
            yield table

    def cheapest(self, window: Window, tables: Sequence[Floats]) -> Ints:
        """Return a placement that the relaxation finds cheapest; *tables* as `to_go` returns them."""
        servers: list[int] = []
        row = state = 0
        for part, here, after in zip(self._parts, tables[:-1], tables[1:], strict=True):
            for case in part:
                along = self._along(case, after, window, lambda: None)
                if along[0][row, state] == here[row, state]:
                    break
            for stage, following in zip(case, [*along[1:], after], strict=True):
                server, state = _cheapest(
                    stage.cost[row], stage.into[row], following, state, self.unit, *_steps(window)
                )
                servers.append(server)
                row = int(stage.into[row, server])
        return np.array(servers)

    def _along(
        self, case: Sequence[ProgramStage], after: Floats, window: Window, check: Callable[[], None]
    ) -> list[Floats]:
        tables = [after]
        for stage in reversed(case):
            check()
            tables.append(_before(stage.cost, stage.into, tables[-1], self.unit, *_steps(window)))
        return tables[:0:-1]


def _steps(window: Window) -> tuple[Ints, Ints, NDArray[np.int32]]:
    return window.imbalance, window.next_start, window.next_of


@compiled
def _cheapest(cost, into, after, state, unit, imbalance, next_start, next_of):
    m = cost.size
    best = np.inf
    server, reached = 0, 0
    for s in range(m):
        if cost[s] < np.inf:
            for i in range(next_start[state * m + s], next_start[state * m + s + 1]):
                value = cost[s] + unit * imbalance[next_of[i]] + after[into[s], next_of[i]]
                if value < best:
                    best, server, reached = value, s, next_of[i]
    return server, reached


@compiled(fastmath=FASTMATH)
def _before(cost, into, after, unit, imbalance, next_start, next_of):
    """One stage backward; for each server, first what a step there leads to, then the least over servers."""
    rows, m = cost.shape
    states = imbalance.size
    value = np.full((rows, states), np.inf)
    step, balance = np.empty((after.shape[0], _BLOCK)), np.empty(_BLOCK)
    to, several = np.empty(_BLOCK, np.int32), np.empty(_BLOCK, np.int64)
    needed = np.zeros((m, after.shape[0]), np.bool_)
    for row in range(rows):
        for s in range(m):
            if cost[row, s] < np.inf:
                needed[s, into[row, s]] = True
    for low in range(0, states, _BLOCK):
        size = min(states - low, _BLOCK)
        for s in range(m):
            n_several = 0
            for w in range(size):
                first = next_start[(low + w) * m + s]
                to[w] = next_of[first]
                balance[w] = unit * imbalance[to[w]]
                if next_start[(low + w) * m + s + 1] > first + 1:
                    several[n_several] = w
                    n_several += 1
            for row in range(after.shape[0]):
                if needed[s, row]:
                    for w in range(size):
                        step[row, w] = balance[w] + after[row, to[w]]
                    for w in several[:n_several]:
                        for i in range(next_start[(low + w) * m + s] + 1, next_start[(low + w) * m + s + 1]):
                            step[row, w] = min(step[row, w], unit * imbalance[next_of[i]] + after[row, next_of[i]])
            for row in range(rows):
                here = cost[row, s]
                if here < np.inf:
                    ahead = step[into[row, s], :size]
                    best = value[row, low : low + size]
                    for w in range(size):
                        best[w] = min(best[w], here + ahead[w])
    return value
