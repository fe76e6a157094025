"""The three gaps, against numbers worked out by hand (MODEL.md section 9)."""

import pytest

from offbench.evaluation.gaps import absolute_gap, certified, contradict, is_optimal, missed_improvement, relative_gap


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [(2, 1, 0.5), (-2, -3, 0.5), (-0.5, -0.5, 0), (0, -1, 1e9), (1e-12, -1e-9, 1.001), (1, 1.5, -0.5)],
)
def test_relative_gap(objective: float, bound: float, gap: float) -> None:
    assert relative_gap(objective, bound) == pytest.approx(gap)


@pytest.mark.parametrize(
    ("objective", "bound", "optimal"),
    [
        (1, 1, True),
        (1, 1 - 0.9e-6, True),
        (1, 1 - 1.1e-6, False),
        (-1000, -1000.0009, True),
        (-1000, -1000.0011, False),
        (0, -0.9e-9, True),  # the relative gap is 0.9, the difference nothing
        (0, -1.1e-9, False),
        (1, 1.1, True),
    ],
)
def test_optimal_is_where_objective_and_bound_meet(objective: float, bound: float, optimal: bool) -> None:
    assert is_optimal(objective, bound) is optimal


@pytest.mark.parametrize(
    ("objective", "bound", "wrong"),
    [(1, 1, False), (1, 1 + 0.9e-9, False), (1, 1 + 1.1e-9, True), (-500, -500 + 4e-7, False), (-500, -499, True)],
)
def test_bound_above_an_objective_contradicts_it(objective: float, bound: float, wrong: bool) -> None:
    assert contradict(objective, bound) is wrong


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
    ],
)
def test_missed_improvement(objective: float, client_only: float, best: float, missed: float | None) -> None:
    for number in (missed_improvement, certified):
        assert number(objective, client_only, best) == (None if missed is None else pytest.approx(missed))


def test_certified_is_never_below_what_is_missed() -> None:
    assert missed_improvement(0.3, 1.0, 0.2) == pytest.approx(0.125)
    assert certified(0.3, 1.0, 0.0) == pytest.approx(0.3)
