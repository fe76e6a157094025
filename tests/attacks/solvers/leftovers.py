"""A solver that leaves processes behind, which nobody waits for."""

import os
import subprocess
import time

from offbench import P1, Search, Solver

STAY = ["sleep", "3600"]


class Leftovers(Solver):
    """Proposes the client alone, and starts something that stays."""

    how: str

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
        getattr(self, self.how)()

    def child(self) -> None:
        subprocess.Popen(STAY)

    def child_of_its_own_session(self) -> None:
        subprocess.Popen(STAY, start_new_session=True)

    def child_that_holds_all_pipes(self) -> None:
        """Forked, so that it has every descriptor of the process, that of the answers too."""
        if os.fork() == 0:
            os.setsid()
            time.sleep(3600)
            os._exit(0)

    def daemon(self) -> None:
        """Forked twice: its parent is init."""
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                time.sleep(3600)
            os._exit(0)

    def crowd(self) -> None:
        for _ in range(20):
            subprocess.Popen(STAY, start_new_session=True)

    def child_of_a_dying_process(self) -> None:
        subprocess.Popen(STAY, start_new_session=True)
        os.abort()

    def child_of_an_endless_process(self) -> None:
        subprocess.Popen(STAY, start_new_session=True)
        time.sleep(3600)
