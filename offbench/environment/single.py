"""The Gymnasium environment: one episode at a time."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from offbench.environment.episodes import Episodes
from offbench.environment.observation import FACT, Layout, Observation, Observer
from offbench.model.instance import Instance, load
from offbench.model.problem import P1, Problem


class OffloadingEnv(gymnasium.Env[Observation, np.int64]):
    """One placement in the making, an action for each subtask with a choice of servers (`Episodes`).

    Servers that a layer isn't allowed on are masked: `action_masks`, as sb3-contrib reads it, and
    ``info["action_mask"]``. A step on one of them is an error. Masked, but no error, is a server whose memory
    the layer's weights alone exceed, unless they do so everywhere.

    Parameters
    ----------
    problem
        What is decided.
    observation
        The layout: ``paper`` or ``full`` (`offbench.environment.observation`).
    penalty
        What a violation of 1 takes off the rewards, which sum to ``-(Q + penalty * violation)``; by default what
        `penalty_of` says.
    """

    def __init__(self, problem: Problem, observation: Layout = "paper", penalty: float | None = None) -> None:
        self.problem = problem
        self._episodes = Episodes(problem, 1, Observer([problem], observation), penalty=penalty)
        self.observation_space = observation_space(self._episodes.observer)  # type: ignore[assignment]
        self.action_space = gymnasium.spaces.Discrete(problem.n_servers)

    @property
    def servers(self) -> NDArray[np.int64]:
        """The servers of the subtasks decided so far, shape ``(n_subtasks,)``."""
        servers: NDArray[np.int64] = self._episodes.servers[0]
        return servers

    @property
    def decided(self) -> int:
        """How many subtasks are decided, pinned ones among them."""
        return int(self._episodes.decided[0])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: nothing is decided but what is pinned."""
        super().reset(seed=seed)
        self._episodes.reset()
        return self._episodes.observe()[0], self._info()

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Put the subtask at hand on a server.

        Raises
        ------
        OffbenchError
            If the server isn't allowed, or the episode is over.
        """
        rewards, ended = self._episodes.step(np.array([action]))
        return self._episodes.observe()[0], float(rewards[0]), bool(ended[0]), False, self._info()

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which servers are open to the subtask at hand, shape ``(n_servers,)``; never none."""
        mask: NDArray[np.bool_] = self._episodes.masks()[0]
        return mask

    def _info(self) -> dict[str, Any]:
        return {
            "action_mask": self.action_masks(),
            "objective": float(self._episodes.objective[0]),
            "violation": float(self._episodes.violation[0]),
        }


def observation_space(observer: Observer) -> gymnasium.spaces.Box:
    """Return the bounds of each number in an observation."""
    high = np.ones(observer.width, dtype=np.float32)
    high[0] = observer.n_servers
    high[1 : observer.dynamic] = np.inf
    low = np.zeros_like(high)
    low[0] = 1
    if observer.constrained:  # what is exceeded is left by less than nothing
        low[1 + len(FACT) * observer.n_servers : observer.dynamic] = -np.inf
    return gymnasium.spaces.Box(low, high, dtype=np.float32)


def make(instance: Instance | str | Path, observation: Layout = "paper", penalty: float | None = None) -> OffloadingEnv:
    """Return the environment of an instance, or of a file or shipped name: what `gymnasium.make` calls."""
    return OffloadingEnv(problem_of(instance), observation, penalty)


def problem_of(instance: Instance | str | Path) -> P1:
    """Return P1 of an instance, or of a file or shipped name."""
    return P1(instance if isinstance(instance, Instance) else load(instance))
