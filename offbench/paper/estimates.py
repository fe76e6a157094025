"""What is observed of groups of runs: one number of their centres, with a bootstrap interval.

A group's centre is the interquartile mean of its runs. A statistic takes the centres of all groups, drawn
anew many times at once, so that its interval takes in what every group's seeds leave open.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbench.bench.statistics.intervals import Interval, interquartile_mean

Floats = NDArray[np.float64]
Centres = Mapping[Any, Floats]
"""by group, shape ``(draws, ...)``"""
Direction = Literal["above", "below", "within"]
Statistic = Callable[[Centres, Sequence[Any], Sequence[Any], Direction], Floats]


def margin(centres: Centres, of: Sequence[Any], than: Sequence[Any], direction: Direction) -> Floats:
    """Return by how much a group exceeds the best of others: the least of them if less is better."""
    others = np.stack([centres[key] for key in than])
    best: Floats = others.min(axis=0) if direction == "below" else others.max(axis=0)
    return centres[of[0]] - best


def contrast(centres: Centres, of: Sequence[Any], than: Sequence[Any], direction: Direction) -> Floats:
    """Return the mean of some groups less the mean of others."""
    return _mean(centres, of) - _mean(centres, than)


def relative(centres: Centres, of: Sequence[Any], than: Sequence[Any], direction: Direction) -> Floats:
    """Return that difference as a share of the others' mean."""
    return contrast(centres, of, than, direction) / np.abs(_mean(centres, than))


def trend(centres: Centres, of: Sequence[Any], than: Sequence[Any], direction: Direction) -> Floats:
    """Return Kendall's tau of the groups' numbers and their centres: 1 where all rise, -1 where all fall."""
    pairs = list(combinations(sorted(of, key=float), 2))
    return np.asarray(sum(np.sign(centres[b] - centres[a]) for a, b in pairs) / len(pairs))


def exponent(centres: Centres, of: Sequence[Any], than: Sequence[Any], direction: Direction) -> Floats:
    """Return the slope of logarithms: 1 where a value grows in proportion to its group's number."""
    x = np.log([float(key) for key in of])
    y = np.log(np.stack([centres[key] for key in of]))
    x = x - x.mean()
    return np.asarray(x @ (y - y.mean(axis=0)) / (x @ x))


def level(centres: Centres, of: Sequence[Any], than: Sequence[Any], direction: Direction) -> Floats:
    """Return the mean of some groups."""
    return _mean(centres, of)


def share(centres: Centres, of: Sequence[Any], than: Sequence[Any], direction: Direction) -> Floats:
    """Return in which share of a value's entries (layers) one group exceeds another; a tie is half of one."""
    apart = centres[of[0]] - centres[than[0]]
    return np.asarray((0.5 + 0.5 * np.sign(apart)).mean(axis=-1))


def price(centres: Centres, of: Sequence[Any], than: Sequence[Any], direction: Direction) -> Floats:
    """Return the relative rise of the first of two values less that of the second: below 0, it is worth its price."""
    risen = relative(centres, of, than, direction)
    return np.asarray(risen[..., 0] - risen[..., 1])


STATISTICS: dict[str, Statistic] = {
    each.__name__: each for each in (margin, contrast, relative, trend, exponent, level, share, price)
}


def _mean(centres: Centres, keys: Sequence[Any]) -> Floats:
    return np.asarray(np.mean([centres[key] for key in keys], axis=0))


def centre(values: ArrayLike) -> Floats:
    """Return the centre of a group of runs, shape ``(runs, ...)``."""
    return interquartile_mean(values, axis=0)


def observe(
    groups: Mapping[Any, ArrayLike],
    statistic: Statistic,
    of: Sequence[Any],
    than: Sequence[Any],
    direction: Direction,
    level: float = 0.95,
    resamples: int = 2000,
    seed: int = 0,
) -> Interval:
    """Return a statistic of groups of runs and its percentile bootstrap interval.

    Parameters
    ----------
    groups
        The values of each group's runs, the first axis; each group is resampled by itself. A single run
        stays as it is, so that where every group has one, the interval is the estimate.
    statistic
        Of `STATISTICS`.
    of, than
        The groups that it is about, and those that they are held against.
    direction
        What is claimed; it says which of several others is the best.
    level
        Of confidence.
    resamples, seed
        Of the bootstrap.
    """
    rng = np.random.default_rng(seed)
    given, drawn = {}, {}
    for key, values in groups.items():
        runs = np.asarray(values, dtype=float)
        rows = rng.integers(len(runs), size=(len(runs), resamples))
        given[key], drawn[key] = centre(runs)[None], centre(runs[rows])
    with np.errstate(divide="ignore", invalid="ignore"):
        estimate = statistic(given, of, than, direction)[0]
        tails = (1 - level) / 2
        if statistic is margin:
            return Interval(float(estimate), *_of_margin(drawn, of, than, direction, tails))
        low, high = np.quantile(statistic(drawn, of, than, direction), [tails, 1 - tails])
    return Interval(float(estimate), float(low), float(high))


def _of_margin(
    drawn: Centres, of: Sequence[Any], than: Sequence[Any], direction: Direction, tails: float
) -> tuple[float, float]:
    """Return an interval of a margin from those of the differences to each of the others.

    Of several equals one is ahead by chance, and drawing runs anew keeps it ahead. So the group exceeds all
    only where it exceeds each (Berger, 1982), and is exceeded only where it is by one of them with its tail
    shared among all (Bonferroni).
    """
    apart = np.stack([drawn[of[0]] - drawn[key] for key in than])
    towards, away = (tails, 1 - tails / len(than)) if direction == "above" else (1 - tails, tails / len(than))
    pick = np.min if direction == "above" else np.max
    ends = (float(pick(np.quantile(apart, share, axis=1))) for share in (towards, away))
    low, high = sorted(ends)
    return low, high
