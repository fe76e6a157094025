"""What a run has at any time: curves, primal integral, empirical attainment."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Trace = Sequence[tuple[float, float]]


def value_at(trace: Trace, seconds: ArrayLike) -> Floats:
    """Return the value that a trace of (seconds, value) has at each time; infinite before the first point."""
    at = np.asarray(seconds, dtype=float)
    when = np.array([point[0] for point in trace], dtype=float)
    values = np.array([math.inf, *(point[1] for point in trace)])
    return np.asarray(values[np.searchsorted(when, at, side="right")])


def anytime_curve(traces: Sequence[Trace], seconds: ArrayLike, shares: ArrayLike = (0.25, 0.5, 0.75)) -> Floats:
    """Return quantiles over runs of the value at each time, shape ``(shares, seconds)``.

    No interpolation, so that runs without a value yet, which are infinite, don't spoil the others.
    """
    values = np.array([value_at(trace, seconds) for trace in traces])
    return np.asarray(np.quantile(values, np.asarray(shares), axis=0, method="inverted_cdf"))


def primal_integral(trace: Trace, end_s: float) -> float:
    """Return the mean over time of the gap, cut off at 1: 0 for a solver that has the best at once.

    Parameters
    ----------
    trace
        Of (seconds, gap), the gap being the missed improvement.
    end_s
        Of the time that counts, the run's limit.

    Notes
    -----
    Source: Berthold, Measuring the impact of primal heuristics, 2013; with the missed improvement in place of its
    primal gap, which misleads where objectives are negative or near zero. Before the first placement, and where one
    is worse than not offloading, the gap counts as 1.
    """
    times = [0.0, *(min(max(seconds, 0.0), end_s) for seconds, _ in trace), end_s]
    gaps = [1.0, *(min(1.0, max(0.0, gap)) for _, gap in trace)]
    return float(np.dot(gaps, np.diff(times)) / end_s)


def empirical_attainment(traces: Sequence[Trace], seconds: ArrayLike, values: ArrayLike) -> Floats:
    """Return the share of runs that have attained each value by each time, shape ``(values, seconds)``.

    Source: Lopez-Ibanez et al., Using the empirical attainment function for analyzing single-objective black-box
    optimization algorithms, 2024.
    """
    attained = np.array([value_at(trace, seconds) for trace in traces])
    wanted = np.asarray(values, dtype=float)
    return np.asarray((attained[:, None, :] <= wanted[None, :, None]).mean(axis=0))
