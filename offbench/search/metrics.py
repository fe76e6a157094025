"""What a learning solver tells of itself: the latest for a progress bar, curves for the result, all to listeners."""

from collections.abc import Callable
from typing import Any

# Points of a curve; at twice as many, neighbours are averaged.
_POINTS = 500

Listener = Callable[[str, int, float], None]


class Curve:
    """Values over steps, averaged in stretches that grow, so that a curve stays short however long a run."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        """mean step and mean value of each full stretch"""
        self._stretch = 1
        self._open: tuple[int, float, float] = (0, 0.0, 0.0)

    def add(self, step: int, value: float) -> None:
        """Take in a value."""
        count, steps, values = self._open
        count, steps, values = count + 1, steps + step, values + value
        if count < self._stretch:
            self._open = (count, steps, values)
            return
        self._open = (0, 0.0, 0.0)
        self.points.append((steps / count, values / count))
        if len(self.points) == 2 * _POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [((a + b) / 2, (x + y) / 2) for (a, x), (b, y) in pairs]
            self._stretch *= 2

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on, as JSON has it."""
        return {"points": [list(point) for point in self.points], "stretch": self._stretch, "open": list(self._open)}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.points = [(step, value) for step, value in state["points"]]
        self._stretch = state["stretch"]
        count, steps, values = state["open"]
        self._open = (count, steps, values)


class Diary:
    """Facts of a training by name: ``loss`` over updates, ``reward`` over episodes, ``epsilon`` and others."""

    def __init__(self) -> None:
        self.latest: dict[str, float] = {}
        """the last value of each fact"""
        self.curves: dict[str, Curve] = {}
        """of those that were told with a step"""
        self.listeners: list[Listener] = []
        """called with name, step and value of each"""

    def tell(self, name: str, value: float, step: int | None = None) -> None:
        """Write down a fact; with a *step* it is a point of a curve."""
        self.latest[name] = value
        if step is None:
            return
        self.curves.setdefault(name, Curve()).add(step, value)
        for listener in self.listeners:
            listener(name, step, value)

    def points(self) -> dict[str, list[tuple[float, float]]]:
        """Return the points of each curve."""
        return {name: list(curve.points) for name, curve in self.curves.items()}

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on, as JSON has it."""
        return {"latest": self.latest, "curves": {name: curve.state() for name, curve in self.curves.items()}}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.latest = dict(state["latest"])
        for name, kept in state["curves"].items():
            self.curves[name] = Curve()
            self.curves[name].load(kept)
