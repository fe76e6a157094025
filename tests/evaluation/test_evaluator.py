"""The evaluator against MODEL.md: conformance cases, plain Python, hand-made numbers, laws."""

import json
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import handmade
import numpy as np
import plain
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import instances, orders_for, placed, servers_for

from offbench import P1, P2, Evaluation, OffbenchError, Placement, evaluate, evaluate_many
from offbench.evaluation.evaluator import prefix_totals
from offbench.evaluation.kernel import TOTAL
from offbench.model.instance import parse
from offbench.model.placement import parse_placement

Json = dict[str, Any]
Placed = tuple[Json, list[list[str]], list[list[int]] | None]

CASES = sorted((Path(__file__).parents[1] / "conformance").glob("case-*.json"))
TOTALS = (
    "objective", "delay_s", "energy_j", "cost_usd", "score", "coordination", "balance", "final_imbalance",
    "makespan_s",
)  # fmt: skip


def run(instance: Json, servers: list[list[str]], order: list[list[int]] | None = None) -> Evaluation:
    """Evaluate with offbench what is given as parsed JSON."""
    parsed = parse(instance)
    return evaluate(P1(parsed), parse_placement({"servers": servers, "order": order}, parsed))


def assert_agree(evaluation: Evaluation, expected: Json) -> None:
    """Compare all totals, scales and subtasks to 1e-9 of their value."""
    for name in TOTALS:
        assert getattr(evaluation, name) == pytest.approx(expected[name], rel=1e-9, abs=1e-12), name
    for name, value in expected["scales"].items():
        assert getattr(evaluation.scales, name) == pytest.approx(value, rel=1e-9), name
    assert len(evaluation.subtasks) == len(expected["subtasks"])
    for k, (row, wanted) in enumerate(zip(evaluation.subtasks, expected["subtasks"], strict=True)):
        for name, value in wanted.items():
            assert row[name] == pytest.approx(value, rel=1e-9, abs=1e-12), (k, name)


def assume_well_posed(instance: Json, expected: Json) -> None:
    """Leave out benefits a rounding error away from 0, whose cube root is far from 0."""
    if instance["coordination"]["indicators"] == "benefits":
        for name in ("delay_s", "energy_j", "cost_usd"):
            scale = expected["scales"][name] or math.inf
            assume(all(abs(row[name] / scale - 1) > 1e-6 for row in expected["subtasks"]))


def subtasks_of(instance: Json) -> list[list[int]]:
    """Return the [task, layer] pair of each subtask index."""
    return [[i, j] for i, task in enumerate(instance["tasks"]) for j in range(len(task["layers"]))]


# Against numbers that others computed


def test_conformance_cases_are_there() -> None:
    assert len(CASES) == 16


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_conformance(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    assert_agree(run(case["instance"], **case["placement"]), case["expected"])


@settings(max_examples=150)
@given(placed(exact=True))
def test_agrees_with_plain_python_where_ties_abound(example: Placed) -> None:
    instance, servers, _ = example
    assert_agree(run(instance, servers), plain.evaluate(plain.prepare(instance), servers))


@settings(max_examples=150)
@given(placed(exact=False))
def test_agrees_with_plain_python_on_uneven_numbers(example: Placed) -> None:
    instance, servers, _ = example
    expected = plain.evaluate(plain.prepare(instance), servers)
    assume_well_posed(instance, expected)
    assert_agree(run(instance, servers), expected)


@settings(max_examples=100)
@given(placed(ordered=True))
def test_agrees_with_plain_python_in_any_dispatch_order(example: Placed) -> None:
    instance, servers, order = example
    expected = plain.evaluate(plain.prepare(instance), servers, order)
    assume_well_posed(instance, expected)
    assert_agree(run(instance, servers, order), expected)


def test_long_chain_agrees_with_plain_python() -> None:
    names = ["phone", "edge-1", "edge-2", "cloud-1"]
    layers = [
        handmade.layer(f"layer-{j}", 0.01 * (j % 7 + 1), 0.1 * (j % 5), (f"layer-{j - 1}",) if j else ())
        for j in range(3000)
    ]
    instance = {**handmade.phone(), "tasks": [handmade.task("long", *layers, input_mb=1)]}
    servers = [[names[j * j % 4] for j in range(3000)]]
    assert_agree(run(instance, servers), plain.evaluate(plain.prepare(instance), servers))


# Against numbers computed by hand


def two_layers() -> Json:
    """Return a chain of two layers, and a client with an edge and a cloud."""
    return handmade.instance(
        [
            handmade.server("client", "client", ghz=2, power=50),
            handmade.server("edge", "edge", ghz=4, price=3.6, power=10),
            handmade.server("cloud", "cloud", ghz=8, price=7.2, power=10),
        ],
        [
            handmade.link("client", "edge", rate=2, price=10, power=0.5),
            handmade.link("client", "cloud", rate=0.5, price=20, power=0.5),
            handmade.link("edge", "cloud", rate=1, price=30),
        ],
        [handmade.task("t", handmade.layer("a", 8, 3), handmade.layer("b", 16, 0, ("a",)), input_mb=2, arrival_s=1)],
    )


def test_two_layers_by_hand() -> None:
    result = run(two_layers(), [["edge", "cloud"]])
    a, b = result.subtasks
    # a, on the edge: 8 / 4 = 2 s; its input leaves the client at 1 s and takes 2 MB / 2 = 1 s.
    assert (a["execution_s"], a["transmission_s"], a["queueing_s"], a["delay_s"]) == (2, 1, 0, 3)
    assert (a["start_s"], a["completion_s"]) == (2, 4)
    # 10 W for 2 s and 0.5 W for 1 s; $3.6/h for 2 s and 0.002 GB at $10.
    assert a["energy_j"] == pytest.approx(20.5)
    assert a["cost_usd"] == pytest.approx(0.002 + 0.02)
    # b, on the cloud: 16 / 8 = 2 s; 3 MB at 1 MB/s; the client sends nothing.
    assert (b["execution_s"], b["transmission_s"], b["queueing_s"], b["delay_s"]) == (2, 3, 0, 5)
    assert b["energy_j"] == pytest.approx(20)
    assert b["cost_usd"] == pytest.approx(0.004 + 0.003 * 30)
    assert (result.delay_s, result.makespan_s) == (8, 9)
    # Scales. Delay: b on the client with its input from the cloud, 16/2 + 3/0.5 = 14 s. Energy: b on the client,
    # 50 W for 8 s and 0.5 W for the 6 s from the cloud = 403 J. Cost: b on the cloud from the edge, 0.094;
    # on the edge from the cloud, 16/4 s at $0.001 + 0.09 = 0.094 as well.
    assert result.scales.delay_s == pytest.approx(14)
    assert result.scales.energy_j == pytest.approx(403)
    assert result.scales.cost_usd == pytest.approx(0.094)
    assert result.scales.balance == 0
    assert result.score == pytest.approx(0.5 * 8 / 14 + 0.3 * 40.5 / 403 + 0.2 * 0.116 / 0.094)
    t, e, u = 3 / 14, 20.5 / 403, 0.022 / 0.094
    h_a = math.sqrt(3 * math.sqrt(t * e * u / (t + e + u) ** 3) * (0.33 * t + 0.33 * e + 0.34 * u))
    t, e, u = 5 / 14, 20 / 403, 1
    h_b = math.sqrt(3 * math.sqrt(t * e * u / (t + e + u) ** 3) * (0.33 * t + 0.33 * e + 0.34 * u))
    assert [a["coordination"], b["coordination"]] == [pytest.approx(h_a), pytest.approx(h_b)]
    assert (result.balance, result.final_imbalance) == (0, 0)
    assert result.objective == pytest.approx(0.6 * result.score - 0.2 * (h_a + h_b))


@pytest.mark.parametrize(("inputs", "transmission_s"), [(("early", "late"), 4), (("late", "early"), 2)])
def test_first_of_tied_inputs_is_the_critical_one(inputs: tuple[str, str], transmission_s: float) -> None:
    # early: done at 1 s, 4 MB at 1 MB/s; late: done at 3 s, 2 MB: both arrive at 5 s.
    instance = handmade.instance(
        [handmade.server("client", "client", pool=2), handmade.server("edge", "edge")],
        [handmade.link("client", "edge")],
        [handmade.task("t", handmade.layer("early", 1, 4), handmade.layer("late", 3, 2), handmade.layer("join", 1, 0, inputs))],  # noqa: E501
    )  # fmt: skip
    result = run(instance, [["client", "client", "edge"]])
    assert result.subtasks[2]["transmission_s"] == transmission_s
    assert result.subtasks[2]["completion_s"] == 6


def test_later_input_is_critical_although_it_is_sent_first() -> None:
    # big: done at 1 s, 9 MB, arrives at 10 s; small: done at 4 s, 1 MB, arrives at 5 s.
    instance = handmade.instance(
        [handmade.server("client", "client", pool=2), handmade.server("edge", "edge")],
        [handmade.link("client", "edge", power=2)],
        [handmade.task("t", handmade.layer("small", 4, 1), handmade.layer("big", 1, 9), handmade.layer("join", 1, 0, ("small", "big")))],  # noqa: E501
    )  # fmt: skip
    join = run(instance, [["client", "client", "edge"]]).subtasks[2]
    assert join["transmission_s"] == 9
    assert join["energy_j"] == 2 * (9 + 1)  # each edge pays for its own transfer


def test_pool_of_two_by_hand() -> None:
    # Four tasks of 3, 1, 4, 2 s arrive at once at two slots: 0-3, 0-1, 1-5, 3-5.
    tasks = [handmade.task(f"t{i}", handmade.layer("a", gcycles)) for i, gcycles in enumerate((3, 1, 4, 2))]
    instance = handmade.instance([handmade.server("client", "client", pool=2)], [], tasks)
    result = run(instance, [["client"]] * 4)
    assert [row["start_s"] for row in result.subtasks] == [0, 0, 1, 3]
    assert [row["queueing_s"] for row in result.subtasks] == [0, 0, 1, 3]
    assert (result.delay_s, result.makespan_s) == (14, 5)


def test_booking_in_order_takes_no_slot_before_an_earlier_booking() -> None:
    # The first booked arrives at 5 s and holds the only slot till 6 s; the second was there at 0 s.
    tasks = [handmade.task("early", handmade.layer("a", 1)), handmade.task("late", handmade.layer("a", 1), arrival_s=5)]
    instance = handmade.instance([handmade.server("client", "client")], [], tasks)
    result = run(instance, [["client"], ["client"]], [[1, 0], [0, 0]])
    assert [row["start_s"] for row in result.subtasks] == [6, 5]


def test_imbalance_by_hand() -> None:
    names = ["edge-1", "edge-2", "edge-3", "cloud-1", "cloud-2"]
    instance = handmade.instance(
        [handmade.server("client", "client"), *(handmade.server(name, name.split("-")[0]) for name in names)],
        [handmade.link(*ends) for ends in (("client", "edge"), ("client", "cloud"), ("edge", "edge"), ("edge", "cloud"), ("cloud", "cloud"))],  # noqa: E501
        [handmade.task("t", *(handmade.layer(f"l{j}", 1) for j in range(5)))],
    )  # fmt: skip
    result = run(instance, [["edge-1", "edge-1", "cloud-2", "client", "edge-2"]])
    # Edge counts 1,0,0: 2; 2,0,0: 4; cloud 0,1: 4 + 1; the client counts for nothing; 2,1,0: 1+2+1, + 1.
    assert [row["imbalance"] for row in result.subtasks] == [2, 4, 5, 5, 5]
    assert result.scales.balance == (3 - 1) * 5
    assert result.balance == pytest.approx(21 / 10)
    assert result.final_imbalance == 5


@pytest.mark.parametrize("root", [2, 3])
def test_indicator_at_its_scale_has_no_benefit(root: int) -> None:
    # One subtask that can run in one place: each indicator is its own scale, each benefit 0, so H is 0.
    # 49 s: 49 * (1 / 49) is less than 1 in binary.
    instance = handmade.instance(
        [handmade.server("client", "client", price=3600, power=1)],
        [],
        [handmade.task("t", handmade.layer("a", 49))],
        coordination={"indicators": "benefits", "root": root},
    )
    assert run(instance, [["client"]]).coordination == 0


def test_indicator_with_scale_zero_contributes_nothing() -> None:
    scales = {"delay_s": 0, "energy_j": 403, "cost_usd": 0, "balance": 0}
    result = run({**two_layers(), "scales": scales}, [["edge", "cloud"]])
    assert result.delay_s == 8
    assert result.score == pytest.approx(0.3 * 40.5 / 403)
    assert (result.coordination, result.balance) == (0, 0)


def test_coordination_of_minute_indicators_is_a_number() -> None:
    scales = {"delay_s": 1e120, "energy_j": 1e120, "cost_usd": 1e120, "balance": 1}
    result = run({**two_layers(), "scales": scales}, [["edge", "cloud"]])
    assert result.coordination == pytest.approx(0, abs=1e-50)
    assert result.objective == pytest.approx(0, abs=1e-50)


# Laws that follow from MODEL.md


@given(placed(exact=True))
def test_first_come_is_the_order_of_ready_times_and_indices(example: Placed) -> None:
    instance, servers, _ = example
    result = run(instance, servers)
    ready_s = [row["start_s"] - row["queueing_s"] for row in result.subtasks]
    pairs = subtasks_of(instance)
    explicit = [pairs[k] for k in sorted(range(len(pairs)), key=lambda k: (ready_s[k], k))]
    in_order = run(instance, servers, explicit)
    assert in_order.parts.tolist() == result.parts.tolist()
    assert in_order.objective == result.objective


@given(placed(ordered=True))
def test_no_server_runs_more_than_its_pool(example: Placed) -> None:
    instance, servers, order = example
    rows = run(instance, servers, order).subtasks
    where = [name for row in servers for name in row]
    for server in instance["servers"]:
        here = [row for row, name in zip(rows, where, strict=True) if name == server["name"] and row["execution_s"] > 0]
        for row in here:
            at_once = [other for other in here if other["start_s"] <= row["start_s"] < other["completion_s"]]
            assert len(at_once) <= server["pool"]


@given(placed(ordered=True))
def test_no_subtask_starts_before_its_inputs_are_there(example: Placed) -> None:
    instance, servers, order = example
    rows = iter(run(instance, servers, order).subtasks)
    for task in instance["tasks"]:
        done: dict[str, float] = {}
        for layer in task["layers"]:
            row = next(rows)
            inputs_s = [done[name] for name in layer["inputs"]] or [task["arrival_s"]]
            assert row["start_s"] >= max(inputs_s)
            assert min(row["transmission_s"], row["queueing_s"], row["execution_s"]) >= 0
            done[layer["name"]] = row["completion_s"]


@given(placed(exact=True, settings={"scales": None}), st.sampled_from([0.5, 4]))
def test_a_change_of_the_time_unit_changes_no_objective(example: Placed, factor: float) -> None:
    # Twice the work and the data is twice the time, energy and cost of everything, and of the scales.
    instance, servers, _ = example
    longer = json.loads(json.dumps(instance))
    for task in longer["tasks"]:
        task["arrival_s"] *= factor
        task["input_mb"] *= factor
        for layer in task["layers"]:
            layer["gcycles"] *= factor
            layer["output_mb"] *= factor
    before, after = run(instance, servers), run(longer, servers)
    assert after.delay_s == factor * before.delay_s
    assert after.energy_j == pytest.approx(factor * before.energy_j)
    assert after.cost_usd == pytest.approx(factor * before.cost_usd)
    assert after.objective == pytest.approx(before.objective, abs=1e-9)


@given(placed(exact=True), st.sampled_from([1, 0.5, 7]))
def test_later_arrival_of_everything_delays_nothing(example: Placed, later_s: float) -> None:
    instance, servers, _ = example
    tasks = [{**task, "arrival_s": task["arrival_s"] + later_s} for task in instance["tasks"]]
    before, after = run(instance, servers), run({**instance, "tasks": tasks}, servers)
    assert after.makespan_s == before.makespan_s + later_s
    assert after.objective == before.objective


@given(placed())
def test_pools_for_all_leave_no_queue(example: Placed) -> None:
    instance, servers, _ = example
    wide = [{**server, "pool": 15} for server in instance["servers"]]
    assert all(row["queueing_s"] == 0 for row in run({**instance, "servers": wide}, servers).subtasks)


@given(placed(max_tasks=1, max_layers=5))
def test_delay_of_a_chain_is_the_sum_over_its_subtasks(example: Placed) -> None:
    instance, servers, _ = example
    layers = instance["tasks"][0]["layers"]
    links = [[], *([earlier["name"]] for earlier, _ in pairwise(layers))]
    chain = [{**layer, "inputs": inputs} for layer, inputs in zip(layers, links, strict=True)]
    result = run({**instance, "tasks": [{**instance["tasks"][0], "layers": chain}]}, servers)
    assert result.delay_s == pytest.approx(sum(row["delay_s"] for row in result.subtasks))


@given(placed(settings={"scales": None}, max_tasks=1, max_layers=1))
def test_no_indicator_of_a_subtask_alone_exceeds_its_scale(example: Placed) -> None:
    instance, servers, _ = example
    result = run(instance, servers)
    (row,) = result.subtasks
    for name in ("delay_s", "energy_j", "cost_usd"):
        assert row[name] <= getattr(result.scales, name) * (1 + 1e-12)


@given(instances().flatmap(lambda it: st.tuples(st.just(it), st.lists(servers_for(it), max_size=6))), st.data())
def test_population_scores_are_those_of_single_placements(example: tuple[Json, Any], data: st.DataObject) -> None:
    instance, rows = example
    parsed = parse(instance)
    problem = P1(parsed)
    index = {server["name"]: s for s, server in enumerate(instance["servers"])}
    population = np.array([[index[name] for row in servers for name in row] for servers in rows], dtype=np.int64)
    population = population.reshape(len(rows), problem.n_subtasks)
    pairs = subtasks_of(instance)
    orders = np.array([[pairs.index(pair) for pair in data.draw(orders_for(instance))] for _ in rows], dtype=np.int64)
    orders = orders.reshape(population.shape)
    singles = [evaluate(problem, row).objective for row in population]
    assert evaluate_many(problem, population).tolist() == singles
    singles = [evaluate(problem, Placement(*each)).objective for each in zip(population, orders, strict=True)]
    assert evaluate_many(problem, population, orders).tolist() == singles


# Prefixes (section 7)


@given(placed())
def test_whole_prefix_is_the_whole_evaluation(example: Placed) -> None:
    instance, servers, _ = example
    parsed = parse(instance)
    placement = parse_placement({"servers": servers}, parsed)
    problem = P1(parsed)
    assert prefix_totals(problem, placement.servers[None])[0, TOTAL.objective] == evaluate(problem, placement).objective


@given(placed(exact=True), st.data())
def test_prefix_is_the_instance_without_the_rest(example: Placed, data: st.DataObject) -> None:
    instance, servers, _ = example
    parsed = parse(instance)
    decided = data.draw(st.integers(1, parsed.subtasks))
    short = handmade.cut(instance, decided, plain.prepare(instance).scales)
    rows = [row[: len(task["layers"])] for row, task in zip(servers, short["tasks"], strict=False)]
    expected = plain.evaluate(plain.prepare(short), rows)["objective"]
    prefix = parse_placement({"servers": servers}, parsed).servers[None, :decided]
    assert prefix_totals(P1(parsed), prefix)[0, TOTAL.objective] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_prefix_that_is_too_long_is_refused() -> None:
    problem = P1(parse(two_layers()))
    with pytest.raises(OffbenchError, match="2"):
        prefix_totals(problem, np.zeros((1, 3), dtype=np.int64))


def test_prefix_on_a_forbidden_server_is_refused() -> None:
    problem = P1(parse(handmade.phone()))
    with pytest.raises(OffbenchError, match=r"row 1: .*tasks\[0\].layers\[1\] \('pool'\).*edge-2.*phone, edge-1"):
        prefix_totals(problem, np.array([[0, 0], [0, 2]]))


# What is no placement


@pytest.mark.parametrize("servers", [[0] * 6, [0] * 8, np.zeros(0, dtype=np.int64), [[0] * 7]])
def test_wrong_shape_is_refused(servers: Any) -> None:
    with pytest.raises(OffbenchError, match="7 subtasks"):
        evaluate(P1(parse(handmade.phone())), servers)


@pytest.mark.parametrize("server", [-1, 4, 2**40])
def test_server_that_is_not_there_is_refused_by_subtask(server: int) -> None:
    with pytest.raises(OffbenchError, match=rf"tasks\[1\].layers\[2\] \('right'\): server {server}"):
        evaluate(P1(parse(handmade.phone())), [0, 0, 0, 0, 0, server, 0])


def test_forbidden_server_is_refused_by_subtask() -> None:
    with pytest.raises(OffbenchError, match=r"tasks\[0\].layers\[1\] \('pool'\).*'cloud-1'.*phone, edge-1"):
        evaluate(P1(parse(handmade.phone())), [0, 3, 0, 0, 0, 0, 0])


def test_other_server_than_the_given_one_is_refused_by_subtask() -> None:
    problem = P2(parse(handmade.phone()), [0, 0, 0, 0, 0, 0, 1])
    with pytest.raises(OffbenchError, match=r"tasks\[1\].layers\[3\] \('join'\).*'phone'.*edge-1"):
        evaluate(problem, [0] * 7)


@pytest.mark.parametrize(
    ("order", "named"),
    [
        ([1, 0, 2, 3, 4, 5, 6], "'pool'"),
        ([0, 1, 2, 3, 3, 5, 6], "'fork'"),
        ([0, 1, 2, 3, 4, 6, 5], "'join'"),
        ([0, 1, 2, 3, 4, 5, 7], "subtask"),
        ([0, 1, 2, 3, 4, 5, -1], "subtask"),
        ([0, 1, 2], "7 subtasks"),
    ],
    ids=["input after reader", "twice", "one of two inputs after reader", "too high", "negative", "too short"],
)
def test_bad_order_is_refused(order: list[int], named: str) -> None:
    with pytest.raises(OffbenchError, match=named):
        evaluate(P1(parse(handmade.phone())), Placement([0] * 7, order))


def test_bad_row_of_a_population_is_named() -> None:
    problem = P1(parse(handmade.phone()))
    rows = np.zeros((3, 7), dtype=np.int64)
    rows[2, 1] = 3
    with pytest.raises(OffbenchError, match=r"row 2: .*\('pool'\)"):
        evaluate_many(problem, rows)
    orders = np.tile(np.arange(7), (3, 1))
    orders[1] = [0, 1, 2, 4, 3, 5, 6]
    with pytest.raises(OffbenchError, match=r"row 1: .*\('left'\)"):
        evaluate_many(problem, np.zeros((3, 7), dtype=np.int64), orders)


@pytest.mark.parametrize("shape", [(7,), (2, 6), (2, 8), (1, 2, 7)])
def test_population_of_wrong_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(OffbenchError, match="shape"):
        evaluate_many(P1(parse(handmade.phone())), np.zeros(shape, dtype=np.int64))


def test_orders_of_another_shape_are_refused() -> None:
    with pytest.raises(OffbenchError, match="orders"):
        evaluate_many(P1(parse(handmade.phone())), np.zeros((2, 7), dtype=np.int64), np.zeros((1, 7), dtype=np.int64))


@pytest.mark.parametrize("servers", [[0.7] * 7, [float("nan")] * 7, ["nobody"] * 7, None])
def test_servers_that_are_no_indices_are_refused(servers: Any) -> None:
    with pytest.raises((OffbenchError, TypeError, ValueError)):
        evaluate(P1(parse(handmade.phone())), servers)
