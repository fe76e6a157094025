"""The Pareto front of delay, energy and cost: placements that no other is better than in all three."""

import numpy as np
from numpy.typing import NDArray

from offbench.model.placement import Placement

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

INDICATORS = ("delay_s", "energy_j", "cost_usd")
"""what a front's columns are"""

# A front that grows beyond this is thinned to half of it, so that keeping it stays cheap.
_MOST = 4000


class Front:
    """Placements of which none dominates another: no worse in every indicator, better in one."""

    def __init__(self) -> None:
        self.values = np.empty((0, 3))
        """`INDICATORS` of each placement, a row each, by delay"""
        self._placements: list[Placement] = []

    def __len__(self) -> int:
        return len(self.values)

    @property
    def placements(self) -> list[Placement]:
        """The placement of each row."""
        return self._placements

    def add(self, servers: Ints, orders: Ints | None, values: Floats) -> None:
        """Take in what of a population belongs to the front, and drop what it dominates.

        Parameters
        ----------
        servers, orders
            A row for each placement, as `Search.propose_many` takes them.
        values
            Their `INDICATORS`.
        """
        new = np.flatnonzero(~dominated(values, self.values, or_equal=True))
        new = new[np.unique(values[new], axis=0, return_index=True)[1]]
        new = new[~dominated(values[new], values[new])]
        if not len(new):
            return
        stays = np.flatnonzero(~dominated(self.values, values[new]))
        placements = [self._placements[i] for i in stays]
        placements += [Placement(servers[i], None if orders is None else orders[i]) for i in new]
        self._keep(np.concatenate([self.values[stays], values[new]]), placements)
        if len(self) > _MOST:
            chosen = spread(self.values, _MOST // 2)
            self._keep(self.values[chosen], [self._placements[i] for i in chosen])

    def _keep(self, values: Floats, placements: list[Placement]) -> None:
        order = np.lexsort(values.T[::-1])
        self.values, self._placements = values[order], [placements[i] for i in order]


def dominated(values: Floats, by: Floats, or_equal: bool = False) -> NDArray[np.bool_]:
    """Tell which rows some row of *by* dominates, or with *or_equal* is equal to."""
    no_worse = np.all(by[None] <= values[:, None], axis=2)
    if not or_equal:
        no_worse &= np.any(by[None] < values[:, None], axis=2)
    found: NDArray[np.bool_] = np.any(no_worse, axis=1)
    return found


def spread(values: Floats, most: int) -> Ints:
    """Return rows that lie far apart: the least of each column, then always the one farthest from those chosen.

    Distances are in shares of each column's range.
    """
    if len(values) <= most:
        return np.arange(len(values))
    ranges = np.ptp(values, axis=0)
    scaled = values / np.where(ranges > 0, ranges, 1)
    chosen = list(dict.fromkeys(scaled.argmin(axis=0).tolist()))[:most]
    distance = np.linalg.norm(scaled[:, None] - scaled[chosen], axis=2).min(axis=1)
    while len(chosen) < most:
        farthest = int(distance.argmax())
        chosen.append(farthest)
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[farthest], axis=1))
    return np.sort(chosen)


def hypervolume(values: Floats, reference: Floats) -> float:
    """Return the share of the box from 0 to *reference* that the rows dominate, 0 to 1.

    An indicator whose reference is 0 can't be improved and is left out.
    """
    scaled = values[:, reference > 0] / reference[reference > 0]
    scaled = np.hstack([scaled, np.zeros((len(scaled), 3 - scaled.shape[1]))])
    scaled = scaled[(scaled < 1).all(axis=1)]
    scaled = scaled[scaled[:, 2].argsort()]
    heights = np.diff(np.append(scaled[:, 2], 1.0))
    return sum(float(height) * _area(scaled[: i + 1, :2]) for i, height in enumerate(heights) if height > 0)


def _area(points: Floats) -> float:
    """Return the area of the unit square that points dominate."""
    points = points[np.lexsort(points.T[::-1])]
    lowest = np.minimum.accumulate(points[:, 1])
    widths = np.diff(np.append(points[:, 0], 1.0))
    return float((widths * (1 - lowest)).sum())
