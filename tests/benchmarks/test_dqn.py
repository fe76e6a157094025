"""Speed of the DQN family beside stable-baselines3's DQN, in one run, on one thread.

``make bench``; the ratios stand at the end of the output. Seconds are the process's own, so that a busy machine
disturbs them less.
"""

from collections.abc import Callable
from contextlib import suppress
from statistics import median
from time import process_time
from typing import Any

import numpy as np
import pytest

from offbench import P1, Budget, Search, SearchEnded, load, solve
from offbench.search.budget import Clock
from offbench.search.metrics import Diary
from offbench.search.parameters import configure
from offbench.search.registry import find

from .conftest import Speeds

pytest.importorskip("stable_baselines3")

UPDATES = 320
SEEDS = range(3)
# A run that takes longer counts as this long, so its ratio is at least the one told.
CAP_S = 60.0


class OwnSeconds(Clock):
    """Seconds of processor time."""

    def __init__(self) -> None:
        self._start = process_time()

    @property
    def seconds(self) -> float:
        return process_time() - self._start


def ours(name: str, problem: P1) -> Callable[[int], None]:
    """Return a function that makes updates, one for each step, as Algorithm 1 does."""
    made: Any = configure(find(name), name, {"updates": 32})
    agent = made.training([problem], np.random.default_rng(0), Diary())

    def learn(updates: int) -> None:
        goal = agent.learner.updates + updates
        while agent.learner.updates < goal:
            agent.learn()

    return learn


def theirs(problem: P1) -> Callable[[int], None]:
    """Return the same for stable-baselines3."""
    from stable_baselines3.common.logger import Logger

    made: Any = configure(find("sb3-dqn"), "sb3-dqn", {})
    model = made.model(problem, Search(problem), 0)
    model.set_logger(Logger(None, []))
    return lambda updates: model.learn(updates, reset_num_timesteps=False)


@pytest.mark.parametrize("name", ["alexnet", "resnet"])
def test_updates_per_second(name: str, benchmark: Any, speeds: Speeds) -> None:
    from offbench.solvers._shared.torch import one_thread

    problem = P1(load(name))
    with one_thread():
        ways = {"sb3-dqn": theirs(problem), "dqn": ours("dqn", problem), "ddpqn": ours("ddpqn", problem)}
        for learn in ways.values():
            learn(2 * UPDATES)  # past the steps before the first update
        measured: list[list[float]] = []

        def take_turns() -> None:
            row = []
            for learn in ways.values():
                start = process_time()
                learn(UPDATES)
                row.append((process_time() - start) / UPDATES)
            measured.append(row)

        benchmark.pedantic(take_turns, rounds=11, warmup_rounds=1)
    columns = np.array(measured[1:]).T
    for way, column in zip(ways, columns, strict=True):
        speeds.keep(name, f"{way}, updates", float(np.median(column)), float(np.median(columns[0] / column)))


@pytest.mark.parametrize("name", ["alexnet", "resnet"])
def test_seconds_to_greedys_objective(name: str, benchmark: Any, speeds: Speeds) -> None:
    """Medians over seeds of the processor time until a placement as good as greedy's is met."""
    goal = solve(name, "greedy").objective
    problem = P1(load(name))

    def seconds(solver: str, seed: int) -> float:
        made: Any = configure(find(solver), solver, {})
        search = Search(problem, Budget(CAP_S, target=goal), seed, OwnSeconds())
        with suppress(SearchEnded):
            made.solve(problem, search)
        return search.seconds

    def both() -> dict[str, list[float]]:
        seconds("ddpqn", 99)  # so that neither pays for the imports
        return {solver: [seconds(solver, seed) for seed in SEEDS] for solver in ("ddpqn", "sb3-dqn")}

    found = benchmark.pedantic(both, rounds=1)
    ratio = median(found["sb3-dqn"]) / median(found["ddpqn"])
    for solver, times in found.items():
        capped = " (capped)" if median(times) >= CAP_S else ""
        speeds.keep(name, f"{solver} to greedy's Q{capped}", median(times), ratio if solver == "ddpqn" else None)
