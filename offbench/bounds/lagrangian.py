"""Splitting the costs of a chain between one window for each kind of server.

One window that is wide in both kinds at once has too many states. But for any shares of the costs of
the steps that add up to them, ``min (costs + Z_edges + Z_clouds)`` is at least ``min (share + Z_edges)
+ min (other share + Z_clouds)``, and each is a dynamic program over one kind's window alone (Lagrangian
decomposition). The shares are evened out step by step, forward and backward in turn: each pair of servers
of consecutive subtasks gets the same least cost in every term, which never makes the bound worse.
A pair or a state whose least costs add up to the incumbent, or by more than what rounding can have added, is in
no better placement and is left out for good, so that few states are left for wider windows.

Rounding: shares are lowered and raised in floating-point numbers, but the last one is what the others leave of the
costs, so they add up to them but for a digit of each. `Split.rounding` counts a digit of the largest entry of each term
for every subtask, and is taken off the bound.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from offbench.bounds.frontier import FASTMATH, Program
from offbench.bounds.label_setting import Guide
from offbench.bounds.state_space import Group, Window, narrowed
from offbench.evaluation.compiled import compiled
from offbench.model.arrays import Floats

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def"

States = NDArray[np.int32]

# A window's codes are listed one by one, so there must not be too many.
_CODES = 1_000_000
# States that are worked on together, so that they stay in the processor's cache.
_BLOCK = 512


class Term:
    """A share of the costs, and the balance in one window.

    Parameters
    ----------
    window
        What is known of the counts.
    cost
        Of each subtask, by server of the one before and its own; infinite where no better placement is.
    alive
        The states before each subtask and at the end that may be in a better placement, ascending.
    """

    def __init__(self, window: Window, cost: Floats, alive: list[States]) -> None:
        self.window = window
        self.cost = cost
        self.alive = alive
        m = cost.shape[1]
        self.tables = [np.zeros((m, len(states))) for states in alive]
        """least cost from each subtask on, or up to it, by server of the one before and state that is alive"""
        self._position = np.full(window.n_states, -1, np.int32)

    def ahead(self, k: int, unit: float) -> Floats:
        """Return the least cost of what follows subtask *k*, by its server and the state before it."""
        w = self.window
        self._position[self.alive[k + 1]] = np.arange(len(self.alive[k + 1]))
        found: Floats = _ahead(
            self.tables[k + 1], self.alive[k], self._position, unit, w.imbalance, w.next_start, w.next_of
        )
        self._position[self.alive[k + 1]] = -1
        return found

    def behind(self, k: int, unit: float) -> Floats:
        """Return the least cost of the subtasks up to *k*, by its server and the state after it."""
        w = self.window
        self._position[self.alive[k + 1]] = np.arange(len(self.alive[k + 1]))
        before = _cheapest(np.ascontiguousarray(self.cost[k].T), self.tables[k])
        found: Floats = _behind(
            before, len(self.alive[k + 1]), self.alive[k], self._position, unit, w.imbalance, w.next_start, w.next_of
        )
        self._position[self.alive[k + 1]] = -1
        return found

    def keep(self, k: int, table: Floats) -> None:
        """Keep the finite states of a table, and it instead of the one before subtask *k*."""
        finite = (table < np.inf).any(axis=0)
        self.alive[k] = self.alive[k][finite]
        self.tables[k] = np.ascontiguousarray(table[:, finite])


class Split:
    """The bound of the split costs.

    Parameters
    ----------
    program
        Of a chain: only the subtask before is live.
    groups
        Each has a term of its own.
    """

    def __init__(self, program: Program, groups: Sequence[Group]) -> None:
        self._arrays = program.problem.arrays
        self._unit = program.unit
        self._rounding = program.rounding
        self._rows = [stage.cost.shape[0] for stage in program.stages] + [1]
        m = len(self._arrays.kind)
        self._cost = np.full((len(program.stages), m, m), np.inf)
        for k, stage in enumerate(program.stages):
            self._cost[k, : self._rows[k]] = stage.cost
        windows = [Window(self._arrays, (group,)) for group in groups] or [Window(self._arrays, ())]
        self._terms = [
            Term(window, self._cost / len(windows), _everything(window, len(self._cost))) for window in windows
        ]
        self._sizes = np.array([[_largest(cost) for cost in term.cost] for term in self._terms])
        """the largest cost of each term and subtask, which grow as costs are moved from term to term"""
        self._backward(np.inf, lambda: None, even=False)

    @property
    def name(self) -> str:
        """Such as ``5x8 | 5x6``."""
        return " | ".join(term.window.name for term in self._terms)

    @property
    def lower_bound(self) -> float:
        """No placement is cheaper than this and than the incumbents that were given, but for rounding."""
        return float(sum(term.tables[0].min(initial=np.inf) for term in self._terms))

    @property
    def rounding(self) -> float:
        """More than the sums in the bound, and in a label's cost with what is to come, can be off by."""
        return float(4 * np.finfo(float).eps * len(self._cost) * self._sizes.sum()) + 2 * self._rounding

    @property
    def guides(self) -> list[Guide]:
        """The terms for label setting, to be added up; valid for incumbents no higher than those given."""
        return [Guide(term.window, _Tables(term, self._rows), adds=i > 0) for i, term in enumerate(self._terms)]

    def improve(self, incumbent: float, check: Callable[[], None]) -> None:
        """Even the shares out once forward and once backward.

        Parameters
        ----------
        incumbent
            Placements from this on need not be bounded.
        check
            Called between subtasks; may raise to end it: the split is of no use then.
        """
        self._forward(incumbent, check)
        self._backward(incumbent, check, even=True)

    def wider(self, n_bytes: int, check: Callable[[], None]) -> bool:
        """Widen every window that can forget something, unless the tables would need more than *n_bytes*.

        Returns whether there was anything to widen, and room.
        """
        windows = [self._wider(term.window) for term in self._terms]
        if all(window is term.window for window, term in zip(windows, self._terms, strict=True)):
            return False
        alive = []
        for window, term in zip(windows, self._terms, strict=True):
            of = narrowed(window, term.window)
            alive.append([np.flatnonzero(np.isin(of, states)).astype(np.int32) for states in term.alive])
        m = self._cost.shape[1]
        if sum(8 * m * len(states) for term in alive for states in term) > n_bytes:
            return False
        self._terms = [
            Term(window, term.cost, states) for window, term, states in zip(windows, self._terms, alive, strict=True)
        ]
        self._backward(np.inf, check, even=False)
        return True

    def _wider(self, window: Window) -> Window:
        groups = tuple(Group(group.servers, group.width + max(1, group.width // 5)) for group in window.groups)
        enough = all(group.width >= len(self._cost) for group in window.groups)
        fits = all((group.width + 1) ** len(group.servers) <= _CODES for group in groups)
        return Window(self._arrays, groups) if fits and not enough else window

    def _forward(self, incumbent: float, check: Callable[[], None]) -> None:
        for term in self._terms:
            # Before the first subtask there is one row, as if its server before were the first.
            term.tables[0] = np.full_like(term.tables[0], np.inf)
            term.tables[0][0] = 0
        for k in range(len(self._cost)):
            check()
            self._even(k, [term.ahead(k, self._unit) for term in self._terms], incumbent)
            self._keep(k + 1, [term.behind(k, self._unit) for term in self._terms], incumbent)

    def _backward(self, incumbent: float, check: Callable[[], None], *, even: bool) -> None:
        for term in self._terms:
            term.tables[-1] = np.where(term.tables[-1] < np.inf, 0.0, np.inf)
        for k in reversed(range(len(self._cost))):
            check()
            ahead = [term.ahead(k, self._unit) for term in self._terms]
            if even:
                self._even(k, ahead, incumbent)
            tables = [_cheapest(term.cost[k], each) for term, each in zip(self._terms, ahead, strict=True)]
            if even and k > 0:
                self._keep(k, tables, incumbent)
            else:
                for term, table in zip(self._terms, tables, strict=True):
                    term.tables[k] = table

    def _even(self, k: int, ahead: Sequence[Floats], incumbent: float) -> None:
        """Let the least costs of each pair of servers be the same in all terms; drop pairs that are too dear."""
        least = [_pairs(term.tables[k], each, term.cost[k]) for term, each in zip(self._terms, ahead, strict=True)]
        total = np.sum(least, axis=0)
        dear = ~(total < incumbent + self.rounding)
        rest = self._cost[k].copy()
        for term, each in zip(self._terms[:-1], least[:-1], strict=True):
            term.cost[k] -= np.subtract(each, total / len(least), out=np.zeros_like(each), where=~dear)
            term.cost[k][dear] = np.inf
            np.subtract(rest, term.cost[k], out=rest, where=~dear)
        # Not changed step by step as well, so that the shares add up but for one rounding.
        rest[dear] = np.inf
        self._terms[-1].cost[k] = rest
        self._sizes[:, k] = [_largest(term.cost[k]) for term in self._terms]

    def _keep(self, k: int, tables: Sequence[Floats], incumbent: float) -> None:
        """Keep new tables instead of those before subtask *k*, without what is too dear."""
        sums = [table + term.tables[k] for term, table in zip(self._terms, tables, strict=True)]
        least = [each.min(axis=1, initial=np.inf) for each in sums]
        total = np.sum(least, axis=0)
        for i, (term, table) in enumerate(zip(self._terms, tables, strict=True)):
            others = np.where(np.isfinite(total), total - np.where(np.isfinite(total), least[i], 0), np.inf)
            table[~(sums[i] + others[:, None] < incumbent + self.rounding)] = np.inf
            term.keep(k, table)


class _Tables:
    """A term's tables over all states, each made when it is asked for."""

    def __init__(self, term: Term, rows: list[int]) -> None:
        self._term = term
        self._rows = rows

    def __getitem__(self, k: int) -> Floats:
        full = np.full((self._rows[k], self._term.window.n_states), np.inf)
        known = self._term.tables[k]
        full[:, self._term.alive[k]] = known if len(known) == len(full) else known.min(axis=0)
        return full


def _largest(cost: Floats) -> float:
    return float(np.abs(cost[cost < np.inf]).max(initial=0.0))


def _everything(window: Window, n_subtasks: int) -> list[States]:
    every = np.arange(window.n_states, dtype=np.int32)
    return [every[:1], *[every] * n_subtasks]


@compiled(fastmath=FASTMATH)
def _ahead(after, alive, position, unit, imbalance, next_start, next_of):
    m = after.shape[0]
    found = np.empty((m, alive.size))
    for i in range(alive.size):
        for s in range(m):
            least = np.inf
            for j in range(next_start[alive[i] * m + s], next_start[alive[i] * m + s + 1]):
                at = position[next_of[j]]
                if at >= 0:
                    least = min(least, unit * imbalance[next_of[j]] + after[s, at])
            found[s, i] = least
    return found


@compiled(fastmath=FASTMATH)
def _behind(before, n_after, alive, position, unit, imbalance, next_start, next_of):
    m = before.shape[0]
    found = np.full((m, n_after), np.inf)
    for i in range(alive.size):
        for s in range(m):
            for j in range(next_start[alive[i] * m + s], next_start[alive[i] * m + s + 1]):
                at = position[next_of[j]]
                if at >= 0:
                    found[s, at] = min(found[s, at], before[s, i] + unit * imbalance[next_of[j]])
    return found


@compiled(fastmath=FASTMATH)
def _cheapest(cost, ahead):
    """For each row of *cost* and each state, the least over the columns of cost and what is ahead."""
    states = ahead.shape[1]
    found = np.full((cost.shape[0], states), np.inf)
    for low in range(0, states, _BLOCK):
        high = min(states, low + _BLOCK)
        for a in range(cost.shape[0]):
            best = found[a, low:high]
            for b in range(cost.shape[1]):
                here = cost[a, b]
                if here < np.inf:
                    further = ahead[b, low:high]
                    for w in range(high - low):
                        best[w] = min(best[w], here + further[w])
    return found


@compiled(fastmath=FASTMATH)
def _pairs(behind, ahead, cost):
    """For each pair of servers, the least over the states of what is behind, here and ahead."""
    states = ahead.shape[1]
    found = np.full(cost.shape, np.inf)
    for low in range(0, states, _BLOCK):
        high = min(states, low + _BLOCK)
        for a in range(cost.shape[0]):
            for b in range(cost.shape[1]):
                if cost[a, b] < np.inf:
                    past, further = behind[a, low:high], ahead[b, low:high]
                    best = np.inf
                    for w in range(high - low):
                        best = min(best, past[w] + further[w])
                    found[a, b] = min(found[a, b], best + cost[a, b])
    return found
