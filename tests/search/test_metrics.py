"""Curves stay short and true, and go on from where they were."""

import json

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
