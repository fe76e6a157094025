"""The vectorised Gymnasium environment: many episodes in one compiled step."""

from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from offbench.environment.episodes import Episodes
from offbench.environment.observation import Layout, Observation, Observer
from offbench.environment.single import observation_space, problem_of
from offbench.errors import OffbenchError
from offbench.model.instance import Instance
from offbench.model.problem import Problem

Mask = NDArray[np.bool_]


class OffloadingVectorEnv(gymnasium.vector.VectorEnv[Observation, NDArray[np.int64], Any]):
    """Many placements in the making.

    An episode that has ended begins anew with the next step, whose action is ignored for it
    (`gymnasium.vector.AutoresetMode.NEXT_STEP`): that step's reward is 0 and no transition.

    Parameters
    ----------
    problem
        What is decided.
    num_envs
        How many episodes run at once.
    observation, penalty
        As in `OffloadingEnv`.
    """

    def __init__(
        self, problem: Problem, num_envs: int, observation: Layout = "paper", penalty: float | None = None
    ) -> None:
        self.problem = problem
        self.num_envs = num_envs
        self._episodes = Episodes(problem, num_envs, Observer([problem], observation), penalty=penalty)
        self._ended = np.zeros(num_envs, dtype=np.bool_)
        self.single_observation_space = observation_space(self._episodes.observer)
        self.single_action_space = gymnasium.spaces.Discrete(problem.n_servers)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.metadata = {"autoreset_mode": gymnasium.vector.AutoresetMode.NEXT_STEP}

    @property
    def servers(self) -> NDArray[np.int64]:
        """The servers of each episode's decided subtasks, shape ``(num_envs, n_subtasks)``."""
        return self._episodes.servers

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin all episodes; nothing here is random."""
        self._episodes.reset()
        self._ended[:] = False
        return self._episodes.observe(), self._info()

    def step(self, actions: NDArray[np.int64]) -> tuple[Observation, NDArray[np.float64], Mask, Mask, dict[str, Any]]:
        """Put the subtask at hand of each episode on a server, or begin anew the one that has ended.

        Raises
        ------
        OffbenchError
            If a server isn't allowed.
        """
        rewards, ended = self._episodes.step(actions, ~self._ended)
        self._episodes.reset(self._ended)
        self._ended = ended
        return self._episodes.observe(), rewards, ended.copy(), np.zeros_like(ended), self._info()

    def action_masks(self) -> Mask:
        """Return which servers are open to the subtasks at hand, shape ``(num_envs, n_servers)``."""
        return self._episodes.masks()

    def _info(self) -> dict[str, Any]:
        everywhere = np.ones(self.num_envs, dtype=np.bool_)
        return {
            "action_mask": self.action_masks(),
            "_action_mask": everywhere,
            "objective": self._episodes.objective.copy(),
            "_objective": everywhere,
            "violation": self._episodes.violation.copy(),
            "_violation": everywhere,
        }


def make(
    instance: Instance | str | Path,
    num_envs: int = 1,
    observation: Layout = "paper",
    penalty: float | None = None,
    **other: Any,
) -> OffloadingVectorEnv:
    """Return the environment of an instance, or of a file or shipped name: what `gymnasium.make_vec` calls.

    Raises
    ------
    OffbenchError
        If *other* has what this environment doesn't know.
    """
    if unknown := other.keys() - {"render_mode"}:
        raise OffbenchError(f"environment: unknown argument {', '.join(sorted(unknown))}")
    return OffloadingVectorEnv(problem_of(instance), num_envs, observation, penalty)
