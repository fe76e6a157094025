"""H for standardised indicators, and piecewise-linear functions on or above it."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import instances, placed

from offbench import evaluate
from offbench.evaluation.coordination import coordination, largest, over_estimate
from offbench.evaluation.kernel import PARTS
from offbench.model.arrays import Arrays
from offbench.model.instance import parse
from offbench.model.placement import parse_placement
from offbench.model.problem import P1

Floats = NDArray[np.float64]
LAMBDAS = [(0.33, 0.33, 0.34), (1, 0, 0), (0, 0.5, 0.5), (0.9, 0.05, 0.05), (0.02, 0.9, 0.08), (0, 0, 1)]


def reading(benefits: bool, root: int, lambdas: tuple[float, ...] = LAMBDAS[0]) -> Arrays:
    """Return arrays with a reading of Eq. 11; nothing else of them counts here."""
    arrays = P1(parse(FOUNDATION)).arrays
    return arrays._replace(benefits=benefits, root=root, lambdas=np.array(lambdas))


FOUNDATION = {
    "format": "offbench/1", "name": "one",
    "servers": [{"name": "c", "kind": "client", "compute_ghz": 1, "price_per_hour": 0, "client_power_w": 0, "pool": 1}],
    "links": [],
    "tasks": [{"name": "t", "input_mb": 0, "layers": [{"name": "l", "gcycles": 1, "output_mb": 0, "inputs": []}]}],
    "weights": {"delay": 1, "energy": 0, "cost": 0, "score": 1, "coordination": 0, "balance": 0},
}  # fmt: skip

readings = st.builds(reading, st.booleans(), st.sampled_from([2, 3]), st.sampled_from(LAMBDAS))
indicator = st.one_of(st.sampled_from([0.0, 1.0, 1e-3, 1 - 1e-9, 1e-9]), st.floats(1e-12, 1.5), st.floats(1e-4, 0.1))
delay = st.one_of(st.sampled_from([0.0, 1.0, 1e-9, 0.5]), st.floats(1e-6, 3), st.floats(1e-15, 100))


def samples(low: float, high: float, breakpoints: Floats) -> Floats:
    """Return values of t all over the interval, and close to its ends, to 1 and to the breakpoints."""
    width = high - low
    near = np.concatenate([breakpoints, [low, high, 1.0]])
    steps = width * 10.0 ** -np.arange(1, 16)
    close = np.concatenate([near, *(near + step for step in steps), *(near - step for step in steps)])
    even = low + width * np.linspace(0, 1, 1001)
    values: Floats = np.clip(np.concatenate([even, close]), low, high)
    return values


@given(placed(max_layers=4))
def test_coordination_is_the_evaluators(drawn: tuple[object, list[list[str]], None]) -> None:
    made, servers, _ = drawn
    instance = parse(made)
    problem = P1(instance)
    evaluation = evaluate(problem, parse_placement({"servers": servers}, instance))
    column = {name: evaluation.parts[:, i] for i, name in enumerate(PARTS)}
    indicators = [column[name] / problem.arrays.scale[i] for i, name in enumerate(("delay_s", "energy_j", "cost_usd"))]
    assert coordination(problem.arrays, *indicators).tolist() == column["coordination"].tolist()


@given(instances())
def test_coordination_broadcasts(made: object) -> None:
    arrays = P1(parse(made)).arrays
    t, u = np.array([[0.0], [0.5]]), np.array([0.25, 0.5, 1])
    values = coordination(arrays, t, 0.5, u)
    assert values.shape == (2, 3)
    assert values[1, 1] == coordination(arrays, 0.5, 0.5, 0.5)


@given(readings, indicator, indicator, delay, delay, st.sampled_from([1e-2, 1e-4, 1e-6]))
@example(reading(False, 2), 0.5, 1e-12, 0.0, 100.0, 1e-6)
@example(reading(True, 3), 0.5, 1e-9, 0.0, 3.0, 1e-4)
def test_over_estimate_is_nowhere_below(
    arrays: Arrays, e: float, u: float, one: float, other: float, tolerance: float
) -> None:
    low, high = sorted((one, other))
    t, h = over_estimate(arrays, e, u, low, high, tolerance)
    assert (t[0], t[-1]) == (low, high)
    assert (np.diff(t) > 0).all()
    at = samples(low, high, t)
    assert (np.interp(at, t, h) >= coordination(arrays, at, e, u)).all()


@given(readings, st.floats(1e-3, 0.99), st.floats(1e-3, 0.99), st.floats(0.01, 3), st.floats(0.01, 3))
def test_over_estimate_is_as_close_as_told(arrays: Arrays, e: float, u: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    t, h = over_estimate(arrays, e, u, low, high, tolerance=1e-4, pieces=1000)
    at = low + (high - low) * np.linspace(0, 1, 1001)
    near_one = (at > 1 - 1e-6) & (at < 1 + 1e-6)
    error = np.interp(at, t, h) - coordination(arrays, at, e, u)
    assert (error[~near_one] <= 1.1e-4).all()


@given(readings, st.floats(1e-3, 0.99), st.floats(1e-3, 0.99), st.floats(0.01, 3), st.lists(st.floats(0.02, 2.9)))
def test_over_estimate_is_tight_where_it_must_be(
    arrays: Arrays, e: float, u: float, low: float, at: list[float]
) -> None:
    points = np.array([x for x in at if low < x < 3 and abs(x - 1) > 1e-3])
    t, h = over_estimate(arrays, e, u, low, 3.0, tolerance=0.5, at=points.tolist())
    np.testing.assert_allclose(np.interp(points, t, h), coordination(arrays, points, e, u), rtol=1e-11, atol=1e-11)


def test_number_of_pieces_is_limited() -> None:
    arrays = reading(False, 2)
    few, _ = over_estimate(arrays, 0.1, 0.1, 0.01, 3, tolerance=0, pieces=5)
    many, _ = over_estimate(arrays, 0.1, 0.1, 0.01, 3, tolerance=0, pieces=50)
    assert len(few) < 25 < len(many)


@pytest.mark.parametrize("benefits", [False, True])
@pytest.mark.parametrize("root", [2, 3])
def test_an_indicator_without_contribution_makes_it_0(benefits: bool, root: int) -> None:
    none = 1.0 if benefits else 0.0
    t, h = over_estimate(reading(benefits, root), none, 0.5, 0, 2)
    assert (t.tolist(), h.tolist()) == ([0, 2], [0, 0])
    assert largest(reading(benefits, root), 0.5, none, 0) == 0


def test_benefits_are_0_from_the_scale_on() -> None:
    t, h = over_estimate(reading(True, 3), 0.5, 0.5, 1, 2)
    assert (t.tolist(), h.tolist()) == ([1, 2], [0, 0])
    t, h = over_estimate(reading(True, 3), 0.5, 0.5, 0.5, 2)
    assert np.interp([1.001, 1.5, 2], t, h).tolist() == [0, 0, 0]


def test_a_single_delay_is_one_breakpoint() -> None:
    t, h = over_estimate(reading(False, 2), 0.5, 0.5, 0.5, 0.5)
    assert t.tolist() == [0.5]
    assert h[0] == pytest.approx(coordination(reading(False, 2), 0.5, 0.5, 0.5))


@pytest.mark.parametrize("low, high", [(-1, 1), (1, 0.5), (0, math.inf), (0, math.nan)])
def test_no_interval_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="no interval"):
        over_estimate(reading(False, 2), 0.5, 0.5, low, high)


@given(readings, indicator, indicator, delay)
def test_nothing_is_larger_than_the_largest(arrays: Arrays, e: float, u: float, low: float) -> None:
    at = low + np.concatenate([np.linspace(0, 5, 1001), 10.0 ** np.arange(-9, 9)])
    supremum = largest(arrays, e, u, low)
    heights = coordination(arrays, at, e, u)
    assert (heights <= supremum).all()
    up_to_2 = largest(arrays, e, u, low, low + 2)
    assert (heights[at <= low + 2] <= up_to_2).all()
    assert up_to_2 <= supremum


@given(readings, st.floats(1e-3, 0.99), st.floats(1e-3, 0.99), st.floats(0, 0.9))
def test_the_largest_is_no_more_than_that(arrays: Arrays, e: float, u: float, low: float) -> None:
    at = low + (1 - low) * np.linspace(0, 1, 100_001)
    assert largest(arrays, e, u, low, 1.0) == pytest.approx(coordination(arrays, at, e, u).max(), rel=1e-3)


def test_the_largest_of_costs_with_a_cube_root_is_infinite() -> None:
    assert largest(reading(False, 3), 0.5, 0.5, 0) == math.inf
    assert largest(reading(False, 2), 0.5, 0.5, 1) < 1
