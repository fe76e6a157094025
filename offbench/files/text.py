"""Text files that people write, with whatever editor."""

import codecs
import tomllib
from pathlib import Path
from typing import Any

from offbench.errors import OffbenchError

# Of a file that some editors call Unicode; UTF-8 has zeros nowhere, and needs no mark.
_OTHERS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)


def read_text(path: Path) -> str:
    r"""Return the text of a file in UTF-8, with or without the mark that some editors put first; lines end in ``\n``.

    Raises
    ------
    OffbenchError
        If it can't be read, or isn't UTF-8.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise OffbenchError(f"{path}: no such file") from None
    except OSError as error:
        raise OffbenchError(f"{path}: can't be read: {error.strerror}") from None
    if content.startswith(_OTHERS) or b"\0" in content[:4]:
        raise OffbenchError(f"{path}: can't be read: it is UTF-16 or UTF-32 text; save it as UTF-8")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise OffbenchError(f"{path}: can't be read: not UTF-8 text") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Parse one TOML file.

    Raises
    ------
    OffbenchError
        If it can't be read, or isn't TOML.
    """
    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        raise OffbenchError(f"{path}: not valid TOML: {error}") from None
