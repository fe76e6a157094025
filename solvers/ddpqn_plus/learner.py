"""Deep Q-learning of the shared network, compiled from end to end: one call an update, none to torch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbench.solvers.dqn.adam import Adam
from offbench.solvers.dqn.batch import Batch, Learning

from . import network
from .network import Shape

Floats32 = NDArray[np.float32]


class SharedLearner:
    """An online and a target network, and the optimiser between them.

    Parameters
    ----------
    shape
        Of the networks.
    weights
        What both begin with.
    learning
        How they learn.
    """

    def __init__(self, shape: Shape, weights: Floats32, learning: Learning) -> None:
        self.shape, self._learning = shape, learning
        self.weights = weights.copy()
        """of the online network, flat"""
        self._target = weights.copy()
        self._gradient = np.zeros_like(weights)
        self._optimiser = Adam(self.weights, self._gradient, learning.lr)
        self.updates = 0

    def values(self, observations: Floats32) -> Floats32:
        """Return Q of every server, shape ``(rows, servers)``."""
        return values(self.shape, self.weights, observations)

    def update(self, batch: Batch) -> tuple[Floats32, float]:
        """Make one update; return the temporal-difference errors, and the loss before it."""
        errors = np.empty(len(batch), dtype=np.float32)
        loss = network.learn(
            self.weights, self._target, *self.shape, self._learning.switches.double, self._learning.loss == "huber",
            batch.observations, batch.actions, batch.rewards, batch.discounts, batch.allowed, batch.weights,
            self._gradient, errors,
        )  # fmt: skip
        self._optimiser.step()
        self.updates += 1
        if self.updates % self._learning.copy_every == 0:
            self._target[:] = self.weights
        return errors, loss

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        return {
            "online": self.weights.copy(),
            "target": self._target.copy(),
            "optimiser": self._optimiser.state(),
            "updates": self.updates,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.weights[:], self._target[:] = state["online"], state["target"]
        self._optimiser.load(state["optimiser"])
        self.updates = state["updates"]


def values(shape: Shape, weights: Floats32, observations: Floats32) -> Floats32:
    """Return Q of every server, shape ``(rows, servers)``."""
    rows, width = observations.shape
    server, rest = shape.widths
    found = np.empty((rows, (width - rest) // server), dtype=np.float32)
    network.values(weights, *shape, observations, found)
    return found
