"""Medians and interquartile means, with stratified bootstrap intervals."""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Statistic = Callable[..., Floats]

# Infinity doesn't survive means and quantiles; this number does, and nothing measured comes near it.
_BEYOND = 1e200

FEW_SEEDS = 5
"""below that, an interval says little"""


class Interval(NamedTuple):
    """An estimate and its interval."""

    estimate: float
    low: float
    high: float


def median(values: ArrayLike, axis: int = -1) -> Floats:
    """Return the median."""
    return np.asarray(np.median(np.asarray(values), axis=axis))


def interquartile_mean(values: ArrayLike, axis: int = -1) -> Floats:
    """Return the mean of the middle half: a quarter is cut off at each end, rounded down.

    Source: Agarwal et al., Deep RL at the edge of the statistical precipice, 2021.
    """
    from scipy.stats import trim_mean

    return np.asarray(trim_mean(np.asarray(values), 0.25, axis=axis))


def stratified_interval(
    strata: Sequence[ArrayLike],
    statistic: Statistic = interquartile_mean,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return a statistic of all values together, and its percentile bootstrap interval.

    Parameters
    ----------
    strata
        The values of each stratum (an instance's runs); each is resampled by itself. A stratum with a single
        value stays as it is.
    statistic
        ``median`` or ``interquartile_mean``: takes values and an axis.
    level
        Of confidence.
    resamples, seed
        Of the bootstrap.

    Returns
    -------
    Interval
        Numbers can be infinite, where runs failed; NaN without values.
    """
    rng = np.random.default_rng(seed)
    drawn, given = [], []
    for stratum in strata:
        values = np.minimum(np.asarray(stratum, dtype=np.float64), _BEYOND)
        if len(values) == 0:
            continue
        given.append(values)
        drawn.append(values[rng.integers(len(values), size=(resamples, len(values)))])
    if not given:
        return Interval(math.nan, math.nan, math.nan)
    estimate = float(statistic(np.concatenate(given), axis=-1))
    tails = (1 - level) / 2
    low, high = np.quantile(statistic(np.concatenate(drawn, axis=1), axis=-1), [tails, 1 - tails])
    return Interval(*(math.inf if value > _BEYOND / 1e6 else float(value) for value in (estimate, low, high)))


def summaries(table: "pd.DataFrame", value: str, by: Sequence[str] = ("solver",)) -> "pd.DataFrame":
    """Return median and interquartile mean of each group, with 95 % intervals stratified by instance.

    Parameters
    ----------
    table
        Of runs.
    value
        Its column.
    by
        Columns that make the groups.

    Returns
    -------
    pandas.DataFrame
        Indexed by group: *median*, *median_low*, *median_high*, *iqm*, *iqm_low*, *iqm_high*, *runs*, *failed* (of the
        runs, without placement, counted as infinite), *instances*, and *seeds*, the fewest on an instance.
    """
    import pandas as pd

    lines = {}
    for group, runs in table.dropna(subset=[value]).groupby(list(by)):
        strata = [part[value].to_numpy(float) for _, part in runs.groupby("instance")]
        middle, mean = stratified_interval(strata, median), stratified_interval(strata, interquartile_mean)
        lines[group if len(by) > 1 else group[0]] = {
            "median": middle.estimate, "median_low": middle.low, "median_high": middle.high,
            "iqm": mean.estimate, "iqm_low": mean.low, "iqm_high": mean.high,
            "runs": len(runs), "failed": int(np.isinf(runs[value]).sum()),
            "instances": len(strata), "seeds": min(map(len, strata)),
        }  # fmt: skip
    return pd.DataFrame.from_dict(lines, orient="index")
