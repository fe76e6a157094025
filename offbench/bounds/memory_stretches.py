"""What memories do to a path: it changes servers wherever a stretch of it is more than one server holds.

Each task has one path through its graph that its delay is counted along (`subtask_costs`); a layer beside the path is
where it is cheapest. Along the path a server is entered, holds some layers in a row, and is left, at the price of a
transfer. In a feasible placement no such stretch weighs more than the server's memory. So the path costs at least as
much as a shortest path over the places of its layers with the memory as a resource that each change of places renews
(Desrochers and Soumis, 1988): labels of cost and of what the stretch so far weighs, of which those that are dearer and
heavier than another are dropped. That a server is entered a second time, and what it holds beside the path, is left
out. Layers that may hold the same weights there weigh an equal share of them each (`constraint_prices`).

Any path gives a bound. Three are tried: that with most work, that with most weights, that with most data.

Rounding: steps are lower bounds in exact numbers (`subtask_costs`). A sum of them is off by a last digit of what it has
come to for each term; what negative terms take away again counts twice. Weights are compared with some digits more
room.
"""

from collections.abc import Iterator

import numpy as np

from offbench.bounds.constraint_prices import Uses
from offbench.bounds.subtask_costs import Flow, SubtaskCosts
from offbench.evaluation.tightening import ROOM
from offbench.model.arrays import Floats, Ints
from offbench.model.problem import Problem

_EPS = float(np.finfo(float).eps)
# Cost and weight, of each label at one place.
_Labels = tuple[Floats, Floats]


def stretch_bounds(problem: Problem, steps: SubtaskCosts) -> Iterator[float]:
    """Yield a bound for each path that is tried; none where no memory is limited, infinite where nothing is feasible.

    Parameters
    ----------
    problem
        P1, or P2 whose servers are given.
    steps
        Of the problem.
    """
    held = Uses(problem).held
    if not held.any():
        return
    a = problem.arrays
    work = np.where(problem.allowed, a.execution_s, np.inf).min(axis=1)
    weight = held.max(axis=1)
    seen: list[Ints] = []
    for of_subtask, of_input in ((work, None), (weight, None), (np.zeros(len(work)), a.input_mb)):
        inputs = _longest(problem, of_subtask, of_input)
        if not any(np.array_equal(inputs, each) for each in seen):
            seen.append(inputs)
            yield _along(problem, steps, inputs, held)


def _longest(problem: Problem, of_subtask: Floats, of_input: Floats | None) -> Ints:
    """Return the longest path of each task: the input by which it comes to each subtask on it, -1 for the others."""
    a, n = problem.arrays, problem.n_subtasks
    length = np.zeros((n + problem.n_tasks, 2))  # layers in the second place, where the first is the same
    through = np.full(n, -1)
    for k in range(n):
        ways = [
            (length[a.input_of[i], 0] + (0.0 if of_input is None else of_input[i]), length[a.input_of[i], 1], i)
            for i in problem.inputs_of(k)
        ]
        first, second, through[k] = max(ways)
        length[k] = first + of_subtask[k], second + 1
    inputs = np.full(n, -1)
    for subtasks in map(problem.subtasks_of, range(problem.n_tasks)):
        k = max(subtasks, key=lambda k: (length[k, 0], length[k, 1]))
        while k < n:
            inputs[k] = through[k]
            k = int(a.input_of[through[k]])
    return inputs


def _along(problem: Problem, steps: SubtaskCosts, inputs: Ints, held: Floats) -> float:
    """Return the bound with the delay along these inputs."""
    flow = Flow.along(problem, inputs)
    beside = steps.by_own_server(flow)[inputs < 0].min(axis=1)
    value, negative = float(beside.sum()), -float(beside[beside < 0].sum())
    for subtasks in map(problem.subtasks_of, range(problem.n_tasks)):
        at_client = np.arange(problem.n_servers) == problem.arrays.client
        labels = [(np.zeros(1), np.zeros(1)) if at else (np.empty(0), np.empty(0)) for at in at_client]
        for k in subtasks:
            if inputs[k] >= 0:
                step = steps.by_one_input(k, int(inputs[k]), flow)
                labels = _next(labels, step, held[k], problem.n_subtasks)
                negative += max(0.0, -float(step.min()))
        value += min(float(cost.min(initial=np.inf)) for cost, _ in labels)
    if value == np.inf:
        return value
    return float(value - 8 * (problem.n_subtasks + 2) * _EPS * (abs(value) + 2 * negative))


def _next(labels: list[_Labels], step: Floats, held: Floats, n: int) -> list[_Labels]:
    """Return the labels at each place, of those at each place one layer before."""
    so_far = np.array([cost.min(initial=np.inf) for cost, _ in labels])
    arriving = so_far[:, None] + step
    np.fill_diagonal(arriving, np.inf)
    found = []
    for place, (cost, weight) in enumerate(labels):
        stays = weight + held[place] <= ROOM * (1 + 4 * n * _EPS)
        costs = np.append(cost[stays] + step[place, place], arriving[:, place].min())
        weights = np.append(weight[stays] + held[place], held[place])
        order = np.lexsort((costs, weights))
        costs, weights = costs[order], weights[order]
        best = costs < np.minimum.accumulate(np.append(np.inf, costs[:-1]))  # of the lighter ones
        found.append((costs[best], weights[best]))
    return found
