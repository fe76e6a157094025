"""The front: who dominates whom, hypervolume by hand and by chance."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offbench.search.archive import Front, dominated, hypervolume, spread

points = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=30).map(lambda rows: np.array(rows, float))


def better(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one <= other).all() and (one < other).any())


@given(points, st.integers(1, 7))
def test_front_holds_what_nothing_dominates_once(values: np.ndarray, batch: int) -> None:
    front = Front()
    servers = np.arange(len(values))[:, None]
    for first in range(0, len(values), batch):
        front.add(servers[first : first + batch], None, values[first : first + batch])
    expected = {tuple(v) for v in values if not any(better(other, v) for other in values)}
    assert [tuple(row) for row in front.values] == sorted(expected)
    for row, placement in zip(front.values, front.placements, strict=True):
        assert (values[placement.servers[0]] == row).all()


@given(points)
def test_dominated_by_definition(values: np.ndarray) -> None:
    assert dominated(values, values).tolist() == [any(better(o, v) for o in values) for v in values]


def test_hypervolume_by_hand() -> None:
    # Two boxes of the unit cube, 0.5 x 0.5 x 1 and 0.75 x 0.25 x 0.5; they share 0.25 x 0.5 x 0.5 and so on.
    one, other = np.array([[1.0, 2.0, 0.0]]), np.array([[0.5, 3.0, 2.0]])
    reference = np.array([2.0, 4.0, 4.0])
    assert hypervolume(one, reference) == pytest.approx(0.25)
    assert hypervolume(other, reference) == pytest.approx(0.75 * 0.25 * 0.5)
    both = 0.25 + 0.75 * 0.25 * 0.5 - 0.5 * 0.25 * 0.5
    assert hypervolume(np.vstack([one, other]), reference) == pytest.approx(both)
    assert hypervolume(np.array([[3.0, 0.0, 0.0]]), reference) == 0  # beyond the reference
    assert hypervolume(one, np.array([2.0, 4.0, 0.0])) == pytest.approx(0.25)  # nothing costs anything


@given(points)
def test_hypervolume_by_counting(values: np.ndarray) -> None:
    """On whole numbers: the cells of the box 5 x 5 x 5 that some point is below."""
    corners = np.stack(np.meshgrid(*[np.arange(5)] * 3), axis=-1).reshape(-1, 3)
    below = np.any(np.all(values[None] <= corners[:, None], axis=2), axis=1)
    assert hypervolume(values, np.full(3, 5.0)) == pytest.approx(below.mean())


def test_spread_keeps_the_ends() -> None:
    values = np.random.default_rng(0).random((300, 3))
    chosen = spread(values, 20)
    assert len(set(chosen.tolist())) == 20
    assert set(values.argmin(axis=0).tolist()) <= set(chosen.tolist())
    assert spread(values, 300).tolist() == list(range(300))
