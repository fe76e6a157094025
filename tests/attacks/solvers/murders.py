"""A solver that asks the process that started it to end."""

import os
import signal

from offbench import P1, Search, Solver


class Murders(Solver):
    """Proposes the client alone, then sends its parent a signal."""

    how: str

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
        os.kill(os.getppid(), signal.Signals[self.how])
