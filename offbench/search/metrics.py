"""What a learning solver tells of itself: the latest for a progress bar, curves for the result, all to listeners."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, SupportsFloat, SupportsIndex

from offbench.files.plain import plain

# Points of a curve; at twice as many, neighbours are averaged.
_POINTS = 500
_NAME = 100  # characters of a fact's name at most

Listener = Callable[[str, int, float], None]


class Curve:
    """Values over steps, averaged in stretches that grow, so that a curve stays short however long a run."""

    def __init__(self) -> None:
        self.points: list[tuple[float, float]] = []
        """mean step and mean value of each full stretch"""
        self.not_finite = 0
        """how many values were infinite or no number, or too large for a mean, and are in no point"""
        self._stretch = 1
        self._open: tuple[int, float, float] = (0, 0.0, 0.0)

    def add(self, step: int, value: float) -> None:
        """Take in a value."""
        count, steps, values = self._open
        count, steps, values = count + 1, steps + step, values + value
        if not math.isfinite(values):
            self.not_finite += 1
            return
        if count < self._stretch:
            self._open = (count, steps, values)
            return
        self._open = (0, 0.0, 0.0)
        self.points.append((steps / count, values / count))
        if len(self.points) == 2 * _POINTS:
            pairs = zip(self.points[::2], self.points[1::2], strict=True)
            self.points = [((a + b) / 2, x / 2 + y / 2) for (a, x), (b, y) in pairs]
            self._stretch *= 2

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on, as JSON has it."""
        return {
            "points": [list(point) for point in self.points], "stretch": self._stretch, "open": list(self._open),
            "not_finite": self.not_finite,
        }  # fmt: skip

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.points = [(step, value) for step, value in state["points"]]
        self._stretch = state["stretch"]
        count, steps, values = state["open"]
        self._open = (count, steps, values)
        self.not_finite = state.get("not_finite", 0)  # of an earlier version, which had none


class Diary:
    """Facts of a training by name: ``loss`` over updates, ``reward`` over episodes, ``epsilon`` and others."""

    def __init__(self) -> None:
        self.latest: dict[str, float] = {}
        """the last value of each fact"""
        self._curves: dict[str, Curve] = {}
        self.listeners: list[Listener] = []
        """called with name, step and value of each"""

    def tell(self, name: str, value: SupportsFloat, step: SupportsIndex | None = None) -> None:
        """Write down a fact; with a *step* it is a point of a curve, if it is finite.

        Raises
        ------
        TypeError, ValueError
            If *value* is no number, or *step* no whole one.
        """
        name, value = plain(str(name), _NAME), float(value)
        self.latest[name] = value
        if step is None:
            return
        step = operator.index(step)
        self._curves.setdefault(name, Curve()).add(step, value)
        for listener in self.listeners:
            listener(name, step, value)

    def points(self) -> dict[str, list[tuple[float, float]]]:
        """Return the points of each curve that has some."""
        return {name: list(curve.points) for name, curve in self._curves.items() if curve.points}

    def not_finite(self) -> dict[str, int]:
        """Return how many values are in no point of their curve (`Curve.not_finite`), of each curve that lacks some."""
        return {name: curve.not_finite for name, curve in self._curves.items() if curve.not_finite}

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on, as JSON has it."""
        return {
            "latest": {name: value for name, value in self.latest.items() if math.isfinite(value)},
            "curves": {name: curve.state() for name, curve in self._curves.items()},
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.latest = dict(state["latest"])
        for name, kept in state["curves"].items():
            self._curves[name] = Curve()
            self._curves[name].load(kept)


def diverged(not_finite: Mapping[str, int]) -> list[str]:
    """Say in words what `Diary.not_finite` counts."""
    return [
        f"learning diverged: {count:,} of the values of '{name}' {'are' if count > 1 else 'is'} infinite or no number, "
        "and left out of its curve"
        for name, count in not_finite.items()
    ]
