"""Flows to begin with: how the delay of a task may be spread over its paths.

Shares are quotients and sums of them, off by a last digit for each subtask; `subtask_costs` allows for that.
"""

from collections.abc import Iterator

import numpy as np

from offbench.bounds.subtask_costs import Flow
from offbench.model.arrays import Floats
from offbench.model.problem import Problem


def flows(problem: Problem) -> Iterator[Flow]:
    """Yield the flow through the path of each task with most work, and the one that each join splits evenly."""
    heavy = _heaviest(problem)
    yield heavy
    even = _even(problem)
    if not np.array_equal(even.transfer, heavy.transfer):
        yield even


def by_length(problem: Problem) -> Flow:
    """Return the flow that each join splits by the roots of the lengths of the ways to it, since all ways last met."""
    a = problem.arrays
    n = problem.n_subtasks
    length = np.zeros(n + problem.n_tasks)
    last_reader = np.arange(n)
    for k in range(n):
        for source in problem.sources_of(k):
            if source < n:
                last_reader[source] = k
    for subtasks in map(problem.subtasks_of, range(problem.n_tasks)):
        latest = -1
        for k in subtasks:
            meets = latest <= k  # nothing before is read after it
            latest = max(latest, int(last_reader[k]))
            length[k] = 0 if meets else 1 + length[a.input_of[list(problem.inputs_of(k))]].max()
    weight = np.sqrt(length + 0.5)[a.input_of]
    return _split(problem, weight)


def _heaviest(problem: Problem) -> Flow:
    a = problem.arrays
    n = problem.n_subtasks
    work = np.zeros(n)
    length = np.zeros(n, np.int64)
    through = np.empty(n, np.int64)
    for k in range(n):
        inputs = problem.inputs_of(k)
        before = [(work[s], length[s]) if (s := int(a.input_of[i])) < n else (0.0, 0) for i in inputs]
        best = max(range(len(before)), key=before.__getitem__)
        through[k] = inputs[best]
        work[k], length[k] = before[best][0] + a.gcycles[k], before[best][1] + 1
    path = np.full(n, -1)
    for subtasks in map(problem.subtasks_of, range(problem.n_tasks)):
        k = max(subtasks, key=lambda k: (work[k], length[k]))
        while k < n:
            path[k] = through[k]
            k = int(a.input_of[through[k]])
    return Flow.along(problem, path)


def _even(problem: Problem) -> Flow:
    return _split(problem, np.ones(len(problem.arrays.input_of)))


def _split(problem: Problem, weight: Floats) -> Flow:
    """Return the flow that each subtask splits among its inputs by weights, and each task evenly among its ends."""
    a = problem.arrays
    n = problem.n_subtasks
    flow = Flow(np.zeros(n), np.zeros(len(a.input_of)))
    for subtasks in map(problem.subtasks_of, range(problem.n_tasks)):
        ends = [k for k in subtasks if not problem.readers_of(k)]
        flow.subtask[ends] = 1 / len(ends)
        for k in reversed(subtasks):
            inputs = problem.inputs_of(k)
            total = float(weight[list(inputs)].sum())
            for i in inputs:
                flow.transfer[i] = flow.subtask[k] * float(weight[i]) / total
                if a.input_of[i] < n:
                    flow.subtask[a.input_of[i]] += flow.transfer[i]
    return flow
