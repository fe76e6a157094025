"""Everything on one remote server, the best of them: what a placement must beat to be worth its complexity."""

from typing import NamedTuple

import numpy as np

from offbench.evaluation.client_only import elsewhere, note_of
from offbench.evaluation.evaluator import Evaluation, evaluate, totals_of_many
from offbench.evaluation.kernel import TOTAL
from offbench.model.problem import P1, P2, Problem


class Single(NamedTuple):
    """Everything on one remote server."""

    server: str
    evaluation: Evaluation
    elsewhere: int
    """layers that may not run there, and stand where they first may"""

    @property
    def label(self) -> str:
        """What a column is called; with an asterisk where `note` has something to say."""
        return f"all on {self.server}{'*' if self.elsewhere else ''}"

    @property
    def note(self) -> str:
        """How much of "everything on the server" isn't there; empty where it all is."""
        return note_of(self.server, self.elsewhere)


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
    there = elsewhere(free.instance, remote[best])
    return Single(free.server_name(0, remote[best]), evaluate(free, rows[best]), there)
