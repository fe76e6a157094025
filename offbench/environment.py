"""Offloading as a Markov decision process, a Gymnasium environment (MODEL.md section 7)."""

from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from offbench.errors import OffbenchError
from offbench.evaluator import prefix_objectives
from offbench.problem import Problem

Observation = NDArray[np.float32]


class OffloadingEnv(gymnasium.Env[Observation, np.int64]):
    """Subtasks are decided in index order; an action is a server, an episode a placement.

    The reward of a step is what it takes off the objective, ``-(Q after it - Q before it)``, by the
    shared evaluator on the decided prefix; the rewards of an episode sum to ``-Q``.

    The observation is the paper's (section 4.1.2): the previous action, then for the subtask at hand
    and those after it in its task the data into it and its work, padded with zeros. Servers are
    numbered from 1, as in the paper; before a task's first subtask stands the client, where its
    input waits. Data and work are divided by the instance's largest.

    Parameters
    ----------
    problem
        What is decided.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._layers = _layer_features(problem)
        self.width = 1 + self._layers.shape[1]
        """numbers in an observation"""
        high = np.ones(self.width, dtype=np.float32)
        high[0] = problem.n_servers
        self.observation_space = gymnasium.spaces.Box(np.zeros_like(high), high, dtype=np.float32)
        self.action_space = gymnasium.spaces.Discrete(problem.n_servers)
        self._is_first = np.zeros(problem.n_subtasks + 1, dtype=bool)
        self._is_first[problem.arrays.task_start[:-1]] = True
        self.servers = np.zeros(problem.n_subtasks, dtype=np.int64)
        """the actions of this episode so far"""
        self.decided = 0
        """how many subtasks are decided"""
        self._objective = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode: nothing is decided."""
        super().reset(seed=seed)
        self.decided = 0
        self._objective = 0.0
        return self._observation(), {}

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Put the subtask at hand on a server.

        Raises
        ------
        OffbenchError
            If the server isn't allowed, or the episode is over.
        """
        if self.decided == self.problem.n_subtasks:
            raise OffbenchError("environment: the episode is over; reset it")
        self.servers[self.decided] = action
        self.decided += 1
        objective = float(prefix_objectives(self.problem, self.servers[None, : self.decided])[0])
        reward = self._objective - objective
        self._objective = objective
        return self._observation(), reward, self.decided == self.problem.n_subtasks, False, {}

    def action_masks(self) -> NDArray[np.bool_]:
        """Return which servers the subtask at hand may run on, shape ``(n_servers,)``."""
        mask: NDArray[np.bool_] = self.problem.allowed[self.decided]
        return mask

    def observe(self, decided: int, before: NDArray[np.int64] | np.int64 | int) -> Observation:
        """Return what is seen after *decided* subtasks, for one previous action or for many.

        Parameters
        ----------
        decided
            How many subtasks are decided.
        before
            The server of the last of them, a number or of shape ``(rows,)``; without meaning before
            the first subtask of a task.

        Returns
        -------
        numpy.ndarray
            Shape ``(width,)`` or ``(rows, width)``.
        """
        if self._is_first[decided]:
            before = np.full_like(before, self.problem.arrays.client)
        observation = np.empty((*np.shape(before), self.width), dtype=np.float32)
        observation[..., 0] = np.add(before, 1)
        observation[..., 1:] = self._layers[decided]
        return observation

    def _observation(self) -> Observation:
        return self.observe(self.decided, self.servers[self.decided - 1])


def _layer_features(problem: Problem) -> Observation:
    """Return data and work from each subtask to its task's end; the last row is past the end."""
    a = problem.arrays
    into = np.add.reduceat(a.input_mb, a.input_start[:-1].astype(np.int64))
    pairs = np.stack([into / (into.max() or 1), a.gcycles / (a.gcycles.max() or 1)], axis=1)
    longest = int(np.diff(a.task_start.astype(np.int64)).max())
    features = np.zeros((problem.n_subtasks + 1, 2 * longest), dtype=np.float32)
    for first, last in zip(a.task_start[:-1].tolist(), a.task_start[1:].tolist(), strict=True):
        for k in range(first, last):
            features[k, : 2 * (last - k)] = pairs[k:last].ravel()
    return features
