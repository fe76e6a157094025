"""Cases of a module: on which kinds of servers its subtasks wait for one another.

Between a fork and a join that all paths pass through lie the subtasks of a module. Whatever else there is comes before
all of them or after all of them, so on a station they can wait for one another alone: of those that run there, the
first ``pool`` to be booked find a slot on which nothing but their own ancestors ran, and start when they are ready. So
where one of them waits, at least ``pool`` others of the module are that don't. (How much work those do says nothing: a
dispatch order can book a slot for what is ready late, and the slot idles until then.)

In a case it is assumed of each kind of server whether any of the module's subtasks wait on one of that kind. Where they
do, at least as many as the smallest pool of the kind has slots don't, and each of these earns a price, which is charged
as often beforehand (Lagrangian relaxation). Every placement is in one of the cases and pays no more there than it
costs, whatever the prices, so the least of the cases is a bound. Good prices are looked for by the subgradient method.

Rounding: an entry is off by a last digit of it more, which `Program.rounding` has room for.
"""

from collections.abc import Iterator
from itertools import pairwise, product
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offbench.bounds.frontier import Case, Program
from offbench.bounds.state_space import Window
from offbench.bounds.subtask_costs import Flow, SubtaskCost, SubtaskCosts, related
from offbench.model.arrays import Floats, Ints
from offbench.model.problem import Problem

# Relations among more subtasks would need too large a table.
_MOST_SUBTASKS = 5000
# Where waiting is worth less than this share of what it is on another kind of server, it is in no case of its own.
_MATTERS = 0.1
_ROUNDS = 25


class Module(NamedTuple):
    """The subtasks between a fork and a join."""

    fork: int
    join: int

    @property
    def inside(self) -> range:
        """The subtasks."""
        return range(self.fork + 1, self.join)


def find_modules(problem: Problem) -> Iterator[Module]:
    """Yield the modules whose subtasks can wait for one another and for nothing else; several tasks have none."""
    n = problem.n_subtasks
    if problem.n_tasks > 1 or n > _MOST_SUBTASKS:
        return
    before_or_after = related(problem, range(n)) | np.eye(n, dtype=np.bool_)
    cuts = np.flatnonzero(before_or_after.all(axis=1))
    for fork, join in pairwise(cuts.tolist()):
        if join - fork > 2:
            yield Module(fork, join)


class SlotHolding:
    """The problem in parts: modules with their cases, and single subtasks.

    Parameters
    ----------
    steps
        What makes the steps of the problem.
    flow
        How the delay is spread.
    """

    def __init__(self, steps: SubtaskCosts, flow: Flow) -> None:
        self._problem = problem = steps.problem
        a = problem.arrays
        self._free = steps.under(flow)
        self._still = SubtaskCosts(problem, queueing=False).under(flow)
        slots = np.diff(a.slot_start.astype(np.int64))
        slots[a.client] = slots[a.own_station[0]]
        self._kinds = [np.flatnonzero(a.kind == kind) for kind in np.unique(a.kind)]
        self._pool = np.array([int(slots[kind].min()) for kind in self._kinds])
        self._modules = list(find_modules(problem))
        worth = np.array([self._worth(module) for module in self._modules]).reshape(-1, len(self._kinds))
        self._split = worth > _MATTERS * worth.max(axis=1, keepdims=True)
        """of each module, the kinds that are told apart in its cases"""
        self.prices = np.where(self._split, worth, 0.0)
        """of each module and kind, what a subtask earns that doesn't wait where others do"""

    @property
    def matters(self) -> bool:
        """Whether there is a module in which anything is won by waiting."""
        return bool(self._split.any())

    def parts(self, prices: Floats) -> list[list[Case]]:
        """Return the parts at some prices, none of them negative."""
        made: list[list[Case]] = []
        first = 0
        for number, module in enumerate(self._modules):
            made.extend(_alone(self._free[first : module.fork + 1]))
            made.append([self._case(module, waits, prices[number]) for waits in self._cases(number)])
            first = module.join + 1
        return [*made, *_alone(self._free[first:])]

    def improve(self, window: Window, rows: int) -> Iterator[float]:
        """Yield bounds at ever better prices, in a window; the best prices stay."""
        prices, best = self.prices, -np.inf
        size = prices
        for number in range(_ROUNDS):
            program = Program(self._problem, self.parts(prices), rows)
            tables = program.to_go(window)
            value = program.bound_of(tables)
            if value > best:
                best, self.prices = value, prices
            yield value
            short = self._short(prices, program.cheapest(window, tables))
            if not short.any():
                return
            prices = np.maximum(0, prices + size * short / (4 + number))

    def _cases(self, number: int) -> Iterator[NDArray[np.bool_]]:
        """Yield on which kinds somebody waits; kinds that aren't told apart go with all."""
        split = self._split[number]
        for waits in product(*[(False, True) if each else (True,) for each in split]):
            needed = (self._pool + 1)[np.array(waits) & split].sum()
            if needed <= len(self._modules[number].inside):
                yield np.array(waits)

    def _case(self, module: Module, waits: NDArray[np.bool_], prices: Floats) -> Case:
        m = self._problem.n_servers
        earned, may_wait, charged = np.zeros(m), np.zeros(m, np.bool_), 0.0
        for kind in np.flatnonzero(waits):
            may_wait[self._kinds[kind]], earned[self._kinds[kind]] = True, prices[kind]
            charged += float(prices[kind] * self._pool[kind])
        case = []
        for k in module.inside:
            still, free = self._still[k].cost, self._free[k].cost
            case.append(SubtaskCost(self._free[k].inputs, np.where(may_wait, np.minimum(still - earned, free), still)))
        join = self._free[module.join]
        return [*case, SubtaskCost(join.inputs, join.cost + charged)]

    def _worth(self, module: Module) -> Floats:
        """Return what waiting is worth at most to a subtask in the middle of a module's, by kind."""
        worth = np.zeros((len(module.inside), len(self._kinds)))
        for row, k in enumerate(module.inside):
            still, free = self._still[k].cost, self._free[k].cost
            gain = np.subtract(still, free, out=np.zeros_like(still), where=np.isfinite(still))
            worth[row] = [gain[..., kind].max() for kind in self._kinds]
        middle: Floats = np.median(worth, axis=0)
        return middle

    def _short(self, prices: Floats, servers: Ints) -> Floats:
        """Return how many more ought not to wait, in the cases in which a placement is cheapest."""
        short = np.zeros_like(prices)
        for number, module in enumerate(self._modules):
            inside = np.array(module.inside)
            still, free = (
                np.array([steps[k].cost[(*servers[list(steps[k].inputs)], servers[k])] for k in inside])
                for steps in (self._still, self._free)
            )
            at = np.array([np.isin(servers[inside], kind) for kind in self._kinds], dtype=np.int64)
            least = np.inf
            for waits in self._cases(number):
                earned = np.where(waits, prices[number], 0.0)
                prompt = still - earned @ at
                waiting = (waits @ at > 0) & (free < prompt)
                cost = float(np.where(waiting, free, prompt).sum() + earned @ self._pool)
                if cost < least:
                    least = cost
                    short[number] = np.where(waits & self._split[number], self._pool - at @ ~waiting, 0)
        return short


def _alone(steps: list[SubtaskCost]) -> list[list[Case]]:
    return [[[step]] for step in steps]
