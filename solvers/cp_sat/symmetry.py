"""Tasks that may change places: of all the ways to name them, the model keeps one.

Two tasks with the same arrival, layers and data cost the same where they change all of their servers, times and
places in the dispatch order; all but Z, which counts subtasks in index order. So they may change where Z doesn't
count, or where their servers are given and the same. Then the first subtask of the one with the lower
index is booked first.
"""

import numpy as np

from offbench.bounds.state_space import balanced_groups
from offbench.model.problem import SCALE, WEIGHT, Problem


def interchangeable(problem: Problem) -> list[tuple[int, int]]:
    """Return pairs of tasks that may change places; those that all may are linked in a row."""
    a = problem.arrays
    balanced = a.weights[WEIGHT.balance] > 0 and np.isfinite(a.scale[SCALE.balance]) and bool(balanced_groups(a))
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
            arrival_s, a.gcycles[layers].tobytes(), np.diff(a.input_start[layers.start : layers.stop + 1]).tobytes(),
            np.where(placed, sources - layers.start, -1).tobytes(), a.input_mb[inputs].tobytes(),
            a.input_gb[inputs].tobytes(), allowed.tobytes(),
        )  # fmt: skip
        if alike in latest:
            pairs.append((latest[alike], i))
        latest[alike] = i
    return pairs
