"""The learner as one would read it: torch's autograd and Adam. What the fast one is tested against."""

import copy
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .batch import Batch, Learning

Network = TypeVar("Network", bound=nn.Module)


class ReferenceLearner(Generic[Network]):
    """Deep Q-learning with a target network (Algorithm 1), on any device.

    Parameters
    ----------
    network
        The online network; the target network begins as its copy.
    learning
        How it learns.
    device
        Where the networks are.
    """

    def __init__(self, network: Network, learning: Learning, device: torch.device) -> None:
        self.online = network.to(device)
        self.target = copy.deepcopy(self.online)
        self.updates = 0
        self._learning, self._device = learning, device
        self._optimiser = torch.optim.Adam(self.online.parameters(), lr=learning.lr)

    def values(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return Q of every action, shape ``(rows, actions)``."""
        with torch.inference_mode():
            values: NDArray[np.float32] = self.online(torch.from_numpy(observations).to(self._device)).cpu().numpy()
        return values

    def update(self, batch: Batch) -> tuple[NDArray[np.float32], float]:
        """Make one update; return the temporal-difference errors, and the loss before it."""
        columns = (batch.observations, batch.actions, batch.rewards, batch.discounts, batch.allowed, batch.weights)
        both, action, reward, discount, allowed, weight = (torch.from_numpy(each).to(self._device) for each in columns)
        before, after = both[: len(batch)], both[len(batch) :]
        double = self._learning.switches.double
        goal = bootstrap_target(self.online if double else None, self.target, reward, discount, after, allowed)
        value = self.online(before).gather(1, action[:, None]).squeeze(1)
        loss = weighted_loss(goal, value, weight, self._learning.loss)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        self.updates += 1
        if self.updates % self._learning.copy_every == 0:
            self.target.load_state_dict(self.online.state_dict())
        return (goal - value).detach().cpu().numpy(), float(loss.detach())

    def network(self) -> Network:
        """Return a copy of the online network, on the CPU."""
        return copy.deepcopy(self.online).cpu()

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        return {
            "online": self.online.state_dict(),
            "target": self.target.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "updates": self.updates,
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.online.load_state_dict(state["online"])
        self.target.load_state_dict(state["target"])
        self._optimiser.load_state_dict(state["optimiser"])
        self.updates = state["updates"]


def bootstrap_target(
    online: nn.Module | None, target: nn.Module, reward: Tensor, discount: Tensor, after: Tensor, allowed: Tensor
) -> Tensor:
    """Return the reward plus the discounted value of the best allowed next action.

    With an *online* network, that picks the action and the target network values it (Double DQN); without,
    the target network does both. Where the discount is 0 the target is the reward alone: Algorithm 1 prints
    its two branches the wrong way round (MODEL.md section 4, *Reading* c).
    """
    with torch.no_grad():
        values = target(after).masked_fill(~allowed, -torch.inf)
        judge = values if online is None else online(after).masked_fill(~allowed, -torch.inf)
        best = judge.argmax(dim=1, keepdim=True)
        goal: Tensor = reward + discount * values.gather(1, best).squeeze(1)
        return goal


def weighted_loss(goal: Tensor, value: Tensor, weight: Tensor, loss: str) -> Tensor:
    """Return the mean of the weighted squared errors, or of the weighted Huber losses at 1."""
    each_loss = nn.functional.mse_loss if loss == "mse" else nn.functional.huber_loss
    return (weight * each_loss(value, goal, reduction="none")).mean()
