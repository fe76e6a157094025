"""Section 3: slots are booked one after another, and a subtask starts as soon as its slot allows.

The slots of a server become free at the `pool` largest completions booked on it so far. So subtask k starts
when it is ready, unless `pool` of the subtasks booked before it on its server complete later; then it
starts with the `pool`-th largest of these completions, and `pool - 1` subtasks go on beside it.
"""

from typing import Any

import numpy as np
import pyomo.environ as pyo

from offbench.model.problem import Problem
from offbench.solvers.milp.times import Times

# Added to big numbers, which are no good for a solver when tiny.
_SPACE = 1e-2


def add_booking(model: pyo.ConcreteModel, problem: Problem, times: Times, latest_s: Any, unit_s: float) -> None:
    """Add waiting to a model with ``x[k, s]``, ``ready[k]``, ``waiting[k]`` and ``completion[k]``.

    Parameters
    ----------
    model
        Is added to.
    problem
        P1 or P2.
    times
        Who can wait.
    latest_s
        No completion is later, for each subtask.
    unit_s
        The model's unit of time.
    """
    a = problem.arrays
    n = problem.n_subtasks
    pool = np.diff(a.slot_start.astype(np.int64)).tolist()
    contested = [int(s) for s in np.flatnonzero(times.waits_on.any(axis=0))]
    rivals = times.rivals
    before_me = {k: [j for j, other in rivals if other == k] for k in range(n)}
    may_wait = [k for k in range(n) if times.waits_on[k].any()]
    latest = {k: float(latest_s[k]) / unit_s for k in range(n)}
    earliest = {k: float(times.earliest_s[k]) / unit_s for k in range(n)}

    def start(m: Any, k: int) -> Any:
        return m.ready[k] + m.waiting[k]

    execution = [a.gcycles[k] / a.ghz[problem.allowed[k]] / unit_s for k in range(n)]
    earliest_start = [earliest[k] - float(execution[k].max()) for k in range(n)]
    latest_start = [latest[k] - float(execution[k].min()) for k in range(n)]

    def big(j: int, k: int) -> float:
        """How far the start of k can lie behind the completion of j."""
        return max(0.0, latest_start[k] - earliest[j]) + _SPACE

    # first[j, k]: j is booked before k, on the same server, one where somebody may have to wait.
    model.first = pyo.Var(rivals, domain=pyo.Binary)
    pairs = [(j, k, s) for j, k in rivals if j < k for s in contested]
    model.meet = pyo.Constraint(
        [(j, k, s) for j, k, s in pairs if problem.allowed[j, s] and problem.allowed[k, s]],
        rule=lambda m, j, k, s: m.first[j, k] + m.first[k, j] >= m.x[j, s] + m.x[k, s] - 1,
    )

    def apart(m: Any, j: int, k: int, s: int) -> Any:
        if not problem.allowed[j, s]:
            return pyo.Constraint.Skip
        other = m.x[k, s] if problem.allowed[k, s] else 0
        return m.first[j, k] + m.first[k, j] <= 1 - m.x[j, s] + other

    model.apart = pyo.Constraint(pairs, rule=apart)
    model.calm = pyo.Constraint(
        [(j, k) for j, k in rivals if j < k],
        rule=lambda m, j, k: (
            m.first[j, k] + m.first[k, j] <= sum(m.x[j, s] for s in contested if problem.allowed[j, s])
        ),
    )

    # One dispatch order, inputs before their readers: places in it from 0 to n - 1.
    model.position = pyo.Var(range(n), bounds=(0, n - 1))
    model.order = pyo.Constraint(
        rivals, rule=lambda m, j, k: m.position[k] >= m.position[j] + 1 - n * (1 - m.first[j, k])
    )
    reads = [(j, k) for k in range(n) for j in problem.sources_of(k) if j < n]
    model.precede = pyo.Constraint(reads, rule=lambda m, j, k: m.position[k] >= m.position[j] + 1)

    # beside[j, k]: j, booked before k, goes on when k starts. upon[j, k]: k waited, and starts when j completes.
    meets = [(j, k) for j, k in rivals if k in may_wait]
    model.beside = pyo.Var(meets, domain=pyo.Binary)
    model.upon = pyo.Var(meets, domain=pyo.Binary)
    model.role = pyo.Constraint(meets, rule=lambda m, j, k: m.beside[j, k] + m.upon[j, k] <= m.first[j, k])
    model.over = pyo.Constraint(
        meets,
        rule=lambda m, j, k: (
            start(m, k)
            >= m.completion[j]
            - (max(0.0, latest[j] - earliest_start[k]) + _SPACE) * (1 - m.first[j, k] + m.beside[j, k])
        ),
    )
    model.goes_on = pyo.Constraint(
        meets,
        rule=lambda m, j, k: m.completion[j] >= start(m, k) - big(j, k) * (1 - m.beside[j, k]),
    )
    model.at_once = pyo.Constraint(
        meets,
        rule=lambda m, j, k: start(m, k) <= m.completion[j] + big(j, k) * (1 - m.upon[j, k]),
    )
    servers = {k: [int(s) for s in np.flatnonzero(problem.allowed[k])] for k in may_wait}
    # waits[k]: k waits; then exactly pool - 1 subtasks go on beside it, else at most so many.
    model.waits = pyo.Var(may_wait, domain=pyo.Binary)
    model.wait_upon = pyo.Constraint(may_wait, rule=lambda m, k: m.waits[k] == sum(m.upon[j, k] for j in before_me[k]))
    model.wait_where = pyo.Constraint(
        may_wait, rule=lambda m, k: m.waits[k] <= sum(m.x[k, s] for s in servers[k] if times.waits_on[k, s])
    )
    model.slots = pyo.Constraint(
        may_wait,
        rule=lambda m, k: (
            sum(m.beside[j, k] for j in before_me[k])
            <= sum(min(pool[s] - 1, len(before_me[k])) * m.x[k, s] for s in servers[k])
        ),
    )
    model.busy = pyo.Constraint(
        [(k, s) for k in may_wait for s in servers[k] if times.waits_on[k, s] and pool[s] > 1],
        rule=lambda m, k, s: sum(m.beside[j, k] for j in before_me[k]) >= (pool[s] - 1) * (m.x[k, s] + m.waits[k] - 1),
    )
    model.wait_long = pyo.Constraint(
        may_wait,
        rule=lambda m, k: m.waiting[k] <= (latest_start[k] - earliest_start[k] + _SPACE) * m.waits[k],
    )
