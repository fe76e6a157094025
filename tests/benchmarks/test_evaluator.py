"""Speed of the evaluator: the compiled one beside the plain one of the tests, in one run.

``make bench``; the ratios stand at the end of the output.
"""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import plain
import pytest

from offbench import P1, Instance, Placement, evaluate, evaluate_many, load
from offbench.compose import PAPER_WEIGHTS, paper_links, paper_servers
from offbench.instance import Layer, Task

from .conftest import Speeds

INSTANCES = ("alexnet", "resnet", "resnet-x10", "mixed-4")
POPULATION = 1000


def assignments(problem: P1, rows: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(0).integers(0, problem.n_servers, (rows, problem.n_subtasks))


def in_turn(things: list[Any], work: Callable[[Any], object]) -> Callable[[], None]:
    """Return a call that does the work for each thing, so that no run sees the same placement again."""

    def call() -> None:
        for thing in things:
            work(thing)

    return call


@pytest.mark.parametrize("name", INSTANCES)
def test_plain(name: str, benchmark: Any, speeds: Speeds) -> None:
    instance = load(name)
    prepared = plain.prepare(json.loads(instance.to_text()))
    rows = [Placement(row).to_file(instance)["servers"] for row in assignments(P1(instance), 20)]
    benchmark.pedantic(in_turn(rows, lambda row: plain.evaluate(prepared, row)), rounds=5, warmup_rounds=1)
    speeds.keep(name, "plain", benchmark.stats.stats.min / len(rows))


@pytest.mark.parametrize("name", INSTANCES)
def test_one_at_a_time(name: str, benchmark: Any, speeds: Speeds) -> None:
    problem = P1(load(name))
    placements = [Placement(row) for row in assignments(problem, 200)]
    benchmark.pedantic(in_turn(placements, lambda one: evaluate(problem, one)), rounds=20, warmup_rounds=1)
    speeds.keep(name, "one at a time", benchmark.stats.stats.min / len(placements))


@pytest.mark.parametrize("name", INSTANCES)
def test_population(name: str, benchmark: Any, speeds: Speeds) -> None:
    problem = P1(load(name))
    population = assignments(problem, POPULATION)
    benchmark.pedantic(evaluate_many, (problem, population), rounds=20, warmup_rounds=1)
    speeds.keep(name, f"population of {POPULATION}", benchmark.stats.stats.min / POPULATION)


@pytest.mark.parametrize(("tasks", "layers"), [(1, 1000), (1, 10_000), (1, 100_000), (100, 1000), (10_000, 10)])
def test_large(tasks: int, layers: int, benchmark: Any, speeds: Speeds) -> None:
    problem = P1(large(tasks, layers))
    placement = Placement(assignments(problem, 1)[0])
    benchmark.pedantic(evaluate, (problem, placement), rounds=5, warmup_rounds=1)
    speeds.keep(f"{tasks} x {layers}", "one at a time", benchmark.stats.stats.min)


def large(tasks: int, layers: int) -> Instance:
    chain = tuple(
        Layer(name=f"layer-{j}", gcycles=0.01, output_mb=1, inputs=(f"layer-{j - 1}",) if j else ())
        for j in range(layers)
    )
    return Instance(
        format="offbench/1",
        name="large",
        servers=paper_servers(),
        links=paper_links(),
        tasks=tuple(Task(name=f"task-{i}", arrival_s=0.01 * i, input_mb=0.5, layers=chain) for i in range(tasks)),
        weights=PAPER_WEIGHTS,
    )
