"""Modules whose subtasks wait for one another: never more than what a placement costs, whatever the prices."""

from itertools import islice
from typing import Any

import handmade
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import instances, orders_for, servers_for

from experiments._shared.brute_force import best, placements
from offbench.bounds import RELAXATIONS, Program, SubtaskCosts, Window, flows, widest
from offbench.bounds.path_flows import by_length
from offbench.bounds.slot_holding import SlotHolding, find_modules
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import evaluate
from offbench.evaluation.gaps import contradict
from offbench.model.arrays import WEIGHT
from offbench.model.instance import load, parse
from offbench.model.placement import parse_placement
from offbench.model.problem import P1

Json = dict[str, Any]
(SLOTS,) = (relaxation for relaxation in RELAXATIONS if relaxation.name == "slots")
MOST_BOUNDS = 12
# Waiting is worth much and costs little.
WEIGHTS = {"delay": 0.1, "energy": 0.45, "cost": 0.45, "score": 0.3, "coordination": 0.6, "balance": 0.1}
COSTS = {"indicators": "costs", "root": 2, "lambdas": [0.33, 0.33, 0.34]}


@st.composite
def networks(draw: st.DrawFn, max_layers: int = 7, max_edges: int = 2) -> Json:
    """Draw a network of modules: what lies between a fork and a join reads the fork or what is there already."""
    made = draw(instances(max_tasks=1, max_edges=max_edges, max_clouds=1, settings={"scales": None}))
    made |= {"weights": WEIGHTS, "coordination": COSTS | {"root": draw(st.sampled_from([2, 3]))}}
    (task,) = made["tasks"]
    names = [f"layer-{j}" for j in range(draw(st.integers(4, max_layers)))]
    layers, fork, inside = list[Json](), names[0], list[str]()
    for j, name in enumerate(names):
        inputs = [draw(st.sampled_from([fork, *inside]))] if j else []
        if inside and (j == len(names) - 1 or draw(st.integers(0, 3)) == 0):
            read = {source for layer in layers for source in layer["inputs"]}
            inputs = [source for source in inside if source not in read] or inputs
            fork, inside = name, []
        elif j:
            inside.append(name)
        drawn = draw(st.sampled_from(task["layers"]))
        layers.append({**drawn, "name": name, "inputs": inputs, "gcycles": draw(st.sampled_from([1, 0.25, 3]))})
        layers[-1].pop("allowed", None)
    task["layers"] = layers
    return {name: value for name, value in made.items() if value is not None}


@settings(max_examples=200)
@given(data=st.data())
def test_some_case_costs_no_more_than_a_placement(data: Any) -> None:
    made = data.draw(networks())
    instance = parse(made)
    problem = P1(instance)
    assume(list(find_modules(problem)))
    servers, order = data.draw(servers_for(made)), data.draw(st.none() | orders_for(made))
    placement = parse_placement({"servers": servers, "order": order}, instance)
    evaluation = evaluate(problem, placement)
    without_balance = evaluation.objective - problem.arrays.weights[WEIGHT.balance] * evaluation.balance
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    for flow in (*flows(problem), by_length(problem)):
        holding = SlotHolding(SubtaskCosts(problem), flow)
        parts = holding.parts(rng.uniform(0, 0.3, holding.prices.shape) * (holding.prices > 0))
        cost, first = 0.0, 0
        for part in parts:
            inside = range(first, first := first + len(part[0]))
            along = [
                sum(
                    float(step.cost[(*placement.servers[list(step.inputs)], placement.servers[k])])
                    for k, step in zip(inside, case, strict=True)
                )
                for case in part
            ]
            cost += min(along)
        assert first == problem.n_subtasks
        assert cost <= without_balance + 1e-9 * max(1, abs(without_balance))


@settings(max_examples=40)
@given(networks(max_layers=5, max_edges=1))
def test_bound_is_below_the_optimum(made: Json) -> None:
    problem = P1(parse(made))
    assume(placements(problem) <= 20_000)
    objective = best(problem)[0]
    for bound in islice(SLOTS.bounds(problem), MOST_BOUNDS):
        assert not contradict(objective, bound, client_only=client_only(problem).objective), (bound, objective)


def test_modules_of_the_networks() -> None:
    googlenet = list(find_modules(P1(load("googlenet"))))
    assert [tuple(module) for module in googlenet[:3]] == [(6, 14), (14, 22), (23, 31)]
    assert len(googlenet) == 9
    assert not list(find_modules(P1(load("alexnet"))))  # a chain
    assert not list(find_modules(P1(load("mixed-4"))))  # other tasks hold slots as well


def test_what_a_dead_end_may_wait_for_is_in_no_module() -> None:
    """Its slot may be held by the dead end, that is parallel to all behind the fork that it comes from."""
    layers = [
        handmade.layer("fork", 1),
        handmade.layer("dead-end", 1, inputs=("fork",)),
        handmade.layer("left", 1, inputs=("fork",)),
        handmade.layer("right", 1, inputs=("fork",)),
        handmade.layer("join", 1, inputs=("left", "right")),
    ]
    servers = handmade.phone()["servers"]
    for dropped, modules in ((None, []), ("dead-end", [(0, 3)])):
        kept = [layer for layer in layers if layer["name"] != dropped]
        made = handmade.instance(servers, handmade.phone()["links"], [handmade.task("t", *kept)])
        assert [tuple(module) for module in find_modules(P1(parse(made)))] == modules


def test_first_of_a_module_cannot_wait() -> None:
    """Of two branches on a client of one slot one waits; that both do is what the relaxations without cases promise."""
    problem = P1(load("googlenet"))
    window = Window(problem.arrays, widest(problem.arrays, 32)[0])
    *_, flow = flows(problem)
    steps = SubtaskCosts(problem)
    rows = problem.n_servers**2
    free = Program(problem, [[[step]] for step in steps.under(flow)], rows).lower_bound(window)
    still = SubtaskCosts(problem, queueing=False).under(flow)
    never = Program(problem, [[[step]] for step in still], rows).lower_bound(window)
    holding = SlotHolding(steps, flow)
    values = list(islice(holding.improve(window, rows), 5))
    assert max(values) > free + 0.3 * (never - free)
    assert max(values) < never
    assert Program(problem, holding.parts(holding.prices), rows).lower_bound(window) == pytest.approx(max(values))
