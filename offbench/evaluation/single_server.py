"""Everything on one remote server, the best of them: what a placement must beat to be worth its complexity."""

from typing import NamedTuple

import numpy as np

from offbench.evaluation.evaluator import Evaluation, evaluate, totals_of_many
from offbench.evaluation.kernel import TOTAL
from offbench.model.problem import P1, P2, Problem


class Single(NamedTuple):
    """Everything on one remote server."""

    server: str
    evaluation: Evaluation


def best_single_server(problem: Problem) -> Single | None:
    """Return everything on the best remote server; what may not run there stands where it first may.

    The best is the feasible one of the lowest Q, else the one that breaks constraints least. None without a remote
    server.
    """
    free = P1(problem.instance) if isinstance(problem, P2) else problem
    remote = [place for place in range(free.n_servers) if place != free.arrays.client]
    if not remote:
        return None
    rows = np.array([free.everything_on(place) for place in remote])
    totals = totals_of_many(free, rows)
    best = int(free.merit(totals[:, TOTAL.objective], totals[:, TOTAL.violation]).argmin())
    return Single(free.server_name(0, remote[best]), evaluate(free, rows[best]))
