"""Iterated local search: descents, and kicks between them."""

import numpy as np
from pydantic import Field

from offbench import P1, Search, Solver
from offbench.solvers._shared.heat_bath import HeatBath, warm_up
from offbench.solvers._shared.moves import start
from offbench.solvers._shared.windows import by_windows, is_large

# Steps for each subtask after which a descent that found nothing better has ended, and a temperature, in median
# differences, at which a step always takes the best.
_PATIENCE = 4
_FROZEN = 1e-6


class LocalSearch(Solver):
    """Descents that move a subtask, a run or a pair to the best place there is; then kicks and descents again.

    Each step takes the best of all placements that one move at a random place leads to, or stays. When nothing has
    got better for some time, a few neighbouring subtasks are placed at random and the descent goes on from there;
    what ends worse than before is given up. Placements of one task are scored where they change alone
    (`offbench.evaluation.delta`). Several tasks with more than 10 000 subtasks are solved by windows (`windows`).
    """

    kick: int = Field(default=4, ge=1)
    """neighbouring subtasks placed at random at most"""
    longest_run: int = Field(default=9, ge=2)
    """subtasks moved together at most"""

    def warm_up(self) -> None:
        warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        rng, free = search.rng, problem.free
        if is_large(problem):
            by_windows(self, problem, search)
        begin = start(problem, search)
        bath = HeatBath(problem, search, begin, self.longest_run)
        frozen = _FROZEN * bath.typical_difference()
        best, servers, order = np.inf, bath.servers, bath.order
        while search.running:
            value = np.inf
            while (found := bath.steps(_PATIENCE * problem.n_subtasks, frozen)) < value:
                value = found
            if value <= best:
                best, servers, order = value, bath.servers.copy(), bath.order
            kicked = servers.copy()
            first = int(rng.integers(len(free)))
            for k in free[first : first + int(rng.integers(1, self.kick + 1))]:
                kicked[k] = rng.choice(np.flatnonzero(problem.allowed[k]))
            bath.place(kicked, order)
