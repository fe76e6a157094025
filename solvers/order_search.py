"""P2 by local search: dispatch orders in a heat bath."""

from typing import ClassVar, Literal

import numpy as np

from offbench import P2, Placement, Search, Solver
from offbench.solvers._shared.heat_bath import HeatBath, warm_up
from offbench.solvers._shared.moves import Reorder, order_of
from offbench.solvers.dispatch_rules import shortest_first

# Subtasks booked elsewhere in turn to see what difference that makes.
_SAMPLE = 100
# Last temperature, as a share of the first one.
_COLD = 1e-3


class OrderSearch(Solver):
    """Dispatch orders in a heat bath, from the best of the given order and the rules' (fcfs, spt, srpt).

    A step books one subtask at each place near its own and draws one of the orders, as in `annealing`. The
    temperature falls from the median of what such a step adds to the Q of the best order.
    """

    name: ClassVar[str] = "search"
    solves: ClassVar[Literal["P1", "P2"]] = "P2"

    def warm_up(self) -> None:
        warm_up()

    def solve(self, problem: P2, search: Search) -> None:
        search.propose(Placement(problem.servers, problem.order))
        orders = [order_of(problem, problem.servers)]
        orders += [np.array(shortest_first(problem, search, of_task)) for of_task in (False, True)]
        orders += [problem.order] if problem.order is not None else []
        values = search.propose_many(np.repeat(problem.servers[None], len(orders), axis=0), np.array(orders))
        best, reorder = orders[int(values.argmin())], Reorder(problem)
        sample = [reorder(best, k) for k in search.rng.integers(problem.n_subtasks, size=_SAMPLE).tolist()]
        scored = [
            search.propose_violations(np.repeat(problem.servers[None], len(rows), axis=0), rows) for rows in sample
        ]
        added = np.concatenate([objectives - objectives.min() for objectives, _ in scored])
        if not (added > 0).any() and all(np.ptp(violations) == 0 for _, violations in scored):
            return  # nothing waits, or each order is as good
        hot = float(np.median(added[added > 0])) if (added > 0).any() else 1.0
        HeatBath(problem, search, problem.servers, 2, best).cool(hot, hot * _COLD)
