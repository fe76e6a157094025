"""Ends a solver that doesn't look at the clock."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from offbench.search.budget import Clock, SearchEnded

_GRACE_S = 0.25
_AGAIN_S = 0.25
# What an import may take beyond the limit: torch, given up half imported, crashes the process when it's imported again.
_IMPORT_S = 60.0


@contextmanager
def watchdog(clock: Clock, time_limit: float | None) -> Iterator[None]:
    """Raise `SearchEnded` in the body a moment after the time limit, and again until it has gone.

    A search ends at its next proposal; this is for a solver that makes none. It works on a timer
    signal, so only in the main thread of a system that has them, and can't interrupt compiled code:
    elsewhere a solver ends at its next proposal. An import that has begun is let finish, for a minute.
    One inside another's body leaves the outer one armed.
    """
    if (
        time_limit is None
        or not hasattr(signal, "setitimer")
        or threading.current_thread() is not threading.main_thread()
    ):
        yield
        return

    entered_s, imports = clock.seconds, _imports(sys._getframe())
    last_s = time_limit + _IMPORT_S

    def end(number: int, frame: FrameType | None) -> None:
        if _imports(frame) > imports and clock.seconds < last_s:
            return  # it goes off again
        raise SearchEnded

    delay_s = time_limit + _GRACE_S - entered_s
    outer_s, outer_again_s = signal.getitimer(signal.ITIMER_REAL)
    before = signal.signal(signal.SIGALRM, end)
    try:
        signal.setitimer(signal.ITIMER_REAL, max(1e-6, min(delay_s, outer_s or delay_s)), _AGAIN_S)
        yield
    finally:
        disarmed = False
        while not disarmed:
            try:
                signal.setitimer(signal.ITIMER_REAL, 0)
                signal.signal(signal.SIGALRM, before)
                disarmed = True
            except SearchEnded:  # it went off just now
                continue
        if outer_s > 0:
            signal.setitimer(signal.ITIMER_REAL, max(1e-6, outer_s + entered_s - clock.seconds), outer_again_s)


def _imports(frame: FrameType | None) -> int:
    """Return how many frames of the import system are on the stack."""
    count = 0
    while frame is not None:
        count += frame.f_code.co_filename == "<frozen importlib._bootstrap>"
        frame = frame.f_back
    return count
