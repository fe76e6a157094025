"""Speed of the evaluator: the compiled one beside the plain one of the tests, in one run.

``make bench``; the ratios stand at the end of the output.
"""

import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import plain
import pytest

from offbench import P1, Instance, Placement, evaluate, evaluate_many, load
from offbench.model.composition import PAPER_WEIGHTS, paper_links, paper_servers
from offbench.model.instance import Layer, Task

from .conftest import Speeds

INSTANCES = ("alexnet", "resnet", "resnet-x10", "mixed-4")
POPULATION = 1000


def assignments(problem: P1, rows: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    return np.random.default_rng(0).integers(0, problem.n_servers, (rows, problem.n_subtasks))


def seconds(work: Callable[[Any], object], things: list[Any]) -> float:
    """Return how long the work takes for one of the things."""
    start = perf_counter()
    for thing in things:
        work(thing)
    return (perf_counter() - start) / len(things)


@pytest.mark.parametrize("name", INSTANCES)
def test_multiples_of_plain_python(name: str, benchmark: Any, speeds: Speeds) -> None:
    """Take turns in one loop, so that a machine that slows down slows all of them; medians of the ratios."""
    instance = load(name)
    problem = P1(instance)
    prepared = plain.prepare(json.loads(instance.to_text()))
    population = assignments(problem, POPULATION)
    placements = [Placement(row) for row in population]
    rows = [one.to_file(instance)["servers"] for one in placements[:10]]
    measured: list[tuple[float, float, float]] = []

    def take_turns() -> None:
        measured.append(
            (
                seconds(lambda row: plain.evaluate(prepared, row), rows),
                seconds(lambda one: evaluate(problem, one), placements[:200]),
                seconds(lambda many: evaluate_many(problem, many), [population]) / POPULATION,
            )
        )

    benchmark.pedantic(take_turns, rounds=21, warmup_rounds=1)
    slow, one, many = np.array(measured[1:]).T
    speeds.keep(name, "plain", float(np.median(slow)))
    speeds.keep(name, "one at a time", float(np.median(one)), float(np.median(slow / one)))
    speeds.keep(name, f"population of {POPULATION}", float(np.median(many)), float(np.median(slow / many)))


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
