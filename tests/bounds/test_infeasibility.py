"""What can't be is told before any search, with numbers that were worked out by hand."""

from typing import Any

import handmade
import numpy as np
import pytest

import offbench as ob
from offbench.bounds import tightened, why_infeasible
from offbench.bounds.constraint_prices import Uses, less_admitted, priced
from offbench.bounds.path_flows import flows
from offbench.bounds.state_space import Window
from offbench.model.instance import parse
from offbench.model.problem import P1, P2

Json = dict[str, Any]


def two_phones(**more: Any) -> Json:
    """Return two phones of 1 GHz and an edge of 4: one layer of 2 Gcycles each, then one of 1.

    On the edge a task takes 0.1 s for 1 MB of input and as much latency, then 0.75 s; on its phone 3 s and 30 J.
    """
    servers = [
        handmade.server("phone-1", "client", power=10) | {"memory_mb": 30},
        handmade.server("phone-2", "client", power=10),
        handmade.server("edge", "edge", ghz=4, pool=2, price=36, power=1) | {"memory_mb": 100},
    ]
    links = [handmade.link("client", "edge", rate=10, power=1) | {"latency_s": 0.1}]
    tasks = [
        handmade.task(
            name,
            handmade.layer("conv", 2, output_mb=1) | {"weights_mb": 20, "weights_id": "conv"},
            handmade.layer("fc", 1, inputs=("conv",)) | {"weights_mb": 80},
            input_mb=1,
        ) | {"client": client}
        for name, client in (("t1", "phone-1"), ("t2", "phone-2"))
    ]  # fmt: skip
    return handmade.instance(servers, links, tasks, format="offbench/2") | more


def why(made: Json) -> str | None:
    return why_infeasible(P1(parse(made)))


def test_nothing_is_told_of_what_can_be() -> None:
    assert why(two_phones()) is None
    # To the last digit: what is admitted is what is needed.
    made = two_phones(limits={"energy_j": 0.75 + 0.1 + 0.75 + 0.1})
    made["tasks"][0]["deadline_s"] = 0.1 + 0.1 + 0.75
    made["servers"][2]["memory_mb"] = 180
    assert why(made) is None


def test_a_layer_that_fits_nowhere() -> None:
    made = two_phones()
    made["servers"][2]["memory_mb"] = 60
    assert why(made) == (
        "layer 'fc' of task 't1' fits on no server that it may use: its weights take 80 MB, and 'edge' has 60 MB, the "
        "largest memory there"
    )
    made["tasks"][0]["layers"][1]["allowed"] = ["phone-1"]
    assert "its weights take 80 MB, and 'phone-1' has 30 MB" in str(why(made))
    # The other phone has memory enough.
    del made["servers"][0]["memory_mb"]
    assert why(made) is None


def test_numbers_are_told_apart() -> None:
    made = two_phones()
    made["servers"][2]["memory_mb"] = 79.99999
    assert "its weights take 80 MB, and 'edge' has 79.99999 MB" in str(why(made))


def test_weights_that_one_server_alone_may_hold() -> None:
    made = two_phones()
    for task in made["tasks"]:
        task["layers"][1]["allowed"] = ["edge"]
    assert why(made) == "2 layers can be on 'edge' alone, with 100 MB of memory, but their weights take 160 MB"
    # The same weights count once.
    for task in made["tasks"]:
        task["layers"][1]["weights_id"] = "fc"
    assert why(made) is None


def test_weights_of_one_client() -> None:
    made = two_phones()
    made["servers"][0]["memory_mb"] = made["servers"][2]["memory_mb"] = 50
    made["tasks"][0]["layers"] = [handmade.layer(f"layer-{j}", 1) | {"weights_mb": 45} for j in range(3)]
    assert why(made) == (
        "3 layers can be on 'phone-1' and 'edge' alone, with 100 MB of memory together, but their weights take 135 MB"
    )
    made["tasks"][0]["client"] = "phone-2"  # whose memory has no limit
    assert why(made) is None


def test_weights_of_all_clients() -> None:
    made = two_phones()
    for server, memory_mb in zip(made["servers"], (60, 60, 90), strict=True):
        server["memory_mb"] = memory_mb
    for task in made["tasks"]:
        task["layers"] = [handmade.layer(f"layer-{j}", 1) | {"weights_mb": 55} for j in range(2)]
    assert why(made) == (
        "4 layers can be on 'phone-1', 'phone-2' and 'edge' alone, with 210 MB of memory together, but their weights "
        "take 220 MB"
    )
    made["servers"][2]["memory_mb"] = 100
    assert why(made) is None


def test_a_deadline_below_the_critical_path() -> None:
    made = two_phones()
    made["tasks"][1] |= {"deadline_s": 0.9, "arrival_s": 1e6}
    assert why(made) == (
        "task 't2' can't meet its deadline of 0.9 s: its critical path takes 0.95 s at least, without queueing"
    )


def test_a_deadline_where_the_weights_fit() -> None:
    """What doesn't fit on the edge takes 3 s at home."""
    made = two_phones()
    made["tasks"][1]["deadline_s"] = 2.9
    for j, layer in enumerate(made["tasks"][1]["layers"]):
        layer |= {"weights_mb": 110, "weights_id": f"mine-{j}"}
    assert "task 't2' can't meet its deadline of 2.9 s: its critical path takes 3 s" in str(why(made))
    made["tasks"][1]["deadline_s"] = 3
    assert why(made) is None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"delay_s": 1.8}, "the limit of 1.8 s on the delay is too low: the critical paths alone take 1.9 s"),
        (
            {"energy_j": 1.6},
            "the limit of 1.6 J on the energy is too low: each layer where it takes least, all take 1.7 J",
        ),
    ],
)  # fmt: skip
def test_a_limit_below_the_least_total(limits: Json, expected: str) -> None:
    assert why(two_phones(limits=limits)) == expected


def test_a_limit_on_the_cost() -> None:
    """Only the edge holds 'fc' of the first task: 0.25 s at 0.01 $/s."""
    assert why(two_phones(limits={"cost_usd": 0.0025})) is None
    assert why(two_phones(limits={"cost_usd": 0.002})) == (
        "the limit of 0.002 $ on the cost is too low: each layer where it takes least, all take 0.0025 $"
    )


def test_constraints_that_leave_nothing_together() -> None:
    """One layer takes 2 s and no money on the phone, 0.5 s and half a cent on the edge: one of two limits is broken."""
    servers = [handmade.server("phone", "client"), handmade.server("edge", "edge", ghz=4, price=36)]
    tasks = [handmade.task("t", handmade.layer("layer", 2))]
    made = handmade.instance(servers, [handmade.link("client", "edge")], tasks, format="offbench/2")
    assert why(made | {"limits": {"delay_s": 1, "cost_usd": 0.005}}) is None
    assert why(made | {"limits": {"delay_s": 1, "cost_usd": 0.004}}) == (
        "memories, deadlines and limits together leave layer 'layer' of task 't' no server"
    )


def test_given_servers() -> None:
    """Of P2 the servers are what they are."""
    made = two_phones()
    instance = parse(made)
    at = {server: place for place, server in enumerate(instance.names_of(0))}
    assert why_infeasible(P2(instance, [at["phone-1"], at["edge"], at["phone-1"], at["phone-1"]])) is None
    assert "'edge' alone" in str(why_infeasible(P2(instance, [at["phone-1"], at["edge"], at["phone-1"], at["edge"]])))


def test_a_run_ends_before_it_begins() -> None:
    made = two_phones()
    made["tasks"][1]["deadline_s"] = 0.9
    solution = ob.solve(parse(made), "greedy", time_limit=5)
    assert (solution.status, solution.placement, solution.evaluations) == ("infeasible", None, 0)
    assert "task 't2' can't meet its deadline of 0.9 s" in solution.summary().replace("\n", " ")


def test_prices_come_to_the_bound_of_fractions() -> None:
    """Of ten layers that cost on the edge and take energy at home, a limit on energy sends half away."""
    servers = [
        handmade.server("phone", "client", power=10),
        handmade.server("edge", "edge", price=36),
    ]
    tasks = [handmade.task(f"t{i}", handmade.layer("layer", 1)) for i in range(10)]
    cost_alone = {"delay": 0, "energy": 0, "cost": 1, "score": 1, "coordination": 0, "balance": 0}
    made = handmade.instance(
        servers, [handmade.link("client", "edge")], tasks, format="offbench/2", weights=cost_alone,
        limits={"energy_j": 50},
    )  # fmt: skip
    problem = P1(parse(made))
    values = [value for value, _ in priced(problem, Uses(problem), next(flows(problem)), Window(problem.arrays, ()))]
    assert values[0] == pytest.approx(0, abs=1e-9)
    assert max(values) == pytest.approx(5, rel=1e-3)  # five of ten, of which each costs its scale
    assert max(values) <= 5
    assert less_admitted(0.0, Uses(problem).nothing()) == 0


def test_places_go_by_memory_and_deadline() -> None:
    made = two_phones()
    made["tasks"][1]["deadline_s"] = 2.5
    problem = P1(parse(made))
    client, edge = problem.arrays.client, 1 - problem.arrays.client
    allowed = tightened(problem).allowed
    # 'fc' of the first task doesn't fit on its phone. The second takes 3 s at home; with its 'conv' there and 'fc' on
    # the edge 2 + 0.2 + 0.25 s, with them the other way round 0.2 + 0.5 + 0.2 + 1 s.
    assert allowed[:, client].tolist() == [True, False, True, True]
    assert allowed[:, edge].all()
    made["tasks"][1]["deadline_s"] = 2.4
    assert tightened(P1(parse(made))).allowed[:, client].tolist() == [True, False, False, True]
    assert np.array_equal(problem.allowed, P1(parse(made)).allowed)
