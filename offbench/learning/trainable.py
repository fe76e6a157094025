"""What an agent has that is trained once and solves many instances: `offbench train`, `offbench solve --policy`."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import BinaryIO, Protocol

import numpy as np

from offbench.model.arrays import Ints
from offbench.model.problem import P1
from offbench.search.metrics import Diary
from offbench.search.solver import Solver


class Policy(Protocol):
    """What was learnt: places subtasks without learning any more."""

    def place(self, problem: P1, rollouts: int, rng: np.random.Generator) -> Ints:
        """Return placements, shape ``(rollouts, n_subtasks)``: the greedy one, then sampled ones.

        Raises
        ------
        OffbenchError
            If it doesn't fit the problem, with the reason.
        """

    def save(self, file: BinaryIO) -> None:
        """Write what `Trainable.load_policy` reads."""


class Training(Protocol):
    """A training under way.

    Two trainings from the same problems, generator and settings are the same after the same number of calls of
    `learn`, whether or not one was saved between them and loaded into a new one.
    """

    @property
    def steps(self) -> int:
        """Decisions made so far: subtasks placed that have a choice of servers."""

    def learn(self) -> None:
        """Learn for a moment: some milliseconds, a second at most."""

    @property
    def policy(self) -> Policy:
        """What has been learnt so far."""

    def save(self, file: BinaryIO) -> None:
        """Write everything that it takes to go on, memory and random state included."""

    def load(self, file: BinaryIO) -> None:
        """Go on from what `save` wrote."""


class Trainable(Solver):
    """A solver that learns from some instances and then solves others.

    Its files must be safe to load: whoever is handed a policy need not trust who made it.
    """

    @abstractmethod
    def training(self, problems: Sequence[P1], rng: np.random.Generator, diary: Diary) -> Training:
        """Begin a training.

        Parameters
        ----------
        problems
            What it learns from.
        rng
            The only source of randomness.
        diary
            Told of ``episode``, ``loss``, ``reward`` and the like.

        Raises
        ------
        OffbenchError
            If the problems can't be learnt together, or not by this solver.
        """

    @abstractmethod
    def load_policy(self, file: BinaryIO) -> Policy:
        """Read what `Policy.save` wrote."""
