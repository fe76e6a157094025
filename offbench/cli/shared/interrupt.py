"""Ctrl-C, and the signals by which a system asks a program to end: the same to us, and once.

`timeout`, `docker stop`, Slurm and a machine that shuts down send SIGTERM; a terminal that goes away sends SIGHUP.
The exit code tells which it was, 128 and its number, as shells and job schedulers have it: 130, 143, 129.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

from offbench.search.hard_end import watched

# Those that there are on this system; each is left alone where somebody has it ignored (nohup) or handled.
_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
# Within this time a second Ctrl-C is the same impatience, and must not cost the result.
_SAME_S = 1.0


class Interrupted(KeyboardInterrupt):
    """A signal that asks the program to end; whatever ends with Ctrl-C ends with it."""

    def __init__(self, number: int) -> None:
        self.number = number
        super().__init__(signal.Signals(number).name)


def exit_code_of(interrupt: KeyboardInterrupt) -> int:
    """Return 128 and the number of the signal."""
    return 128 + (interrupt.number if isinstance(interrupt, Interrupted) else signal.SIGINT)


class Ending:
    """What came so far of the signals in a body."""

    number: int = signal.SIGINT
    """of the last one"""

    @property
    def exit_code(self) -> int:
        """128 and the number."""
        return 128 + self.number


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Have SIGTERM and SIGHUP raise in the body, as Ctrl-C does anyway."""
    with _handled(_raise):
        yield


def _raise(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


@contextmanager
def one_interrupt(stop: Callable[[], None] | None = None) -> Iterator[Ending]:
    """Raise a single `KeyboardInterrupt` in the body for several signals in a row.

    The first ends the search. Were the next one raised as well, it would hit the code that saves what
    was found. A later one still ends a solver that swallowed the first, and one that doesn't come back to Python is
    killed then (`hard_end`).

    Parameters
    ----------
    stop
        Called at the first, in place of raising.
    """
    ending = Ending()
    pressed = -_SAME_S
    asked = stop is None

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal pressed, asked
        again = monotonic() - pressed < _SAME_S
        pressed = monotonic()
        if again:
            return
        ending.number = number
        if asked or stop is None:
            raise Interrupted(number)
        asked = True
        try:
            stop()
        except KeyboardInterrupt:  # there is nothing to stop yet
            raise Interrupted(number) from None

    with watched(), _handled(handle):
        yield ending


@contextmanager
def _handled(handle: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Have signals handled during the body, but for those that somebody else minds."""
    before = {}
    if threading.current_thread() is threading.main_thread():  # signals are for no other
        ours = (signal.SIG_DFL, signal.default_int_handler, _raise)
        before = {number: found for number in _SIGNALS if (found := signal.getsignal(number)) in ours}
    for number in before:
        signal.signal(number, handle)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
