"""Every solver's time to a fixed gap, and the environment's steps, beside the plain evaluator of the same run.

A multiple here is how many placements the plain Python evaluator scores in that time.
"""

import json
from time import perf_counter
from typing import Any

import numpy as np
import plain
import pytest

from offbench import OffbenchError, load, solve
from offbench.evaluation.references import lookup
from offbench.search.registry import catalogue

from .conftest import Speeds

GAP = 0.05
LIMIT_S = 10.0
SOLVERS = [entry.name for entry in catalogue().values() if not entry.missing and "P1" in entry.solves]


def plain_seconds(name: str, rounds: int = 20) -> float:
    """Return how long the plain evaluator takes for one placement, everything on the client."""
    instance = load(name)
    prepared = plain.prepare(json.loads(instance.to_text()))
    client = instance.servers[instance.client].name
    placement = [[client] * len(task.layers) for task in instance.tasks]
    start = perf_counter()
    for _ in range(rounds):
        plain.evaluate(prepared, placement)
    return (perf_counter() - start) / rounds


@pytest.mark.parametrize("solver", SOLVERS)
def test_time_to_five_percent_on_alexnet(solver: str, benchmark: Any, speeds: Speeds) -> None:
    """From before the solver's import; the first round pays for that, as a user does."""
    instance = load("alexnet")
    reference = lookup(instance)
    assert reference is not None and reference.proven and reference.best_objective is not None
    target = reference.best_objective + GAP * (reference.client_only - reference.best_objective)
    reached: list[bool] = []

    def once() -> None:
        solution = solve(instance, solver, target=target, time_limit=LIMIT_S)
        reached.append(solution.objective <= target)

    try:
        benchmark.pedantic(once, rounds=3)
    except OffbenchError as refusal:
        pytest.skip(str(refusal))
    middle = float(benchmark.stats.stats.median)
    benchmark.extra_info["reached"] = sum(reached)
    speeds.reach(solver, middle if all(reached) else None, middle / plain_seconds("alexnet"))


@pytest.mark.parametrize(("name", "count"), [("alexnet", 1), ("alexnet", 32), ("resnet", 32), ("mixed-4", 32)])
def test_environment_steps(name: str, count: int, benchmark: Any, speeds: Speeds) -> None:
    import gymnasium

    import offbench.environment

    env = gymnasium.make_vec(offbench.environment.ENV_ID, count, instance=name, observation="full")
    n_servers = len(load(name).servers)
    actions = np.random.default_rng(0).integers(n_servers, size=(500, count))
    env.reset(seed=0)

    def play() -> None:
        for each in actions:
            env.step(each)

    benchmark.pedantic(play, rounds=7, warmup_rounds=1)
    seconds = float(benchmark.stats.stats.median) / actions.size
    speeds.keep(name, f"a step of {count} at once", seconds, plain_seconds(name) / seconds)
