"""A policy gradient first; then return and explore: episodes that leave a good placement for a few subtasks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from offbench import OffbenchError, Search
from offbench.search.metrics import Diary
from offbench.solvers.dqn.batch import Batch, Learning, Switches
from offbench.solvers.dqn.replay import Replay
from offbench.solvers.dqn.sampling import Uniform

from .episodes import WindowedEpisodes
from .features import ServerObserver
from .learner import SharedLearner
from .network import Shape
from .policy import SharedPolicy, draw, ladder
from .policy_gradient import PolicyGradient

if TYPE_CHECKING:
    from offbench.solvers.dqn.fast_learner import FastLearner

    from . import DdpqnPlus

Floats32 = NDArray[np.float32]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Agent:
    """A training of the agent; several problems take turns, a round of episodes each.

    Parameters
    ----------
    settings
        The solver's parameters.
    searches
        What it learns from: each scores placements of its problem and keeps the best.
    rng
        Source of all randomness, the network's first weights included.
    diary
        Told of episodes, losses and the best objective.
    """

    def __init__(
        self, settings: "DdpqnPlus", searches: Sequence[Search], rng: np.random.Generator, diary: Diary
    ) -> None:
        self._settings, self._rng, self._diary = settings, rng, diary
        self.observer = ServerObserver([search.problem for search in searches])
        self._rounds = [WindowedEpisodes(search, self.observer, i, settings, rng) for i, search in enumerate(searches)]
        self.learner = _learner(settings, self.observer, rng)
        self.replay = Replay(settings.memory, self.observer, Uniform())
        self._batch = Batch.empty(settings.batch, self.observer.width, self.observer.most)
        self._temperature = ladder(settings.episodes, settings.hottest)
        self._turn = self._moves = self._ended = 0
        self._gradient: PolicyGradient | None = None
        if settings.shared and (settings.gradient == 1 or (settings.gradient and all(map(_limited, searches)))):
            facts = [each.facts for each in self._rounds]
            self._gradient = PolicyGradient(settings, self.observer, facts, searches, rng, diary)

    def learn(self) -> None:
        """Make a step of all episodes of one problem, and an update where one is due."""
        if self._gradient is not None:
            if self._settings.gradient == 1 or self._progress < self._settings.gradient:
                return self._gradient.learn()
            self._gradient.propose()
            self._gradient = None
            for each in self._rounds:
                each.follow_best()
        settings, rounds = self._settings, self._rounds[self._turn % len(self._rounds)]
        if not rounds.under_way:
            rounds.begin()
        actions = rounds.exact_actions()
        if actions is None:
            actions = self._act(rounds.masks(), rounds.observation)
        transitions = rounds.step(actions)
        self._moves += 1
        if not rounds.under_way:
            self._turn += 1
            self._ended += settings.episodes
            self._diary.tell("episode", self._ended)
            best = float(np.mean([each.search.objective for each in self._rounds]))
            if best < np.inf:  # each has a feasible placement
                self._diary.tell("best Q", best)
        if not settings.every:
            return
        self.replay.add(transitions)
        if self.replay.size >= settings.batch and self._moves % settings.every == 0:
            self.replay.draw(self._batch, self._rng)
            _, loss = self.learner.update(self._batch)
            self._diary.tell("loss", loss, self.learner.updates)

    def _act(self, masks: Mask, observations: Floats32) -> Ints:
        """Draw actions by the softmax of their values; but for the first episode now and then any."""
        random: Ints = np.where(masks, self._rng.random(masks.shape), -1).argmax(axis=1)
        if self._settings.explore == 1:
            return random
        drawn = draw(self.learner.values(observations), masks, self._temperature, self._rng)
        exploring = (self._rng.random(len(masks)) < self._settings.explore) & (self._temperature[:, 0] > 0)
        chosen: Ints = np.where(exploring, random, drawn)
        return chosen

    @property
    def _progress(self) -> float:
        return max(each.search.progress for each in self._rounds)

    @property
    def steps(self) -> int:
        """Decisions made so far."""
        by_gradient = 0 if self._gradient is None else self._gradient.moves * self._settings.rollouts
        return by_gradient + self._moves * self._settings.episodes

    @property
    def policy(self) -> SharedPolicy:
        """What has been learnt so far.

        Raises
        ------
        OffbenchError
            If the network isn't shared, so that it fits this instance alone.
        """
        if self._gradient is not None:
            return SharedPolicy(self._gradient.shape, self._gradient.weights.copy())
        if not isinstance(self.learner, SharedLearner):
            raise OffbenchError("solver 'ddpqn-plus': with shared=false its network fits one instance alone")
        return SharedPolicy(self.learner.shape, self.learner.weights.copy())

    def save(self, file: BinaryIO) -> None:
        """Write everything that it takes to go on, memory and random state included."""
        from offbench.solvers.dqn.states import write

        state: dict[str, Any] = {
            "learner": self.learner.state(),
            "replay": self.replay.state(),
            "rounds": [each.state() for each in self._rounds],
            "random": self._rng.bit_generator.state,
            "counts": [self._turn, self._moves, self._ended],
        }
        if self._gradient is not None:
            state["gradient"] = self._gradient.state()
        write(state, file)

    def load(self, file: BinaryIO) -> None:
        """Go on from what `save` wrote."""
        from offbench.solvers.dqn.states import read

        state = read(file)
        self.learner.load(state["learner"])
        self.replay.load(state["replay"])
        for each, kept in zip(self._rounds, state["rounds"], strict=True):
            each.load(kept)
        self._rng.bit_generator.state = state["random"]
        self._turn, self._moves, self._ended = state["counts"]
        if self._gradient is not None:
            self._gradient.load(state["gradient"])


def _limited(search: Search) -> bool:
    return search.budget.time_limit is not None or search.budget.max_evaluations is not None


def _learner(
    settings: "DdpqnPlus", observer: ServerObserver, rng: np.random.Generator
) -> "SharedLearner | FastLearner":
    switches = Switches(settings.double, settings.dueling, prioritized=False)
    learning = Learning(switches, settings.lr, settings.loss, settings.copy_every)
    if settings.shared:
        shape = Shape(*settings.hidden, settings.dueling, observer.constrained)
        return SharedLearner(shape, shape.draw(rng), learning)
    from offbench.solvers.dqn.fast_learner import FastLearner
    from offbench.solvers.dqn.network import seeded_network

    network = seeded_network(rng, observer.width, settings.hidden, observer.most, settings.dueling)
    return FastLearner(network, learning, settings.batch)
