"""The balance Z after each subtask (Eq. 12), as a cost in the model's objective."""

from itertools import combinations

from ortools.sat.python import cp_model

from offbench.bounds.state_space import balanced_groups
from offbench.model.problem import Problem

from .choices import Choices, Literal


def imbalances(model: cp_model.CpModel, problem: Problem, choices: Choices) -> list[cp_model.LinearExprT]:
    """Return the terms whose sum is at least the sum of Z after each subtask, and equal to it where minimised."""
    terms: list[cp_model.LinearExprT] = []
    for group in balanced_groups(problem.arrays):
        terms += _of_two(model, choices, *group) if len(group) == 2 else _of_many(model, choices, group)
    return terms


def _of_two(model: cp_model.CpModel, choices: Choices, one: int, other: int) -> list[cp_model.LinearExprT]:
    """Route the difference of the two counts through its values, subtask by subtask.

    A flow is integral where the absolute value of a sum of fractions can be 0 all the time.
    """
    terms: list[cp_model.LinearExprT] = []
    state: dict[int, Literal] = {0: choices.true}
    for servers in choices.servers:
        moves = [(step, servers[s]) for step, s in ((1, one), (-1, other)) if s in servers]
        stays = len(servers) > len(moves)
        into: dict[int, list[Literal]] = {}
        by_step: dict[int, list[Literal]] = {step: [] for step, _ in moves}
        for value, literal in state.items():
            if len(moves) + stays == 1:
                step = moves[0][0] if moves else 0
                into.setdefault(value + step, []).append(literal)
                continue
            arcs = []
            for step in [*by_step, *([0] if stays else [])]:
                arc = model.new_bool_var("")
                arcs.append(arc)
                into.setdefault(value + step, []).append(arc)
                if step:
                    by_step[step].append(arc)
            model.add_exactly_one([~literal, *arcs])
        for step, literal in moves:
            if by_step[step]:
                model.add_exactly_one([~literal, *by_step[step]])
        state = {}
        for value, arcs in into.items():
            state[value] = arcs[0]
            if len(arcs) > 1:
                state[value] = model.new_bool_var("")
                model.add_exactly_one([~state[value], *arcs])
            if value:
                terms.append(abs(value) * state[value])
    return terms


def _of_many(model: cp_model.CpModel, choices: Choices, group: tuple[int, ...]) -> list[cp_model.LinearExprT]:
    """Count the subtasks on each server, and take every difference.

    The linear relaxation shares subtasks out evenly. But of v whole ones on g servers, some have one more
    than others: Z is at least ``r (g - r)`` with r the rest of v / g.
    """
    terms: list[cp_model.LinearExprT] = []
    size = len(group)
    counts: list[cp_model.LinearExprT] = [0] * size
    low = high = 0
    least = [v % size * (size - v % size) for v in range(len(choices.servers) + 1)]
    for k, servers in enumerate(choices.servers, 1):
        here = [servers.get(s) for s in group]
        if any(literal is not None for literal in here):
            low += set(servers) <= set(group)
            high += 1
            changed = []
            for count, literal in zip(counts, here, strict=True):
                after = count
                if literal is not None:
                    after = model.new_int_var(0, k, "")
                    model.add(after == count + literal)
                changed.append(after)
            counts = changed
            apart: list[cp_model.LinearExprT] = []
            for a, b in combinations(counts, 2):
                if isinstance(a, int) and isinstance(b, int):
                    continue
                difference = model.new_int_var(0, k, "")
                model.add(difference >= a - b)
                model.add(difference >= b - a)
                apart.append(difference)
            together = model.new_int_var(low, high, "")
            model.add(together == sum(counts))
            floor = model.new_int_var(0, max(least), "")
            model.add_element(together, least[: high + 1], floor)
            model.add(sum(apart) >= floor)
            latest = apart
        if high:
            terms += latest
    return terms
