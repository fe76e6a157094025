"""Many tasks solved a few at a time: each window of them is an instance of its own, the tasks about it as they stand.

Of many tasks each placement is scored as a whole, for all of them may wait for one another: at 100 000 subtasks a
minute has some thousand scorings. But a task meets only those that are there while it runs. So a solver gets tasks that
arrive one after another, with those that overlap them pinned where they are, and what it finds is put back. Within a
window all is the Q of the whole but the balance, whose counts begin at 0, and memories and limits, of which a window
knows its own part. The whole is scored by the evaluator after each few windows, and windows that made it worse are
taken back (rolling horizon). In turn with them shares of all tasks move at once (`shares`): where more arrives than is
served, what matters is how much runs where, and no window sees that.
"""

from collections.abc import Iterator
from contextlib import suppress
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray

from offbench import P1, Budget, GaveUp, Infeasible, Placement, Search, SearchEnded, Solver, evaluate
from offbench.evaluation.kernel import PART
from offbench.model.problem import Problem
from offbench.solvers._shared.moves import start
from offbench.solvers._shared.repair import repair
from offbench.solvers._shared.shares import descend_by_shares

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Instances of several tasks with more subtasks than that are large: single moves get nowhere in a minute.
_SUBTASKS = 10_000
# A window has at most this many tasks pinned about it on each side, as multiples of its own.
_ABOUT = 2
# Moves of shares of all tasks in a turn (`shares`), and each how manyth turn is of what gained less of late.
_MOVES, _OTHER = 20, 6
# Windows between two scorings of the whole, and how long one takes, s, where that is not said.
_BATCH = 4
_WINDOW_S = 0.3
# Where evaluations are counted and no seconds, a window has so many, and no clock decides what comes out.
_WINDOW_EVALUATIONS = 2_000


def is_large(problem: Problem) -> bool:
    """Tell whether single moves are no use, for each is scored by all subtasks of several tasks."""
    return problem.n_tasks > 1 and problem.n_subtasks > _SUBTASKS


def by_windows(solver: Solver, problem: P1, search: Search, window_s: float = _WINDOW_S) -> None:
    """Let a solver improve window after window, in the order of arrival, again and again until the search ends.

    Parameters
    ----------
    solver
        What solves a window; it isn't large.
    problem, search
        The whole.
    window_s
        About how long a window takes; there are as many as that leaves time for. Of no matter where the budget is of
        evaluations alone.

    Raises
    ------
    SearchEnded
        When the search ends.
    """
    servers = repair(search, Placement(start(problem, search))).servers
    value, windows = search.propose(servers), _windows(problem, search, window_s)
    # What gained more of late goes on; the other has a turn now and then.
    gained = {"shares": np.inf, "windows": np.inf}
    for turn in count(1):
        better = max(gained, key=gained.__getitem__)
        chosen = min(gained, key=gained.__getitem__) if turn % _OTHER == 0 else better
        begun, before = _used(search), value
        if chosen == "shares":
            servers = descend_by_shares(problem, search, servers, _MOVES)
            value = search.propose(servers)
        else:
            moved, completion_s = servers.copy(), _completion_of_tasks(problem, servers)
            for inside, around in islice(windows, _BATCH):
                _improve(
                    solver, problem, search, moved, inside, _there(problem, inside, around, completion_s), window_s
                )
            if (found := search.propose(moved)) < value:
                servers, value = moved, found
        gained[chosen] = (before - value) / max(1e-9, _used(search) - begun)


def _by_evaluations(search: Search) -> bool:
    """Tell whether evaluations alone end the search, so that a seed must come to the same on any machine."""
    return search.budget.time_limit is None and search.budget.max_evaluations is not None


def _used(search: Search) -> float:
    """Return what is used of the budget: seconds, or evaluations."""
    return search.evaluations if _by_evaluations(search) else search.seconds


def _windows(problem: Problem, search: Search, window_s: float) -> Iterator[tuple[Ints, Ints]]:
    """Yield the tasks of each window and those next to it, in the order of arrival, again and again."""
    by_arrival = np.argsort(problem.arrays.arrival_s, kind="stable")
    while True:
        size = _tasks_of_a_window(problem, search, window_s)
        for first in range(-int(search.rng.integers(size)), problem.n_tasks, size):
            low, high = max(0, first), first + size
            about = by_arrival[max(0, low - _ABOUT * size) : low], by_arrival[high : high + _ABOUT * size]
            yield by_arrival[low:high], np.concatenate(about)


def _tasks_of_a_window(problem: Problem, search: Search, window_s: float) -> int:
    """Return so many that a window is not large, and that all come to their turn in what is left of the time."""
    layers = problem.n_subtasks / problem.n_tasks
    left_s = search.remaining_s
    by_time = problem.n_tasks * window_s / left_s if left_s > window_s else problem.n_tasks
    return max(1, int(min(by_time, _SUBTASKS / (1 + 2 * _ABOUT) / layers)) + 1)


def _completion_of_tasks(problem: Problem, servers: Ints) -> Floats:
    ends = evaluate(problem, Placement(servers)).parts[:, PART.completion_s]
    return np.maximum.reduceat(ends, problem.arrays.task_start[:-1].astype(np.int64))


def _there(problem: Problem, inside: Ints, around: Ints, completion_s: Floats) -> Ints:
    """Return those of the tasks about a window that are there while its own are."""
    arrival_s = problem.arrays.arrival_s
    overlap = (completion_s[around] > arrival_s[inside].min()) & (arrival_s[around] < completion_s[inside].max())
    there: Ints = around[overlap]
    return there


def _improve(
    solver: Solver, problem: P1, search: Search, servers: Ints, inside: Ints, around: Ints, window_s: float
) -> None:
    """Let a solver place the tasks of a window anew; *servers* take what it finds."""
    tasks = np.sort(np.concatenate((inside, around)))
    start_of = problem.arrays.task_start.astype(np.int64)
    subtasks = np.concatenate([np.arange(start_of[i], start_of[i + 1]) for i in tasks])
    whole = problem.instance
    part = whole.model_copy(
        update={"tasks": tuple(whole.tasks[i] for i in tasks), "scales": problem.scales, "limits": None}
    )
    window = P1(part)
    pinned = np.isin(problem.task_of[subtasks], around)
    given = np.arange(problem.n_servers) == servers[subtasks][:, None]
    window.allowed = np.where(pinned[:, None], given, problem.allowed[subtasks])
    most, left_s = search.budget.max_evaluations, search.remaining_s
    left = None if most is None else max(1, (most - search.evaluations) // 2)
    if left is not None and _by_evaluations(search):
        budget = Budget(max_evaluations=min(left, _WINDOW_EVALUATIONS))
    else:
        budget = Budget(time_limit=max(1e-3, min(window_s, left_s)), max_evaluations=left)
    here = Search(window, budget, seed=int(search.rng.integers(2**32)))
    with suppress(SearchEnded, GaveUp, Infeasible):
        value = here.propose(servers[subtasks])
        solver.solve(window, here)
    search.count(here.evaluations)
    if here.incumbent is None:
        return
    # Without its own dispatch order, for the whole is served as it comes.
    found = here.incumbent.servers
    if here.incumbent.order is None or _merit(window, found) < value:
        servers[subtasks] = found


def _merit(problem: P1, servers: Ints) -> float:
    found = evaluate(problem, Placement(servers))
    return float(problem.merit(np.array(found.objective), np.array(found.violation)))
