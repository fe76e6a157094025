"""Segments of a task, and what the compiled walk makes of them, against the evaluator."""

from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import instances

from offbench import P1, Placement, evaluate, load
from offbench.evaluation.delta import segments_of
from offbench.model.instance import parse
from offbench.model.problem import Floats, Ints
from offbench.solvers._shared.heat_bath import choices_of
from offbench.solvers._shared.moves import order_of
from offbench.solvers._shared.walk import _DEAL, _MOVE, _ORDER, _RUN, _SWAP, Moves, Walker, _kind, walk


@given(instances(max_tasks=1, max_layers=8))
def test_a_segment_ends_where_every_path_passes(made: dict[str, Any]) -> None:
    problem = P1(parse(made))
    segments = segments_of(problem)
    n = problem.n_subtasks
    layers = made["tasks"][0]["layers"]
    index = {layer["name"]: k for k, layer in enumerate(layers)}
    graph: nx.DiGraph[int] = nx.DiGraph()
    graph.add_nodes_from(range(n))
    graph.add_edges_from((index[name], index[layer["name"]]) for layer in layers for name in layer["inputs"])
    on_every_path = [
        k
        for k in range(n)
        if len(nx.ancestors(graph, k)) == k
        and len(nx.descendants(graph, k)) == n - 1 - k
        and not any(source < k < reader for source, reader in graph.edges)
    ]
    ends = (segments.start[1:] - 1).tolist()
    assert ends == sorted({*on_every_path, n - 1})
    for b, (first, stop) in enumerate(zip(segments.start[:-1], segments.start[1:], strict=True)):
        assert (segments.of[first:stop] == b).all()
        inside = [sum(u >= first for u in graph.predecessors(k)) for k in range(first, stop)]
        assert segments.waits_for[first:stop].tolist() == inside
        assert segments.in_turn[b] == all(graph.has_edge(k - 1, k) for k in range(first + 1, stop))


def test_several_tasks_are_one_segment() -> None:
    problem = P1(load("tiny-chains"))
    assert segments_of(problem).start.tolist() == [0, problem.n_subtasks]


@given(instances(max_tasks=2, max_layers=8), st.integers(0, 99))
def test_a_stretch_is_dealt_out_to_servers_of_one_kind(made: dict[str, Any], seed: int) -> None:
    """Layers on one server stay together, layers on the client there, and what isn't allowed isn't done."""
    problem = P1(parse(made))
    rng = np.random.default_rng(seed)
    before = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
    after, order = before.copy(), order_of(problem, before)
    deal = np.array([[rng.random(), 5.5 / 6, rng.random()]])
    step(problem, after, order, True, deal, rng, temperature=1e9)
    kinds = problem.arrays.kind
    changed = after != before
    assert (kinds[before[changed]] != 0).all()
    assert len(set(kinds[after[changed]].tolist())) <= 1
    assert kinds[after[changed]].all()
    assert problem.allowed[np.arange(len(after)), after].all()
    for server in set(before[changed].tolist()):
        assert len(set(after[changed & (before == server)].tolist())) == 1


def test_a_stretch_leaves_the_clouds_in_one_step() -> None:
    """From a cloud each to an edge each, and never both on one."""
    network = load("alexnet")
    (task,) = network.tasks
    problem = P1(network.model_copy(update={"tasks": (task.model_copy(update={"layers": task.layers[:2]}),)}))
    servers = np.array([6, 7])
    rng = np.random.default_rng(1)
    for _ in range(40):
        chance = np.array([[0.0, 3.5 / 4, 0.0]])
        step(problem, servers, np.empty(0, np.int64), False, chance, rng, temperature=1e9)
        assert len(set(servers.tolist())) == 2
        if (problem.arrays.kind[servers] == 1).all():
            return
    pytest.fail("it never left")


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("deal", [0.0, 0.5, 1.0])
def test_kinds_of_moves_come_as_often_as_they_should(ordered: bool, deal: float) -> None:
    """Of evenly spread draws: a subtask, a run and an exchange alike, orders twice as often, dealing as told."""
    draw: Any = _kind
    kinds = [draw.py_func(chance, ordered, deal) for chance in (np.arange(1_000) + 0.5) / 1_000]
    every = 3 + 2 * ordered + deal
    expected = {_MOVE: 1, _RUN: 1, _SWAP: 1, _ORDER: 2 * ordered, _DEAL: deal}
    for kind, times in expected.items():
        assert kinds.count(kind) == pytest.approx(1_000 * times / every, abs=1)


def step(
    problem: P1, servers: Ints, order: Ints, ordered: bool, chance: Floats, rng: np.random.Generator, temperature: float
) -> float:
    """Walk one step, changing servers and order; return the walk's own value."""
    walker = Walker(servers, order, servers.copy(), order.copy(), np.empty(1))
    moves = Moves(4, 1.0, temperature, chance, rng.gumbel(size=40))
    walk(*problem.packed, segments_of(problem), choices_of(problem), moves, walker, ordered, 10**9)
    return float(walker.value[0])


def walked(problem: P1, ordered: bool, seed: int, steps: int, temperature: float) -> list[tuple[float, float]]:
    """Walk step by step; return the walk's own value and the evaluator's after each."""
    rng = np.random.default_rng(seed)
    servers = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
    order = order_of(problem, servers) if ordered else np.empty(0, np.int64)
    values = []
    for _ in range(steps):
        own = step(problem, servers, order, ordered, rng.random((1, 3)), rng, temperature)
        placed = Placement(servers, order if ordered else None)
        values.append((own, evaluate(problem, placed).objective))
    return values


@settings(max_examples=30)
@given(instances(max_tasks=3, max_layers=8, exact=False), st.booleans(), st.integers(0, 99))
def test_values_are_the_evaluators(made: dict[str, Any], ordered: bool, seed: int) -> None:
    for own, evaluators in walked(P1(parse(made)), ordered, seed, steps=20, temperature=1.0):
        assert own == pytest.approx(evaluators, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["googlenet", "resnet", "alexnet-x10"])
@pytest.mark.parametrize("ordered", [False, True])
def test_values_are_the_evaluators_on_a_network(name: str, ordered: bool) -> None:
    for own, evaluators in walked(P1(load(name)), ordered, 1, steps=200, temperature=0.05):
        assert own == pytest.approx(evaluators, abs=1e-9)
