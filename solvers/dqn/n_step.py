"""From single steps of many episodes to transitions of one step or several."""

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .replay import Floats32, Ints, Transitions


class NStepQueue:
    """Adds up the rewards of n steps; an episode's last transitions have fewer, and no transition crosses its end.

    Parameters
    ----------
    n
        Steps at most.
    gamma
        The discount.
    """

    def __init__(self, n: int, gamma: float) -> None:
        self._n, self._gamma = n, gamma
        self._past: deque[tuple[Ints, Floats32, Ints, Floats32]] = deque(maxlen=n)
        self._since_start: Ints | None = None

    def add(
        self, before: tuple[Ints, Floats32], actions: Ints, rewards: NDArray[np.float64],
        after: tuple[Ints, Floats32], ended: NDArray[np.bool_], active: NDArray[np.bool_],
    ) -> Transitions:  # fmt: skip
        """Take in a step of every episode.

        Parameters
        ----------
        before, after
            States and dynamic parts of the observations, those after before any reset.
        actions, rewards
            Of each episode.
        ended
            Which ended with this step.
        active
            Which made it at all. One may wait before its first step, not later.

        Returns
        -------
        Transitions
            Those that are complete now.
        """
        if self._since_start is None:
            self._since_start = np.zeros(len(actions), dtype=np.int64)
        self._past.append((*before, actions, rewards.astype(np.float32)))
        self._since_start += active
        found = []
        total = np.zeros(len(actions), dtype=np.float32)
        for lag, (state, dynamic, action, reward) in enumerate(reversed(self._past)):
            total = reward + np.float32(self._gamma) * total
            known = self._since_start > lag
            rows = np.flatnonzero(known & (ended | (lag == self._n - 1)))
            discount = np.where(ended, 0.0, self._gamma ** (lag + 1)).astype(np.float32)
            every = Transitions(state, dynamic, action, total, discount, *after)
            found.append(every.take(rows) if len(rows) < len(actions) else every)
        self._since_start[ended] = 0
        return Transitions.join(found)

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        since = None if self._since_start is None else self._since_start.copy()
        return {"past": [list(each) for each in self._past], "since_start": since}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._past.clear()
        self._past.extend((np.asarray(s), np.asarray(d), np.asarray(a), np.asarray(r)) for s, d, a, r in state["past"])
        self._since_start = None if state["since_start"] is None else np.asarray(state["since_start"]).copy()
