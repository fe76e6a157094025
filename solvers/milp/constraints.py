"""Memories, deadlines and limits (MODEL.md section 4, violation): which can be exceeded, and their rows.

A placement is feasible where what is exceeded is, in all, at most `FEASIBLE` of what is admitted. Each row admits so
much, and `ROOM` beside it (`tolerances`), so that none cuts off a feasible placement. What the model admits and the
evaluator doesn't is excluded when it comes (`refinement`). What can't be exceeded, whatever the placement, has no row.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray

from offbench.model.arrays import INDICATOR, Arrays
from offbench.model.problem import FEASIBLE, Problem
from offbench.solvers.milp.choices import places
from offbench.solvers.milp.inputs import transfer_j, transfer_usd
from offbench.solvers.milp.times import Times, stations
from offbench.solvers.milp.tolerances import LONGEST, ROOM

Floats = NDArray[np.float64]
Groups = list[list[int]]
"""subtasks that hold the same weights"""

_SHARE = 1 + FEASIBLE
_EPS = float(np.finfo(float).eps)


@dataclass(frozen=True)
class Constraints:
    """The memories, deadlines and limits that a placement can exceed."""

    problem: Problem
    times: Times

    @cached_property
    def memories(self) -> dict[int, Groups]:
        """What can be held at each station whose memory can't hold it all."""
        a, allowed, at = self.problem.arrays, self.problem.allowed, stations(self.problem)
        found: dict[int, dict[int, list[int]]] = {int(s): {} for s in np.flatnonzero(np.isfinite(a.memory_mb))}
        for k, held in zip(a.weighed.tolist(), a.weights_of.tolist(), strict=True):
            for station in at[k, allowed[k]].tolist():
                if station in found:
                    found[station].setdefault(held, []).append(k)
        groups = {station: list(held.values()) for station, held in found.items()}
        return {
            station: held
            for station, held in groups.items()
            if sum(float(a.weights_mb[group[0]]) for group in held) > a.memory_mb[station]
        }

    @cached_property
    def deadlines(self) -> list[int]:
        """The tasks that can miss their deadlines."""
        late = np.array(self.times.longest_delays_s) > self.problem.arrays.deadline_s
        return [int(i) for i in np.flatnonzero(late)]

    @cached_property
    def limits_delay(self) -> bool:
        """Whether the limit of the total delay can be exceeded."""
        return sum(self.times.longest_delays_s) > float(self.problem.arrays.limit[INDICATOR.delay])

    @cached_property
    def limited(self) -> list[int]:
        """Of energy and cost, those whose total can exceed its limit."""
        limit = self.problem.arrays.limit
        return [
            indicator
            for indicator in (INDICATOR.energy, INDICATOR.cost)
            if np.isfinite(limit[indicator]) and _most(self.problem, indicator) > limit[indicator]
        ]

    @property
    def time_counts(self) -> bool:
        """Whether feasibility depends on when subtasks are complete."""
        return bool(self.deadlines) or self.limits_delay

    @property
    def bind(self) -> bool:
        """Whether there is any."""
        return self.time_counts or bool(self.memories) or bool(self.limited)

    @cached_property
    def due_s(self) -> Floats:
        """No task is complete later in a feasible placement: its deadline, and what the others leave of a limit."""
        a, least_s = self.problem.arrays, np.array(self.times.least_delays_s)
        left_s = _SHARE * a.limit[INDICATOR.delay] - (least_s.sum() - least_s)
        due_s = a.arrival_s + np.minimum(_SHARE * a.deadline_s, left_s)
        rounding = (8 + self.problem.n_subtasks) * _EPS * self.times.horizon_s
        found: Floats = due_s + rounding
        return found


def run_of(a: Arrays, indicator: int) -> Floats:
    """Return what running takes of energy or cost, shape (subtasks, places)."""
    return a.run_energy_j if indicator == INDICATOR.energy else a.run_usd


def sent_of(indicator: int) -> Callable[..., Any]:
    """Return what tells what a transfer takes of energy or cost."""
    return transfer_j if indicator == INDICATOR.energy else transfer_usd


def _most(problem: Problem, indicator: int) -> float:
    """Return what the total of energy or cost can't exceed."""
    a, total = problem.arrays, 0.0
    for k in range(problem.n_subtasks):
        own = np.flatnonzero(problem.allowed[k])
        sent = [
            sent_of(indicator)(a, k, i, np.array(places(problem, source))[:, None], own).max(axis=0)
            for i, source in zip(problem.inputs_of(k), problem.sources_of(k), strict=True)
        ]
        total += float((run_of(a, indicator)[k, own] + sum(sent)).max())
    return total


def add_memories(model: pyo.ConcreteModel, constraints: Constraints) -> None:
    """Add memories to a model with ``x[k, s]``; what is the same lies there once."""
    a, at = constraints.problem.arrays, stations(constraints.problem)
    held = [(station, number) for station, groups in constraints.memories.items() for number in range(len(groups))]
    place_of = {(station, k): s for (k, s) in model.x for station in [int(at[k, s])]}

    def on(m: Any, station: int, k: int) -> Any:
        return m.x[k, place_of[station, k]]

    def group(station: int, number: int) -> list[int]:
        return constraints.memories[station][number]

    # held[station, number]: one of several layers with the same weights is there.
    model.held = pyo.Var([each for each in held if len(group(*each)) > 1], bounds=(0, 1))
    model.holds = pyo.Constraint(
        [(*each, k) for each in model.held for k in group(*each)],
        rule=lambda m, station, number, k: m.held[station, number] >= on(m, station, k),
    )

    def memory(m: Any, station: int) -> Any:
        used = 0
        for number, members in enumerate(constraints.memories[station]):
            share = min(float(a.weights_mb[members[0]] / a.memory_mb[station]), LONGEST)
            used += share * (m.held[station, number] if len(members) > 1 else on(m, station, members[0]))
        return used <= _SHARE + ROOM

    model.memory = pyo.Constraint(list(constraints.memories), rule=memory)


def add_limits(model: pyo.ConcreteModel, constraints: Constraints, total: Callable[..., Any]) -> None:
    """Add limits of energy and cost; *total* adds up what each subtask takes, each part measured in a way."""
    a = constraints.problem.arrays

    def limit(m: Any, indicator: int) -> Any:
        share = shares_of(float(a.limit[indicator]))
        return total(run_of(a, indicator), sent_of(indicator), share) <= _SHARE + ROOM

    model.limit = pyo.Constraint(constraints.limited, rule=limit)


def shares_of(admitted: float) -> Callable[[Any], float]:
    """Return what gives a part as a share of what is admitted, those cut that no feasible placement has."""
    return lambda part: min(float(part) / admitted, LONGEST) if math.isfinite(float(part)) else LONGEST


def add_deadlines(model: pyo.ConcreteModel, constraints: Constraints, delay: Callable[..., Any]) -> None:
    """Add deadlines and the limit of delay where delays need no clock; *delay* adds up that of some subtasks."""
    problem, a = constraints.problem, constraints.problem.arrays
    model.deadline = pyo.Constraint(
        constraints.deadlines,
        rule=lambda m, i: delay(problem.subtasks_of(i), shares_of(float(a.deadline_s[i]))) <= _SHARE + ROOM,
    )
    if constraints.limits_delay:
        every = range(problem.n_subtasks)
        share = shares_of(float(a.limit[INDICATOR.delay]))
        model.delay_limit = pyo.Constraint(expr=delay(every, share) <= _SHARE + ROOM)
