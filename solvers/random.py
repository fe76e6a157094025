"""Uniform random placements: what any search has to beat."""

import numpy as np
from pydantic import PositiveInt

from offbench import P1, Search, Solver


class Random(Solver):
    """Random placements, each allowed server equally likely, until the budget ends."""

    batch: PositiveInt = 1000
    """how many placements are drawn and scored at a time"""

    def solve(self, problem: P1, search: Search) -> None:
        subtasks = np.arange(problem.n_subtasks)
        choices = np.argsort(~problem.allowed, axis=1, kind="stable")  # allowed servers first
        counts = problem.allowed.sum(axis=1)
        rows = max(1, min(self.batch, 1_000_000 // problem.n_subtasks))
        while search.running:
            draws = (search.rng.random((rows, problem.n_subtasks)) * counts).astype(np.int64)
            search.propose_many(choices[subtasks, draws])
