"""Critical paths: the earliest start of each subtask, and the least time from its end to that of its task.

Nothing queues, and each reader has its input from wherever that is quickest for it; so they hold for all placements,
but for last digits: whoever makes a bound of them takes these off.
"""

import numpy as np

from offbench.model.problem import LINK, Floats, Problem


def earliest_starts_s(problem: Problem) -> Floats:
    """Return when each subtask can start on each server at the earliest, infinite where it may not run."""
    a, n = problem.arrays, problem.n_subtasks
    s_per_mb = 1 / a.link[..., LINK.rate_mb_per_s]
    execution_s = _executions_s(problem)
    start = np.full(execution_s.shape, np.inf)
    for k in range(n):
        arrive = np.zeros(problem.n_servers)
        for i in range(int(a.input_start[k]), int(a.input_start[k + 1])):
            source = int(a.input_of[i])
            if source < n:
                done = start[source] + execution_s[source]
                arrive = np.maximum(arrive, (done[:, None] + a.input_mb[i] * s_per_mb).min(axis=0))
            else:
                arrive = np.maximum(arrive, a.arrival_s[source - n] + a.input_mb[i] * s_per_mb[a.client])
        start[k] = np.where(problem.allowed[k], arrive, np.inf)
    return start


def least_times_to_go_s(problem: Problem) -> Floats:
    """Return how long each task takes from the end of a subtask on each server on, infinite where it may not run."""
    a, n = problem.arrays, problem.n_subtasks
    s_per_mb = 1 / a.link[..., LINK.rate_mb_per_s]
    execution_s = _executions_s(problem)
    to_go = np.where(problem.allowed, 0.0, np.inf)
    for k in range(n - 1, -1, -1):
        for i in range(int(a.input_start[k]), int(a.input_start[k + 1])):
            source = int(a.input_of[i])
            if source < n:
                way = (a.input_mb[i] * s_per_mb + (execution_s[k] + to_go[k])).min(axis=1)
                to_go[source] = np.maximum(to_go[source], way)
    return to_go


def _executions_s(problem: Problem) -> Floats:
    execution_s: Floats = np.where(problem.allowed, problem.arrays.gcycles[:, None] / problem.arrays.ghz, np.inf)
    return execution_s
