"""Writing a result file: checked before the work, whole or not at all."""

import os
import re
import stat
import sys
from pathlib import Path

from offbench.cli.shared.errors import say
from offbench.cli.shared.given import is_dash
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole, writing


def check_writable(path: Path) -> None:
    """Refuse a path that can't be written, before the work whose result it is for.

    Raises
    ------
    OffbenchError
        If its folder can't be made or written to, or it is itself a folder, or a link to what is no file.
    """
    if is_dash(path) or _descriptor(path) is not None:
        return
    if path.is_symlink() and not path.is_file() and not path.is_dir():
        isnt = "is no file" if path.exists() else "isn't there"
        raise OffbenchError(f"{path}: can't be written: it is a link to {path.readlink()}, which {isnt}")
    if path.is_dir():
        raise OffbenchError(f"{path}: can't be written: it is a folder")
    if not path.parent.is_dir():
        _check_can_be_made(path.parent, path)
    elif not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OffbenchError(f"{path}: can't be written: no permission")


def check_folder(folder: Path) -> None:
    """Refuse a folder that can't be made or written to, before the work.

    Raises
    ------
    OffbenchError
        If it is none, is a link to nowhere, or there is no permission.
    """
    if is_dash(folder):
        raise OffbenchError("-: stands for stdout, where a folder is wanted")
    _check_can_be_made(folder, folder)


def check_stdout_once(output: Path | None, json: bool) -> None:
    """Refuse a file and JSON that are both to go to stdout.

    Raises
    ------
    OffbenchError
        If they are.
    """
    if json and is_dash(output):
        raise OffbenchError("--json and --output -: both are for stdout; name a file for one of them")


def _check_can_be_made(folder: Path, wanted: Path) -> None:
    """Refuse a folder that can't be made or written to; errors name what is *wanted*."""
    at = folder
    while not at.exists():
        if at.is_symlink():
            raise OffbenchError(f"{wanted}: can't be written: {at} is a link to {at.readlink()}, which isn't there")
        at = at.parent
    if not at.is_dir() or not os.access(at, os.W_OK):
        raise OffbenchError(f"{wanted}: can't be written: {at} is no folder, or there is no permission")


def write(path: Path, content: str | bytes, quiet: bool = False) -> None:
    """Write *content* under a temporary name in the same folder, then rename; stderr says what happened.

    A folder that isn't there is made. ``-`` is stdout, and nothing is said.
    A link is replaced, and what it leads to left alone. A pipe, a device and what is open as ``/dev/stdout`` or
    ``/dev/fd/3`` are written to as they are, for renaming would replace the thing itself.

    Raises
    ------
    OffbenchError
        If it can't be written.
    """
    data = content.encode(errors="backslashreplace") if isinstance(content, str) else content
    if is_dash(path):
        sys.stdout.flush()
        sys.stdout.buffer.write(data)  # UTF-8 as in a file, whatever the terminal's encoding
        sys.stdout.buffer.flush()
        return
    check_writable(path)  # again: much may have happened since
    existed = path.exists()
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        if (stream := _stream(path)) is not None:
            with os.fdopen(stream, "wb") as file:
                file.write(data)
        else:
            write_whole(path, data)
    if not quiet:
        say(f"{'replaced' if existed and stream is None else 'wrote'} {path}")


def _stream(path: Path) -> int | None:
    """Open what is written to as it is; None for a file."""
    if (descriptor := _descriptor(path)) is not None:
        return os.dup(descriptor)
    if path.exists() and (stat.S_ISFIFO(mode := path.lstat().st_mode) or stat.S_ISCHR(mode)):
        return os.open(path, os.O_WRONLY | getattr(os, "O_NOFOLLOW", 0))
    return None


def _descriptor(path: Path) -> int | None:
    """Return the number of what this process has open, where a path names that."""
    named = {"/dev/stdout": 1, "/dev/stderr": 2}.get(str(path))
    found = re.fullmatch(r"/(?:dev|proc/self)/fd/(\d{1,9})", str(path))
    return int(found[1]) if found else named
