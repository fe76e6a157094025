"""Z after each subtask (Eq. 12), in a form whose relaxation is strong.

Between N servers of a group of g that have at least l subtasks and the g - N that have fewer, there
are N (g - N) pairs that differ by the l-th; summed over the levels l this is Z. Subtask after subtask, N
of a level only grows, by one server at a time, so it is a path from 0 to g through values that all
cost: fractions of servers, which balance perfectly, still pay for every step of it. Absolute
differences of counts would cost them nothing.
"""

from typing import Any

import numpy as np
import pyomo.environ as pyo

from offbench.model.arrays import SCALE, WEIGHT
from offbench.model.problem import Problem


def groups(problem: Problem) -> list[list[int]]:
    """Return the servers that are balanced against each other: several edges, several clouds."""
    kinds = [[int(s) for s in np.flatnonzero(problem.arrays.kind == kind)] for kind in (1, 2)]
    return [servers for servers in kinds if len(servers) > 1]


def matters(problem: Problem) -> bool:
    """Whether Z counts in the objective."""
    a = problem.arrays
    return bool(a.weights[WEIGHT.balance] > 0 and np.isfinite(a.scale[SCALE.balance]) and groups(problem))


def add_balance(model: pyo.ConcreteModel, problem: Problem) -> Any:
    """Add Eq. 12 to a model with ``x[k, s]``; return the sum of Z over all subtasks."""
    if not matters(problem):
        return 0.0
    if (problem.allowed.sum(axis=1) == 1).all():
        return float(_sum_of_z(problem))
    n = problem.n_subtasks
    teams = dict(enumerate(groups(problem)))
    # At its l-th subtask (from 0) a server has met at least l others.
    so_far = problem.allowed.cumsum(axis=0)
    heights = {
        (k, s): range(int(so_far[k, s]))
        for servers in teams.values()
        for s in servers
        for k in np.flatnonzero(problem.allowed[:, s]).tolist()
    }
    together = np.stack([problem.allowed[:, servers].any(axis=1) for servers in teams.values()], axis=1).cumsum(axis=0)
    team_of = {s: g for g, servers in teams.items() for s in servers}
    levels = {g: range(max(int(so_far[-1, s]) for s in servers)) for g, servers in teams.items()}

    # place[k, s, l]: subtask k is the l-th on server s.
    model.place = pyo.Var([(k, s, l) for (k, s), ls in heights.items() for l in ls], bounds=(0, 1))
    model.placed = pyo.Constraint(
        list(heights), rule=lambda m, k, s: sum(m.place[k, s, l] for l in heights[k, s]) == m.x[k, s]
    )
    # has[k, s, l]: after subtask k server s has more than l; first more than l - 1, an earlier time.
    model.has = pyo.Var([(k, s, l) for s in team_of for k in range(n) for l in range(int(so_far[k, s]))], bounds=(0, 1))

    def had(m: Any, k: int, s: int, l: int) -> Any:
        if l < 0:
            return 1
        return m.has[k - 1, s, l] if (k - 1, s, l) in m.has else 0

    model.has_more = pyo.Constraint(
        list(model.has),
        rule=lambda m, k, s, l: m.has[k, s, l] == had(m, k, s, l) + (m.place[k, s, l] if (k, s, l) in m.place else 0),
    )
    model.has_less = pyo.Constraint(
        list(model.place),
        rule=lambda m, k, s, l: m.has[k, s, l] <= had(m, k, s, l - 1) if l > 0 else pyo.Constraint.Skip,
    )

    # reach[k, g, l, N]: after subtask k, N servers of group g have more than l. rise: subtask k makes N one more.
    def most(k: int, g: int, l: int) -> int:
        """Return the largest N there can be."""
        return min(len(teams[g]), int(together[k, g]) // (l + 1)) if k >= 0 else 0

    steps = [(k, g, l) for g in teams for l in levels[g] for k in range(n) if most(k, g, l) > 0]
    model.reach = pyo.Var([(*step, N) for step in steps for N in range(most(*step) + 1)], bounds=(0, 1))
    model.rise = pyo.Var(
        [(k, g, l, N) for k, g, l in steps for N in range(min(most(k - 1, g, l) + 1, most(k, g, l)))], bounds=(0, 1)
    )

    def before(m: Any, k: int, g: int, l: int, N: int) -> Any:
        if most(k - 1, g, l) > 0:
            return m.reach[k - 1, g, l, N] if most(k - 1, g, l) >= N else 0
        return int(N == 0)

    def rise(m: Any, *step: int) -> Any:
        return m.rise[step] if step in m.rise else 0

    model.path = pyo.Constraint(
        list(model.reach),
        rule=lambda m, k, g, l, N: (
            m.reach[k, g, l, N] == before(m, k, g, l, N) - rise(m, k, g, l, N) + rise(m, k, g, l, N - 1)
        ),
    )
    model.one_step = pyo.Constraint(
        list(model.rise), rule=lambda m, k, g, l, N: m.rise[k, g, l, N] <= before(m, k, g, l, N)
    )
    model.rises = pyo.Constraint(
        steps,
        rule=lambda m, k, g, l: (
            sum(rise(m, k, g, l, N) for N in range(most(k, g, l)))
            == sum(m.place[k, s, l] for s in teams[g] if (k, s) in heights and l in heights[k, s])
        ),
    )
    return sum(N * (len(teams[g]) - N) * reach for (k, g, l, N), reach in model.reach.items())


def _sum_of_z(problem: Problem) -> int:
    """Return the sum of Z where every server is given."""
    on = problem.allowed.astype(np.int64).cumsum(axis=0)
    total = 0
    for servers in groups(problem):
        counts = on[:, servers]
        total += int(np.abs(counts[:, :, None] - counts[:, None, :]).sum()) // 2
    return total
