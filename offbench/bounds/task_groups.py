"""Groups of tasks that are in one another's way, by delay alone: each group has an area bound of its own (`area`).

Any groups give a bound. Tasks in a row by their earliest starts are one group where that promises longer
delays than apart, at the prices at which all the work together takes longest.

Rounding: heads and tails are sums of at most two numbers for each subtask. What an arrival leaves of them is lowered by
all that the three together can be off by, so that a late arrival makes no bound too high.
"""

import math
from dataclasses import dataclass

import numpy as np

from offbench.bounds.server_prices import Area, Division, ServerPrices, fair_prices
from offbench.evaluation.critical_path import earliest_starts_s, least_times_to_go_s
from offbench.model.arrays import Floats, Ints
from offbench.model.problem import Problem

# Of more tasks than this, groups don't begin at every one; of more heads, not all are tried.
_MOST_ENDS = 120
# An assignment of so many tasks to ranks takes some hundredths of a second; larger groups are not tried.
_MOST_TASKS = 500
_MOST_HEADS = 300


@dataclass(frozen=True)
class TaskGroup:
    """Tasks, and what they promise."""

    areas: list[Area]
    """one, or several of which each is valid"""
    prices: Floats
    """good ones, by delay alone"""
    longer_s: float
    """about what the delays sum to by their areas"""
    path_s: float
    """what they sum to by their longest paths"""

    @property
    def subtasks(self) -> Ints:
        """All subtasks of the tasks, ascending."""
        return self.areas[0].subtasks


def groups_of(problem: Problem) -> list[TaskGroup]:
    """Return groups that have each task once."""
    tasks = _Tasks(problem)
    count = len(tasks.order)
    ends = np.unique(np.linspace(0, count, min(count, _MOST_ENDS) + 1).round().astype(int)).tolist()
    most, cut = [0.0], [0]
    for j in range(1, len(ends)):
        # Among equals the smallest groups.
        near = (i for i in range(j) if i == j - 1 or ends[j] - ends[i] <= _MOST_TASKS)
        value, i = max((most[i] + tasks.delay_s(ends[i], ends[j]), i) for i in near)
        most.append(value)
        cut.append(i)
    made, j = [], len(ends) - 1
    while j > 0:
        made.append(tasks.group(ends[cut[j]], ends[j]))
        j = cut[j]
    return made


class _Tasks:
    """The tasks of a problem, in the order in which they can start; times in seconds."""

    def __init__(self, problem: Problem) -> None:
        a, n = problem.arrays, problem.n_subtasks
        first = a.task_start[:-1].astype(np.int64)
        self.task = np.searchsorted(a.task_start, np.arange(n), side="right") - 1
        self.arrival = a.arrival_s
        self._digits = 4 * (n + len(first) + 2) * float(np.finfo(float).eps)
        self.head = earliest_starts_s(problem).min(axis=1)
        to_go = least_times_to_go_s(problem)
        self.tail = to_go.min(axis=1)
        longest = self.head + (a.execution_s + to_go).min(axis=1)
        self.path = np.maximum.reduceat(longest, first) - self.arrival
        together = Area(np.arange(n), np.zeros(n, np.int64), np.ones(n, np.bool_), 0.0)
        delay_alone = Division(np.where(problem.allowed, 0.0, np.inf), 1)
        by_delay = ServerPrices(problem, together, delay_alone, fair_prices(problem))
        for _ in by_delay.improve(-math.inf):
            pass
        self.prices = by_delay.prices
        self.work = np.where(problem.allowed, a.execution_s * self.prices, np.inf).min(axis=1)
        self.heads = np.minimum.reduceat(self.head, first)
        self.tails = np.minimum.reduceat(self.tail, first)
        self.works = np.add.reduceat(self.work, first)
        self.order = np.argsort(self.heads, kind="stable")

    def delay_s(self, begin: int, end: int) -> float:
        """Return about what the delays sum to if some tasks in a row are a group."""
        tasks = self.order[begin:end]
        return max(self._by_area_s(tasks), float(self.path[tasks].sum()))

    def group(self, begin: int, end: int) -> TaskGroup:
        """Return these tasks."""
        tasks = np.sort(self.order[begin:end])
        rows = np.flatnonzero(np.isin(self.task, tasks))
        number = np.searchsorted(tasks, self.task[rows])
        areas = [Area(rows, number, np.ones(len(rows), np.bool_), self._fixed_s(tasks))]
        if len(tasks) == 1:
            head, tail, _ = self._window(rows)
            inside = (self.head[rows] >= head) & (self.tail[rows] >= tail)
            if not inside.all():
                arrival = float(self.arrival[tasks[0]])
                fixed_s = head + tail - arrival - self._digits * (head + tail + arrival)
                areas.append(Area(rows, number, inside, fixed_s))
        return TaskGroup(areas, self.prices, self._by_area_s(tasks), float(self.path[tasks].sum()))

    def _by_area_s(self, tasks: Ints) -> float:
        if len(tasks) == 1:
            return self._window(np.flatnonzero(self.task == tasks[0]))[2] - float(self.arrival[tasks[0]])
        return self._fixed_s(tasks) + float(np.arange(len(tasks), 0, -1) @ np.sort(self.works[tasks]))

    def _fixed_s(self, tasks: Ints) -> float:
        head, tails, arrivals = self.heads[tasks].min(), self.tails[tasks], self.arrival[tasks]
        return float((head + tails - arrivals - self._digits * (head + tails + arrivals)).sum())

    def _window(self, rows: Ints) -> tuple[float, float, float]:
        """Return head and tail from which on the subtasks of a task promise the latest completion, and that."""
        head, tail, work = self.head[rows], self.tail[rows], self.work[rows]
        best = -math.inf, 0.0, 0.0
        heads = np.unique(head)
        some = np.unique(np.linspace(0, len(heads) - 1, _MOST_HEADS).astype(int))
        for at in heads[some].tolist():
            here = np.flatnonzero(head >= at)
            here = here[np.argsort(-tail[here], kind="stable")]
            total = at + tail[here] + np.cumsum(work[here])
            k = int(total.argmax())
            best = max(best, (float(total[k]), at, float(tail[here[k]])))
        return best[1], best[2], best[0]
