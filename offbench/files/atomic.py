"""A file written whole or not at all."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from offbench.errors import OffbenchError


def write_whole(path: Path, content: str | bytes) -> None:
    """Write *content* as `whole` does."""
    with whole(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file under a temporary name in the same folder; in the end it goes on to the disk and is renamed.

    Whoever reads the file meanwhile, and whatever kills the writer, sees the old one or the new one.

    Raises
    ------
    OSError
        If it can't be written; its *filename* is the path, though a full disk is found out by a write that knows none.
    """
    temporary = path.with_name(f".{path.name}-{platform.node()}-{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
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
