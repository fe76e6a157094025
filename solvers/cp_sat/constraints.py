"""Memory, deadlines and limits (MODEL.md section 4, violation) in whole numbers.

Rounding: what a placement needs is rounded down, and what is admitted is widened by all that a feasible one may
exceed it by (`FEASIBLE`) and by what the evaluator's sums can be off by. So no feasible placement is cut off. What is
let through beyond that is some 1e-10 of what is admitted; the evaluator finds it, and it is excluded.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from offbench.model.arrays import INDICATOR, Floats
from offbench.model.problem import FEASIBLE, Problem

from .choices import Choices, Literal, station
from .times import Times
from .transfers import transfers
from .units import Units

Amounts = Sequence[tuple[Literal, float]]
"""literals of which at most one is true, and what each needs then"""

# Sums of n parts are off by less than n times this, of the sum.
_DIGITS = 8 * float(np.finfo(float).eps)
# What is admitted is so many whole numbers, or fewer where many parts are to fit into 64 bits together.
_PARTS, _BITS = 2**36, 2**60


def admitted(most: float, parts: int) -> float:
    """Return what a sum of so many *parts* may be at most, as the evaluator takes it."""
    return most * (1 + FEASIBLE) * (1 + _DIGITS * (parts + 8))


def fits(problem: Problem) -> NDArray[np.bool_]:
    """Tell where the weights of each subtask alone fit, shape ``(n_subtasks, n_servers)``."""
    a = problem.arrays
    fitting = np.ones_like(problem.allowed)
    for k in a.weighed.tolist():
        most = [float(a.memory_mb[station(problem, k, s)]) for s in range(problem.n_servers)]
        fitting[k] = [a.weights_mb[k] <= admitted(each, 1) for each in most]
    return fitting


def constrain(
    model: cp_model.CpModel,
    problem: Problem,
    units: Units,
    choices: Choices,
    times: Times,
    done: Sequence[cp_model.LinearExprT],
) -> None:
    """Add what a problem admits; what can't be exceeded adds nothing.

    Parameters
    ----------
    model
        Gets variables and constraints.
    problem, units, choices, times
        What there is.
    done
        When each task is complete, in ticks, or later.
    """
    if not problem.constrained:
        return
    a = problem.arrays
    _memories(model, problem, choices)
    latest_s = times.spans.end[:, 1] * units.tick_s
    for i, deadline_s in enumerate(a.deadline_s.tolist()):
        subtasks = problem.subtasks_of(i)
        latest = float(latest_s[subtasks.start : subtasks.stop].max())
        _in_time(model, units, [done[i]], float(a.arrival_s[i]), deadline_s, latest, problem.n_subtasks)
    limits = a.limit.tolist()
    latest = sum(
        float(latest_s[subtasks.start : subtasks.stop].max())
        for subtasks in map(problem.subtasks_of, range(problem.n_tasks))
    )
    arrivals_s = float(a.arrival_s.sum())
    _in_time(model, units, done, arrivals_s, limits[INDICATOR.delay], latest, problem.n_subtasks)
    for column, indicator in ((1, INDICATOR.energy), (2, INDICATOR.cost)):
        if limits[indicator] < math.inf:
            _at_most(model, _needed(problem, choices, column), limits[indicator])


def _memories(model: cp_model.CpModel, problem: Problem, choices: Choices) -> None:
    a = problem.arrays
    holders: dict[tuple[int, int], list[int]] = {}
    for k, weights in zip(a.weighed.tolist(), a.weights_of.tolist(), strict=True):
        for place in choices.stations[k]:
            if a.memory_mb[place] < math.inf:
                holders.setdefault((place, weights), []).append(k)
    held: dict[int, list[Amounts]] = {}
    for (place, _), subtasks in holders.items():
        literals = [choices.stations[k][place] for k in subtasks]
        there = literals[0]
        if len(literals) > 1:  # what is the same lies there once
            there = model.new_bool_var("")
            for literal in literals:
                model.add_implication(literal, there)
        held.setdefault(place, []).append([(there, float(a.weights_mb[subtasks[0]]))])
    for place, needs in held.items():
        _at_most(model, needs, float(a.memory_mb[place]))


def _in_time(
    model: cp_model.CpModel,
    units: Units,
    done: Sequence[cp_model.LinearExprT],
    arrivals_s: float,
    most_s: float,
    latest_s: float,
    parts: int,
) -> None:
    """Let tasks be complete after their arrivals by no more than *most_s* together."""
    if most_s == math.inf:
        return
    last_s = arrivals_s + admitted(most_s, parts)
    last_s += _DIGITS * parts * last_s
    if latest_s > last_s:
        model.add(cp_model.LinearExpr.sum(list(done)) <= math.floor(last_s / units.tick_s + 1e-3))


def _needed(problem: Problem, choices: Choices, column: int) -> list[Amounts]:
    """Return the energy (column 1, J) or cost (2, $) of all subtasks, and of transfers to those with loose options."""
    needs: list[Amounts] = []
    for k, ways in enumerate(choices.ways):
        amounts = [option.energy_j if column == 1 else option.cost_usd for option in ways.options]
        needs.append(list(zip(choices.options[k], amounts, strict=True)))
        if ways.loose:
            for i in problem.inputs_of(k):
                sent: Floats = transfers(problem, k, i)[..., column]
                needs.append([(literal, float(sent[q, s])) for (q, s), literal in choices.pairs[i].items()])
    return needs


def _at_most(model: cp_model.CpModel, needs: Sequence[Amounts], most: float) -> None:
    """Let what is needed be no more than *most*."""
    most = admitted(most, len(needs))
    if sum(max(amount for _, amount in amounts) for amounts in needs) <= most:
        return
    parts = min(_PARTS, _BITS // (2 * len(needs)))
    terms = [
        (literal, min(parts + 1, max(0, math.floor(amount / most * parts * (1 - _DIGITS)))))
        for amounts in needs
        for literal, amount in amounts
    ]
    model.add(
        cp_model.LinearExpr.weighted_sum([literal for literal, _ in terms], [weight for _, weight in terms]) <= parts
    )
