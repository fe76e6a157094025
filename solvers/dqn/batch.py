"""A batch of transitions, and what learning from it needs of an agent."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from .network import QNetwork

Floats32 = NDArray[np.float32]


class Switches(NamedTuple):
    """What makes an agent of the DQN family."""

    double: bool
    """the online network picks the next action, the target network values it (van Hasselt et al., 2016)"""
    dueling: bool
    """value and advantages have heads of their own (Wang et al., 2016)"""
    prioritized: bool
    """transitions are drawn by their errors and weighted accordingly (Schaul et al., 2016)"""


class Learning(NamedTuple):
    """How a network learns."""

    switches: Switches
    lr: float
    """learning rate of Adam"""
    loss: Literal["mse", "huber"]
    copy_every: int
    """updates between copies of the online network to the target network"""


@dataclass
class Batch:
    """Transitions, a row each. Arrays are kept from batch to batch."""

    observations: Floats32
    """what was seen before the actions, then what was seen after them, shape ``(2 * rows, width)``"""
    actions: NDArray[np.int64]
    rewards: Floats32
    discounts: Floats32
    """of the value of what was seen after; 0 where the episode ended"""
    allowed: NDArray[np.bool_]
    """the next actions to choose from, shape ``(rows, actions)``"""
    weights: Floats32
    """of each transition in the loss; ones where all are drawn alike"""

    def __len__(self) -> int:
        return len(self.actions)

    @classmethod
    def empty(cls, rows: int, width: int, actions: int) -> "Batch":
        """Return a batch to be filled."""
        # torch's memory is aligned, numpy's may or may not be, and products on it would differ in the last bit.
        observations = torch.zeros(2 * rows, width).numpy()
        return cls(
            observations, np.zeros(rows, np.int64), np.zeros(rows, np.float32),
            np.zeros(rows, np.float32), np.ones((rows, actions), np.bool_), np.ones(rows, np.float32),
        )  # fmt: skip


class Learner(Protocol):
    """An online and a target network, and the optimiser between them."""

    @property
    def updates(self) -> int:
        """How many updates were made."""

    def values(self, observations: Floats32) -> Floats32:
        """Return Q of every action, shape ``(rows, actions)``."""

    def update(self, batch: Batch) -> tuple[Floats32, float]:
        """Make one update; return the temporal-difference errors, and the loss before it."""

    def network(self) -> QNetwork:
        """Return a copy of the online network, on the CPU."""

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
