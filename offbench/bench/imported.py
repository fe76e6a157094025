"""Whether a process imported the files that it was expected to: they may change at any time.

A stamp is what shows that a file has changed: its time and size. It is looked at when a solver has been
imported, and at the end for what a solver imports only while it runs. A file that was changed after its import, as
while a long run goes on, did not decide the run.
"""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

Stamp = tuple[int, int]


def stamp(path: str) -> Stamp | None:
    """Return the time, in ns, and the size of a file; None if it can't be had."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class Imported:
    """What this process has imported, against what it was told of the files.

    Parameters
    ----------
    modules
        Stamps of the files of modules; those that aren't imported don't count.
    others
        Stamps of other files, by path: they are read while the solver runs.
    """

    def __init__(self, modules: Mapping[str, Sequence[int]], others: Mapping[str, Sequence[int]]) -> None:
        self._modules = {name: tuple(each) for name, each in modules.items()}
        self._others = {path: tuple(each) for path, each in others.items()}
        self._known: set[str] = set()
        self.as_told: bool | None = None
        """whether it is what it was told; None until somebody has looked"""

    def look(self, search: object = None) -> None:
        """Look at the files of what has been imported since the last time."""
        new = {name for name in self._modules if name in sys.modules} - self._known
        self._known |= new
        same = all(stamp(sys.modules[name].__file__ or "") == self._modules[name] for name in new)
        self.as_told = same and self.as_told is not False

    def look_once_more(self) -> None:
        """Look at what a run imported while it ran, and at other files, if its search had begun."""
        if self.as_told is not None:
            self.look()
            self.as_told = self.as_told and all(stamp(path) == each for path, each in self._others.items())
