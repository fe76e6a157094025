"""A link's rate, kept in user space: a token bucket that what is sent draws from.

Needs nothing but the standard library, like all that a server of a deployed network imports (`server`).
"""

import socket
import threading
from collections.abc import Sequence
from time import monotonic, sleep

_STEP_S = 0.001
"""so much of the rate is sent at once"""
_LEAST = 1024  # bytes sent at once


class Bucket:
    """How much may be sent: what the rate has filled in since it was last empty.

    Parameters
    ----------
    rate
        In bytes a second; infinite for a link that isn't shaped.
    """

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self._free_s = 0.0
        self._lock = threading.Lock()

    def take(self, size: int, now: float) -> float:
        """Take so many bytes, and return when the last of them has passed."""
        with self._lock:
            self._free_s = max(self._free_s, now) + size / self.rate
            return self._free_s


def send_shaped(connection: socket.socket, parts: Sequence[memoryview], bucket: Bucket, begun: float) -> None:
    """Send bytes so that each step has left when the bucket says that it has passed.

    Parameters
    ----------
    connection
        To where.
    parts
        The bytes, one after another.
    bucket
        Of the link, or of this transfer alone.
    begun
        When it begins, by `time.monotonic`.
    """
    step = max(_LEAST, int(bucket.rate * _STEP_S)) if bucket.rate < float("inf") else 1 << 30
    passed = begun
    for part in parts:
        for start in range(0, len(part), step):
            piece = part[start : start + step]
            passed = bucket.take(len(piece), passed)
            if (left := passed - monotonic()) > 0:
                sleep(left)
            connection.sendall(piece)
