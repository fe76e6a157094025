"""Writing a result file: checked before the work, whole or not at all."""

import os
from pathlib import Path

from offbench.cli.shared.errors import say
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole


def check_writable(path: Path) -> None:
    """Refuse a path that can't be written, before the work whose result it is for.

    Raises
    ------
    OffbenchError
        If its folder doesn't exist or can't be written to, or it is itself a folder.
    """
    if path.is_dir():
        raise OffbenchError(f"{path}: can't be written: it is a folder")
    if not path.parent.is_dir():
        raise OffbenchError(f"{path}: can't be written: there is no folder '{path.parent}'")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OffbenchError(f"{path}: can't be written: no permission")


def write(path: Path, content: str | bytes, quiet: bool = False) -> None:
    """Write *content* under a temporary name in the same folder, then rename; stderr says what happened.

    Raises
    ------
    OffbenchError
        If it can't be written.
    """
    existed = path.exists()
    try:
        if existed and not path.is_file():  # a pipe or a device: renaming would replace the thing itself
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        else:
            write_whole(path.resolve(), content)
    except OSError as error:
        raise OffbenchError(f"{path}: can't be written: {error.strerror}") from None
    if not quiet:
        say(f"{'replaced' if existed else 'wrote'} {path}")
