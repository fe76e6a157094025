"""The three gaps, against numbers worked out by hand (MODEL.md section 9)."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbench.evaluation.gaps import (
    absolute_gap,
    certified,
    contradict,
    is_optimal,
    missed_improvement,
    relative_gap,
    tolerance,
)


@pytest.mark.parametrize(
    ("objective", "bound", "client_only", "gap"),
    [
        (2, 1, 5, 0.5),
        (-2, -3, 5, 0.5),
        (-0.5, -0.5, 1, 0),
        (0, -1, 1, 1e9),
        (0, -1, -2, 5e8),
        (1e-12, -1e-9, 1, 1.001),
        (8.275e-11, 6.975e-11, 3.6e-10, 13 / 82.75),  # picoseconds
        (1, 1.5, 1, -0.5),
        (0, 0, 0, 0),
        (0, -1e-30, 0, None),
    ],
)
def test_relative_gap(objective: float, bound: float, client_only: float, gap: float | None) -> None:
    found = relative_gap(objective, bound, client_only=client_only)
    assert found == (gap if gap is None else pytest.approx(gap))


@pytest.mark.parametrize(
    ("objective", "bound", "client_only", "optimal"),
    [
        (1, 1, 0, True),
        (1, 1 - 0.9e-6, 2, True),
        (1, 1 - 1.1e-6, 2, False),
        (-1000, -1000.0009, 1, True),
        (-1000, -1000.0011, 1, False),
        (0, -0.9e-9, 1, True),  # the relative gap is 0.9, the difference nothing beside the client's
        (0, -1.1e-9, 1, False),
        (0, -1.1e-9, -2, True),
        (8.275e-11, 6.975e-11, 3.6e-10, False),  # less than 1e-9 apart, and 19 % above the optimum
        (3.5e-6, 3.499e-6, 1e-5, False),
        (0, 0, 0, True),
        (0, -1e-300, 0, False),
        (1, 1.1, 1, True),
        (math.inf, -math.inf, 1, False),
    ],
)
def test_optimal_is_where_objective_and_bound_meet(
    objective: float, bound: float, client_only: float, optimal: bool
) -> None:
    assert is_optimal(objective, bound, client_only=client_only) is optimal


@pytest.mark.parametrize(
    ("objective", "bound", "client_only", "wrong"),
    [
        (1, 1, 1, False),
        (1, 1 + 0.9e-9, 0.5, False),
        (1, 1 + 1.1e-9, 0.5, True),
        (-500, -500 + 4e-7, 1, False),
        (-500, -499, 1, True),
        (0, 0.9e-9, 1, False),
        (0, 1.1e-9, 1, True),
        (6.975e-11, 6.98e-11, 3.6e-10, True),
        (1, -math.inf, 1, False),
    ],
)
def test_bound_above_an_objective_contradicts_it(
    objective: float, bound: float, client_only: float, wrong: bool
) -> None:
    assert contradict(objective, bound, client_only=client_only) is wrong


numbers = st.floats(-10, 10) | st.sampled_from([0.0, 1.0, 1 + 1e-9, 1 - 1e-7, 1 - 1e-6])


@given(numbers, numbers, numbers, st.integers(-40, 40))
def test_no_unit_of_measure_decides(objective: float, bound: float, client_only: float, power: int) -> None:
    unit = 2.0**power  # exact, so that rounding decides nothing either
    few = [abs(number) for number in (objective, bound, client_only) if number != 0]
    if few and min(few) < 1e-250:
        return
    for judge in (is_optimal, contradict, relative_gap):
        assert judge(objective, bound, client_only=client_only) == judge(
            objective * unit, bound * unit, client_only=client_only * unit
        )
    scaled = tolerance(objective * unit, client_only=client_only * unit)
    assert scaled == tolerance(objective, client_only=client_only) * unit


def test_absolute_gap() -> None:
    assert absolute_gap(-0.25, -1) == 0.75


@pytest.mark.parametrize(
    ("objective", "client_only", "best", "missed"),
    [
        (0.5, 1.0, 0.0, 0.5),
        (-0.5, 1.0, -1.0, 0.25),
        (0.0, 0.0, 0.0, None),
        (1.0, 1.0, 0.2, 1),
        (0.2, 1.0, 0.2, 0),
        (1.8, 1.0, 0.2, 2),  # worse than not offloading
        (0.12, 1.0, 0.2, -0.1),  # better than the best known
        (3.0, 1.0, 1.0, None),
        (3.0, 1.0, 1 - 1e-7, None),
        (3.0, 1.0, 1.5, None),
        (0.5e-12, 1e-12, 0.0, 0.5),
    ],
)
def test_missed_improvement(objective: float, client_only: float, best: float, missed: float | None) -> None:
    for number in (missed_improvement, certified):
        assert number(objective, client_only, best) == (None if missed is None else pytest.approx(missed))


def test_certified_is_never_below_what_is_missed() -> None:
    assert missed_improvement(0.3, 1.0, 0.2) == pytest.approx(0.125)
    assert certified(0.3, 1.0, 0.0) == pytest.approx(0.3)
