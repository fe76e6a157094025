"""Algorithm 1: act, remember, learn; many episodes at once."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray

from offbench import P1
from offbench.environment import Episodes, Observer
from offbench.model.problem import FEASIBLE
from offbench.search.metrics import Diary
from offbench.solvers._shared.torch import device_for

from .batch import Batch, Learner, Learning, Switches
from .fast_learner import FastLearner
from .n_step import NStepQueue
from .network import seeded_network
from .policy import QPolicy, roll_out
from .reference_learner import ReferenceLearner
from .replay import Replay
from .sampling import Prioritized, Uniform
from .states import read, write

if TYPE_CHECKING:
    from . import Dqn

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Agent:
    """A training of the DQN family.

    Several problems take turns, a step of all episodes each.

    Parameters
    ----------
    settings
        The solver's parameters.
    problems
        What it learns from, all with the same number of servers.
    rng
        Source of all randomness, the network's first weights included.
    diary
        Told of episodes, losses, rewards and epsilon.

    Raises
    ------
    OffbenchError
        If the device is not there, or the problems differ in their servers.
    """

    def __init__(self, settings: "Dqn", problems: Sequence[P1], rng: np.random.Generator, diary: Diary) -> None:
        self._settings, self._rng, self._diary = settings, rng, diary
        self.observer = Observer(problems, settings.observation)
        width, actions = self.observer.width, self.observer.n_servers
        switches = Switches(settings.double, settings.dueling, settings.prioritized)
        learning = Learning(switches, settings.lr, settings.loss, settings.copy_every)
        network = seeded_network(rng, width, settings.hidden, actions, settings.dueling)
        device = torch.device(device_for(settings.name, settings.device))
        self.learner: Learner = (
            FastLearner(network, learning, settings.batch)
            if device.type == "cpu"
            else ReferenceLearner(network, learning, device)
        )
        sampler = Prioritized(settings.memory, settings.omega, settings.beta) if settings.prioritized else Uniform()
        self.replay = Replay(settings.memory, self.observer, sampler)
        self._batch = Batch.empty(settings.batch, width, actions)
        self._stages = [_ProblemEpisodes(problem, i, self) for i, problem in enumerate(problems)]
        self._rounds = self._steps = self._ended = self._generation = 0
        self.placed: Ints = np.empty((0, problems[0].n_subtasks), dtype=np.int64)
        """placements of the episodes that ended in the last call of `learn`"""

    def learn(self) -> None:
        """Make a step of all episodes of one problem, then some updates."""
        stage = self._stages[self._rounds % len(self._stages)]
        active = stage.active(self._rounds // len(self._stages))
        self._rounds += 1
        self._steps += int(active.sum())
        self._play(stage, active)
        if self.replay.size >= self._settings.batch:
            losses = [self._update() for _ in range(self._settings.updates)]
            self._diary.tell("loss", sum(losses) / len(losses), self.learner.updates)

    def _play(self, stage: "_ProblemEpisodes", active: Mask) -> None:
        episodes = stage.episodes
        before = episodes.states, episodes.dynamic()
        actions = self.act(episodes)
        rewards, ended = episodes.step(actions, active)
        after = episodes.states, episodes.dynamic()
        self.replay.add(stage.steps.add(before, actions, rewards, after, ended, active))
        self.placed = episodes.servers[ended]
        for objective, violation in zip(episodes.objective[ended], episodes.violation[ended], strict=True):
            self._ended += 1
            if violation <= FEASIBLE:
                stage.best = min(stage.best, float(objective))
            self._diary.tell("reward", -float(objective + episodes.penalty * violation), self._ended)
        if len(self.placed):
            self._diary.tell("episode", self._ended)
            self._diary.tell("epsilon", 1 - self._settings.greedy)
            best = float(np.mean([each.best for each in self._stages]))
            if best < np.inf:
                self._diary.tell("best Q", best)
            episodes.reset(ended)

    def act(self, episodes: Episodes) -> Ints:
        """Choose the best action with probability `greedy`, else any allowed one; a coin for each episode."""
        masks = episodes.masks()
        count = len(episodes)
        best = np.where(masks, self.learner.values(episodes.observe()), -np.inf).argmax(axis=1)
        random = np.where(masks, self._rng.random(masks.shape), -1).argmax(axis=1)
        chosen: Ints = np.where(self._rng.random(count) < self._settings.greedy, best, random)
        return chosen

    def _update(self) -> float:
        slots = self.replay.draw(self._batch, self._rng)
        errors, loss = self.learner.update(self._batch)
        self.replay.sampler.learnt(slots, errors)
        return loss

    @property
    def generation_ended(self) -> bool:
        """Whether as many episodes as run at once have ended since the last `candidates`."""
        return self._ended - self._generation >= self._settings.episodes

    def candidates(self) -> Ints:
        """Return placements of the present policy for the first problem; nothing is learnt from them (Eq. 28)."""
        self._generation = self._ended
        first = self._stages[0].episodes
        episodes = Episodes(first.problem, self._settings.candidates, self.observer, penalty=first.penalty)
        return roll_out(self.learner.values, episodes, self._rng)

    @property
    def steps(self) -> int:
        """Decisions made so far."""
        return self._steps

    @property
    def policy(self) -> QPolicy:
        """What has been learnt so far."""
        return QPolicy(self.learner.network(), self.observer.layout, self.observer.longest, self.observer.constrained)

    def save(self, file: BinaryIO) -> None:
        """Write everything that it takes to go on, memory and random state included."""
        state: dict[str, Any] = {
            "learner": self.learner.state(),
            "replay": self.replay.state(),
            "stages": [stage.state() for stage in self._stages],
            "random": self._rng.bit_generator.state,
            "counts": [self._rounds, self._steps, self._ended, self._generation],
        }
        write(state, file)

    def load(self, file: BinaryIO) -> None:
        """Go on from what `save` wrote."""
        state = read(file)
        self.learner.load(state["learner"])
        self.replay.load(state["replay"])
        for stage, kept in zip(self._stages, state["stages"], strict=True):
            stage.load(kept)
        self._rng.bit_generator.state = state["random"]
        self._rounds, self._steps, self._ended, self._generation = state["counts"]


class _ProblemEpisodes:
    """The episodes of one problem."""

    def __init__(self, problem: P1, index: int, agent: Agent) -> None:
        count = agent._settings.episodes
        self.episodes = Episodes(problem, count, agent.observer, index, agent._settings.penalty)
        self.steps = NStepQueue(1, agent._settings.gamma)
        # Together they would all be at the same subtask, and what is learnt in a row all alike.
        self._starts: Ints = np.arange(count) * len(problem.free) // count
        self.best = np.inf

    def active(self, rounds: int) -> Mask:
        """Return which episodes have begun after so many rounds."""
        begun: Mask = self._starts <= rounds
        return begun

    def state(self) -> dict[str, Any]:
        return {"episodes": self.episodes.state(), "steps": self.steps.state(), "best": self.best}

    def load(self, state: dict[str, Any]) -> None:
        self.episodes.load(state["episodes"])
        self.steps.load(state["steps"])
        self.best = state["best"]
