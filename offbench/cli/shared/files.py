"""Writing a result file: checked before the work, whole or not at all."""

import os
from pathlib import Path

from offbench.cli.shared.errors import say
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole, writing


def check_writable(path: Path) -> None:
    """Refuse a path that can't be written, before the work whose result it is for.

    Raises
    ------
    OffbenchError
        If its folder doesn't exist or can't be written to, or it is itself a folder.
    """
    where = Path(os.path.realpath(path))
    if path.is_symlink() and not path.exists() and (where.is_symlink() or not where.parent.is_dir()):
        raise OffbenchError(f"{path}: can't be written: it is a link to {path.readlink()}, which isn't there")
    if path.is_dir():
        raise OffbenchError(f"{path}: can't be written: it is a folder")
    if not path.parent.is_dir():
        raise OffbenchError(f"{path}: can't be written: there is no folder '{path.parent}'")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OffbenchError(f"{path}: can't be written: no permission")


def check_folder(folder: Path) -> None:
    """Refuse a folder that can't be made or written to, before the work.

    Raises
    ------
    OffbenchError
        If it is none, is a link to nowhere, or there is no permission.
    """
    at = folder
    while not at.exists():
        if at.is_symlink():
            raise OffbenchError(f"{folder}: can't be written: {at} is a link to {at.readlink()}, which isn't there")
        at = at.parent
    if not at.is_dir() or not os.access(at, os.W_OK):
        raise OffbenchError(f"{folder}: can't be written: {at} is no folder, or there is no permission")


def write(path: Path, content: str | bytes, quiet: bool = False) -> None:
    """Write *content* under a temporary name in the same folder, then rename; stderr says what happened.

    Raises
    ------
    OffbenchError
        If it can't be written.
    """
    existed = path.exists()
    with writing(path):
        if existed and not path.is_file():  # a pipe or a device: renaming would replace the thing itself
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        else:
            write_whole(path.resolve(), content)
    if not quiet:
        say(f"{'replaced' if existed else 'wrote'} {path}")
