"""How transitions are drawn from the replay: all alike, or by their errors (Schaul et al., 2016)."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.compiled import compiled

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]

# What an error of 0 counts as, so that nothing is never drawn again.
_LEAST = 1e-6


class Sampler(Protocol):
    """Draws slots of a replay."""

    def added(self, slots: Ints) -> None:
        """Take in that new transitions stand in these slots."""

    def draw(self, size: int, batch: int, rng: np.random.Generator) -> tuple[Ints, Floats32]:
        """Draw slots of the *size* filled ones; return them and their weights in the loss."""

    def learnt(self, slots: Ints, errors: Floats32) -> None:
        """Take in the temporal-difference errors of slots drawn."""

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""


class Uniform:
    """All transitions alike, weights of one."""

    def added(self, slots: Ints) -> None:
        """Nothing depends on it."""

    def draw(self, size: int, batch: int, rng: np.random.Generator) -> tuple[Ints, Floats32]:
        """Draw slots with replacement."""
        return rng.integers(size, size=batch), np.ones(batch, dtype=np.float32)

    def learnt(self, slots: Ints, errors: Floats32) -> None:
        """Nothing depends on it."""

    def state(self) -> dict[str, Any]:
        """There is nothing to keep."""
        return {}

    def load(self, state: dict[str, Any]) -> None:
        """There is nothing to keep."""


class Prioritized:
    """In proportion to ``|error|^omega``, weights ``(size * P)^-beta`` over the batch's largest, on a sum tree.

    Parameters
    ----------
    capacity
        Slots of the replay.
    omega
        Exponent of the priorities; 0 draws all alike.
    beta
        Exponent of the weights; 1 undoes the priorities in the mean.
    """

    def __init__(self, capacity: int, omega: float, beta: float) -> None:
        self._omega, self._beta = omega, beta
        self._leaves = 1 << max(0, capacity - 1).bit_length()
        self._tree = np.zeros(2 * self._leaves)
        self._highest = 1.0

    def added(self, slots: Ints) -> None:
        """Give new transitions the highest priority so far."""
        _set(self._tree, self._leaves, slots, np.full(len(slots), self._highest))

    def draw(self, size: int, batch: int, rng: np.random.Generator) -> tuple[Ints, Floats32]:
        """Draw a slot from each of *batch* equal shares of the total priority."""
        shares = (np.arange(batch) + rng.random(batch)) / batch
        slots = _find(self._tree, self._leaves, size, shares)
        probability = self._tree[self._leaves + slots] / self._tree[1]
        weights = (size * probability) ** -self._beta
        return slots, (weights / weights.max()).astype(np.float32)

    def learnt(self, slots: Ints, errors: Floats32) -> None:
        """Set the priorities of slots drawn to their errors."""
        priorities = (np.abs(errors).astype(np.float64) + _LEAST) ** self._omega
        self._highest = max(self._highest, float(priorities.max()))
        _set(self._tree, self._leaves, slots, priorities)

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        return {"tree": self._tree.copy(), "highest": self._highest}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._tree[:], self._highest = state["tree"], state["highest"]


@compiled
def _set(tree, leaves, slots, priorities):
    # A parent is the sum of its children, never "the old sum plus a difference": that drifts, and
    # goes wrong when one batch has a slot twice.
    for j in range(slots.size):
        node = leaves + slots[j]
        tree[node] = priorities[j]
        node //= 2
        while node >= 1:
            tree[node] = tree[2 * node] + tree[2 * node + 1]
            node //= 2


@compiled
def _find(tree, leaves, size, shares):
    found = np.empty(shares.size, np.int64)
    for j in range(shares.size):
        rest = shares[j] * tree[1]
        node = 1
        while node < leaves:
            node *= 2
            if rest >= tree[node] and tree[node + 1] > 0:
                rest -= tree[node]
                node += 1
        found[j] = min(node - leaves, size - 1)
    return found
