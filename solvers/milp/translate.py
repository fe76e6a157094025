"""From a placement to the model's variables and back."""

from collections import deque
from typing import Any

import numpy as np

from offbench import Evaluation, Placement
from offbench.model.problem import Problem
from offbench.solvers.milp.choices import Choices
from offbench.solvers.milp.data import ModelData
from offbench.solvers.milp.inputs import transfer_s

Pairs = list[tuple[int, int]]


def placement_of(problem: Problem, x: dict[Any, float], first: dict[Any, float] | None) -> Placement:
    """Return the placement of a solution: where x is 1, booked in an order that keeps to `first`.

    Where nobody can wait there is no `first`, and every order is as good as first come, first served.
    """
    servers = np.zeros(problem.n_subtasks, dtype=np.int64)
    for (k, s), value in x.items():
        if value > 0.5:
            servers[k] = s
    if first is None:
        return Placement(servers)
    return Placement(servers, _order(problem, [pair for pair, value in first.items() if value > 0.5]))


def _order(problem: Problem, before: Pairs) -> list[int]:
    """Return the order in which inputs come before readers and pairs in order, lower indices first."""
    n = problem.n_subtasks
    pairs = {(j, k) for k in range(n) for j in problem.sources_of(k) if j < n} | set(before)
    followers: dict[int, list[int]] = {}
    for j, k in sorted(pairs):
        followers.setdefault(j, []).append(k)
    waits_for = np.bincount([k for _, k in pairs], minlength=n)
    ready = deque(np.flatnonzero(waits_for == 0).tolist())
    order = []
    while ready:
        order.append(ready.popleft())
        for k in followers.get(order[-1], []):
            waits_for[k] -= 1
            if waits_for[k] == 0:
                ready.append(k)
    return order


def booked_first(facts: ModelData, placement: Placement, evaluation: Evaluation) -> Pairs:
    """Return the rivals that share a contested server, the one booked earlier first; none where no clock is needed."""
    if not facts.clock:
        return []
    place = {k: p for p, k in enumerate(_booking(placement, evaluation))}
    on = placement.servers
    at = facts.problem.stations(on)
    return [
        (j, k)
        for j, k in facts.times.rivals
        if at[j] == at[k] and facts.times.contested[k, on[k]] and place[j] < place[k]
    ]


def _booking(placement: Placement, evaluation: Evaluation) -> list[int]:
    if placement.order is not None:
        return [int(k) for k in placement.order]
    # First come, first served: on each server, starts are in the order of booking.
    start_s = [row["start_s"] for row in evaluation.subtasks]
    return sorted(range(len(start_s)), key=lambda k: (start_s[k], k))


def choice_of(choices: Choices, servers: list[int], arrivals_s: list[float]) -> int:
    """Return which choice of a subtask a placement makes.

    Parameters
    ----------
    choices
        Of the subtask.
    servers
        Of its inputs, then its own.
    arrivals_s
        When each input is there.
    """
    critical = int(np.argmax(arrivals_s))
    agree = (choices.servers == servers).all(axis=1) & (choices.critical == critical)
    return int(np.flatnonzero(agree)[0])


def choices_of(facts: ModelData, placement: Placement, evaluation: Evaluation) -> list[int]:
    """Return the choice that each subtask makes in a placement."""
    problem, a = facts.problem, facts.problem.arrays
    on = [*placement.servers.tolist(), *[a.client] * len(a.arrival_s)]
    end_s = [*(row["completion_s"] for row in evaluation.subtasks), *a.arrival_s.tolist()]
    made = []
    for k, choices in enumerate(facts.choices):
        sources = problem.sources_of(k)
        arrivals_s = [
            end_s[source] + transfer_s(a, k, i, on[source], on[k])
            for i, source in zip(problem.inputs_of(k), sources, strict=True)
        ]
        made.append(choice_of(choices, [*(on[source] for source in sources), on[k]], arrivals_s))
    return made
