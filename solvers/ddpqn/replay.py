"""Prioritised experience replay (Schaul et al., 2016), on a sum tree."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

compiled = njit(cache=True, nogil=True, error_model="numpy")


class Transitions:
    """Columns of equal length: what happened in each step.

    Parameters
    ----------
    capacity
        How many steps are kept.
    observation
        Width of an observation.
    actions
        How many actions there are.
    """

    def __init__(self, capacity: int, observation: int, actions: int) -> None:
        self.observation = np.zeros((capacity, observation), dtype=np.float32)
        self.action = np.zeros(capacity, dtype=np.int64)
        self.reward = np.zeros(capacity, dtype=np.float32)
        self.next_observation = np.zeros((capacity, observation), dtype=np.float32)
        self.next_allowed = np.zeros((capacity, actions), dtype=np.bool_)
        self.terminal = np.zeros(capacity, dtype=np.bool_)


class PrioritisedReplay:
    """A ring of transitions, sampled in proportion to ``priority^omega``.

    Parameters
    ----------
    transitions
        The columns, empty.
    omega
        Exponent of the priorities; 0 samples uniformly.
    beta
        Exponent of the importance weights.
    rng
        Source of randomness.
    """

    def __init__(self, transitions: Transitions, omega: float, beta: float, rng: np.random.Generator) -> None:
        self.transitions = transitions
        self.capacity = len(transitions.action)
        self.size = 0
        self._next = 0
        self._omega = omega
        self._beta = beta
        self._rng = rng
        self._leaves = 1 << (self.capacity - 1).bit_length()
        self._tree = np.zeros(2 * self._leaves)
        self._highest = 1.0

    def add(
        self,
        observation: NDArray[np.float32],
        action: int,
        reward: float,
        next_observation: NDArray[np.float32],
        next_allowed: NDArray[np.bool_],
        terminal: bool,
    ) -> None:
        """Keep a transition, over the oldest if the ring is full, with the highest priority so far."""
        t, i = self.transitions, self._next
        t.observation[i] = observation
        t.action[i] = action
        t.reward[i] = reward
        t.next_observation[i] = next_observation
        t.next_allowed[i] = next_allowed
        t.terminal[i] = terminal
        _set(self._tree, self._leaves, np.array([i]), np.array([self._highest]))
        self._next = (i + 1) % self.capacity
        self.size = min(self.size + 1, self.capacity)

    def sample(self, batch: int) -> tuple[Ints, NDArray[np.float32]]:
        """Draw transitions, one from each of *batch* equal shares of the total priority.

        Returns
        -------
        tuple
            Their indices, and their importance weights ``(size * P(i))^-beta`` over the largest.
        """
        shares = (np.arange(batch) + self._rng.random(batch)) / batch
        indices = _find(self._tree, self._leaves, self.size, shares)
        probability = self._tree[self._leaves + indices] / self._tree[1]
        weights = (self.size * probability) ** -self._beta
        return indices, (weights / weights.max()).astype(np.float32)

    def update(self, indices: Ints, errors: NDArray[np.float32]) -> None:
        """Set the priorities of sampled transitions to their temporal-difference errors."""
        priorities = (np.abs(errors).astype(np.float64) + 1e-6) ** self._omega
        self._highest = max(self._highest, float(priorities.max()))
        _set(self._tree, self._leaves, indices, priorities)


@compiled
def _set(tree, leaves, indices, priorities):  # type: ignore[no-untyped-def]
    # A parent is the sum of its children, never "the old sum plus a difference": that drifts, and
    # goes wrong when one batch has a transition twice.
    for j in range(indices.size):
        node = leaves + indices[j]
        tree[node] = priorities[j]
        node //= 2
        while node >= 1:
            tree[node] = tree[2 * node] + tree[2 * node + 1]
            node //= 2


@compiled
def _find(tree, leaves, size, shares):  # type: ignore[no-untyped-def]
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
