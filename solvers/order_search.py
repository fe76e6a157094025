"""P2 by local search: dispatch orders in a heat bath."""

from typing import ClassVar, Literal

import numpy as np
from offbench.solvers._bath import HeatBath
from offbench.solvers._moves import order_of
from offbench.solvers.dispatch_rules import shortest_first

from offbench import P2, Placement, Search, Solver

# Subtasks booked elsewhere in turn to see what difference that makes; and steps between two looks at the clock.
_SAMPLE = 100
_STEPS = 10
# Last temperature, as a share of the first one.
_COLD = 1e-3


class OrderSearch(Solver):
    """Dispatch orders in a heat bath, from the best of the given order and the rules' (fcfs, spt, srpt).

    A step books one subtask at each place near its own and draws one of the orders, as in `annealing`. The
    temperature falls from the median of what such a step adds to the best order.
    """

    name: ClassVar[str] = "search"
    solves: ClassVar[Literal["P1", "P2"]] = "P2"

    def solve(self, problem: P2, search: Search) -> None:
        search.propose(Placement(problem.servers, problem.order))
        orders = [order_of(problem, problem.servers)]
        orders += [np.array(shortest_first(problem, search, of_task)) for of_task in (False, True)]
        orders += [problem.order] if problem.order is not None else []
        values = search.propose_many(np.repeat(problem.servers[None], len(orders), axis=0), np.array(orders))
        bath = HeatBath(problem, search, problem.servers, orders[int(values.argmin())], longest_run=2)
        differences = [
            bath.reorder_values(k)[1] for k in search.rng.integers(problem.n_subtasks, size=_SAMPLE).tolist()
        ]
        added = np.concatenate([each - each.min() for each in differences])
        if not (added > 0).any():
            return  # nothing waits, or each order is as good
        hot, begin = float(np.median(added[added > 0])), search.progress
        while search.running:
            temperature = hot * _COLD ** ((search.progress - begin) / (1 - begin))
            for k in search.rng.integers(problem.n_subtasks, size=_STEPS).tolist():
                bath.reorder(k, temperature)
