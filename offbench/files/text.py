"""Text files that people write, with whatever editor."""

import codecs
import os
import re
import stat
import sys
import tomllib
from pathlib import Path
from typing import Any, BinaryIO

from offbench.errors import OffbenchError

MOST_MB = 256
"""what a file that people write may have"""
MOST_MB_OF_TOML = 1
"""what a suite may have, whose reader is slow"""
# Parts of one dotted key, for which it takes time and memory by their square; ours have two.
_MOST_PARTS = 50
_PART = r"""(?:[A-Za-z0-9_-]++|"(?:[^"\\\n]|\\.)*+"|'[^'\n]*+')"""
_LONG_KEY = re.compile(rf"(?<![A-Za-z0-9_-]){_PART}(?:[ \t]*+\.[ \t]*+{_PART}){{{_MOST_PARTS}}}")

# Of a file that some editors call Unicode; UTF-8 has zeros nowhere, and needs no mark.
_OTHERS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def read_text(path: Path, most_mb: float = MOST_MB) -> str:
    r"""Return the text of a file in UTF-8, with or without the mark that some editors put first; lines end in ``\n``.

    Raises
    ------
    OffbenchError
        If it can't be read, is larger than *most_mb*, a device, or isn't UTF-8.
    """
    try:
        with path.open("rb") as file:
            content = _content(file, int(most_mb * 1e6))
    except FileNotFoundError:
        raise OffbenchError(f"{path}: no such file") from None
    except OSError as error:
        raise OffbenchError(f"{path}: can't be read: {error.strerror}") from None
    except ValueError as error:  # a null byte in the name, which no system takes
        raise OffbenchError(f"{path}: can't be read: {error}") from None
    return _text(content, str(path), most_mb)


def read_stdin(name: str, most_mb: float = MOST_MB) -> str:
    """Return the text that comes in on stdin, as `read_text` does; *name* is what errors call it.

    Raises
    ------
    OffbenchError
        As `read_text`, or if nothing comes.
    """
    try:
        content = sys.stdin.buffer.read(int(most_mb * 1e6) + 1)
    except OSError as error:
        raise OffbenchError(f"{name}: can't be read: {error.strerror}") from None
    if not content:
        raise OffbenchError(f"{name}: is empty")
    return _text(content if len(content) <= most_mb * 1e6 else None, name, most_mb)


def _text(content: bytes | None, name: str, most_mb: float) -> str:
    if content is None:
        raise OffbenchError(f"{name}: can't be read: it has more than {most_mb:g} MB")
    try:
        return text_of(content)
    except OffbenchError as error:
        raise OffbenchError(f"{name}: {error}") from None


def text_of(content: bytes) -> str:
    """Return the text in bytes, as `read_text` does.

    Raises
    ------
    OffbenchError
        If it isn't UTF-8; whose it is isn't told.
    """
    if content.startswith(_OTHERS) or b"\0" in content[:4]:
        raise OffbenchError("can't be read: it is UTF-16 or UTF-32 text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise OffbenchError("can't be read: not UTF-8 text") from None


def _content(file: BinaryIO, most: int) -> bytes | None:
    """Return what is in a file or comes through a pipe; None if it is more than *most* bytes."""
    facts = os.fstat(file.fileno())
    if stat.S_ISCHR(facts.st_mode) or stat.S_ISBLK(facts.st_mode):  # some never end
        raise OSError(None, "it is a device")
    if facts.st_size > most:
        return None
    content = file.read(most + 1)
    return content if len(content) <= most else None


def open_own(folder: Path, name: str, most_mb: float) -> BinaryIO:
    """Open a file that a folder of somebody else's names.

    Raises
    ------
    OSError
        If it can't be read, is no file of the folder's own (a link, a folder, a pipe, a device), or is larger than
        *most_mb*.
    """
    path = folder / name
    if Path(name).name != name:
        raise OSError(None, "it is none of the folder's own files", str(path))
    # A pipe would wait for a writer.
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    facts = os.fstat(file)
    if not stat.S_ISREG(facts.st_mode) or facts.st_size > most_mb * 1e6:
        os.close(file)
        what = f"it has more than {most_mb:g} MB" if stat.S_ISREG(facts.st_mode) else "it is no file"
        raise OSError(None, what, str(path))
    return os.fdopen(file, "rb")


def read_toml(path: Path) -> dict[str, Any]:
    """Parse one TOML file.

    Raises
    ------
    OffbenchError
        If it can't be read, or isn't TOML.
    """
    return parse_toml(read_text(path, MOST_MB_OF_TOML), str(path))


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Parse TOML that came from *source*; raises as `read_toml` does."""
    if _LONG_KEY.search(text):
        raise OffbenchError(f"{source}: a key has more than {_MOST_PARTS} parts")
    try:
        return tomllib.loads(text)
    except ValueError as error:  # a `TOMLDecodeError`, or an integer with more digits than Python converts
        raise OffbenchError(f"{source}: not valid TOML: {error}") from None
    except RecursionError:
        raise OffbenchError(f"{source}: not valid TOML: nested too deeply") from None
