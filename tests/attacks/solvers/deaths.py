"""A solver that ends its process, or worse."""

import ctypes
import os
import signal
import sys

import numpy as np

from offbench import P1, Search, Solver


class Deaths(Solver):
    """Proposes the client alone, then dies in one of many ways."""

    how: str

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
        getattr(self, self.how)()

    def leaves_with_success(self) -> None:
        os._exit(0)

    def leaves_with_a_code(self) -> None:
        sys.exit(42)

    def is_interrupted(self) -> None:
        raise KeyboardInterrupt

    def kills_itself(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def kills_its_group(self) -> None:
        os.killpg(0, signal.SIGKILL)

    def aborts(self) -> None:
        os.abort()

    def reads_nowhere(self) -> None:
        ctypes.string_at(8)

    def calls_itself(self) -> None:
        self.calls_itself()

    def wants_all_memory(self) -> None:
        np.ones(1 << 48, dtype=np.int8)

    def takes_much_memory(self) -> None:
        np.ones(1 << 26).sum()
