"""Rounds of episodes, whole ones and windows of a good placement."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from offbench import Placement, Search
from offbench.environment import Episodes
from offbench.evaluation.delta import segments_of
from offbench.solvers._shared.moves import start
from offbench.solvers.dqn.n_step import NStepQueue
from offbench.solvers.dqn.replay import Transitions

from .features import ProblemFeatures, ServerObserver
from .orders import Orders

if TYPE_CHECKING:
    from . import DdpqnPlus

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


# Last temperature of the heat bath over the first.
_COLD = 0.01


class WindowedEpisodes:
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
        self.facts = ProblemFeatures(problem, self.reference, settings.onward, settings.penalty)
        """what observations are made of"""
        self._first_state = int(observer.first_state[index])
        self._episodes = Episodes(problem, settings.episodes, penalty=self.facts.penalty)
        self._steps = NStepQueue(settings.steps, settings.gamma)
        self.base: Ints = self.reference
        """servers of the placement that the windows are in"""
        self._base_merit = self._merit_of_incumbent()
        self._base_order: Ints | None = None
        can_wait = not segments_of(problem).in_turn.all()
        self._order = Orders(problem) if can_wait and settings.reorder else None
        self._places: Floats | None = None
        """dispatch orders of the windows; None is first come, first served"""
        self.first: Ints = np.zeros(settings.episodes, dtype=np.int64)
        """where each window begins, among the free subtasks"""
        self.length = 0
        """free subtasks of a window"""
        self._whole = False
        self._tried: Floats | None = None
        """Q and violation with each server for the windows' last subtasks, where they were tried"""
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
        self._whole = whole = self.length == n
        self.first = self._rng.integers(0, n - self.length + 1, settings.episodes)
        self._done = 0
        self._places = None
        if self._order is not None and not whole and self._rng.random() < settings.reorder:
            self._order.follow(self.base, self._base_order)
            one_of_each = free[self.first + self._rng.integers(0, self.length, settings.episodes)]
            self._places = self._order.moved(one_of_each, self._rng)
        self._moves += self.length
        self._whole_moves += self.length if whole else 0
        episodes, inside = self._episodes, self.first > 0
        episodes.reset()
        episodes.servers[:] = self.base
        # The last step before the window is made for all that comes before it.
        episodes.decided[inside] = free[self.first[inside] - 1]
        episodes.step(self.base[episodes.decided], inside)
        self.observation = self._observe()

    def follow_best(self) -> None:
        """Begin the next windows in the best placement met, whoever found it; it took whole episodes to find it."""
        assert self.search.incumbent is not None
        self._whole_moves += len(self.search.problem.free)
        self.base, self._base_order = self.search.incumbent.servers.copy(), self.search.incumbent.order
        self._base_merit = self._merit_of_incumbent()

    def masks(self) -> Mask:
        """Return which servers the subtasks at hand may run on."""
        return self._observer.masks(self._states())

    def exact_actions(self) -> Ints | None:
        """Return actions for the last subtasks of windows, by what each server comes to; None anywhere else.

        Nothing is left to estimate there: all servers are tried, and one drawn as in a heat bath.
        """
        if not self._settings.exact or self._whole or self._done + 1 < self.length:
            return None
        masks = self.masks()[:, : self.search.problem.n_servers]
        row, server = np.nonzero(masks)
        servers = self._episodes.servers[row]
        servers[np.arange(len(row)), self._episodes.decided[row]] = server
        orders = self._orders()
        self._tried = np.full((2, *masks.shape), np.inf)
        self._tried[:, row, server] = self.search.propose_violations(servers, None if orders is None else orders[row])
        heat = self._temperature * self._rng.gumbel(size=masks.shape)
        drawn: Ints = (self.search.problem.merit(*self._tried) - heat).argmin(axis=1)
        return drawn

    def step(self, actions: Ints) -> Transitions:
        """Make a step of all episodes; the last one follows the placement that the windows are in.

        Returns
        -------
        Transitions
            Those that are complete now, rewards over the unit.
        """
        episodes, facts, settings = self._episodes, self.facts, self._settings
        before = (self._states(), self.observation)
        rewards, _ = episodes.step(actions)
        self._done += 1
        last = not self.under_way
        if last:
            orders = self._orders()
            if self._tried is None:
                objectives, violations = self.search.propose_violations(episodes.servers, orders)
            else:
                (objectives, violations), self._tried = self._tried[:, np.arange(len(actions)), actions], None
            rewards += episodes.objective - objectives
            rewards -= facts.penalty * (violations - episodes.violation)
            if self._whole:
                self.search.policy = episodes.servers[0].copy()
            self._move(orders, self.search.problem.merit(objectives, violations))
        if settings.scaled:
            rewards /= facts.unit
        self.observation = self._observe()
        every = np.ones(len(actions), dtype=np.bool_)
        return self._steps.add(before, actions, rewards, (self._states(), self.observation), every & last, every)

    def _merit_of_incumbent(self) -> float:
        search = self.search
        return float(search.problem.merit(np.array(search.objective), np.array(search.violation)))

    def _move(self, orders: Ints | None, merits: Floats) -> None:
        """Choose the placement that the next windows are in: this one or any just met, as in a heat bath."""
        servers = self._episodes.servers
        if self._settings.merge:
            merged, places = self._merged(merits)
            servers = np.concatenate([servers, merged])
            if orders is not None:
                orders = np.concatenate([orders, places.argsort(axis=1)])
            tried = self.search.propose_many(merged, None if orders is None else orders[len(merits) :])
            merits = np.concatenate([merits, tried])
        if self._settings.keep:
            merits = np.append(merits, self._base_merit)
        row = int((merits - self._temperature * self._rng.gumbel(size=len(merits))).argmin())
        if row < len(servers):
            self.base, self._base_merit = servers[row].copy(), float(merits[row])
            self._base_order = None if orders is None else orders[row]

    @property
    def _temperature(self) -> float:
        return self.facts.unit * self._settings.heat * float(_COLD**self.search.progress)

    def _orders(self) -> Ints | None:
        return None if self._places is None else self._places.argsort(axis=1)

    def _merged(self, merits: Floats) -> tuple[Ints, Floats]:
        """Return placements of windows that improve: the two best, and ever more of those that overlap none before."""
        better = np.flatnonzero(merits < self._base_merit)
        merged, taken = self.base.copy(), np.zeros(len(self.base), dtype=np.bool_)
        places = np.zeros(len(merged)) if self._order is None else self._order.place
        rows: tuple[list[Ints], list[Floats]] = [], []
        for row in better[np.argsort(merits[better], kind="stable")]:
            window = self.search.problem.free[self.first[row] : self.first[row] + self.length]
            if taken[window].any():
                continue
            if self._places is not None and self._order is not None:
                own = self._places[row]
                both = np.where(own == self._order.place, places, own)
                if not self._order.possible(both):
                    continue
                places = both
            taken[window] = True
            merged[window] = self._episodes.servers[row, window]
            rows[0].append(merged.copy())
            rows[1].append(places)
        n = len(merged)
        return np.array(rows[0][1:], dtype=np.int64).reshape(-1, n), np.array(rows[1][1:]).reshape(-1, n)

    def _observe(self) -> Floats32:
        return self.facts.observe(self._episodes, self._observer)

    def _states(self) -> Ints:
        states: Ints = self._episodes.decided + self._first_state
        return states

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        assert self.search.incumbent is not None
        return {
            "best": [self.search.incumbent.servers, self.search.incumbent.order],
            "base": [self.base.copy(), self._base_order, self._base_merit],
            "places": self._places,
            "episodes": self._episodes.state(),
            "steps": self._steps.state(),
            "first": self.first.copy(),
            "counts": [self._whole, self.length, self._done, self._moves, self._whole_moves],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.search.propose(Placement(*state["best"]))
        servers, order, self._base_merit = state["base"]
        self.base = np.asarray(servers)
        self._base_order = None if order is None else np.asarray(order)
        self._places = None if state["places"] is None else np.asarray(state["places"])
        if self._order is not None:
            self._order.follow(self.base, self._base_order)
        self._episodes.load(state["episodes"])
        self._steps.load(state["steps"])
        self.first[:] = state["first"]
        self._whole, self.length, self._done, self._moves, self._whole_moves = state["counts"]
        self.observation = self._observe()
