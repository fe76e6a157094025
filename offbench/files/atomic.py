"""A file written whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from offbench.errors import OffbenchError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write *content* as `whole` does."""
    with whole(path) as file:
        file.write(content.encode(errors="backslashreplace") if isinstance(content, str) else content)


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file under a random name in the same folder; in the end it goes on to the disk and is renamed.

    Whoever reads the file meanwhile, and whatever kills the writer, sees the old one or the new one. A link at *path*
    is replaced, and what it leads to left alone. A new file has the permissions of the umask, one that replaces another
    has that one's.

    Raises
    ------
    OSError
        If it can't be written, or is a pipe or a device, which renaming would replace; its *filename* is the path,
        though a full disk is found out by a write that knows none.
    """
    _refuse_special(path)
    # A part of a long name is enough for whoever finds what a killed writer has left.
    temporary = path.with_name(f".{path.name[:50]}-{secrets.token_hex(8)}.tmp")
    try:
        with temporary.open("xb") as file:  # exclusively: what is there already, a link say, is not written to
            _take_mode_of(path, file.fileno())
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        with suppress(OSError):  # what went wrong before says more
            temporary.unlink(missing_ok=True)


def _refuse_special(path: Path) -> None:
    kind = None
    with suppress(OSError):  # there is none, or the writing itself says why
        kind = stat.S_IFMT(path.lstat().st_mode)
    if kind not in (None, stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR):
        raise OSError(errno.EINVAL, "it is a pipe or a device", str(path))


def _take_mode_of(path: Path, descriptor: int) -> None:
    with suppress(OSError):  # there is none, or nothing can be done on this file system
        old = path.lstat().st_mode
        if stat.S_ISREG(old):
            os.fchmod(descriptor, stat.S_IMODE(old) & 0o777)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system says against a file that the body writes into a line for the user.

    Raises
    ------
    OffbenchError
        In place of an `OSError`; it names the file and the reason.
    """
    try:
        yield
    except OSError as error:
        raise OffbenchError(f"{path}: can't be written: {error.strerror or error}") from None
