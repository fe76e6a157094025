"""The Q-network: two hidden layers, then a plain or a dueling head (section 4.1.3)."""

import numpy as np
import torch
from torch import Tensor, nn


class QNetwork(nn.Module):
    """Two hidden layers, then Q of every action; dueling: ``Q = V + A - mean(A)``.

    Parameters
    ----------
    observation
        Width of an observation.
    hidden
        Neurons of the hidden layers.
    actions
        How many actions there are.
    dueling
        Whether value and advantages are apart (Wang et al., 2016).
    """

    def __init__(self, observation: int, hidden: tuple[int, int], actions: int, dueling: bool) -> None:
        super().__init__()
        self.actions, self.dueling = actions, dueling
        self.first = nn.Linear(observation, hidden[0])
        self.second = nn.Linear(hidden[0], hidden[1])
        # Of a dueling head the advantages, then the value, in one product.
        self.head = nn.Linear(hidden[1], actions + dueling)

    def forward(self, observation: Tensor) -> Tensor:
        """Return Q of every action, shape ``(..., actions)``."""
        features = torch.relu(self.second(torch.relu(self.first(observation))))
        out: Tensor = self.head(features)
        if not self.dueling:
            return out
        advantage, value = out[..., : self.actions], out[..., self.actions :]
        q: Tensor = value + (advantage - advantage.mean(dim=-1, keepdim=True))
        return q


def seeded_network(
    rng: np.random.Generator, observation: int, hidden: tuple[int, int], actions: int, dueling: bool
) -> QNetwork:
    """Return a network whose first weights are drawn from *rng*, torch's own generator untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**63)))
        return QNetwork(observation, hidden, actions, dueling)
