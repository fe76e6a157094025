"""Effect sizes, by hand."""

import math

import numpy as np
import pandas as pd
import pytest

from offbench.bench.statistics.effects import lower_in_the_mean, vargha_delaney


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1, 2], [3, 4], 1.0),
        ([3, 4], [1, 2], 0.0),
        ([1, 2], [1, 2], 0.5),
        ([1, 3], [2], 0.5),
        ([1, 2, 2], [2, 3], (2 + 2 * 1.5) / 6),
        ([math.inf, 1], [math.inf, 2], (0.5 + 0 + 1 + 1) / 4),
    ],
)
def test_vargha_delaney_counts_pairs(first: list[float], second: list[float], expected: float) -> None:
    assert vargha_delaney(first, second) == pytest.approx(expected)


def test_it_is_mann_whitneys_u_over_all_pairs() -> None:
    from scipy.stats import mannwhitneyu

    rng = np.random.default_rng(0)
    first, second = rng.normal(size=20), rng.normal(0.3, size=30)
    u = mannwhitneyu(second, first).statistic
    assert vargha_delaney(first, second) == pytest.approx(u / 600)


def test_instances_count_alike_however_many_seeds_they_have() -> None:
    rows = [("x", "a", 1.0), ("x", "b", 2.0), ("y", "a", 5.0), ("y", "b", 4.0), ("y", "b", 4.0), ("z", "a", math.nan)]
    table = pd.DataFrame(rows, columns=["instance", "solver", "gap"])
    assert lower_in_the_mean(table, "gap", "a", "b") == 0.5
    assert lower_in_the_mean(table, "gap", "b", "a") == 0.5
    assert math.isnan(lower_in_the_mean(table, "gap", "a", "c"))
