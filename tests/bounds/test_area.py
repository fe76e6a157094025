"""The area bound: by hand, against brute force where servers are full, and its prices against the linear program."""

from collections.abc import Sequence
from math import inf
from typing import Any

import handmade
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from strategies import instances, servers_for

from experiments._shared.brute_force import best, placements
from offbench.bounds import SubtaskCosts, area_bounds
from offbench.bounds.server_prices import Area, Division, ServerPrices, fair_prices
from offbench.evaluation.critical_path import earliest_starts_s, least_times_to_go_s
from offbench.model.instance import parse
from offbench.model.placement import parse_placement
from offbench.model.problem import P1, P2, Problem

ONE_SCALE = {"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1}


def bound(problem: Problem) -> float:
    return max(area_bounds(problem, SubtaskCosts(problem)), default=-inf)


def slots(*tasks: dict[str, Any], pool: int = 1, edges: Sequence[float] = (), **more: Any) -> P1:
    """Return tasks on a client of 1 GHz and edges at no distance; only the delay counts, in seconds."""
    servers = [handmade.server("client", "client", pool=pool)]
    servers += [handmade.server(f"edge-{i}", "edge", ghz=ghz) for i, ghz in enumerate(edges)]
    links = [handmade.link("client", "edge"), handmade.link("edge", "edge")]
    settings = {"weights": handmade.DELAY_ALONE, "scales": ONE_SCALE} | more
    return P1(parse(handmade.instance(servers, links if edges else [], list(tasks), **settings)))


def jobs(*gcycles: float) -> dict[str, Any]:
    """Return a task of layers that don't need each other."""
    return handmade.task("t", *(handmade.layer(f"l{i}", work) for i, work in enumerate(gcycles)))


def single(name: str, work: float, arrival_s: float = 0) -> dict[str, Any]:
    return handmade.task(name, handmade.layer("a", work), arrival_s=arrival_s)


def test_all_work_over_all_slots() -> None:
    """7.5 s of work on a client with two slots and edges of 1 and 2 GHz: 5 s of it in each second."""
    assert bound(slots(jobs(*[1.5] * 5), pool=2, edges=(1, 2))) == pytest.approx(1.5)
    # Irrational durations are multiples of nothing.
    assert bound(slots(jobs(*[np.pi / 2] * 5), pool=2, edges=(1, 2))) == pytest.approx(np.pi / 2)


def test_delay_is_a_multiple_of_what_all_durations_are() -> None:
    assert bound(slots(jobs(*[2] * 5), edges=(1,))) == pytest.approx(6)
    assert bound(slots(jobs(*[0.3] * 5), edges=(1,))) == pytest.approx(0.9)
    assert bound(slots(jobs(0.3, 0.3, 0.3, 0.2), edges=(1,))) == pytest.approx(0.6)
    # 2.5 s of work on two slots; in a quarter of a second's multiples that is no more.
    assert bound(slots(jobs(0.75, 0.75, 0.5, 0.5), edges=(1,))) == pytest.approx(1.25)


def test_energy_makes_the_delay_no_multiple() -> None:
    weights = {"delay": 0.5, "energy": 0.5, "cost": 0, "score": 1, "coordination": 0, "balance": 0}
    assert bound(slots(jobs(*[2] * 5), edges=(1,), weights=weights)) == pytest.approx(2.5)


def test_tasks_are_through_one_after_another() -> None:
    """On one slot the shortest first: 1, 1 + 2, 1 + 2 + 4 s. On two as if on one of twice the speed."""
    assert bound(slots(*(single(f"t{i}", work) for i, work in enumerate((4, 1, 2))))) == pytest.approx(11)
    eight = [single(f"t{i}", 1 + i % 2) for i in range(8)]
    assert bound(slots(*eight, edges=(1,))) == pytest.approx((1 + 2 + 3 + 4 + 6 + 8 + 10 + 12) / 2)


def test_tasks_far_apart_are_in_nobodys_way() -> None:
    """Three that arrive together take 1 + 2 + 3 s, and so do three much later."""
    tasks = [single(f"t{i}", 1, 0) for i in range(3)] + [single(f"u{i}", 1, 100) for i in range(3)]
    assert bound(slots(*tasks)) == pytest.approx(12)


def test_what_goes_before_and_comes_after() -> None:
    """A second before six branches on two slots, and one behind them."""
    branches = [handmade.layer(f"b{i}", 1, 0, ("fork",)) for i in range(6)]
    join = handmade.layer("join", 1, 0, tuple(f"b{i}" for i in range(6)))
    made = handmade.task("t", handmade.layer("fork", 1), *branches, join)
    assert bound(slots(made, pool=2)) == pytest.approx(5)


def test_layers_tied_to_the_slow_server() -> None:
    """4 s for the client whatever the edge can; 2 of them need not be there."""
    layers = [{**handmade.layer(f"l{i}", 1), "allowed": ["client"]} for i in range(4)]
    free = [handmade.layer(f"f{i}", 1) for i in range(2)]
    assert bound(slots(handmade.task("t", *layers, *free), edges=(100,))) == pytest.approx(4)


def test_servers_given() -> None:
    problem = slots(jobs(1, 1, 1, 1, 1), edges=(1, 1))
    assert bound(P2(problem.instance, [0, 1, 1, 1, 2])) == pytest.approx(3)


def test_nothing_to_say_where_no_branches_are() -> None:
    layers = [handmade.layer("a", 1), handmade.layer("b", 1, 0, ("a",))]
    assert bound(slots(handmade.task("t", *layers), edges=(1,))) == -inf
    no_delay = {"delay": 0, "energy": 1, "cost": 0, "score": 1, "coordination": 0, "balance": 0}
    assert bound(slots(jobs(1, 1, 1), weights=no_delay)) == -inf


def test_critical_paths() -> None:
    """Input 1 s to either edge; a 4 or 2 s; 2 MB to the other edge 2 s or to the client 2 s; b 8 s on the client."""
    made = handmade.instance(
        [handmade.server("client", "client"), handmade.server("e", "edge", ghz=2), handmade.server("f", "edge", ghz=4)],
        [handmade.link("client", "edge"), handmade.link("edge", "edge")],
        [handmade.task("t", {**handmade.layer("a", 8, 2), "allowed": ["e", "f"]},
                       {**handmade.layer("b", 8, 0, ("a",)), "allowed": ["client", "e"]}, input_mb=1, arrival_s=10)],
    )  # fmt: skip
    problem = P1(parse(made))
    assert earliest_starts_s(problem).tolist() == [[inf, 11, 11], [15, 15, inf]]
    assert least_times_to_go_s(problem).tolist() == [[inf, 4, 6], [0, 0, inf]]


@st.composite
def busy(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an instance with more to do than servers: few of them, many subtasks that don't wait for one another."""
    made = draw(instances(max_tasks=4, max_layers=4, max_edges=1, max_clouds=1))
    for server in made["servers"]:
        server["pool"] = draw(st.sampled_from([1, 1, 2]))
    for task in made["tasks"]:
        task["arrival_s"] = draw(st.sampled_from([0, 0, task["arrival_s"]]))
        for layer in task["layers"]:
            layer["inputs"] = layer["inputs"][:1] if draw(st.integers(0, 2)) == 0 else []
    if draw(st.booleans()):
        made["weights"] = draw(st.sampled_from([
            handmade.DELAY_ALONE,
            {"delay": 0.8, "energy": 0.1, "cost": 0.1, "score": 0.8, "coordination": 0.2, "balance": 0},
        ]))  # fmt: skip
    return made


def assert_below(problem: Problem, objective: float) -> None:
    for value in area_bounds(problem, SubtaskCosts(problem)):
        assert value <= objective + 1e-9 * max(1.0, abs(objective))


def optimum(problem: Problem) -> float:
    """Return the optimum by brute force, of an instance small enough."""
    assume(2 <= problem.n_subtasks <= 6 and placements(problem) <= 30_000)
    return best(problem)[0]


@settings(max_examples=100)
@given(busy())
def test_below_the_optimum_of_busy_servers(made: dict[str, Any]) -> None:
    problem = P1(parse(made))
    assert_below(problem, optimum(problem))


@settings(max_examples=75)
@given(st.data())
def test_below_the_optimum_for_given_servers(data: st.DataObject) -> None:
    made = data.draw(busy())
    instance = parse(made)
    problem = P2(instance, parse_placement({"servers": data.draw(servers_for(made))}, instance))
    assert_below(problem, optimum(problem))


@settings(max_examples=60)
@given(busy())
def test_ranks_and_ends_that_are_not_told_apart(made: dict[str, Any]) -> None:
    problem = P1(parse(made))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("offbench.bounds.server_prices._MOST_RANKS", 2)
        patch.setattr("offbench.bounds.task_groups._MOST_ENDS", 2)
        patch.setattr("offbench.bounds.task_groups._MOST_HEADS", 2)
        assert_below(problem, optimum(problem))


@given(st.integers(0, 10**6))
def test_prices_come_to_the_optimum_of_the_linear_program(seed: int) -> None:
    """Work shared out in fractions, at what it costs on each server: so much and no more, for a task alone."""
    rng = np.random.default_rng(seed)
    n, m = int(rng.integers(2, 12)), int(rng.integers(1, 5))
    problem = slots(jobs(*rng.uniform(0.5, 2, n).tolist()), pool=2, edges=rng.uniform(0.5, 4, m - 1).tolist())
    costs, per_s = rng.uniform(0, 2, (n, m)) * rng.choice([0, 1, 10]), 1.5
    costs[rng.random((n, m)) < 0.2] = inf
    costs[np.arange(n), rng.integers(m, size=n)] = 1
    area = Area(np.arange(n), np.zeros(n, int), np.ones(n, bool), fixed_s=0.25)
    prices = ServerPrices(problem, area, Division(costs, per_s), fair_prices(problem))
    found = max([prices.best, *prices.improve(-inf)])

    execution_s = problem.arrays.execution_s
    # Shares of each subtask on each server, then the time: no server's share of the work takes longer on its slots.
    busy_s = np.zeros((m, n * m + 1))
    for s in range(m):
        busy_s[s, s:-1:m] = execution_s[:, s]
    busy_s[:, -1] = -np.diff(problem.arrays.slot_start.astype(np.int64))
    whole = np.zeros((n, n * m + 1))
    for k in range(n):
        whole[k, k * m : (k + 1) * m] = 1
    limits = [(0, 1 if cost < inf else 0) for cost in costs.ravel()]
    shared = linprog([*np.nan_to_num(costs.ravel(), posinf=0), per_s], A_ub=busy_s, b_ub=np.zeros(m), A_eq=whole,
                     b_eq=np.ones(n), bounds=[*limits, (0, None)])  # fmt: skip
    assert shared.fun is not None
    least = float(shared.fun) + per_s * 0.25
    assert found <= least + 1e-9
    assert found == pytest.approx(least, rel=1e-5)
