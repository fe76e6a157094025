"""The dueling Q-network (section 4.1.3)."""

import torch
from torch import Tensor, nn


class DuelingNetwork(nn.Module):
    """Two hidden layers, then ``Q = V + A - mean(A)``.

    Parameters
    ----------
    observation
        Width of an observation.
    hidden
        Neurons of the hidden layers.
    actions
        How many actions there are.
    """

    def __init__(self, observation: int, hidden: tuple[int, int], actions: int) -> None:
        super().__init__()
        self.first = nn.Linear(observation, hidden[0])
        self.second = nn.Linear(hidden[0], hidden[1])
        self.heads = nn.Linear(hidden[1], actions + 1)  # advantages, then the value, in one product
        self.actions = actions

    def forward(self, observation: Tensor) -> Tensor:
        """Return Q of every action, shape ``(..., actions)``."""
        features = torch.relu(self.second(torch.relu(self.first(observation))))
        advantage, value = self.heads(features).split((self.actions, 1), dim=-1)
        q: Tensor = value + (advantage - advantage.mean(dim=-1, keepdim=True))
        return q


def double_target(
    online: nn.Module,
    target: nn.Module,
    reward: Tensor,
    next_observation: Tensor,
    next_allowed: Tensor,
    terminal: Tensor,
    gamma: float,
) -> Tensor:
    """Return ``r + gamma * Q'(s', argmax_a Q(s', a))``, the reward alone where *terminal*.

    The online network picks the next action among the allowed ones, the target network values it.
    Algorithm 1 prints its two branches the wrong way round (MODEL.md section 4, *Reading* c).
    """
    with torch.no_grad():
        chosen = online(next_observation).masked_fill(~next_allowed, -torch.inf).argmax(dim=1, keepdim=True)
        following = target(next_observation).gather(1, chosen).squeeze(1)
        goal: Tensor = reward + gamma * following * ~terminal
        return goal
