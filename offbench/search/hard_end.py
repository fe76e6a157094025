"""The end of a program whose solver lets nothing else happen: it is killed from outside, and told so.

Python hears no signal while compiled code runs, so neither the watchdog nor Ctrl-C ends a solver that doesn't come back
from it. A process beside the program does. It learns of each signal, for `signal.set_wakeup_fd` tells it at once,
whatever runs, and of time limits. What was found is lost then. This is for the command line; a run of `offbench bench`
has a process of its own.
"""

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache
from math import inf

# How late a run may be.
_LATE_S = 10.0
# A second signal within this time is the same impatience; after the second, the program has so long to end.
_SAME_S = 1.0
_PATIENCE_S = 5.0
# Between two looks for the program, in case that a fork of it holds the pipes.
_LOOK_S = 1.0
# Told in place of a deadline: nothing is to be watched any more. The end of the pipe isn't enough, for the same reason.
_OVER = b"over"


class _Deadline:
    """When the process beside this one kills it."""

    def __init__(self, told: int) -> None:
        self._told = told
        self.at = inf
        """on the system's monotonic clock"""

    def move(self, at: float) -> None:
        self.at = at
        with suppress(OSError):  # it has been killed
            os.write(self._told, f"{at!r}\n".encode())


_DEADLINE: ContextVar[_Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def hard_end(limit_s: float) -> Iterator[Callable[[], None]]:
    """Have this program killed some seconds after *limit_s*, unless the body has ended; where a process watches it.

    Yields a function that gives it those seconds again, from now on.
    """
    deadline = _DEADLINE.get()
    if deadline is None:
        yield lambda: None
        return
    before = deadline.at
    deadline.move(min(before, time.monotonic() + limit_s + _LATE_S))
    try:
        yield lambda: deadline.move(time.monotonic() + _LATE_S)
    finally:
        deadline.move(before)


@contextmanager
def watched() -> Iterator[None]:
    """Have a process watch this one during the body: for `hard_end`, and for a second signal that ends nothing."""
    import subprocess
    import threading

    if threading.current_thread() is not threading.main_thread() or not hasattr(os, "fork"):
        yield
        return
    signals, wake = os.pipe()
    deadlines, tell = os.pipe()
    os.set_blocking(wake, False)
    try:
        watcher = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(signals), str(deadlines)], pass_fds=(signals, deadlines),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
    except OSError:  # no room for another process
        _close(wake, tell)
        yield
        return
    finally:
        _close(signals, deadlines)
    _forks_tell_nothing()
    woken_before = signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    token = _DEADLINE.set(_Deadline(tell))
    try:
        yield
    finally:
        _DEADLINE.reset(token)
        signal.set_wakeup_fd(woken_before)
        with suppress(OSError):  # it has ended, or a solver has closed the pipe
            os.write(tell, _OVER + b"\n")
        _close(wake, tell)
        try:
            watcher.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:  # stopped, perhaps
            watcher.kill()
            watcher.wait()


def _close(*pipes: int) -> None:
    for pipe in pipes:
        with suppress(OSError):  # a solver has closed it
            os.close(pipe)


@cache
def _forks_tell_nothing() -> None:
    """Have signals of this process's forks, as a pool of `multiprocessing` has them, taken for none of its own."""
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))


def _watch(signals: int, deadlines: int) -> None:
    """Wait until the program has ended, or is to be."""
    program = os.getppid()
    first, deadline, last = inf, inf, inf
    while os.getppid() == program:
        wait_s = min(_LOOK_S, deadline - time.monotonic(), last - time.monotonic())
        ready, _, _ = select.select([signals, deadlines], [], [], max(0.0, wait_s))
        if deadlines in ready:
            if not (lines := os.read(deadlines, 65536).split()) or _OVER in lines:
                return
            deadline = float(lines[-1])
        if signals in ready:
            asked = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP} & set(os.read(signals, 4096))
            if asked and time.monotonic() - first >= _SAME_S:
                last = min(last, time.monotonic() + _PATIENCE_S)
            elif asked:
                first = min(first, time.monotonic())
        if (late := time.monotonic() >= deadline) or time.monotonic() >= last:
            what = f"{_LATE_S:g} s after its time limit" if late else f"{_PATIENCE_S:g} s after the second signal"
            told = f"offbench: doesn't give way: killed {what}; what it found and hasn't written is lost\n"
            with suppress(OSError):  # a terminal that has gone
                os.write(2, told.encode())
            os.kill(program, signal.SIGKILL)
            return


if __name__ == "__main__":
    _watch(int(sys.argv[1]), int(sys.argv[2]))
    os._exit(0)
