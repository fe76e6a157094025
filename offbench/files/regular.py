"""Reading what is a file: no pipe that nobody writes to, no device, no folder."""

import os
import stat
from pathlib import Path

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe (FIFO)",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_regular(path: Path) -> bytes:
    """Return what a file holds; what isn't one, or a link to one, isn't even opened.

    Raises
    ------
    ValueError
        If it is something else; the message says what.
    OSError
        If it can't be read.
    """
    _refuse(path.stat().st_mode)
    # Should it have been replaced just now: not waiting for a pipe's other end, and looked at again.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    with os.fdopen(descriptor, "rb") as file:
        _refuse(os.fstat(descriptor).st_mode)
        return file.read()


def _refuse(mode: int) -> None:
    if not stat.S_ISREG(mode):
        raise ValueError(f"it is {_KINDS.get(stat.S_IFMT(mode), 'something else')}, not a file")
