"""The proven optimum of a small problem over feasible placements: all servers, in all dispatch orders."""

import math
from collections.abc import Iterator
from itertools import chain, product

import numpy as np

from offbench.evaluation.evaluator import totals_of_many
from offbench.evaluation.kernel import TOTAL
from offbench.model.arrays import Floats, Ints
from offbench.model.problem import FEASIBLE, Problem

MOST_SUBTASKS = 8
MOST_SERVERS = 10_000
"""combinations of servers that are gone through, in each dispatch order"""


def optimum(problem: Problem) -> float | None:
    """Return the least objective there is of a feasible placement.

    Parameters
    ----------
    problem
        P1 or P2.

    Returns
    -------
    float or None
        Infinite where no placement is feasible; None where there are too many placements.
    """
    choices = [np.flatnonzero(row) for row in problem.allowed]
    count = math.prod(len(choice) for choice in choices)
    if len(choices) > MOST_SUBTASKS or count > MOST_SERVERS:
        return None
    servers = np.array(list(product(*choices)), dtype=np.int64)
    orders = (np.tile(order, (count, 1)) for order in dispatch_orders(problem))
    return min(_least(totals_of_many(problem, servers, order)) for order in chain([None], orders))


def _least(totals: Floats) -> float:
    feasible = totals[:, TOTAL.violation] <= FEASIBLE
    return float(totals[feasible, TOTAL.objective].min(initial=math.inf))


def dispatch_orders(problem: Problem) -> Iterator[Ints]:
    """Yield each order in which the subtasks can be dispatched: none before what it reads."""
    from networkx import DiGraph, all_topological_sorts

    graph: DiGraph[int] = DiGraph()
    for task in problem.instance.tasks:
        first = len(graph)
        numbers = {layer.name: first + j for j, layer in enumerate(task.layers)}
        graph.add_nodes_from(numbers.values())
        graph.add_edges_from((numbers[name], numbers[layer.name]) for layer in task.layers for name in layer.sources)
    for order in all_topological_sorts(graph):
        yield np.array(order, dtype=np.int64)
