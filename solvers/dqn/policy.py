"""The policy that a network is: the best action by its Q-values, or one drawn by them."""

from collections.abc import Callable
from typing import BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from offbench import P1, OffbenchError
from offbench.environment import Episodes, Layout, Observer
from offbench.environment.observation import width

from .network import QNetwork
from .states import read, write

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]


class QPolicy:
    """A network, and what it must be shown.

    Parameters
    ----------
    network
        On the CPU.
    layout
        What it observes.
    longest
        Subtasks of a task that an observation has room for.
    constrained
        Whether an observation has what is about constraints.
    """

    def __init__(self, network: QNetwork, layout: Layout, longest: int, constrained: bool = False) -> None:
        self.network, self.layout, self.longest, self.constrained = network, layout, longest, constrained

    def place(self, problem: P1, rollouts: int, rng: np.random.Generator) -> Ints:
        """Return placements, shape ``(rollouts, n_subtasks)``: the greedy one, then sampled ones.

        Raises
        ------
        OffbenchError
            If the problem has another number of servers, or a task that is too long.
        """
        if problem.n_servers != self.network.actions:
            raise OffbenchError(f"it was trained for {self.network.actions} servers, not for {problem.n_servers}")
        observer = Observer([problem], self.layout, self.longest, self.constrained)
        return roll_out(self._values, Episodes(problem, rollouts, observer), rng)

    @torch.inference_mode()
    def _values(self, observations: Floats32) -> Floats32:
        values: Floats32 = self.network(torch.from_numpy(observations)).numpy()
        return values

    def save(self, file: BinaryIO) -> None:
        """Write what `load` reads."""
        network = self.network
        shape = {
            "observation": network.first.in_features,
            "hidden": [network.first.out_features, network.second.out_features],
            "actions": network.actions,
            "dueling": network.dueling,
        }
        layout = {"layout": self.layout, "longest": self.longest, "constrained": self.constrained}
        write({"weights": network.state_dict(), "shape": shape, "observation": layout}, file)

    @classmethod
    def load(cls, file: BinaryIO) -> "QPolicy":
        """Read what `save` wrote.

        Raises
        ------
        OffbenchError
            If it isn't that: its parts don't fit one another, or a weight isn't finite.
        """
        kept = read(file)
        shape, weights = kept["shape"], kept["weights"]
        layout, longest = kept["observation"]["layout"], kept["observation"]["longest"]
        constrained = kept["observation"].get("constrained", False)  # older ones don't say
        if [type(part) for part in (longest, shape["dueling"], constrained)] != [int, bool, bool]:
            raise OffbenchError("can't be read: its shape is none")
        with torch.device("meta"):  # takes no memory: what the file says is believed only where its weights fit
            network = QNetwork(shape["observation"], tuple(shape["hidden"]), shape["actions"], shape["dueling"])
        network.load_state_dict(weights, assign=True)
        if network.first.in_features != width(layout, network.actions, longest, constrained):
            raise OffbenchError("can't be read: its network is for other observations than it says")
        if not all(each.dtype == torch.float32 and bool(each.isfinite().all()) for each in network.parameters()):
            raise OffbenchError("can't be read: a weight isn't a finite number of 32 bits")
        return cls(network, layout, longest, constrained)


def roll_out(values: Callable[[Floats32], Floats32], episodes: Episodes, rng: np.random.Generator) -> Ints:
    """Return the placements that a network leads to (Eq. 22), a row for each of the episodes, just begun.

    The paper doesn't say how its candidates differ. Here they draw actions by the softmax of their Q-values, the
    first row at temperature 0, so greedily, the last one at the Q-values' standard deviation.
    """
    temperature = np.linspace(0, 1, len(episodes))[:, None]
    rewards_matter = episodes.observer.layout == "full"
    for _ in episodes.problem.free:
        allowed = np.flatnonzero(episodes.masks()[0])
        q = values(episodes.observe())[:, allowed]
        # The largest of values with Gumbel noise is a draw from their softmax.
        noise = rng.gumbel(size=q.shape) * q.std(axis=1, keepdims=True)
        actions = allowed[(q + temperature * noise).argmax(axis=1)]
        if rewards_matter:
            episodes.step(actions)
        else:
            episodes.place(actions)
    return episodes.servers
