"""The best feasible placement by enumeration: every allowed assignment of servers, with every dispatch order."""

import math
from collections.abc import Iterator
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.evaluator import totals_of_many
from offbench.evaluation.kernel import TOTAL
from offbench.model.placement import Placement
from offbench.model.problem import FEASIBLE, Problem

Ints = NDArray[np.int64]

_BLOCK = 50_000


def best(problem: Problem) -> tuple[float, Placement]:
    """Return the least objective of a feasible placement, and a placement that has it.

    P1: over servers and orders. P2: its `allowed` leaves one assignment, so over orders. First come,
    first served books in some order too, so it needs no row of its own. Where nothing is feasible the objective is
    infinite, and the placement is the least violating one.
    """
    orders = dispatch_orders(problem)
    objective, least, found = math.inf, math.inf, None
    for servers in _blocks(assignments(problem), max(1, _BLOCK // len(orders))):
        rows = np.repeat(servers, len(orders), axis=0)
        booked = np.tile(orders, (len(servers), 1))
        totals = totals_of_many(problem, rows, booked)
        violations = totals[:, TOTAL.violation]
        feasible = violations <= FEASIBLE
        if feasible.any():
            least = 0.0
            objectives = np.where(feasible, totals[:, TOTAL.objective], math.inf)
            k = int(np.argmin(objectives))
            better = objectives[k] < objective
            objective = min(objective, float(objectives[k]))
        else:
            k = int(np.argmin(violations))
            better = violations[k] < least
            least = min(least, float(violations[k]))
        if better:
            found = Placement(rows[k], booked[k])
    assert found is not None
    return objective, found


def placements(problem: Problem) -> int:
    """Return how many rows `best` scores."""
    return int(problem.allowed.sum(axis=1).prod()) * len(dispatch_orders(problem))


def assignments(problem: Problem) -> Iterator[tuple[Any, ...]]:
    """Yield every assignment of allowed servers."""
    return product(*(np.flatnonzero(row).tolist() for row in problem.allowed))


def dispatch_orders(problem: Problem) -> Ints:
    """Return every order of the subtasks with inputs before their readers, a row each."""
    arrays, n = problem.arrays, problem.n_subtasks
    inputs = [
        {int(source) for source in arrays.input_of[arrays.input_start[k] : arrays.input_start[k + 1]] if source < n}
        for k in range(n)
    ]
    orders: list[tuple[int, ...]] = [()]
    for _ in range(n):
        orders = [
            (*order, k) for order in orders for k in range(n) if k not in order and inputs[k] <= set(order)
        ]  # fmt: skip
    return np.array(orders, dtype=np.int64)


def _blocks(rows: Iterator[tuple[Any, ...]], size: int) -> Iterator[Ints]:
    while block := list(islice(rows, size)):
        yield np.array(block, dtype=np.int64)
