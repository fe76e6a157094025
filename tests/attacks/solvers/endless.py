"""A solver that doesn't end, and heeds nothing."""

import itertools
import os
import re
import signal
import threading
import time

import numpy as np

from offbench import P1, Search, Solver


class Endless(Solver):
    """Proposes the client alone, then stays."""

    how: str

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
        getattr(self, self.how)(search)

    def sleeps(self, search: Search) -> None:
        time.sleep(3600)

    def disarms_the_alarm(self, search: Search) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number in (signal.SIGALRM, signal.SIGURG):
            signal.signal(number, signal.SIG_IGN)
        while True:
            pass

    def catches_all(self, search: Search) -> None:
        while True:
            try:
                time.sleep(0.01)
                search.check()
            except BaseException:
                pass

    def masks_signals(self, search: Search) -> None:
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
        while True:
            pass

    def ignores_signals(self, search: Search) -> None:
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        time.sleep(3600)

    def lets_no_thread_run(self, search: Search) -> None:
        sum(itertools.repeat(0))

    def matches_for_ever(self, search: Search) -> None:
        re.match(r"(x+x+)+y", "x" * 80)

    def multiplies_matrices(self, search: Search) -> None:
        matrix = np.eye(2500)
        while True:
            matrix = matrix @ matrix

    def stops_itself(self, search: Search) -> None:
        os.kill(os.getpid(), signal.SIGSTOP)
        time.sleep(3600)

    def leaves_a_thread(self, search: Search) -> None:
        threading.Thread(target=time.sleep, args=(3600,)).start()
