"""Moves: what they reach, and that they never leave what is allowed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import instances

from experiments._shared.binding import binding_data
from experiments._shared.brute_force import dispatch_orders
from offbench import P1, Placement, evaluate
from offbench.model.instance import parse
from offbench.solvers._shared.moves import Reorder, move, order_of, swap
from offbench.solvers._shared.walk import NEAR

Json = dict[str, Any]


def drawn(problem: P1, data: st.DataObject) -> np.ndarray:
    """Draw an allowed server for each subtask."""
    return np.array([data.draw(st.sampled_from(np.flatnonzero(row).tolist())) for row in problem.allowed])


@given(instances(), st.data())
def test_servers_that_a_move_reaches(made: Json, data: st.DataObject) -> None:
    problem = P1(parse(made))
    servers = drawn(problem, data)
    n = problem.n_subtasks
    k = data.draw(st.integers(0, n - 1))

    moved = move(problem, servers, k)
    assert sorted(moved[:, k].tolist()) == np.flatnonzero(problem.allowed[k]).tolist()
    assert (np.delete(moved, k, axis=1) == np.delete(servers, k)).all()

    free = problem.free.tolist()
    at = data.draw(st.integers(0, len(free) - 1))
    k = free[at]
    swapped = swap(problem, servers, k)
    expected = set()
    for j in free[max(0, at - NEAR) : at + NEAR + 1]:
        row = servers.copy()
        row[[j, k]] = row[[k, j]]
        if problem.allowed[np.arange(n), row].all():
            expected.add(tuple(row.tolist()))
    assert {tuple(row) for row in swapped.tolist()} == expected


@given(instances(max_tasks=2, max_layers=3), st.data())
def test_orders_that_a_move_reaches(made: Json, data: st.DataObject) -> None:
    problem = P1(parse(made))
    orders = dispatch_orders(problem)
    order = orders[data.draw(st.integers(0, len(orders) - 1))]
    k = data.draw(st.integers(0, problem.n_subtasks - 1))
    reached = {tuple(row) for row in Reorder(problem)(order, k).tolist()}
    without = [j for j in order.tolist() if j != k]
    assert reached == {
        tuple(other) for other in orders.tolist() if [j for j in other if j != k] == without
    }  # fmt: skip


@given(instances(), st.data())
def test_order_of_first_come_first_served_gives_the_same(made: Json, data: st.DataObject) -> None:
    problem = P1(parse(made))
    assume(all((layer.gcycles or 0) > 0 for task in problem.instance.tasks for layer in task.layers))
    servers = drawn(problem, data)
    order = order_of(problem, servers)
    assert evaluate(problem, Placement(servers, order)).objective == pytest.approx(
        evaluate(problem, Placement(servers)).objective, abs=1e-9
    )


@given(instances(), st.data())
def test_order_of_first_come_first_served_is_one(made: Json, data: st.DataObject) -> None:
    """Also where layers take no time, which are ready with what reads them, but for rounding."""
    for task in made["tasks"]:
        task["arrival_s"] = task["arrival_s"] / 3 + 0.1
        for layer in task["layers"][1::2]:
            layer["gcycles"] = 0
    problem = P1(parse(made))
    servers = drawn(problem, data)
    evaluate(problem, Placement(servers, order_of(problem, servers)))  # refuses what is no order


def test_order_is_one_where_rounding_would_break_it() -> None:
    problem = P1(parse(binding_data(34)))
    rng = np.random.default_rng(34)
    for _ in range(40):
        servers = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
        evaluate(problem, Placement(servers, order_of(problem, servers)))
