"""A file written whole or not at all."""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, content: str | bytes) -> None:
    """Write *content* as `whole` does."""
    with whole(path) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """Give a file under a temporary name in the same folder; in the end it goes on to the disk and is renamed.

    Whoever reads the file meanwhile, and whatever kills the writer, sees the old one or the new one.
    """
    temporary = path.with_name(f".{path.name}-{platform.node()}-{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
