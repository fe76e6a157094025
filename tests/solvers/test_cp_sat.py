"""cp-sat: what it begins with, tasks that may change places, graphs that fill their servers."""

import math

import handmade
import numpy as np
import pytest

from experiments._shared.brute_force import best
from experiments._shared.drawn import alexnets
from experiments._shared.tiny import tiny_instance
from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import Instance, load, parse
from offbench.model.placement import Placement
from offbench.model.problem import P1, P2
from offbench.runs.solve import solve
from offbench.search.search import Search
from offbench.solvers.cp_sat.start import construct
from offbench.solvers.cp_sat.symmetry import interchangeable


def without_balance(instance: Instance) -> Instance:
    weights = instance.weights.model_copy(update={"score": 0.7, "coordination": 0.3, "balance": 0.0})
    return instance.model_copy(update={"weights": weights})


@pytest.mark.parametrize("given", [[1, 1] * 3, [1, 2, 1, 1, 1, 2], [2, 2, 2, 2, 0, 0]])
def test_identical_tasks_on_given_servers(given: list[int]) -> None:
    instance = alexnets(tasks=3, layers=2, servers=3)
    found = solve(instance, "cp-sat", placement=Placement(given), time_limit=600)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(best(P2(instance, given))[0], abs=1e-9)


def test_identical_tasks_without_balance() -> None:
    instance = without_balance(alexnets(tasks=3, layers=2, servers=3))
    found = solve(instance, "cp-sat", time_limit=600)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(best(P1(instance))[0], abs=1e-9)


def test_who_may_change_places() -> None:
    instance = alexnets(tasks=3, layers=2, servers=5)
    assert interchangeable(P1(instance)) == []  # Z counts tasks in their order
    assert interchangeable(P1(without_balance(instance))) == [(0, 1), (1, 2)]
    assert interchangeable(P2(instance, [1, 2, 1, 1, 1, 2])) == [(0, 2)]
    late = instance.tasks[1].model_copy(update={"arrival_s": 0.1})
    assert interchangeable(P2(instance.model_copy(update={"tasks": (instance.tasks[0], late)}), [1, 1, 1, 1])) == []


def filled(layers: int, slots: int, seed: int = 0) -> Instance:
    """Return a graph of one task on a client with some slots, executions of 1 to 10 s, and nothing but delay."""
    rng = np.random.default_rng(seed)
    made = []
    for k in range(layers):
        reads = rng.choice(k, size=min(k, int(rng.integers(3))), replace=False).tolist() if k else []
        inputs = tuple(f"l{j}" for j in sorted(reads))
        made.append(handmade.layer(f"l{k}", int(rng.integers(1, 11)), 0, inputs))
    servers = [handmade.server("client", "client", pool=slots)]
    weights, scales = handmade.DELAY_ALONE, {"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1}
    return parse(handmade.instance(servers, [], [handmade.task("t", *made)], weights=weights, scales=scales))


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_graph_that_fills_its_slots_is_proven(seed: int) -> None:
    """As graphs of the Standard Task Graph set: HEFT has no idle slot but at the end, and no placement has fewer."""
    instance = filled(layers=60, slots=4, seed=seed)
    work = sum(layer.gcycles or 0 for layer in instance.tasks[0].layers)
    found = solve(instance, "cp-sat", time_limit=60)
    assert found.status == "optimal"
    assert found.objective == math.ceil(work / 4)


@pytest.mark.parametrize("instance", ["tiny-graphs", "alexnet", filled(30, 3)], ids=["graphs", "chain", "filled"])
def test_begins_with_the_best_of_the_cheap_constructions(instance: str | Instance) -> None:
    problem = P1(load(instance) if isinstance(instance, str) else instance)
    search = Search(problem)
    construct(problem, search)
    others = [solve(problem.instance, solver).objective for solver in ("greedy", "heft", "peft")]
    alone = [evaluate(problem, problem.everything_on(s)).objective for s in range(problem.n_servers)]
    assert search.objective == min(others + alone)


def test_run_that_repeats_itself_ends() -> None:
    """CP-SAT lowers the objective of the same placement by one unit again and again; it took for ever."""
    found = solve(tiny_instance(48), "cp-sat", time_limit=300)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(best(P1(tiny_instance(48)))[0], abs=1e-9)
    assert found.seconds < 150
