"""Rounds of episodes, whole ones and windows of a good placement."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from offbench.solvers._moves import start
from offbench.solvers.dqn.replay import Transitions
from offbench.solvers.dqn.steps import Steps

from offbench import Search
from offbench.environment import Episodes

from .features import Facts, ServerObserver

if TYPE_CHECKING:
    from . import DdpqnPlus

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


# Last temperature of the heat bath over the first.
_COLD = 0.01


class Rounds:
    """Episodes of one problem, which all begin and end together.

    Parameters
    ----------
    search
        Scores placements and keeps the best one, which the windows are in.
    observer, index
        How the problem is observed, and which of the observer's it is.
    settings
        The solver's parameters.
    rng
        Source of randomness.
    """

    def __init__(
        self, search: Search, observer: ServerObserver, index: int, settings: "DdpqnPlus", rng: np.random.Generator
    ) -> None:
        self.search, self._observer, self._settings, self._rng = search, observer, settings, rng
        problem = search.problem
        self.reference = start(problem, search)
        """servers of what everything is measured by"""
        self._facts = Facts(problem, self.reference, settings.onward)
        self._first_state = int(observer.first_state[index])
        self._episodes = Episodes(problem, settings.episodes)
        self._steps = Steps(settings.steps, settings.gamma)
        self.base: Ints = self.reference
        """servers of the placement that the windows are in"""
        self._base_objective = search.objective
        self.first: Ints = np.zeros(settings.episodes, dtype=np.int64)
        """where each window begins, among the free subtasks"""
        self.length = 0
        """free subtasks of a window"""
        self._done = 0
        self._moves = self._whole_moves = 0

    @property
    def placements(self) -> Ints:
        """Servers of each episode, shape ``(episodes, n_subtasks)``."""
        return self._episodes.servers

    @property
    def under_way(self) -> bool:
        """Whether a round has begun and not ended."""
        return self._done < self.length

    def begin(self) -> None:
        """Begin a round: of whole episodes where they had less than their share of the steps, else of windows."""
        free, settings = self.search.problem.free, self._settings
        n = len(free)
        whole = not settings.longest or self._whole_moves <= settings.whole * self._moves
        self.length = n if whole else min(n, int(np.exp(self._rng.uniform(0, np.log(settings.longest + 1)))))
        self.first = self._rng.integers(0, n - self.length + 1, settings.episodes)
        self._done = 0
        self._moves += self.length
        self._whole_moves += self.length if whole else 0
        episodes, inside = self._episodes, self.first > 0
        episodes.reset()
        episodes.servers[:] = self.base
        # The last step before the window is made for all that comes before it.
        episodes.decided[inside] = free[self.first[inside] - 1]
        episodes.step(self.base[episodes.decided], inside)
        self.observation = self._observe()

    def masks(self) -> Mask:
        """Return which servers the subtasks at hand may run on."""
        return self._observer.masks(self._states())

    def step(self, actions: Ints) -> Transitions:
        """Make a step of all episodes; the last one follows the placement that the windows are in.

        Returns
        -------
        Transitions
            Those that are complete now, rewards over the unit and less the reference's.
        """
        episodes, facts, settings = self._episodes, self._facts, self._settings
        k, before = episodes.decided.copy(), (self._states(), self.observation)
        rewards, _ = episodes.step(actions)
        self._done += 1
        last = not self.under_way
        if last:
            objectives = self.search.propose_many(episodes.servers)
            rewards += episodes.objective - objectives
            if self.length == len(self.search.problem.free):
                self.search.policy = episodes.servers[0].copy()
            self._move(objectives)
        if settings.baseline:
            rewards += facts.to_go[k] - (0 if last else settings.gamma * facts.to_go[episodes.decided])
        if settings.scaled:
            rewards /= facts.unit
        self.observation = self._observe()
        every = np.ones(len(actions), dtype=np.bool_)
        return self._steps.add(before, actions, rewards, (self._states(), self.observation), every & last, every)

    def _move(self, objectives: Floats) -> None:
        """Choose the placement that the next windows are in: of all just met, by their objectives as in a heat bath."""
        servers = self._episodes.servers
        if self._settings.merge:
            merged = self._merged(objectives)
            servers = np.concatenate([servers, merged])
            objectives = np.concatenate([objectives, self.search.propose_many(merged)])
        temperature = self._facts.unit * self._settings.heat * _COLD**self.search.progress
        if temperature == 0:
            assert self.search.incumbent is not None
            self.base, self._base_objective = self.search.incumbent.servers, self.search.objective
            return
        noise = self._rng.gumbel(size=len(objectives))
        row = int((noise - objectives / temperature).argmax())
        self.base, self._base_objective = servers[row].copy(), float(objectives[row])

    def _merged(self, objectives: Floats) -> Ints:
        """Return placements of windows that improve: the two best, and ever more of those that overlap none before."""
        better = np.flatnonzero(objectives < self._base_objective)
        merged, taken = self.base.copy(), np.zeros(len(self.base), dtype=np.bool_)
        rows = np.empty((0, len(merged)), dtype=np.int64)
        for row in better[np.argsort(objectives[better], kind="stable")]:
            window = self.search.problem.free[self.first[row] : self.first[row] + self.length]
            if not taken[window].any():
                taken[window] = True
                merged[window] = self._episodes.servers[row, window]
                rows = np.concatenate([rows, merged[None]])
        return rows[1:]

    def _observe(self) -> Floats32:
        return self._facts.observe(self._episodes, self._observer)

    def _states(self) -> Ints:
        states: Ints = self._episodes.decided + self._first_state
        return states

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        assert self.search.incumbent is not None
        return {
            "best": self.search.incumbent.servers,
            "base": [self.base.copy(), self._base_objective],
            "episodes": self._episodes.state(),
            "steps": self._steps.state(),
            "first": self.first.copy(),
            "counts": [self.length, self._done, self._moves, self._whole_moves],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.search.propose(np.asarray(state["best"]))
        self.base, self._base_objective = np.asarray(state["base"][0]), state["base"][1]
        self._episodes.load(state["episodes"])
        self._steps.load(state["steps"])
        self.first[:] = state["first"]
        self.length, self._done, self._moves, self._whole_moves = state["counts"]
        self.observation = self._observe()
