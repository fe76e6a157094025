"""A file written whole or not at all."""

import os
import platform
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write *content* under a temporary name in the same folder, on to the disk, then rename it.

    Whoever reads the file meanwhile, and whatever kills the writer, sees the old one or the new one.
    """
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}-{platform.node()}-{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
