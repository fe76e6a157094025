"""Constructions on many clients: how much more a subtask costs where there are ten times as many.

``make bench``; the multiple is that of the time for one subtask.
"""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np
import pytest

from experiments.many_clients import many_clients
from offbench import P1, Search, evaluate
from offbench.model.instance import parse
from offbench.search.greedy import by_insertion
from offbench.solvers._shared.heft import heft

from .conftest import Speeds

WAYS: dict[str, Callable[[P1], Any]] = {
    "evaluate": lambda problem: evaluate(problem, problem.everything_on(problem.arrays.client)),
    "greedy by insertion": lambda problem: by_insertion(problem, Search(problem)),
    "heft": heft,
}


@pytest.fixture(scope="module")
def problems() -> list[P1]:
    return [P1(parse(many_clients(number))) for number in (300, 3_000)]


@pytest.mark.parametrize("way", WAYS)
def test_ten_times_the_clients(way: str, problems: list[P1], benchmark: Any, speeds: Speeds) -> None:
    measured: list[list[float]] = []

    def take_turns() -> None:
        times = []
        for problem in problems:
            begin = perf_counter()
            WAYS[way](problem)
            times.append((perf_counter() - begin) / problem.n_subtasks)
        measured.append(times)

    benchmark.pedantic(take_turns, rounds=7, warmup_rounds=1)
    few, many = np.array(measured[1:]).T
    speeds.keep("many-clients", f"{way}, a subtask", float(np.median(many)), float(np.median(many / few)))
