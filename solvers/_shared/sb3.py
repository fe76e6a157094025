"""What the solvers on stable-baselines3 share. It imports torch: import it when solving."""

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.vec_env import DummyVecEnv

from offbench import P1, Search
from offbench.environment import Layout, OffloadingEnv
from offbench.environment.observation import Observation
from offbench.solvers._shared.torch import one_thread


class ProposingEnv(OffloadingEnv):
    """An environment that proposes the placement of every episode that ends.

    Parameters
    ----------
    problem, observation, penalty
        As in `OffloadingEnv`.
    search
        Gets the placements, and ends the training by its `SearchEnded`.
    """

    def __init__(self, problem: P1, observation: Layout, penalty: float | None, search: Search) -> None:
        super().__init__(problem, observation, penalty)
        self._search = search

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        self._search.check()
        following = super().step(action)
        if following[2]:
            self._search.propose(self.servers)
        return following


class UnmaskedEnv(ProposingEnv):
    """The same for agents without masks: in place of a server that is masked stands the first that isn't."""

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        mask = self.action_masks()
        return super().step(action if mask[action] else int(mask.argmax()))


def train(make_model: Callable[[int], BaseAlgorithm], search: Search) -> None:
    """Train until the search ends, on one thread: these networks are small, and solvers are compared on one core.

    Parameters
    ----------
    make_model
        Makes the model from a seed. Its randomness is that of `random`, numpy and torch, whose states are as before
        in the end.
    search
        The run; the seed is drawn from its generator.
    """
    with own_random_states(), one_thread():
        model = make_model(int(search.rng.integers(2**31)))
        model.set_logger(Logger(None, []))  # else an empty folder is left behind
        model.learn(sys.maxsize)


def vectorized(
    env: type[ProposingEnv], problem: P1, observation: Layout, penalty: float | None, search: Search, count: int
) -> DummyVecEnv:
    """Return several environments as one."""
    return DummyVecEnv([lambda: env(problem, observation, penalty, search)] * count)


@contextmanager
def own_random_states() -> Iterator[None]:
    """Leave the random states of Python, numpy and torch as they were."""
    python, array = random.getstate(), np.random.get_state()  # noqa: NPY002 - what stable-baselines3 seeds
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(array)  # noqa: NPY002
