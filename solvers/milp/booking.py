"""Section 3: slots are booked one after another, and a subtask starts as soon as its slot allows.

The slots of a server become free at the `pool` largest completions booked on it so far. So subtask k starts
when it is ready, unless `pool` of the subtasks booked before it on its server complete later; then it
starts with the `pool`-th largest of these completions, and `pool - 1` subtasks go on beside it.
"""

from functools import cached_property
from typing import Any

import numpy as np
import pyomo.environ as pyo

from offbench.solvers.milp.data import ModelData

# Added to big numbers, which are no good for a solver when tiny.
_SPACE = 1e-3


def add_booking(model: pyo.ConcreteModel, facts: ModelData, latest: list[float]) -> None:
    """Add waiting to a model with ``x[k, s]``, ``ready[k]``, ``waiting[k]`` and ``completion[k]``.

    Parameters
    ----------
    model
        Is added to.
    facts
        Who can wait, and when.
    latest
        No completion is later, for each subtask, in the model's unit of time.
    """
    parts = _Booking(facts, latest)
    parts.add_who_is_first(model)
    parts.add_one_order(model)
    parts.add_who_goes_on(model)
    parts.add_who_waits(model)


class _Booking:
    """What the constraints are made of: who may meet whom, and when in the model's unit of time."""

    def __init__(self, facts: ModelData, latest: list[float]) -> None:
        problem, times = facts.problem, facts.times
        a, n = problem.arrays, problem.n_subtasks
        self.problem, self.times, self.n = problem, times, n
        self.pool: list[list[int]] = times.pool.tolist()
        self.rivals = times.rivals
        self.before_me = {k: [j for j, other in self.rivals if other == k] for k in range(n)}
        self.may_wait = [k for k in range(n) if times.waits_on[k].any()]
        self.latest, self.room = latest, facts.room
        self.earliest = [facts.on_clock(second) for second in times.earliest_s]
        self.earliest_start = [facts.on_clock(second) for second in times.earliest_start_s]
        shortest_s = [a.execution_s[k, problem.allowed[k]].min() for k in range(n)]
        self.latest_start = [latest[k] - float(shortest_s[k] / facts.unit_s) for k in range(n)]

    @cached_property
    def meets(self) -> list[tuple[int, int]]:
        """Rivals of which the second may wait."""
        return [(j, k) for j, k in self.rivals if k in self.may_wait]

    def behind(self, j: int, k: int) -> float:
        """How far the start of k can lie behind the completion of j."""
        return max(0.0, self.latest_start[k] - self.earliest[j]) + _SPACE

    def before(self, j: int, k: int) -> float:
        """How far the completion of j can lie behind the start of k."""
        return max(0.0, self.latest[j] - self.earliest_start[k]) + _SPACE

    def add_who_is_first(self, model: pyo.ConcreteModel) -> None:
        """Add ``first[j, k]``: j is booked before k, at the same station, one where somebody may have to wait."""
        own = self.problem.allowed & self.times.contested
        contested = [[int(s) for s in np.flatnonzero(row)] for row in own]
        model.first = pyo.Var(self.rivals, domain=pyo.Binary)
        together = {(j, k): self.times.together(j, k) for j, k in self.rivals if j < k}
        model.meet = pyo.Constraint(
            [(j, k, s) for (j, k), places in together.items() for s in places],
            rule=lambda m, j, k, s: m.first[j, k] + m.first[k, j] >= m.x[j, s] + m.x[k, s] - 1,
        )

        def apart(m: Any, j: int, k: int, s: int) -> Any:
            other = m.x[k, s] if s in together[j, k] else 0
            return m.first[j, k] + m.first[k, j] <= 1 - m.x[j, s] + other

        model.apart = pyo.Constraint([(j, k, s) for j, k in together for s in contested[j]], rule=apart)
        model.calm = pyo.Constraint(
            list(together),
            rule=lambda m, j, k: m.first[j, k] + m.first[k, j] <= sum(m.x[j, s] for s in contested[j]),
        )

    def add_one_order(self, model: pyo.ConcreteModel) -> None:
        """Add one dispatch order, inputs before their readers: places in it from 0 to n - 1."""
        n = self.n
        model.position = pyo.Var(range(n), bounds=(0, n))  # 0 to n - 1, with room to spare
        model.order = pyo.Constraint(
            self.rivals, rule=lambda m, j, k: m.position[k] >= m.position[j] + 1 - (n + 1) * (1 - m.first[j, k])
        )
        reads = [(j, k) for k in range(n) for j in self.problem.sources_of(k) if j < n]
        model.precede = pyo.Constraint(reads, rule=lambda m, j, k: m.position[k] >= m.position[j] + 1)

    def add_who_goes_on(self, model: pyo.ConcreteModel) -> None:
        """Add ``beside[j, k]``: j, booked before k, goes on when k starts; ``upon``: k waited for j to complete."""
        model.beside = pyo.Var(self.meets, domain=pyo.Binary)
        model.upon = pyo.Var(self.meets, domain=pyo.Binary)
        model.role = pyo.Constraint(self.meets, rule=lambda m, j, k: m.beside[j, k] + m.upon[j, k] <= m.first[j, k])
        model.over = pyo.Constraint(
            self.meets,
            rule=lambda m, j, k: (
                _start(m, k) >= m.completion[j] - self.before(j, k) * (1 - m.first[j, k] + m.beside[j, k]) - self.room
            ),
        )
        model.goes_on = pyo.Constraint(
            self.meets,
            rule=lambda m, j, k: m.completion[j] >= _start(m, k) - self.behind(j, k) * (1 - m.beside[j, k]) - self.room,
        )
        model.at_once = pyo.Constraint(
            self.meets,
            rule=lambda m, j, k: _start(m, k) <= m.completion[j] + self.behind(j, k) * (1 - m.upon[j, k]) + self.room,
        )

    def add_who_waits(self, model: pyo.ConcreteModel) -> None:
        """Add ``waits[k]``: k waits; then exactly pool - 1 subtasks go on beside it, else at most so many."""
        may_wait, before_me, pool, waits_on = self.may_wait, self.before_me, self.pool, self.times.waits_on
        servers = {k: [int(s) for s in np.flatnonzero(self.problem.allowed[k])] for k in may_wait}
        model.waits = pyo.Var(may_wait, domain=pyo.Binary)
        model.wait_upon = pyo.Constraint(
            may_wait, rule=lambda m, k: m.waits[k] == sum(m.upon[j, k] for j in before_me[k])
        )
        model.wait_where = pyo.Constraint(
            may_wait, rule=lambda m, k: m.waits[k] <= sum(m.x[k, s] for s in servers[k] if waits_on[k, s])
        )
        model.slots = pyo.Constraint(
            may_wait,
            rule=lambda m, k: (
                sum(m.beside[j, k] for j in before_me[k])
                <= sum(min(pool[k][s] - 1, len(before_me[k])) * m.x[k, s] for s in servers[k])
            ),
        )
        model.busy = pyo.Constraint(
            [(k, s) for k in may_wait for s in servers[k] if waits_on[k, s] and pool[k][s] > 1],
            rule=lambda m, k, s: (
                sum(m.beside[j, k] for j in before_me[k]) >= (pool[k][s] - 1) * (m.x[k, s] + m.waits[k] - 1)
            ),
        )
        model.wait_long = pyo.Constraint(
            may_wait,
            rule=lambda m, k: (
                m.waiting[k] <= (self.latest_start[k] - self.earliest_start[k] + _SPACE) * m.waits[k] + self.room
            ),
        )


def _start(m: Any, k: int) -> Any:
    return m.ready[k] + m.waiting[k]
