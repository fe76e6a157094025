"""The replay buffer: a ring of transitions, observations kept in parts (`offbench.environment.observation`)."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .batch import Batch
from .sampling import Sampler

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]


class Composer(Protocol):
    """What makes observations of their parts: an `offbench.environment.Observer`, or one like it."""

    dynamic: int
    """numbers that depend on the actions"""

    def compose(self, dynamic: Any, states: Any, out: Any, /) -> Any:
        """Fill *out* with observations made of their dynamic parts and states."""

    def masks(self, states: Any, /) -> NDArray[np.bool_]:
        """Return which servers the subtask at hand may run on."""
        raise NotImplementedError


@dataclass(frozen=True)
class Transitions:
    """What happened in some steps, a row each."""

    state: Ints
    """the observer's, before the action"""
    dynamic: Floats32
    """the rest of the observation"""
    action: Ints
    reward: Floats32
    """the next rewards, discounted, of one step or several"""
    discount: Floats32
    """of what comes after them; 0 where the episode ended"""
    next_state: Ints
    next_dynamic: Floats32

    def __len__(self) -> int:
        return len(self.action)

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """The fields in order."""
        return tuple(getattr(self, each.name) for each in fields(self))

    def take(self, rows: Ints) -> "Transitions":
        """Return some of the rows."""
        return Transitions(*(column[rows] for column in self.columns))

    @staticmethod
    def join(parts: Sequence["Transitions"]) -> "Transitions":
        """Return the rows of all parts."""
        if len(parts) == 1:
            return parts[0]
        return Transitions(*map(np.concatenate, zip(*(part.columns for part in parts), strict=True)))


class Replay:
    """The last transitions, from which batches are drawn.

    Parameters
    ----------
    capacity
        How many are kept.
    observer
        Puts observations together.
    sampler
        Draws.
    """

    def __init__(self, capacity: int, observer: Composer, sampler: Sampler) -> None:
        self._observer, self.sampler = observer, sampler
        self._kept = Transitions(
            np.zeros(capacity, np.int64), np.zeros((capacity, observer.dynamic), np.float32),
            np.zeros(capacity, np.int64), np.zeros(capacity, np.float32), np.zeros(capacity, np.float32),
            np.zeros(capacity, np.int64), np.zeros((capacity, observer.dynamic), np.float32),
        )  # fmt: skip
        self._capacity = capacity
        self._next = 0
        self.size = 0

    def add(self, transitions: Transitions) -> None:
        """Keep transitions, over the oldest where the ring is full."""
        slots = (self._next + np.arange(len(transitions))) % self._capacity
        for column, new in zip(self._kept.columns, transitions.columns, strict=True):
            column[slots] = new
        self._next = (self._next + len(slots)) % self._capacity
        self.size = min(self.size + len(slots), self._capacity)
        self.sampler.added(slots)

    def draw(self, batch: Batch, rng: np.random.Generator) -> Ints:
        """Fill a batch; return the slots it was drawn from."""
        rows = len(batch)
        slots, batch.weights = self.sampler.draw(self.size, rows, rng)
        drawn = self._kept.take(slots)
        self._observer.compose(drawn.dynamic, drawn.state, batch.observations[:rows])
        self._observer.compose(drawn.next_dynamic, drawn.next_state, batch.observations[rows:])
        batch.actions, batch.rewards, batch.discounts = drawn.action, drawn.reward, drawn.discount
        batch.allowed = self._observer.masks(drawn.next_state)
        return slots

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        filled = [column[: self.size].copy() for column in self._kept.columns]
        return {"columns": filled, "next": self._next, "size": self.size, "sampler": self.sampler.state()}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._next, self.size = state["next"], state["size"]
        for column, filled in zip(self._kept.columns, state["columns"], strict=True):
            column[: self.size] = filled
        self.sampler.load(state["sampler"])
