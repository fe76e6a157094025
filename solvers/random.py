"""Uniform random placements: what any search has to beat."""

import numpy as np
from pydantic import PositiveInt

from offbench import P1, Search, Solver


class Random(Solver):
    """Random placements, each allowed server equally likely, until the budget ends."""

    batch: PositiveInt = 1000
    """how many placements are drawn and scored at a time"""

    def solve(self, problem: P1, search: Search) -> None:
        free = problem.free
        choices = np.argsort(~problem.allowed[free], axis=1, kind="stable")  # allowed servers first
        counts = problem.allowed[free].sum(axis=1)
        rows = max(1, min(self.batch, 1_000_000 // problem.n_subtasks))
        placements = np.repeat(problem.allowed.argmax(axis=1)[None], rows, axis=0)  # where the pinned ones are
        while search.running:
            draws = (search.rng.random((rows, len(free))) * counts).astype(np.int64)
            placements[:, free] = choices[np.arange(len(free)), draws]
            search.propose_many(placements)
