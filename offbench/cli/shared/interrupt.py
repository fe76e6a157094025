"""Ctrl-C, once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from types import FrameType

# Within this time a second Ctrl-C is the same impatience, and must not cost the result.
_SAME_S = 1.0


@contextmanager
def one_interrupt() -> Iterator[None]:
    """Raise a single `KeyboardInterrupt` in the body for several presses in a row.

    The first ends the search. Were the next one raised as well, it would hit the code that saves what
    was found. A later one still ends a solver that swallowed the first.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:  # ignored, or somebody else's
        yield
        return
    pressed = -_SAME_S

    def handle(number: int, frame: FrameType | None) -> None:
        nonlocal pressed
        again = monotonic() - pressed < _SAME_S
        pressed = monotonic()
        if not again:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
