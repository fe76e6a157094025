"""P1 and P2: what a solver is given."""

import json
from math import log2
from typing import Any

import handmade
import plain
import pytest
from hypothesis import given
from strategies import instances, placed

from offbench import P1, P2, OffbenchError, Placement, evaluate, load
from offbench.model.instance import parse
from offbench.model.placement import parse_placement
from offbench.runs.schedule import schedule

Json = dict[str, Any]


def scales(instance: Json) -> Json:
    """Return the scales that offbench computes, or takes from the instance."""
    return P1(parse(instance)).scales.model_dump()


def test_scales_by_hand() -> None:
    # On the client a runs 8 s (24 J); on the edge 2 s, with 4 MB at 2 MB/s (2 s, 2 J) and $0.004.
    # b's input can come from anywhere, a's from the client alone.
    instance = handmade.instance(
        [
            handmade.server("client", "client", ghz=1, power=3),
            handmade.server("edge-1", "edge", ghz=4, price=3.6, power=1),
            handmade.server("edge-2", "edge", ghz=2, price=1.8, power=1),
        ],
        [handmade.link("client", "edge", 2, 1, 1), handmade.link("edge", "edge", 0.25, 2)],
        [handmade.task("t", handmade.layer("a", 8, 6), handmade.layer("b", 4, 0, ("a",)), input_mb=4)],
    )
    assert scales(instance) == {
        # b on edge-2 with its 6 MB from edge-1: 4/2 + 6/0.25.
        "delay_s": pytest.approx(26),
        # a on the client: 3 W for 8 s. (b there: 12 J and 1 W for 3 s.)
        "energy_j": pytest.approx(24),
        # b on an edge from the other: 1 s at $0.001 or 2 s at $0.0005, and 6 MB at $2/GB.
        "cost_usd": pytest.approx(0.013),
        "balance": 2,
    }


def test_scale_takes_the_slowest_input_but_pays_for_all() -> None:
    instance = handmade.instance(
        [handmade.server("client", "client"), handmade.server("edge", "edge")],
        [handmade.link("client", "edge", 1, 1000, 2)],
        [handmade.task("t", handmade.layer("a", 0, 3), handmade.layer("b", 0, 5), handmade.layer("c", 1, 0, ("a", "b")))],  # noqa: E501
    )  # fmt: skip
    assert scales(instance) == {"delay_s": 6, "energy_j": 16, "cost_usd": 8, "balance": 0}


@given(instances(settings={"scales": None}))
def test_scales_agree_with_plain_python(instance: Json) -> None:
    for name, value in plain.prepare(instance).scales.items():
        assert scales(instance)[name] == pytest.approx(value, rel=1e-9), name


@given(instances(settings={"scales": None}))
def test_pinned_layers_change_no_scale(instance: Json) -> None:
    free = json.loads(json.dumps(instance))
    for task in free["tasks"]:
        for layer in task["layers"]:
            layer.pop("allowed", None)
    assert scales(instance) == scales(free)


def test_stated_scales_stand() -> None:
    stated = {"delay_s": 1.5, "energy_j": 0, "cost_usd": 9, "balance": 3.5}
    assert scales({**handmade.phone(), "scales": stated}) == stated


def test_scales_that_are_not_finite_are_refused() -> None:
    instance = handmade.phone()
    del instance["scales"]
    instance["tasks"][0]["layers"][0]["gcycles"] = 1e308
    instance["servers"][0]["compute_ghz"] = 0.1
    with pytest.raises(OffbenchError, match="too large"):
        P1(parse(instance))


def slow_link(input_mb: float, **more: Any) -> Json:
    """Return an instance with a link on which 1 MB takes longer than a number can say."""
    return handmade.instance(
        [handmade.server("client", "client"), handmade.server("edge", "edge")],
        [handmade.link("client", "edge", 1e-310, power=1)],
        [handmade.task("t", handmade.layer("a", 1), input_mb=input_mb)],
        **more,
    )


@pytest.mark.parametrize("scales", [None, {"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1}])
def test_link_too_slow_for_arithmetic_is_refused(scales: Json | None) -> None:
    with pytest.raises(OffbenchError):
        P1(parse(slow_link(1, scales=scales)))


def test_slowest_link_carries_nothing_in_no_time() -> None:
    result = evaluate(P1(parse(slow_link(0))), [1])
    assert (result.delay_s, result.energy_j) == (1, 0)
    assert result.objective == pytest.approx(0.6 * 0.5)


@pytest.mark.parametrize("scale", [1e-310, 5e-324])
def test_minute_scale_is_refused(scale: float) -> None:
    instance = handmade.phone()
    instance["scales"]["delay_s"] = scale
    instance["coordination"] = {"indicators": "costs"}
    with pytest.raises(OffbenchError, match="scales too small"):
        P1(parse(instance))


def transfer(instance: Json) -> tuple[float, float]:
    """Return the seconds and joules of sending the first layer's input of 2 MB from the phone to edge-1."""
    first = evaluate(P1(parse(instance)), [1, 0, 0, 0, 0, 0, 0]).subtasks[0]
    return first["transmission_s"], first["energy_j"] - first["execution_s"]  # 1 W idle while it runs


def test_wireless_rate_by_hand() -> None:
    # Signal 0.1 W * 1e-6 of edge-1; edge-2 on the same channel disturbs as much; 1e-9 W of noise.
    rate = 20e6 * log2(1 + 1e-7 / (1e-9 + 1e-7)) / 8e6
    assert transfer(handmade.phone()) == pytest.approx((2 / rate, 0.2 * 2 / rate))


def test_wireless_rate_without_disturbance_by_hand() -> None:
    instance = handmade.phone()
    instance["servers"][2]["radio"]["channel"] = 2
    rate = 20e6 * log2(1 + 1e-7 / 1e-9) / 8e6
    assert transfer(instance) == pytest.approx((2 / rate, 0.2 * 2 / rate))


def test_wireless_link_that_carries_nothing_is_refused() -> None:
    instance = handmade.phone()
    instance["servers"][1]["radio"]["gain"] = 1e-30
    with pytest.raises(OffbenchError, match="'edge-1' carries nothing"):
        P1(parse(instance))


def test_allowed_is_that_of_the_instance() -> None:
    allowed = P1(parse(handmade.phone())).allowed
    assert allowed[1].tolist() == [True, True, False, False]
    assert allowed[[0, 2, 3, 4, 5, 6]].all()


def test_everything_on_a_server_but_what_may_not_run_there() -> None:
    problem = P1(parse(handmade.phone()))
    assert problem.everything_on(1).tolist() == [1] * 7
    assert problem.everything_on(3).tolist() == [3, 0, 3, 3, 3, 3, 3]


def test_subtask_is_named_by_its_place() -> None:
    problem = P1(parse(handmade.phone()))
    assert problem.subtask_name(2) == "tasks[0].layers[2] ('fc')"
    assert problem.subtask_name(3) == "tasks[1].layers[0] ('fork')"


@given(placed())
def test_p2_pins_the_given_servers_and_leaves_scales_alone(example: tuple[Json, Any, Any]) -> None:
    data, servers, _ = example
    instance = parse(data)
    placement = parse_placement({"servers": servers}, instance)
    problem = P2(instance, placement)
    assert problem.allowed.sum(axis=1).tolist() == [1] * problem.n_subtasks
    assert problem.allowed.argmax(axis=1).tolist() == placement.servers.tolist() == problem.servers.tolist()
    assert problem.scales == P1(instance).scales


@pytest.mark.parametrize("servers", [[0] * 6, [0] * 8, 0, [[0] * 7], Placement([0] * 3)])
def test_p2_refuses_another_number_of_servers(servers: Any) -> None:
    with pytest.raises(OffbenchError, match="7 subtasks"):
        P2(parse(handmade.phone()), servers)


@pytest.mark.parametrize("server", [2, -1, 4])
def test_p2_refuses_forbidden_servers_by_subtask(server: int) -> None:
    with pytest.raises(OffbenchError, match=rf"\('pool'\).*{server}"):
        P2(parse(handmade.phone()), [0, server, 0, 0, 0, 0, 0])


@given(instances(max_tasks=3, max_layers=6))
def test_graph_as_the_file_says(made: Json) -> None:
    """What each subtask reads and is read by, its task, and which tasks are chains."""
    problem = P1(parse(made))
    number = {
        (i, layer["name"]): k
        for k, (i, layer) in enumerate((i, layer) for i, task in enumerate(made["tasks"]) for layer in task["layers"])
    }
    k, chains = 0, []
    for i, task in enumerate(made["tasks"]):
        assert problem.subtasks_of(i) == range(k, k + len(task["layers"]))
        before, chain = None, True
        for layer in task["layers"]:
            sources = [number[i, name] for name in layer["inputs"]]
            assert problem.sources_of(k) == (sources or [problem.n_subtasks + i])
            assert [problem.arrays.input_of[x] for x in problem.inputs_of(k)] == problem.sources_of(k)
            assert all(k in problem.readers_of(source) for source in sources)
            chain = chain and layer["inputs"] == ([] if before is None else [before])
            before, k = layer["name"], k + 1
        chains.append(chain)
    read = sum(len(problem.readers_of(k)) for k in range(problem.n_subtasks))
    assert read == sum(len(layer["inputs"]) for task in made["tasks"] for layer in task["layers"])
    assert problem.chains == tuple(chains)
    assert problem.is_chain == (chains == [True])


@pytest.mark.parametrize("pool", [6, 10**7, 2**32, 10**30])
def test_pool_larger_than_the_subtasks_is_one_slot_for_each(pool: int) -> None:
    tiny = load("tiny-chains")
    servers = tuple(server.model_copy(update={"pool": pool}) for server in tiny.servers)
    wide = tiny.model_copy(update={"servers": servers})
    problem = P1(wide)
    assert problem.arrays.slot_start.tolist() == [0, 6, 12, 18]
    # With a slot for each nobody waits, however the subtasks stand.
    for server in range(problem.n_servers):
        rows = evaluate(problem, Placement(problem.everything_on(server))).subtasks
        assert [row["queueing_s"] for row in rows] == [0.0] * 6
    assert wide.hash != tiny.hash  # the instance keeps its number
    assert schedule(wide, Placement(problem.everything_on(0))).slots.max() < 6
