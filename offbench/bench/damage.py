"""What of a folder of results can't be read: whoever reads tells it, only who writes sets it aside."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from offbench.errors import OffbenchError
from offbench.files.json import one_line
from offbench.files.regular import read_regular

Content = TypeVar("Content")


class Damage:
    """The files of a folder that couldn't be read, and why.

    Parameters
    ----------
    folder
        Of results; what is set aside goes to its ``damaged/``.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._why: dict[Path, str] = {}
        self._then: dict[Path, str] = {}

    @property
    def told(self) -> list[str]:
        """A line for each."""
        return [
            f"{path}: damaged ({why}); {self._then.get(path, '`offbench bench` sets it aside')}"
            for path, why in self._why.items()
        ]

    def read(self, path: Path, parse: Callable[[bytes], Content]) -> Content | None:
        """Return what a file holds; None if there is none, or it can't be read, which is noted.

        Parameters
        ----------
        path
            The file.
        parse
            Makes something of its bytes; raises `ValueError` or `OffbenchError` where they are damaged.
        """
        try:
            return parse(read_regular(path))
        except FileNotFoundError as error:
            if path.is_symlink():
                self._why[path] = f"a link to nowhere: {error.strerror}"
        except ValidationError as error:
            self._why[path] = one_line(error)
        except OSError as error:
            self._why[path] = str(error.strerror)
        except (ValueError, OffbenchError) as error:
            self._why[path] = str(error).removeprefix(f"{path}: ")
        return None

    def set_aside(self) -> None:
        """Move what was noted to ``damaged/``, so that it is in nobody's way."""
        for path in [path for path in self._why if path not in self._then]:
            aside = self._folder / "damaged" / f"{path.stem}-{time.time_ns()}{path.suffix}"
            with suppress(FileNotFoundError):  # another process has done it
                try:
                    if self._folder.is_dir():
                        aside.parent.mkdir(exist_ok=True)
                    path.rename(aside)
                    self._then[path] = f"set aside as {aside}"
                except FileNotFoundError:
                    raise
                except OSError as error:
                    self._then[path] = f"can't be set aside: {error.strerror}"


def names(folder: Path, ending: str = "") -> list[str]:
    """Return the names of what a folder holds, sorted; none where it can't be listed, or isn't one."""
    try:
        return sorted(path.name for path in folder.iterdir() if path.name.endswith(ending))
    except OSError:
        return []
