"""Flows to begin with: how the delay of a task may be spread over its paths."""

from collections.abc import Iterator

import numpy as np

from offbench.bounds.subtask_costs import Flow
from offbench.model.problem import Problem


def flows(problem: Problem) -> Iterator[Flow]:
    """Yield the flow through the path of each task with most work, and the one that each join splits evenly."""
    heavy = _heaviest(problem)
    yield heavy
    even = _even(problem)
    if not np.array_equal(even.transfer, heavy.transfer):
        yield even


def _heaviest(problem: Problem) -> Flow:
    a = problem.arrays
    n = problem.n_subtasks
    work = np.zeros(n)
    length = np.zeros(n, np.int64)
    through = np.empty(n, np.int64)
    for k in range(n):
        inputs = range(int(a.input_start[k]), int(a.input_start[k + 1]))
        before = [(work[s], length[s]) if (s := int(a.input_of[i])) < n else (0.0, 0) for i in inputs]
        best = max(range(len(before)), key=before.__getitem__)
        through[k] = inputs[best]
        work[k], length[k] = before[best][0] + a.gcycles[k], before[best][1] + 1
    path = np.full(n, -1)
    for first, last in zip(a.task_start[:-1].astype(int), a.task_start[1:].astype(int), strict=True):
        k = max(range(first, last), key=lambda k: (work[k], length[k]))
        while k < n:
            path[k] = through[k]
            k = int(a.input_of[through[k]])
    return Flow.along(problem, path)


def _even(problem: Problem) -> Flow:
    a = problem.arrays
    n = problem.n_subtasks
    flow = Flow(np.zeros(n), np.zeros(len(a.input_of)))
    readers = np.diff(a.reader_start.astype(np.int64))
    for first, last in zip(a.task_start[:-1].astype(int), a.task_start[1:].astype(int), strict=True):
        ends = first + np.flatnonzero(readers[first:last] == 0)
        flow.subtask[ends] = 1 / len(ends)
        for k in range(last - 1, first - 1, -1):
            inputs = slice(int(a.input_start[k]), int(a.input_start[k + 1]))
            flow.transfer[inputs] = flow.subtask[k] / (inputs.stop - inputs.start)
            for i in range(inputs.start, inputs.stop):
                if a.input_of[i] < n:
                    flow.subtask[a.input_of[i]] += flow.transfer[i]
    return flow
