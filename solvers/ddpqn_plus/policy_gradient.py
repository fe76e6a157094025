"""A policy gradient from whole rollouts (Williams, 1992): each step's baseline is the mean over the rollouts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from offbench import Search
from offbench.environment import Episodes
from offbench.search.metrics import Diary
from offbench.solvers.dqn.adam import Adam

from . import network
from .features import ProblemFeatures, ServerObserver
from .learner import values
from .network import Shape

if TYPE_CHECKING:
    from . import DdpqnPlus

Floats = NDArray[np.float64]
Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]

# What keeps rollouts that are all alike from a division by 0.
_LEAST = 1e-9


class PolicyGradient:
    """A network whose values are logits, and rollouts of some problems, which take turns.

    Parameters
    ----------
    settings
        The solver's parameters.
    observer, facts
        How the problems are observed.
    searches
        Of the same problems; each scores what its rollouts end with.
    rng
        Source of all randomness, the network's first weights included.
    diary
        Told of episodes, the policy's entropy and the best objective.
    """

    def __init__(
        self, settings: "DdpqnPlus", observer: ServerObserver, facts: Sequence[ProblemFeatures],
        searches: Sequence[Search], rng: np.random.Generator, diary: Diary,
    ) -> None:  # fmt: skip
        self._settings, self._rng, self._diary = settings, rng, diary
        self.shape = Shape(*settings.hidden, settings.dueling, observer.constrained)
        self.weights = self.shape.draw(rng)
        self._gradient = np.zeros_like(self.weights)
        self._optimiser = Adam(self.weights, self._gradient, settings.gradient_lr)
        self._rollouts = [
            Rollouts(search, observer, index, each, settings)
            for index, (search, each) in enumerate(zip(searches, facts, strict=True))
        ]
        self._searches = searches
        self._turn = self.updates = self.moves = 0

    def learn(self) -> None:
        """Make a step of all rollouts of one problem, and an update where one is due."""
        rollouts = self._rollouts[self._turn % len(self._rollouts)]
        rollouts.step(self.shape, self.weights, self._rng)
        self.moves += 1
        if rollouts.due:
            self._update(rollouts)
        if rollouts.ended:
            rollouts.propose()
            self._turn += 1
            self._diary.tell("episode", self._turn * self._settings.rollouts)
            best = float(np.mean([search.objective for search in self._searches]))
            if best < np.inf:  # each has a feasible placement
                self._diary.tell("best Q", best)
            rollouts.reset()

    def propose(self) -> None:
        """Score what is under way, completed by the best placement before it."""
        for rollouts in self._rollouts:
            rollouts.propose()

    def _update(self, rollouts: "Rollouts") -> None:
        settings = self._settings
        observations, allowed, actions, advantages = rollouts.take()
        left = 1 - rollouts.search.progress / settings.gradient
        bonus = np.float32(max(settings.entropy_floor, settings.entropy * left))
        entropy = network.reinforce(
            self.weights, *self.shape, observations, allowed, actions, advantages, bonus, self._gradient
        )
        self._optimiser.step()
        self.updates += 1
        self._diary.tell("entropy", entropy, self.updates)

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        return {
            "weights": self.weights.copy(),
            "optimiser": self._optimiser.state(),
            "rollouts": [each.state() for each in self._rollouts],
            "counts": [self._turn, self.updates, self.moves],
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self.weights[:] = state["weights"]
        self._optimiser.load(state["optimiser"])
        for each, kept in zip(self._rollouts, state["rollouts"], strict=True):
            each.load(kept)
        self._turn, self.updates, self.moves = state["counts"]


class Rollouts:
    """Whole episodes of one problem, all at the same subtask; the first one's actions are the policy's likeliest.

    Steps are learnt from in segments, each once as many steps again have been made or the episodes end: what comes
    still later is discounted to little, and memory doesn't grow with the problem.

    Parameters
    ----------
    search
        Scores what they end with.
    observer, index
        How the problem is observed, and which of the observer's it is.
    facts
        What observations are made of.
    settings
        The solver's parameters.
    """

    def __init__(
        self, search: Search, observer: ServerObserver, index: int, facts: ProblemFeatures, settings: "DdpqnPlus"
    ) -> None:
        self.search, self._observer, self._facts, self._settings = search, observer, facts, settings
        self._first_state = int(observer.first_state[index])
        self._episodes = Episodes(search.problem, settings.rollouts, penalty=facts.penalty)
        room = min(2 * settings.segment, len(search.problem.free))
        self._seen = np.empty((room, settings.rollouts, observer.width), np.float32)
        self._states, self._actions = np.empty((2, room, settings.rollouts), np.int64)
        self._rewards = np.empty((room, settings.rollouts))
        self._kept = 0
        self.reset()

    def reset(self) -> None:
        """Begin anew, with what is best so far behind the decisions to come."""
        self._episodes.reset()
        if self.search.incumbent is not None:
            self._episodes.servers[:] = self.search.incumbent.servers

    @property
    def ended(self) -> bool:
        """Whether the last step was made."""
        return bool(self._episodes.decided[0] == self.search.problem.n_subtasks)

    @property
    def due(self) -> bool:
        """Whether a segment can be learnt from."""
        return self.ended or self._kept == 2 * self._settings.segment

    def step(self, shape: Shape, weights: Floats32, rng: np.random.Generator) -> None:
        """Make a step of all, drawn by the softmax of a network's values."""
        i, states = self._kept, self._episodes.decided + self._first_state
        masks = self._observer.masks(states)
        self._seen[i] = self._facts.observe(self._episodes, self._observer)
        logits = values(shape, weights, self._seen[i])
        noise = rng.gumbel(size=logits.shape)  # the largest of logits with it is a draw from their softmax
        noise[0] = 0
        self._states[i], self._actions[i] = states, np.where(masks, logits + noise, -np.inf).argmax(axis=1)
        rewards, _ = self._episodes.step(self._actions[i])
        self._rewards[i] = rewards / self._facts.unit
        self._kept += 1

    def take(self) -> tuple[Floats32, NDArray[np.bool_], Ints, Floats32]:
        """Return observations, allowed servers, actions and advantages of the segment that is due, and forget it."""
        kept = self._kept
        used = kept if self.ended else self._settings.segment
        advantages = np.zeros((used, self._settings.rollouts), np.float32)
        # The first is no draw.
        advantages[:, 1:] = advantages_of(self._rewards[:kept, 1:], self._settings.gradient_gamma)[:used]
        seen = self._seen[:used].reshape(-1, self._seen.shape[-1]).copy()
        allowed, actions = self._observer.masks(self._states[:used].ravel()), self._actions[:used].ravel().copy()
        for part in self._parts:
            part[: kept - used] = part[used:kept]
        self._kept -= used
        return seen, allowed, actions, advantages.ravel()

    def propose(self) -> None:
        """Score the placements, the undecided subtasks where they were in the best one when the round began."""
        servers = self._episodes.servers
        if self.ended:
            self.search.policy = servers[0].copy()
        self.search.propose_many(servers)

    @property
    def _parts(self) -> tuple[NDArray[Any], ...]:
        return self._seen, self._states, self._actions, self._rewards

    def state(self) -> dict[str, Any]:
        """Return all that it takes to go on."""
        kept = [part[: self._kept].copy() for part in self._parts]
        return {"episodes": self._episodes.state(), "kept": kept}

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a `state`."""
        self._episodes.load(state["episodes"])
        self._kept = len(state["kept"][0])
        for part, kept in zip(self._parts, state["kept"], strict=True):
            part[: self._kept] = kept


def advantages_of(rewards: Floats, gamma: float) -> Floats:
    """Return how much better than the mean of the rollouts each one goes on from each step, over the deviation.

    Parameters
    ----------
    rewards
        Shape ``(steps, rollouts)``.
    gamma
        Discount.
    """
    returns = rewards.copy()
    for i in range(len(returns) - 2, -1, -1):
        returns[i] += gamma * returns[i + 1]
    advantages = returns - returns.mean(axis=1, keepdims=True)
    found: Floats = advantages / (advantages.std() + _LEAST)
    return found
