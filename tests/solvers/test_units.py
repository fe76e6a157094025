"""No unit of measure decides: the same instance in picoseconds has the same status, placement and gap."""

from itertools import product
from typing import Any, ClassVar

import pytest
from handmade import DELAY_ALONE, layer, link, server, task
from handmade import instance as made
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import instances, placed

from experiments._shared.brute_force import best
from offbench import Placement, Solver, solve
from offbench.evaluation.evaluator import evaluate
from offbench.model.arrays import LINK
from offbench.model.instance import Instance, parse
from offbench.model.placement import parse_placement
from offbench.model.problem import P1, P2
from offbench.solvers._shared.own_time import in_own_time

Json = dict[str, Any]
ONE = {"delay_s": 1.0, "energy_j": 1.0, "cost_usd": 1.0, "balance": 1.0}


def in_units(data: Json, factor: float) -> Json:
    """Return an instance with all work, data and arrivals multiplied, so that all times are."""
    tasks = [
        each
        | {
            "arrival_s": each.get("arrival_s", 0) * factor,
            "input_mb": each["input_mb"] * factor,
            "layers": [
                one | {"gcycles": one["gcycles"] * factor, "output_mb": one["output_mb"] * factor}
                for one in each["layers"]
            ],
        }
        for each in data["tasks"]
    ]
    return data | {"tasks": tasks}


def graph() -> Json:
    """Return a diamond on three servers."""
    layers = (
        layer("a", 6, 1.2), layer("b", 3.5, 1.4, ("a",)), layer("c", 2.6, 2.8, ("a",)), layer("d", 4.5, 2, ("b", "c")),
    )  # fmt: skip
    servers = [server("p", "client", 1), server("q", "edge", 2), server("r", "edge", 4)]
    links = [link("client", "edge", 1), link("edge", "edge", 1)]
    return made(servers, links, [task("t", *layers)], weights=DELAY_ALONE, scales=ONE)


def chain() -> Json:
    """Return the same layers one after the other."""
    data = graph()
    for one, before in zip(data["tasks"][0]["layers"][1:], "abc", strict=True):
        one["inputs"] = [before]
    return data


@pytest.mark.parametrize("solver", ["milp", "cp-sat", "chain-exact"])
@pytest.mark.parametrize("factor", [1e-12, 1e-6, 1.0, 1e6, 1e12])
def test_optimum_is_found_in_any_unit(solver: str, factor: float) -> None:
    data = in_units(chain() if solver == "chain-exact" else graph(), factor)
    problem = P1(parse(data))
    found = solve(problem.instance, solver, time_limit=60)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(best(problem)[0], rel=1e-6, abs=0)


class Short(Solver):
    """Proposes everything on the client, and a bound that is a share below the optimum."""

    name: ClassVar[str] = "short"

    bound: float
    """as a share of Q"""

    def solve(self, problem: P1, search: Any) -> None:
        search.bound(self.bound * search.propose(problem.everything_on(problem.arrays.client)))


@given(instances(max_tasks=2, max_layers=3), st.integers(-40, 40), st.sampled_from([1, 1 - 1e-7, 1 - 1e-5, 0.8]))
@settings(max_examples=50, deadline=None)
def test_status_and_gap_are_the_same_in_any_unit(data: Json, power: int, share: float) -> None:
    """A power of two, so that rounding decides nothing; scales are stated, so that Q shrinks with the times."""
    data |= {"weights": {**data["weights"], **DELAY_ALONE}, "scales": ONE}
    data["tasks"][0]["layers"][0] |= {"gcycles": 1.0, "allowed": [data["servers"][0]["name"]]}
    here, there = (solve(parse(each), Short(bound=share)) for each in (data, in_units(data, 2.0**power)))
    assert there.objective == here.objective * 2.0**power
    assert (there.status, there.gap) == (here.status, here.gap)
    assert there.status == ("optimal" if share > 1 - 1e-6 else "feasible")


@given(placed(ordered=True))
@settings(max_examples=100, deadline=None)
def test_own_time_changes_no_objective(drawn: tuple[Json, list[list[str]], list[list[int]]]) -> None:
    data, servers, order = drawn
    instance = parse(data)
    placement = parse_placement({"servers": servers, "order": order}, instance)
    for given_ in (placement, Placement(placement.servers)):
        for problem in (P1(instance), P2(instance, given_)):
            own = in_own_time(problem)
            assert type(own) is type(problem)
            assert evaluate(own, given_).objective == evaluate(problem, given_).objective
            a = own.arrays
            longest = max(a.execution_s.max(), (a.input_mb[:, None, None] / a.link[0, ..., LINK.rate_mb_per_s]).max())
            assert longest == 0 or 1 <= longest < 2


def test_own_time_of_an_instance_in_picoseconds() -> None:
    data = graph()
    ours, tiny = in_own_time(P1(parse(data))), in_own_time(P1(parse(in_units(data, 2.0**-40))))
    assert (ours.arrays.gcycles == tiny.arrays.gcycles).all()
    assert (ours.arrays.scale[:3] * 2.0**40 == tiny.arrays.scale[:3]).all()


def two_clients() -> Json:
    """Return an instance with everything of format 2 that takes time, and limits of it."""
    chain = [
        {**layer("a", 6, 1.2), "seconds": {"p": 5.5, "q": 3.25}},
        {**layer("b", 3.5, 1.4), "inputs": [{"layer": "a", "mb": 0.3}]},
    ]
    both = [
        {"name": "a", "seconds": {"client": 3.7, "edge": 1.1}, "output_mb": 2.5, "inputs": []},
        {**layer("b", 1, 1), "inputs": ["a", {"input_mb": 0.7}]},
    ]
    link_ = {"latency_s": 0.3, "price_per_gb": 2, "transmit_power_w": 1}
    return made(
        [server("p", "client", 1), server("q", "edge", 2, price=3), server("o", "client", 4, power=2)],
        [
            {"from": "client", "to": "edge", "rate_mb_per_s": 1.5, **link_},
            {"from": "edge", "to": "client", "rate_mb_per_s": 3, **link_, "latency_s": 11},
        ],
        [
            {**task("t", *chain, input_mb=0.4, arrival_s=2.5), "client": "p", "deadline_s": 16},
            {**task("v", *both, input_mb=1.3, arrival_s=1.75), "client": "o", "deadline_s": 5.75},
        ],
        format="offbench/2",
        limits={"delay_s": 14, "energy_j": 9, "cost_usd": 0.008},
    )


def test_own_time_changes_no_violation() -> None:
    problem = P1(parse(two_clients()))
    own = in_own_time(problem)
    feasible = 0
    for servers in product(range(2), repeat=4):
        here, there = evaluate(problem, servers), evaluate(own, servers)
        assert (here.objective, here.violation) == (there.objective, there.violation)
        assert here.delay_s == there.delay_s * 2.0**3  # the longest transfer takes 11.4 s
        feasible += here.feasible
    assert 0 < feasible < 16


def test_instance_where_nothing_costs_anything_is_proven() -> None:
    data = chain() | {"weights": DELAY_ALONE | {"score": 0, "balance": 1}}
    instance: Instance = parse(data)
    found = solve(instance, "chain-exact")
    assert (found.objective, found.lower_bound, found.status, found.gap) == (0, 0, "optimal", 0)
