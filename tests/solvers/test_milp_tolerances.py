"""No proof of milp rests on HiGHS's tolerances: instances whose numbers are wide apart, held against enumeration."""

from typing import Any

import numpy as np
import pytest
from handmade import instance, layer, link, server, task

from experiments._shared.brute_force import best
from experiments._shared.wide import wide_instance, wide_servers
from offbench import Placement, Solution, solve
from offbench.evaluation.client_only import client_only
from offbench.evaluation.gaps import tolerance
from offbench.model.instance import parse
from offbench.model.problem import P1, P2, Problem
from offbench.solvers.milp.tolerances import DEAREST, lowered, margin

Json = dict[str, Any]


def check(problem: Problem, found: Solution) -> None:
    """Hold a solution's bound and status against the optimum."""
    optimum, _ = best(problem)
    baseline = client_only(problem).objective
    assert found.lower_bound <= optimum + 1e-12 * max(abs(optimum), abs(baseline))
    if found.status == "optimal":
        assert found.objective <= optimum + 1.0001 * tolerance(optimum, client_only=baseline)


def a_day_beside_a_blink() -> Json:
    """Return three short subtasks on a cloud, which gain coordination by waiting, and one that takes an hour."""
    return instance(
        [
            server("c", "client", ghz=0.5, price=2, power=2200),
            server("e", "edge", ghz=0.02, price=650),
            server("d", "cloud", ghz=320, price=13, power=0.0075),
        ],
        [
            link("client", "edge", rate=10, price=0.0095, power=9.2), link("client", "cloud", price=0.0065, power=220),
            link("edge", "edge", rate=0.0047, price=0.5), link("edge", "cloud", price=12),
            link("cloud", "cloud", rate=2000, price=9.4),
        ],
        [
            task("t0", layer("a", 0, 0.44), input_mb=0.016),
            task(
                "t1", layer("a", 0.0074, 1), layer("b", 0.017, 0, ("a",)), layer("c", 1100, 1, ("b",)),
                input_mb=0.0023,
            ),
            task("t2", layer("a", 1, 1)),
        ],
        weights={"delay": 0, "energy": 0, "cost": 1, "score": 0.5, "coordination": 0.3, "balance": 0.2},
        coordination={"indicators": "costs", "root": 3, "lambdas": [1, 0, 0]},
    )  # fmt: skip


def microseconds_beside_seconds() -> Json:
    """Return two tasks that take milliseconds on the client, and longer by far on the edge."""
    return instance(
        [server("c", "client", ghz=4100, price=1.6, power=0.033), server("e", "edge", ghz=2, price=0.62, power=200)],
        [link("client", "edge", rate=2, price=0.0031), link("edge", "edge", rate=31)],
        [
            task(
                "t0", layer("a", 0.0019, 0.08), layer("b", 4.3, 0.00023, ("a",)), layer("c", 1, 2000, ("a",)),
                layer("d", 0, 0, ("a", "b", "c")), input_mb=0.29,
            ),
            task("t1", layer("a", 0.026, 0.5), layer("b", 420, 2, ("a",)), input_mb=0.0021),
        ],
        weights={"delay": 0.5, "energy": 0.3, "cost": 0.2, "score": 1, "coordination": 0, "balance": 0},
    )  # fmt: skip


def test_order_of_short_subtasks_beside_a_long_one() -> None:
    problem = P2(parse(a_day_beside_a_blink()), Placement([2, 0, 2, 0, 2]))
    found = solve(problem.instance, "milp", placement=Placement(problem.servers), time_limit=60)
    assert found.status == "optimal"
    check(problem, found)


def test_times_of_microseconds_beside_seconds() -> None:
    problem = P1(parse(microseconds_beside_seconds()))
    found = solve(problem.instance, "milp", time_limit=60)
    assert found.status == "optimal"
    check(problem, found)


@pytest.mark.parametrize("kind", ["P1", "P2"])
@pytest.mark.parametrize("first", [17, 49, 98])
def test_wide_numbers(first: int, kind: str) -> None:
    """On seven instances each: none proven that isn't optimal, and most are proven."""
    proven = 0
    for seed in range(first, first + 7):
        made = wide_instance(seed)
        given = None if kind == "P1" else wide_servers(seed)
        problem = P1(made) if given is None else P2(made, given)
        found = solve(made, "milp", placement=given, time_limit=10)
        check(problem, found)
        proven += found.status == "optimal"
    assert proven >= 4


def test_objective_that_is_always_0_is_proven() -> None:
    """No bound below 0 proves it, by however little."""
    data = a_day_beside_a_blink() | {"scales": {"delay_s": 1, "energy_j": 0, "cost_usd": 0, "balance": 0}}
    found = solve(parse(data), "milp", time_limit=60)
    assert (found.objective, found.lower_bound, found.status) == (0, 0, "optimal")


def test_only_costs_of_what_is_never_negative_are_lowered() -> None:
    costs, lower = np.array([1.0, 1e9, 1e9, -1e9]), np.array([0.0, 0.0, -1.0, 0.0])
    assert lowered(costs, lower).tolist() == [1.0, DEAREST, 1e9, -1e9]


def test_margin_of_a_variable_without_bounds_is_infinite() -> None:
    one = np.ones(1)
    assert margin(one, -one, np.array([np.inf]), 0.0) == np.inf
    assert 0 < margin(one, -one, one, 0.0) < margin(one, -one, one, 1e10)
