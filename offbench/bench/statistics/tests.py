"""Tests of difference: paired Wilcoxon with Holm's correction, Friedman with Nemenyi's critical difference."""

import math
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

# With fewer blocks the signed-rank test can't find a difference at 0.05, whatever the numbers.
FEW_BLOCKS = 6
_BEYOND = 1e200


def blocks(table: "pd.DataFrame", value: str, seeds: bool = False) -> "pd.DataFrame":
    """Return a line for each block and a column for each solver.

    Parameters
    ----------
    table
        Of runs.
    value
        Its column.
    seeds
        A block is an instance, with the median of its seeds, or, with *seeds*, an instance and a seed; a
        solver with one seed on an instance has the same number in all of its blocks.

    Returns
    -------
    pandas.DataFrame
        Without solvers that have no number in some block.
    """
    wide = table.pivot_table(index=["instance", "seed"], columns="solver", values=value, dropna=False, aggfunc="median")
    if seeds:
        single = wide.groupby(level="instance").transform("count") == 1
        wide = wide.where(~single, wide.groupby(level="instance").transform("max")).dropna(how="all")
    else:
        wide = wide.groupby(level="instance").median()
    return wide.dropna(axis="columns")


class Comparison(NamedTuple):
    """One pair of solvers."""

    first: str
    second: str
    wins: int
    """blocks where the first is lower"""
    losses: int
    p: float
    p_holm: float


def wilcoxon_holm(wide: "pd.DataFrame") -> list[Comparison]:
    """Compare each pair of solvers by the signed-rank test, two-sided; p-values corrected by Holm.

    Parameters
    ----------
    wide
        Of `blocks`.

    Notes
    -----
    Where two solvers are equal in a block, the zero's rank is split between the signs. Infinite differences rank
    highest; between two infinities there is none.
    """
    from scipy.stats import wilcoxon
    from statsmodels.stats.multitest import multipletests

    finite = wide.clip(upper=_BEYOND)
    pairs = list(combinations(finite.columns, 2))
    found = []
    for first, second in pairs:
        difference = (finite[first] - finite[second]).to_numpy(float)
        p = float(wilcoxon(difference, zero_method="zsplit").pvalue) if difference.any() else 1.0
        found.append((str(first), str(second), int((difference < 0).sum()), int((difference > 0).sum()), p))
    if not found:
        return []
    corrected = multipletests([row[-1] for row in found], method="holm")[1]
    return [Comparison(*row, float(p)) for row, p in zip(found, corrected, strict=True)]


class Ranking(NamedTuple):
    """Mean ranks, and whether they differ."""

    ranks: dict[str, float]
    """of each solver over the blocks, 1 the best; ties share their ranks"""
    blocks: int
    statistic: float
    """Friedman's chi-square"""
    p: float
    critical_difference: float
    """Nemenyi's: mean ranks that differ by less don't differ"""

    def cliques(self) -> list[tuple[str, ...]]:
        """Return the largest groups of solvers that don't differ, as a critical-difference diagram draws them."""
        order = sorted(self.ranks, key=lambda solver: self.ranks[solver])
        found: list[tuple[str, ...]] = []
        for first, solver in enumerate(order):
            group = [
                other for other in order[first:] if self.ranks[other] - self.ranks[solver] < self.critical_difference
            ]
            if len(group) > 1 and not any(set(group) <= set(before) for before in found):
                found.append(tuple(group))
        return found


def friedman(wide: "pd.DataFrame", alpha: float = 0.05) -> Ranking:
    """Rank solvers in each block and test whether mean ranks differ.

    Parameters
    ----------
    wide
        Of `blocks`.
    alpha
        Of the critical difference.

    Notes
    -----
    ``CD = q_alpha sqrt(k (k + 1) / (6 N))``, ``q_alpha`` the studentised range's quantile over ``sqrt(2)``; Demsar,
    Statistical comparisons of classifiers over multiple data sets, 2006. Friedman's test needs three solvers; with
    two, p is NaN.
    """
    from scipy.stats import friedmanchisquare, studentized_range

    count, solvers = wide.shape
    ranks = wide.rank(axis="columns").mean()
    statistic = p = math.nan
    if solvers > 2 and not (wide.nunique(axis="columns") > 1).any():  # all equal everywhere
        statistic, p = 0.0, 1.0
    elif solvers > 2 and count > 1:
        result = friedmanchisquare(*(wide[solver].to_numpy(float) for solver in wide))
        statistic, p = float(result.statistic), float(result.pvalue)
    q = studentized_range.ppf(1 - alpha, solvers, np.inf) / math.sqrt(2) if solvers > 1 else math.nan
    difference = float(q * math.sqrt(solvers * (solvers + 1) / (6 * count))) if count else math.nan
    return Ranking({str(name): float(rank) for name, rank in ranks.items()}, count, statistic, p, difference)
