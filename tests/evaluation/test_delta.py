"""Segments of a task, and what the compiled walk makes of them, against the evaluator."""

import itertools
from typing import Any

import handmade
import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import instances

from experiments._shared.tiny_format2 import tiny_data
from offbench import P1, Evaluation, Placement, evaluate, load
from offbench.evaluation.delta import segments_of
from offbench.evaluation.held_weights import cells_of
from offbench.model.arrays import Floats, Ints
from offbench.model.instance import parse
from offbench.solvers._shared.heat_bath import choices_of, prices_of
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


def test_no_segment_ends_before_the_last_layer_that_reads_the_input() -> None:
    """A chain whose third layer reads the input too, which is there from the start: the first end is behind it."""
    layers = [handmade.layer("a", 1)]
    layers += [handmade.layer(name, 1, inputs=(before,)) for before, name in itertools.pairwise("abcde")]
    layers[2]["inputs"].append({"input_mb": 1})
    servers, links = [handmade.server("c", "client"), handmade.server("e", "edge")], [handmade.link("c", "e")]
    made = handmade.instance(servers, links, [handmade.task("t", *layers)], format="offbench/2")
    assert segments_of(P1(parse(made))).start.tolist() == [0, 3, 4, 5]


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
) -> Walker:
    """Walk some steps, changing servers and order; return where the walk is and what it met."""
    walker = Walker(servers, order, servers.copy(), order.copy(), np.empty(1), np.empty(3))
    moves = Moves(4, 1.0, temperature, chance, rng.gumbel(size=40))
    how = segments_of(problem), cells_of(problem), choices_of(problem), moves, prices_of(0.1)
    walk(*problem.packed, *how, walker, ordered, 10**9)
    return walker


def walked(
    problem: P1, ordered: bool, seed: int, steps: int, temperature: float, at_once: int = 1
) -> list[tuple[Walker, Evaluation]]:
    """Walk some steps at once, several times; return where the walk is, and the evaluation there, after each time."""
    rng = np.random.default_rng(seed)
    servers = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
    order = order_of(problem, servers) if ordered else np.empty(0, np.int64)
    values = []
    for _ in range(steps):
        walker = step(problem, servers, order, ordered, rng.random((at_once, 3)), rng, temperature)
        values.append((walker, evaluate(problem, Placement(servers, order if ordered else None))))
    return values


@settings(max_examples=30)
@given(instances(max_tasks=3, max_layers=8, exact=False), st.booleans(), st.integers(0, 99))
def test_values_are_the_evaluators(made: dict[str, Any], ordered: bool, seed: int) -> None:
    for walker, evaluation in walked(P1(parse(made)), ordered, seed, steps=20, temperature=1.0):
        assert walker.value[0] == pytest.approx(evaluation.objective, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", ["googlenet", "resnet", "alexnet-x10"])
@pytest.mark.parametrize("ordered", [False, True])
def test_values_are_the_evaluators_on_a_network(name: str, ordered: bool) -> None:
    for walker, evaluation in walked(P1(load(name)), ordered, 1, steps=200, temperature=0.05):
        assert walker.value[0] == pytest.approx(evaluation.objective, abs=1e-9)


@pytest.mark.parametrize("seed", range(0, 200, 2))
@pytest.mark.parametrize("ordered", [False, True])
def test_values_and_violations_are_the_evaluators(seed: int, ordered: bool) -> None:
    """In format 2, after some steps at once, so that all is kept up to date that is."""
    problem = P1(parse(tiny_data(seed)))
    for walker, evaluation in walked(problem, ordered, seed, steps=10, temperature=0.5, at_once=7):
        assert walker.value[0] == pytest.approx(evaluation.objective, rel=1e-9, abs=1e-9)
        parts = evaluation.memory_violation, evaluation.deadline_violation, evaluation.limit_violation
        assert walker.violation.tolist() == pytest.approx(parts, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("seed", range(0, 200, 5))
@pytest.mark.parametrize("ordered", [False, True])
def test_the_best_met_is_the_best_by_the_rules(seed: int, ordered: bool) -> None:
    """Of all that was scored: at least as good as each place where the walk has been."""
    problem = P1(parse(tiny_data(seed)))
    for walker, evaluation in walked(problem, ordered, seed, steps=10, temperature=0.5, at_once=3):
        best = evaluate(problem, Placement(walker.best, walker.best_order if ordered else None))
        merits = [
            problem.merit(np.array([each.objective]), np.array([each.violation]))[0] for each in (best, evaluation)
        ]
        assert merits[0] <= merits[1] + 1e-9 * abs(merits[1])


def test_what_is_broken_gets_dearer_and_what_is_kept_cheaper() -> None:
    """An edge without room for either layer, a deadline that is kept anywhere, and frozen where it stands."""
    layers = [{**handmade.layer(name, 1), "weights_mb": 5, "allowed": ["e"]} for name in "ab"]
    servers = [handmade.server("c", "client"), {**handmade.server("e", "edge"), "memory_mb": 1}]
    task = {**handmade.task("t", *layers), "deadline_s": 100}
    made = handmade.instance(servers, [handmade.link("c", "e")], [task], format="offbench/2")
    problem, prices = P1(parse(made)), prices_of(1.0)
    rng, servers_ = np.random.default_rng(1), np.array([1, 1])
    walker = Walker(servers_, np.empty(0, np.int64), servers_.copy(), np.empty(0, np.int64), np.empty(1), np.empty(3))
    moves = Moves(2, 0.0, 1.0, rng.random((1_000, 3)), rng.gumbel(size=40))
    how = segments_of(problem), cells_of(problem), choices_of(problem), moves, prices
    walk(*problem.packed, *how, walker, False, 10**9)
    memory, deadlines, limits = prices.per_violation
    assert memory > 2 and deadlines == limits < 0.5
