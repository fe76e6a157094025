"""Tasks that may change places: of all the ways to name them, the model keeps one.

Two tasks of one client with the same arrival, deadline, layers, data and weights cost the same where they change all of
their servers, times and places in the dispatch order; all but Z, which counts subtasks in index order. So they may
change where Z doesn't count, or where their servers are given and the same. Then the first subtask of the one with the
lower index is booked first.
"""

import numpy as np

from offbench.bounds.state_space import balanced_groups
from offbench.model.arrays import SCALE, WEIGHT
from offbench.model.problem import Problem


def interchangeable(problem: Problem) -> list[tuple[int, int]]:
    """Return pairs of tasks that may change places; those that all may are linked in a row."""
    a = problem.arrays
    balanced = a.weights[WEIGHT.balance] > 0 and np.isfinite(a.scale[SCALE.balance]) and bool(balanced_groups(a))
    weights = _weights(problem)
    latest: dict[tuple[object, ...], int] = {}
    pairs = []
    for i, arrival_s in enumerate(a.arrival_s.tolist()):
        layers = slice(int(a.task_start[i]), int(a.task_start[i + 1]))
        inputs = slice(int(a.input_start[layers.start]), int(a.input_start[layers.stop]))
        allowed = problem.allowed[layers]
        if balanced and (allowed.sum(axis=1) > 1).any():
            continue
        sources = a.input_of[inputs].astype(np.int64)
        placed = sources < problem.n_subtasks
        alike = (
            arrival_s, float(a.deadline_s[i]), int(a.own_station[layers.start]), weights[i],
            a.execution_s[layers].tobytes(), a.run_energy_j[layers].tobytes(), a.run_usd[layers].tobytes(),
            np.diff(a.input_start[layers.start : layers.stop + 1]).tobytes(),
            np.where(placed, sources - layers.start, -1).tobytes(), a.input_mb[inputs].tobytes(),
            a.input_gb[inputs].tobytes(), allowed.tobytes(),
        )  # fmt: skip
        if alike in latest:
            pairs.append((latest[alike], i))
        latest[alike] = i
    return pairs


def _weights(problem: Problem) -> list[tuple[tuple[int, str, float], ...]]:
    """Return for each task the weights of its layers: those that only it has by their place in it."""
    a = problem.arrays
    held = dict(zip(a.weighed.tolist(), a.weights_of.tolist(), strict=True))
    tasks_with: dict[int, set[int]] = {}
    for k, number in held.items():
        tasks_with.setdefault(number, set()).add(int(problem.task_of[k]))
    found = []
    for i in range(problem.n_tasks):
        row, first = [], dict[int, int]()
        for j, k in enumerate(problem.subtasks_of(i)):
            if k in held:
                number = held[k]
                own = len(tasks_with[number]) == 1
                name = f"own {first.setdefault(number, j)}" if own else f"shared {number}"
                row.append((j, name, float(a.weights_mb[k])))
        found.append(tuple(row))
    return found
