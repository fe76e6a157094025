"""The same learner by hand: flat parameters, a written-out backward pass, no graph, no allocation.

A network this small spends its time in torch's bookkeeping; here an update is some thirty calls on
buffers made once. Tested against `ReferenceLearner`, which it must follow.
"""

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .adam import Adam
from .batch import Batch, Learning
from .network import QNetwork


class FastLearner:
    """Deep Q-learning with a target network on the CPU, many updates a second.

    Parameters
    ----------
    network
        The online network that it begins with; it is copied.
    learning
        How it learns.
    rows
        Transitions in a batch.
    """

    def __init__(self, network: QNetwork, learning: Learning, rows: int) -> None:
        self._learning = learning
        self._shapes = [parameter.shape for parameter in network.parameters()]
        self._flat = torch.cat([parameter.detach().reshape(-1) for parameter in network.parameters()])
        self._target_flat = self._flat.clone()
        self._gradient = torch.zeros_like(self._flat)
        self._online = _Layers(self._views(self._flat), network)
        self._target = _Layers(self._views(self._target_flat), network)
        self._slopes = self._views(self._gradient)
        self._optimiser = Adam(self._flat.numpy(), self._gradient.numpy(), learning.lr)
        self._rows = rows
        self._buffers = _Buffers(network, rows)
        self._acting: dict[int, tuple[Tensor, _Hidden]] = {}
        self._network = copy.deepcopy(network)
        self.updates = 0

    def _views(self, flat: Tensor) -> list[Tensor]:
        parts = torch.split(flat, [shape.numel() for shape in self._shapes])
        return [part.view(shape) for part, shape in zip(parts, self._shapes, strict=True)]

    @torch.inference_mode()
    def values(self, observations: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return Q of every action, shape ``(rows, actions)``."""
        rows = len(observations)
        if rows not in self._acting:
            self._acting[rows] = torch.empty(observations.shape), self._online.hidden(rows)
        x, hidden = self._acting[rows]
        x.numpy()[:] = observations  # into aligned memory, as in `Batch.empty`
        values: NDArray[np.float32] = self._online.forward(x, hidden).numpy().copy()
        return values

    @torch.no_grad()
    def update(self, batch: Batch) -> tuple[NDArray[np.float32], float]:
        """Make one update; return the temporal-difference errors, and the loss before it."""
        n, b = self._rows, self._buffers
        both = torch.from_numpy(batch.observations)
        action = torch.from_numpy(batch.actions)[:, None]
        weight = torch.from_numpy(batch.weights)
        forbidden = None if batch.allowed.all() else torch.from_numpy(~batch.allowed)
        after = both[n:]

        following = self._target.forward(after, b.target)
        if self._learning.switches.double:
            q = self._online.forward(both, b.online)
            judge = q[n:]
        else:
            q = self._online.forward(both[:n], b.online_before)
            judge = following
        if forbidden is not None:
            judge.masked_fill_(forbidden, -torch.inf)
        best = judge.argmax(dim=1, keepdim=True)
        goal = torch.gather(following, 1, best, out=b.following).squeeze(1)
        goal.mul_(torch.from_numpy(batch.discounts)).add_(torch.from_numpy(batch.rewards))
        error = goal.sub_(torch.gather(q[:n], 1, action, out=b.value).squeeze(1))

        if self._learning.loss == "mse":
            loss = torch.dot(weight, error * error).div_(n)
            slope = torch.mul(error, weight, out=b.slope).mul_(-2 / n)
        else:
            clipped = error.clamp(-1, 1)
            loss = torch.dot(weight, clipped * (error - clipped / 2)).div_(n)
            slope = torch.mul(clipped, weight, out=b.slope).mul_(-1 / n)
        b.slopes.zero_().scatter_(1, action, slope[:, None])
        self._backward(both[:n])
        self._optimiser.step()
        self._online.refresh()
        self.updates += 1
        if self.updates % self._learning.copy_every == 0:
            self._target_flat.copy_(self._flat)
            self._target.refresh()
        return error.numpy().copy(), float(loss)

    def _backward(self, before: Tensor) -> None:
        """Turn the slopes of the loss in Q into those in the parameters."""
        b, n = self._buffers, self._rows
        layers = self._online
        w1, b1, w2, b2, w3, b3 = self._slopes
        first, second = b.online.first[:n], b.online.second[:n]
        if layers.mix is None:
            torch.mm(b.slopes.t(), second, out=w3)
            torch.sum(b.slopes, 0, out=b3)
        else:
            torch.mm(layers.mix.t(), torch.mm(b.slopes.t(), second, out=b.head), out=w3)
            torch.mv(layers.mix.t(), torch.sum(b.slopes, 0, out=b.head_bias), out=b3)
        # The slope of a rectifier is the sign of what it put out.
        d2 = torch.mm(b.slopes, layers.head, out=b.d2).mul_(torch.sign(second, out=b.sign2))
        torch.mm(d2.t(), first, out=w2)
        torch.sum(d2, 0, out=b2)
        d1 = torch.mm(d2, layers.w2, out=b.d1).mul_(torch.sign(first, out=b.sign1))
        torch.mm(d1.t(), before, out=w1)
        torch.sum(d1, 0, out=b1)

    @torch.no_grad()
    def network(self) -> QNetwork:
        """Return a copy of the online network."""
        network = copy.deepcopy(self._network)
        for parameter, view in zip(network.parameters(), self._views(self._flat), strict=True):
            parameter.copy_(view)
        return network

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        return {
            "online": self._flat.detach().clone(),
            "target": self._target_flat.clone(),
            "optimiser": self._optimiser.state(),
            "updates": self.updates,
        }

    @torch.no_grad()
    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._flat.copy_(state["online"])
        self._target_flat.copy_(state["target"])
        self._optimiser.load(state["optimiser"])
        self.updates = state["updates"]
        self._online.refresh()
        self._target.refresh()


class _Hidden:
    """Where a forward pass writes."""

    def __init__(self, first: Tensor, second: Tensor, out: Tensor) -> None:
        self.first, self.second, self.out = first, second, out

    def rows(self, n: int) -> "_Hidden":
        return _Hidden(self.first[:n], self.second[:n], self.out[:n])


class _Layers:
    """A network's parameters, as views of flat ones, with the head that is plain whatever it is made of."""

    def __init__(self, parameters: list[Tensor], network: QNetwork) -> None:
        self.w1, self.b1, self.w2, self.b2, self.w3, self.b3 = parameters
        self._t1, self._t2 = self.w1.t(), self.w2.t()
        self.mix: Tensor | None = None
        self.head, self.head_bias = self.w3, self.b3
        if network.dueling:
            # V + A - mean(A) is linear in V and A, so it melts into the head.
            k = network.actions
            self.mix = torch.cat([torch.eye(k) - 1 / k, torch.ones(k, 1)], dim=1)
            self.head, self.head_bias = torch.empty(k, self.w3.shape[1]), torch.empty(k)
        self._t3 = self.head.t()
        self.refresh()

    def refresh(self) -> None:
        """Take in new parameters."""
        if self.mix is not None:
            torch.mm(self.mix, self.w3, out=self.head)
            torch.mv(self.mix, self.b3, out=self.head_bias)

    def hidden(self, rows: int) -> _Hidden:
        return _Hidden(
            torch.empty(rows, len(self.b1)), torch.empty(rows, len(self.b2)), torch.empty(rows, len(self.head_bias))
        )

    def forward(self, x: Tensor, hidden: _Hidden) -> Tensor:
        torch.addmm(self.b1, x, self._t1, out=hidden.first).relu_()
        torch.addmm(self.b2, hidden.first, self._t2, out=hidden.second).relu_()
        return torch.addmm(self.head_bias, hidden.second, self._t3, out=hidden.out)


class _Buffers:
    """What an update writes to."""

    def __init__(self, network: QNetwork, rows: int) -> None:
        h1, h2, k = network.first.out_features, network.second.out_features, network.actions

        def hidden(n: int) -> _Hidden:
            return _Hidden(torch.empty(n, h1), torch.empty(n, h2), torch.empty(n, k))

        self.online = hidden(2 * rows)
        self.online_before = self.online.rows(rows)
        self.target = hidden(rows)
        self.following, self.value = torch.empty(rows, 1), torch.empty(rows, 1)
        self.slope = torch.empty(rows)
        self.slopes = torch.empty(rows, k)
        self.head, self.head_bias = torch.empty(k, h2), torch.empty(k)
        self.d1, self.sign1 = torch.empty(rows, h1), torch.empty(rows, h1)
        self.d2, self.sign2 = torch.empty(rows, h2), torch.empty(rows, h2)
