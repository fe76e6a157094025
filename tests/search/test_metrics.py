"""Curves stay short and true, and go on from where they were."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbench.search.metrics import Curve, Diary


@given(st.integers(1, 6000))
def test_curve_stays_short_and_keeps_its_mean(count: int) -> None:
    curve = Curve()
    for step in range(1, count + 1):
        curve.add(step, 2.0 * step)
    points = curve.points
    assert min(count, 500) <= len(points) < 1000
    stretch = curve.state()["stretch"]
    full = count - count % stretch
    assert len(points) * stretch == full
    assert sum(step for step, _ in points) * stretch == pytest.approx(full * (full + 1) / 2)
    assert all(value == pytest.approx(2 * step) for step, value in points)


@given(st.integers(0, 2500), st.integers(0, 2500))
def test_curve_goes_on_as_if_it_had_never_stopped(before: int, after: int) -> None:
    whole, part, rest = Curve(), Curve(), Curve()
    for step in range(before + after):
        whole.add(step, 0.1 * step)
        if step < before:
            part.add(step, 0.1 * step)
    rest.load(json.loads(json.dumps(part.state())))
    for step in range(before, before + after):
        rest.add(step, 0.1 * step)
    assert rest.state() == whole.state()


def test_facts_with_a_step_become_curves_and_reach_listeners() -> None:
    diary, heard = Diary(), []
    diary.listeners.append(lambda *fact: heard.append(fact))
    diary.tell("loss", 0.5, 1)
    diary.tell("loss", 0.25, 2)
    diary.tell("epsilon", 0.1)
    assert diary.latest == {"loss": 0.25, "epsilon": 0.1}
    assert diary.points() == {"loss": [(1, 0.5), (2, 0.25)]}
    assert heard == [("loss", 1, 0.5), ("loss", 2, 0.25)]


DIVERGING = [0.5, math.nan, 0.25, math.inf, -math.inf, 1e308, 1e308]


def test_values_that_are_not_finite_are_counted_and_in_no_point() -> None:
    diary = Diary()
    for step, value in enumerate(DIVERGING):
        diary.tell("loss", value, step)
        diary.tell("lost", math.nan, step)
    diary.tell("reward", 1.0, 1)
    diary.tell("epsilon", math.nan)
    assert diary.points() == {"loss": [(0, 0.5), (2, 0.25), (5, 1e308), (6, 1e308)], "reward": [(1, 1.0)]}
    assert diary.not_finite() == {"loss": 3, "lost": 7}
    again = Diary()
    again.load(json.loads(json.dumps(diary.state(), allow_nan=False)))
    assert (again.points(), again.not_finite()) == (diary.points(), diary.not_finite())
    assert again.latest == {"loss": 1e308, "reward": 1.0}


def test_means_of_the_largest_numbers_stay_finite() -> None:
    curve = Curve()
    for step in range(1, 3001):
        curve.add(step, 1.7e308)
    assert curve.points and all(math.isfinite(value) for _, value in curve.points)
    full, kept = len(curve.points) * curve.state()["stretch"], curve.state()["open"][0]
    assert curve.not_finite > 0
    assert full + kept + curve.not_finite == 3000


def test_numbers_of_numpy_are_taken_as_plain_ones() -> None:
    diary = Diary()
    diary.tell("loss", np.float32(0.5), np.int64(3))
    ((step, value),) = diary.points()["loss"]
    assert (step, value, type(value), type(diary.latest["loss"])) == (3, 0.5, float, float)


def test_names_are_fit_to_be_shown() -> None:
    diary = Diary()
    diary.tell("\udcff\x1b" + "x" * 10**6, 1.0, 1)
    ((name, _),) = diary.points().items()
    assert name.isprintable() and len(name) < 300


@pytest.mark.parametrize(("value", "step"), [("high", 1), (None, 1), (0.5, 1.5), (0.5, "1")])
def test_what_is_no_number_is_refused(value: object, step: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        Diary().tell("loss", value, step)  # type: ignore[arg-type]
