"""The core's numbers of format 2 against exact arithmetic, on drawn tiny instances, and two enumerations against it."""

import math
from fractions import Fraction
from itertools import islice
from typing import Any

import numpy as np
import pytest

from experiments._shared.brute_force import best
from experiments._shared.exact_arithmetic import ExactArithmetic
from experiments._shared.exhaustive import Exhaustive
from experiments._shared.tiny import FORMAT_2_SEEDS, tiny_instance, tiny_servers
from experiments._shared.tiny_format2 import random_placement, tiny_data
from offbench.bounds import RELAXATIONS
from offbench.evaluation.delta import segments_of
from offbench.evaluation.evaluator import evaluate, prefix_totals
from offbench.evaluation.kernel import TOTALS
from offbench.model.placement import Placement, parse_placement
from offbench.model.problem import P1, P2

Json = dict[str, Any]


def near(expected: Fraction | float) -> Any:
    return pytest.approx(float(expected), rel=1e-9, abs=1e-12)


def to_file(exact: ExactArithmetic, servers: list[int], order: list[int] | None) -> Json:
    """Return a placement as in a file: names of servers, and pairs of task and layer."""
    pairs = [(i, j) for i, task in enumerate(exact.facts.data["tasks"]) for j in range(len(task["layers"]))]
    rows: list[list[str]] = [[] for _ in exact.facts.client]
    for (i, _), s in zip(pairs, servers, strict=True):
        rows[i].append(exact.facts.names[s])
    return {"servers": rows, "order": None if order is None else [list(pairs[k]) for k in order]}


def drawn(seed: int, count: int) -> list[tuple[list[int], Placement]]:
    """Return random placements of a seed's instance, by numbers of servers and as the core has them."""
    rng, exact = np.random.default_rng([seed, 99]), ExactArithmetic(tiny_data(seed))
    found = []
    for _ in range(count):
        servers, order = random_placement(exact, rng)
        found.append((servers, parse_placement(to_file(exact, servers, order), tiny_instance(seed))))
    return found


# The instances


def test_seeds_cover_what_format_2_has() -> None:
    every = [tiny_data(seed) for seed in FORMAT_2_SEEDS]
    servers = [server for data in every for server in data["servers"]]
    links = [link for data in every for link in data["links"]]
    tasks = [task for data in every for task in data["tasks"]]
    layers = [layer for task in tasks for layer in task["layers"]]
    entries = [entry for layer in layers for entry in layer["inputs"]]
    counts = [sum(server["kind"] == "client" for server in data["servers"]) for data in every]
    assert set(counts) == {1, 2, 3}
    assert {len(data["servers"]) - count for data, count in zip(every, counts, strict=True)} == {0, 1, 2, 3}
    assert {len(data["tasks"]) for data in every} == {1, 2, 3}
    for place, fields in (
        (servers, ("memory_mb", "idle_power_w", "radio")), (links, ("from", "between", "latency_s", "shannon")),
        (tasks, ("client", "deadline_s", "arrival_s")), (layers, ("seconds", "weights_mb", "weights_id", "allowed")),
        ([each for each in entries if isinstance(each, dict)], ("mb", "input_mb")),
        ([data.get("limits", {}) for data in every], ("delay_s", "energy_j", "cost_usd")),
    ):  # fmt: skip
        for field in fields:
            assert any(field in each for each in place) and any(field not in each for each in place), field
    assert any("gcycles" not in layer for layer in layers)
    shared = [[layer["weights_id"] for layer in layers if "weights_id" in layer] for layers in _layers_of(every)]
    assert any(len(set(ids)) < len(ids) for ids in shared)
    readings = {tuple(data.get("coordination", {"indicators": "costs", "root": 2}).values())[:2] for data in every}
    assert readings == {(indicators, root) for indicators in ("costs", "benefits") for root in (2, 3)}


def _layers_of(every: list[Json]) -> list[list[Json]]:
    return [[layer for task in data["tasks"] for layer in task["layers"]] for data in every]


def test_many_seeds_bind_and_some_have_no_feasible_placement() -> None:
    infeasible, binding = 0, 0
    for seed in FORMAT_2_SEEDS[:200]:
        data = tiny_data(seed)
        found, free = Exhaustive(data).optimum(), Exhaustive(unconstrained(data)).optimum()
        infeasible += found.servers is None
        binding += found.servers is not None and found.objective > free.objective + 1e-9
        if infeasible >= 20 and binding >= 20:
            break
    assert infeasible >= 20 and binding >= 20


def unconstrained(data: Json) -> Json:
    """Return the same without memory, deadlines and limits."""

    def without(facts: Json, name: str) -> Json:
        return {field: value for field, value in facts.items() if field != name}

    return {
        **without(data, "limits"),
        "servers": [without(server, "memory_mb") for server in data["servers"]],
        "tasks": [without(task, "deadline_s") for task in data["tasks"]],
    }


# The core's numbers


@pytest.mark.parametrize("seed", FORMAT_2_SEEDS[::4])
def test_evaluation_is_exact(seed: int) -> None:
    data, instance = tiny_data(seed), tiny_instance(seed)
    exact, problem = ExactArithmetic(data), P1(instance)
    for scale, value in problem.scales.model_dump().items():
        assert value == near(exact.scales[scale]), scale
    # H of a benefit that only more digits tell from 0 is looked at where H counts.
    left_out = {"coordination"} if data["weights"]["coordination"] == 0 else set()
    for servers, placement in drawn(seed, 4):
        order = None if placement.order is None else placement.order.tolist()
        found, expected = evaluate(problem, placement), exact.evaluate(servers, order)
        for name in {*TOTALS} - left_out:
            assert getattr(found, name) == near(getattr(expected, name)), name
        for k, (row, wanted) in enumerate(zip(found.subtasks, expected.subtasks, strict=True)):
            for name in {*row} - left_out:
                assert row[name] == near(getattr(wanted, name)), (k, name)


@pytest.mark.parametrize("seed", FORMAT_2_SEEDS[::16])
def test_written_instance_says_the_same(seed: int) -> None:
    exact, again = ExactArithmetic(tiny_data(seed)), ExactArithmetic(tiny_instance(seed))
    assert again.scales == exact.scales
    for servers, _ in drawn(seed, 2):
        assert again.evaluate(servers) == exact.evaluate(servers)


@pytest.mark.parametrize("seed", FORMAT_2_SEEDS[::16])
def test_prefix_is_scored_as_if_nothing_came_after(seed: int) -> None:
    data, problem = tiny_data(seed), P1(tiny_instance(seed))
    scales = ExactArithmetic(data).scales
    left_out = {"coordination"} if data["weights"]["coordination"] == 0 else set()
    ((servers, placement),) = drawn(seed, 1)
    for decided in range(1, problem.n_subtasks + 1):
        begun, tasks = decided, []
        for task in data["tasks"]:
            if begun > 0:
                tasks.append({**task, "layers": task["layers"][:begun]})
                begun -= len(tasks[-1]["layers"])
        expected = ExactArithmetic({**data, "tasks": tasks, "scales": scales}).evaluate(servers[:decided])
        found = dict(zip(TOTALS, prefix_totals(problem, placement.servers[None, :decided])[0], strict=True))
        for name in {*TOTALS} - left_out:
            assert found[name] == near(getattr(expected, name)), (decided, name)


@pytest.mark.parametrize("seed", FORMAT_2_SEEDS[::12])
def test_no_segment_begins_before_the_last_layer_that_reads_the_input(seed: int) -> None:
    problem = P1(tiny_instance(seed))
    facts = ExactArithmetic(tiny_data(seed)).facts
    at_client = [k for k, row in enumerate(facts.reads) if any(source < 0 for source, _ in row)]
    assert segments_of(problem).of[at_client[-1]] == 0


# Enumerations


@pytest.mark.parametrize("seed", FORMAT_2_SEEDS[::24])
@pytest.mark.parametrize("kind", ["P1", "P2"])
def test_enumerations_find_the_exact_optimum(seed: int, kind: str) -> None:
    exact, instance = ExactArithmetic(tiny_data(seed)), tiny_instance(seed)
    given = None if kind == "P1" else tiny_servers(seed)
    servers = None if given is None else exact.facts.server_numbers(given.to_file(instance)["servers"])
    expected = exact.optimum(servers)
    problem = P1(instance) if given is None else P2(instance, given)
    objective, placement = best(problem)
    pruned = Exhaustive(tiny_data(seed)).optimum(servers=servers)
    assert pruned.complete
    if not expected.feasible:
        assert objective == pruned.objective == math.inf
        assert evaluate(problem, placement).violation == near(expected.violation)
        return
    assert objective == near(expected.objective) == pruned.objective
    assert evaluate(problem, placement).feasible
    again = exact.evaluate(pruned.servers or (), pruned.order)
    assert again.violation <= 1e-9 and again.objective == near(pruned.objective)


@pytest.mark.parametrize("seed", FORMAT_2_SEEDS[::24])
def test_measured_placements_are_exact(seed: int) -> None:
    every = Exhaustive(tiny_data(seed))
    rows = every.random_servers(5, np.random.default_rng(seed))
    objectives, needs = every.measure(rows)
    for servers, objective, violation in zip(rows.tolist(), objectives, every.violation(needs), strict=True):
        expected = every.exact.evaluate(servers)
        assert (objective, violation) == (near(expected.objective), near(expected.violation))


@pytest.mark.parametrize("seed", FORMAT_2_SEEDS[::20])
def test_no_bound_is_above_the_optimum(seed: int) -> None:
    found, problem = Exhaustive(tiny_data(seed)).optimum(), P1(tiny_instance(seed))
    size = max(abs(found.objective), abs(float(ExactArithmetic(tiny_data(seed)).client_only())))
    for relaxation in RELAXATIONS:
        for bound in islice(relaxation.bounds(problem), 8):
            assert bound <= found.objective + 1e-9 * size, relaxation.name
