"""Statistics of groups against numbers worked out by hand."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbench.paper.estimates import STATISTICS, Direction, observe


def estimate(
    name: str,
    groups: dict[Any, Any],
    of: Sequence[Any],
    than: Sequence[Any] = (),
    direction: Direction = "above",
) -> float:
    return observe(groups, STATISTICS[name], of, than, direction).estimate


ONE = {"a": [3.0], "b": [1.0], "c": [2.0]}


@pytest.mark.parametrize(
    ("name", "of", "than", "direction", "wanted"),
    [
        ("margin", ["a"], ["b", "c"], "above", 1.0),  # 3 against the larger, 2
        ("margin", ["a"], ["b", "c"], "below", 2.0),  # 3 against the smaller, 1
        ("contrast", ["a", "b"], ["c"], "above", 0.0),  # (3 + 1) / 2 - 2
        ("relative", ["a"], ["c"], "above", 0.5),
        ("relative", ["b"], ["c"], "above", -0.5),
        ("level", ["a", "b"], [], "above", 2.0),
    ],
)
def test_of_single_numbers(name: str, of: list[str], than: list[str], direction: Direction, wanted: float) -> None:
    assert estimate(name, ONE, of, than, direction) == pytest.approx(wanted)


def test_relative_change_of_a_negative_number_keeps_its_sign() -> None:
    assert estimate("relative", {"a": [-1.0], "b": [-2.0]}, ["a"], ["b"]) == pytest.approx(0.5)


def test_trend_is_the_share_of_rising_pairs_less_that_of_falling_ones() -> None:
    # Of the six pairs of 1, 3, 2, 4 in order, one falls.
    groups = {1: [1.0], 2: [3.0], 3: [2.0], math.inf: [4.0]}
    assert estimate("trend", groups, [1, 2, 3, math.inf]) == pytest.approx(4 / 6)
    assert estimate("trend", groups, [math.inf, 3, 2, 1]) == pytest.approx(4 / 6)  # in whatever order they are named
    assert estimate("trend", {1: [5.0], 2: [5.0]}, [1, 2]) == 0


@given(st.floats(0.1, 3), st.floats(0.01, 100))
def test_exponent_is_that_of_a_power(power: float, factor: float) -> None:
    groups = {x: [factor * x**power] for x in (1, 2, 5, 10)}
    assert estimate("exponent", groups, [1, 2, 5, 10]) == pytest.approx(power)


def test_share_counts_layers_and_halves_ties() -> None:
    assert estimate("share", {"a": [[2, 1, 5, 5]], "b": [[1, 2, 5, 0]]}, ["a"], ["b"]) == pytest.approx(2.5 / 4)


def test_price_is_the_rise_of_the_first_value_less_that_of_the_second() -> None:
    groups = {"a": [[1.1, 3.0]], "b": [[1.0, 2.0]]}  # +10 % for +50 %
    assert estimate("price", groups, ["a"], ["b"]) == pytest.approx(0.1 - 0.5)


def test_centre_leaves_out_a_quarter_at_each_end() -> None:
    assert estimate("level", {"a": [-1000, 1, 2, 3, 1000]}, ["a"]) == pytest.approx(2)


def test_interval_is_what_resampling_of_every_group_gives() -> None:
    """Two runs a group: each resample's centre is the low, the middle or the high, with 1/4, 1/2, 1/4."""
    found = observe({"a": [10.0, 12.0], "b": [0.0, 2.0]}, STATISTICS["contrast"], ["a"], ["b"], "above")
    assert found == pytest.approx((10, 8, 12))  # 12 - 0 and 10 - 2, each with 1/16 > 2.5 %
    single = observe({"a": [10.0], "b": [1.0]}, STATISTICS["contrast"], ["a"], ["b"], "above")
    assert single == (9, 9, 9)


def test_interval_covers_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    runs = rng.normal(size=(300, 2, 30))
    hits = 0
    for a, b in runs:
        _, low, high = observe({"a": a, "b": b}, STATISTICS["contrast"], ["a"], ["b"], "above", resamples=200)
        hits += low <= 0 <= high
    assert 0.88 < hits / 300 < 0.99


def test_the_best_of_several_equals_refutes_nobody() -> None:
    # Five seeds of eight agents that are all the same: one is ahead by chance, in almost every draw.
    refuted = held = 0
    for draw in range(200):
        rng = np.random.default_rng(draw)
        groups = {agent: rng.normal(size=5) for agent in range(8)}
        _, low, high = observe(groups, STATISTICS["margin"], [0], list(range(1, 8)), "above", resamples=300)
        refuted += high <= 0
        held += low > 0
    # 19 and 0: five seeds make bootstrap intervals short. An interval of the margin itself refutes 72.
    assert refuted <= 30
    assert held <= 10


@pytest.mark.parametrize(("direction", "sign"), [("above", 1), ("below", -1)])
def test_a_margin_s_interval_lies_where_all_or_one_of_the_others_leave_it(direction: Direction, sign: int) -> None:
    spread = np.array([-0.2, -0.1, 0.0, 0.1, 0.2])
    groups = {"a": sign * (3 + spread), "b": sign * (1 + spread), "c": sign * (2 + spread)}
    ahead = observe(groups, STATISTICS["margin"], ["a"], ["b", "c"], direction)
    behind = observe(groups, STATISTICS["margin"], ["c"], ["a", "b"], direction)
    assert ahead.low <= ahead.estimate <= ahead.high and ahead.estimate == pytest.approx(sign * 1)
    assert min(sign * ahead.low, sign * ahead.high) > 0 > max(sign * behind.low, sign * behind.high)
