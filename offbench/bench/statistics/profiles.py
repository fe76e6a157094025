"""Performance and data profiles: the share of runs that are good, or done, by a factor or a time."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def performance_profile(times: Mapping[str, ArrayLike], factors: ArrayLike) -> dict[str, Floats]:
    """Return, for each solver, the share of problems on which it takes at most a factor of the best one's time.

    Parameters
    ----------
    times
        Of each solver, one for each problem in the same order; infinite where it didn't get there.
    factors
        From 1 on.

    Notes
    -----
    A problem that nobody solved counts for nobody. Source: Dolan and More, Benchmarking optimization software with
    performance profiles, 2002.
    """
    table = np.array([np.asarray(row, dtype=float) for row in times.values()])
    best = table.min(axis=0)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isfinite(table), table / best, np.inf)
    return dict(zip(times, _shares(ratios, factors), strict=True))


def data_profile(times: Mapping[str, ArrayLike], budgets: ArrayLike) -> dict[str, Floats]:
    """Return, for each solver, the share of problems that it solves within a budget.

    Parameters
    ----------
    times
        Of each solver, one for each problem; infinite where it didn't get there.
    budgets
        In the times' unit.

    Notes
    -----
    Source: More and Wild, Benchmarking derivative-free optimization algorithms, 2009.
    """
    table = [np.asarray(row, dtype=float) for row in times.values()]
    return dict(zip(times, _shares(table, budgets), strict=True))


def _shares(rows: "list[Floats] | Floats", limits: ArrayLike) -> list[Floats]:
    """Return the share of each row's numbers at or below each limit."""
    at = np.asarray(limits, dtype=float)
    return [(row[:, None] <= at[None]).mean(axis=0) for row in rows]
