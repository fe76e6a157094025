"""Ends a solver that doesn't look at the clock."""

import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Any

from offbench.search.budget import Clock, SearchEnded
from offbench.search.hard_end import hard_end

SIGNAL: signal.Signals | None = getattr(signal, "SIGURG", None)
"""what interrupts the main thread: ignored where nobody minds it, so that the alarm and its timer stay the caller's"""

_GRACE_S = 0.25
_AGAIN_S = 0.25
# What an import may take beyond the limit: torch, given up half imported, crashes the process when it's imported again.
_IMPORT_S = 60.0
# The longest wait at once; a system's waits have a longest.
_WAIT_S = 3600.0


@contextmanager
def watchdog(clock: Clock, time_limit: float | None) -> Iterator[None]:
    """Raise `SearchEnded` in the body a moment after the time limit, and again until it has gone.

    A search ends at its next proposal; this is for a solver that makes none. In the main thread a signal does it, which
    ends a wait too. In another thread it is raised between two lines of Python, so that a wait ends first. Neither
    interrupts compiled code; where that doesn't return, the command line has a `hard_end`. An import that has begun is
    let finish, for a minute. One inside another's body leaves the outer one armed.
    """
    if time_limit is None:
        yield
        return
    with hard_end(time_limit - clock.seconds) as later:
        watch = _Watch(clock, time_limit, sys._getframe(), later)
        thread = threading.Thread(target=watch.run, name="watchdog", daemon=True)
        try:
            watch.arm()
            thread.start()
            yield
        finally:
            disarmed = False
            while not disarmed:
                try:
                    watch.disarm()
                    disarmed = True
                except SearchEnded:  # it came just now
                    continue


def signal_behind(error: BaseException) -> BaseException | None:
    """Return the `SearchEnded` or Ctrl-C behind an error; None if there is none.

    Where one comes in the middle of a C function, what is raised may be a `SystemError`; numba does that.
    """
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, SearchEnded | KeyboardInterrupt):
        cause = cause.__cause__ or cause.__context__
    return cause


class _Watch:
    """Looks at a clock from a thread of its own, and interrupts the one that made it."""

    def __init__(self, clock: Clock, time_limit: float, frame: FrameType, later: Callable[[], None]) -> None:
        self._clock, self._time_limit, self._imports, self._later = clock, time_limit, _imports(frame), later
        self._of = threading.get_ident()
        self._over = threading.Event()
        self._raising = threading.Lock()
        self._thrown = False
        """whether the thread was ever interrupted by an exception"""
        self._before: Any = None
        """who minded the signal before; None where it isn't used"""

    def arm(self) -> None:
        if SIGNAL is not None and threading.current_thread() is threading.main_thread():
            self._before = signal.getsignal(SIGNAL)  # None of one that isn't Python's
            if self._before is not None:
                signal.signal(SIGNAL, self._interrupted)

    def disarm(self) -> None:
        with self._raising:
            self._over.set()
        if self._thrown:
            # Not taken back, but awaited: the interpreter goes on looking out for one that never arrives, and where
            # Python 3.11 is traced it does nothing else.
            with suppress(SearchEnded):
                _raise_in(self._of, SearchEnded)
                while True:
                    pass
        if self._before is not None and SIGNAL is not None:
            signal.signal(SIGNAL, self._before)

    def run(self) -> None:
        """Wait for the limit, then interrupt time and again until disarmed."""
        wait_s, by_signal = self._left_s, self._before is not None
        while not self._over.wait(min(wait_s, _WAIT_S)):
            wait_s = self._left_s
            if wait_s > 0:
                continue
            wait_s = _AGAIN_S
            with self._raising:
                if self._over.is_set():
                    return
                if by_signal and SIGNAL is not None:
                    signal.pthread_kill(self._of, SIGNAL)
                elif not self._importing(sys._current_frames().get(self._of)):
                    self._thrown = True
                    _raise_in(self._of, SearchEnded)
            by_signal = self._before is not None and not by_signal  # it may have the signal blocked

    @property
    def _left_s(self) -> float:
        return max(0.0, self._time_limit + _GRACE_S - self._clock.seconds)

    def _importing(self, frame: FrameType | None) -> bool:
        return _imports(frame) > self._imports and self._clock.seconds < self._time_limit + _IMPORT_S

    def _interrupted(self, number: int, frame: FrameType | None) -> None:
        if self._left_s > 0 or self._over.is_set():  # another's, perhaps the outer one's
            if callable(self._before):
                self._before(number, frame)
        elif self._importing(frame):
            self._later()
        else:
            raise SearchEnded


def _raise_in(thread: int, kind: type[BaseException]) -> None:
    """Raise an exception in a thread as soon as it runs Python, in place of one that it hasn't seen yet."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(kind))


def _imports(frame: FrameType | None) -> int:
    """Return how many frames of the import system are on the stack."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename == "<frozen importlib._bootstrap>"
        frame = frame.f_back
    return count
