"""A path leaves a server whose memory is full: by hand, and against the best of all placements."""

from itertools import product
from math import inf
from typing import Any

import handmade
import numpy as np
import pytest

from offbench.bounds import SubtaskCosts, flows, stretch_bounds
from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import parse
from offbench.model.problem import P1

ONE_SCALE = {"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1}


def layer(name: str, *inputs: str, weights_mb: float = 1, output_mb: float = 2, **more: Any) -> dict[str, Any]:
    """Return a layer of 1 s on an edge and 10 s on the client, whose output takes 2 s from edge to edge."""
    return {**handmade.layer(name, 10, output_mb, inputs), "weights_mb": weights_mb, **more}


def two_edges(memory_mb: float | None, *layers: dict[str, Any], **more: Any) -> P1:
    """Return layers for two edges ten times as fast as the client, all 1 MB/s apart; the delay counts."""
    client = handmade.server("client", "client", power=1)
    edges = [handmade.server(f"edge-{i}", "edge", ghz=10, power=1) for i in range(2)]
    if memory_mb is not None:
        edges = [{**edge, "memory_mb": memory_mb} for edge in edges]
    links = [handmade.link("client", "edge"), handmade.link("edge", "edge")]
    settings = {"weights": handmade.DELAY_ALONE, "scales": ONE_SCALE} | more
    made = handmade.instance([client, *edges], links, [handmade.task("t", *layers)])
    return P1(parse(made | settings | {"format": "offbench/2"}))


def bound(problem: P1) -> float:
    return max(stretch_bounds(problem, SubtaskCosts(problem)), default=-inf)


def optimum(problem: P1) -> float:
    """Return the best of all placements of few layers that don't queue."""
    every = product(range(problem.n_servers), repeat=problem.n_subtasks)
    found = [
        evaluate(problem, np.array(servers)) for servers in every if problem.allowed[range(len(servers)), servers].all()
    ]
    return min((each.objective for each in found if each.feasible), default=inf)


CHAIN = layer("a"), layer("b", "a"), layer("c", "b"), layer("d", "c")


@pytest.mark.parametrize(
    ("memory_mb", "objective"),
    # All on one edge; or once 2 s to the other; with 1 MB on each edge two layers are left to the client.
    [(4, 4), (3, 6), (2, 6), (1, 26)],
)
def test_path_changes_servers_where_memory_ends(memory_mb: float, objective: float) -> None:
    problem = two_edges(memory_mb, *CHAIN)
    assert optimum(problem) == pytest.approx(objective)
    assert bound(problem) <= objective
    if memory_mb > 1:  # else the bound goes to and fro between the edges
        assert bound(problem) == pytest.approx(objective, rel=1e-12)


def test_servers_are_entered_again_and_again() -> None:
    """Each layer on another edge than the last: 4 s and three times 2 s, for what an edge held before is forgotten."""
    assert bound(two_edges(1, *CHAIN)) == pytest.approx(10)


def test_path_goes_where_the_cheapest_change_is() -> None:
    """Whatever is cut, the small output is cheapest."""
    layers = layer("a"), layer("b", "a", output_mb=0.5), layer("c", "b"), layer("d", "c")
    problem = two_edges(3, *layers)
    assert optimum(problem) == pytest.approx(4.5)
    assert bound(problem) == pytest.approx(4.5)


def test_weights_that_are_the_same_count_once() -> None:
    """Four layers of one weight fit into its memory."""
    layers = [{**each, "weights_id": "w"} for each in CHAIN]
    problem = two_edges(1, *layers)
    assert optimum(problem) == pytest.approx(4)
    assert bound(problem) == pytest.approx(4)


def test_layers_beside_the_path_cost_what_they_cost() -> None:
    """6 s for the path, and 1 J for each of five layers."""
    weights = {"delay": 0.5, "energy": 0.5, "cost": 0, "score": 1, "coordination": 0, "balance": 0}
    layers = *CHAIN, layer("beside", "a", weights_mb=0, output_mb=0)
    problem = two_edges(2, *layers, weights=weights)
    assert optimum(problem) == pytest.approx(5.5)
    assert bound(problem) == pytest.approx(5.5)


def test_nothing_to_say_without_memories() -> None:
    assert bound(two_edges(None, *CHAIN)) == -inf


def test_inputs_that_are_many_add_up_as_in_the_table() -> None:
    """By one input, or none: the same as of the table of all inputs, where some may not be everywhere."""
    layers = (
        {**layer("a"), "allowed": ["edge-0", "client"]}, layer("b", output_mb=3), {**layer("c"), "allowed": ["edge-1"]},
        layer("d", "a", "b", "c"),
    )  # fmt: skip
    problem = two_edges(9, *layers)
    a, steps = problem.arrays, SubtaskCosts(problem)
    flow = next(flows(problem))
    table = steps.step(3, flow.subtask[3], flow.transfer).cost[[0, 1]][:, :, [2]]
    assert steps.by_own_server(flow)[3] == pytest.approx(table.min(axis=(0, 1, 2)), rel=1e-12)
    first = int(a.input_start[3])
    by_a = steps.by_one_input(3, first, flow)
    assert by_a[[0, 1]] == pytest.approx(table.min(axis=(1, 2)), rel=1e-12)
    assert np.isinf(by_a[2]).all()
