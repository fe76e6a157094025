"""Names for layers, no two the same, where a file names several alike or none."""


class Names:
    """The names that are taken."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._last: dict[str, int] = {}

    def new(self, name: str) -> str:
        """Return a name that nothing has yet, this one if it can be, else ``name (2)``."""
        found, number = name, self._last.get(name, 1)
        while found in self._taken:
            number += 1
            found = f"{name} ({number})"
        self._last[name] = number
        self._taken.add(found)
        return found
