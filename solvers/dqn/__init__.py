"""The DQN family: one agent with three switches (MODEL.md section 7)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from offbench import P1, Search, Trainable
from offbench.learning import paper_agent as paper
from offbench.search.metrics import Diary

if TYPE_CHECKING:
    from .agent import Agent
    from .policy import QPolicy

Probability = Annotated[float, Field(ge=0, le=1)]


class Dqn(Trainable):
    """Deep Q-network with the paper's settings; the best placement met counts.

    Where a default names no source, the paper is silent and the choice is ours.
    """

    presets: ClassVar[dict[str, tuple[str, dict[str, Any]]]] = {
        "double-dqn": ("Double DQN: one network picks the next action, the other values it.", {"double": True}),
        "dueling-dqn": ("Dueling DQN: state value and advantages apart.", {"dueling": True}),
        "prioritized-dqn": ("DQN with prioritised replay: what surprised is learnt again.", {"prioritized": True}),
        "doublepr-dqn": ("Double DQN with prioritised replay.", {"double": True, "prioritized": True}),
        "duelingpr-dqn": ("Dueling DQN with prioritised replay.", {"dueling": True, "prioritized": True}),
        "double-dueling-dqn": ("Double dueling DQN.", {"double": True, "dueling": True}),
        "ddpqn": (
            "Double dueling prioritised DQN, the paper's agent (Algorithm 1).",
            {"double": True, "dueling": True, "prioritized": True},
        ),
    }

    double: bool = False
    """the online network picks the next action, the target network values it (van Hasselt et al., 2016)"""
    dueling: bool = False
    """state value and advantages have heads of their own (Wang et al., 2016)"""
    prioritized: bool = False
    """transitions are drawn by their errors, and weighted to make up for it (Schaul et al., 2016)"""
    hidden: tuple[PositiveInt, PositiveInt] = paper.HIDDEN
    """neurons of the two hidden layers (the paper's)"""
    lr: PositiveFloat = paper.LEARNING_RATE
    """learning rate of Adam (the paper's)"""
    batch: PositiveInt = paper.BATCH
    """transitions for each update (the paper's)"""
    gamma: Probability = paper.DISCOUNT
    """discount (the paper's)"""
    greedy: Probability = paper.GREEDY
    """probability of the greedy action, from first to last; else a random one (the paper's epsilon-greedy)"""
    copy_every: PositiveInt = paper.COPY_EVERY
    """updates between copies of the network to the target network (the paper's)"""
    loss: Literal["mse", "huber"] = "mse"
    """of an error: its square (Algorithm 1), or Huber's at 1"""
    omega: Probability = 0.6
    """exponent of the priority |delta|^omega (the paper's section 4.1.3; value of Schaul et al., 2016)"""
    beta: Probability = 0.4
    """exponent of the importance weights (value of Schaul et al., 2016)"""
    memory: PositiveInt = 20_000
    """transitions that the replay buffer holds"""
    episodes: PositiveInt = 32
    """episodes played at once, each with its own exploration"""
    updates: PositiveInt = 1
    """updates after each step of all these episodes; as many as episodes would be one a step (Algorithm 1)"""
    candidates: PositiveInt = 256
    """placements that the policy proposes after as many episodes as run at once (B of Eq. 28)"""
    observation: Literal["paper", "full"] = "paper"
    """what the agent sees: paper has the previous action, data and work; full the servers' states too"""
    penalty: NonNegativeFloat | None = None
    """what a violation of 1 takes off the rewards, in units of Q; by default what everything on the client has, |Q|;
    without constraints it is no matter"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the networks are; auto takes cuda when torch finds it"""

    @model_validator(mode="after")
    def _memory_holds_a_batch(self) -> Self:
        if self.memory < self.batch:
            raise ValueError(f"memory: must hold a batch of {self.batch}, not {self.memory}; nothing would be learnt")
        return self

    def warm_up(self) -> None:
        from offbench.environment.episodes import warm_up

        from .adam import Adam
        from .sampling import Prioritized

        warm_up()
        Adam(np.zeros(1, np.float32), np.ones(1, np.float32), self.lr).step()
        replay = Prioritized(2, self.omega, self.beta)
        replay.added(np.array([0]))
        replay.draw(1, 1, np.random.default_rng(0))

    def solve(self, problem: P1, search: Search) -> None:
        from offbench.solvers._shared.torch import one_thread

        with one_thread():
            agent = self.training([problem], search.rng, search.diary)
            while search.running:
                agent.learn()
                if len(agent.placed):
                    search.propose_many(agent.placed)
                if agent.generation_ended:
                    proposed = agent.candidates()
                    search.policy = proposed[0]
                    search.propose_many(proposed)

    def training(self, problems: Sequence[P1], rng: np.random.Generator, diary: Diary) -> "Agent":
        from .agent import Agent

        return Agent(self, problems, rng, diary)

    def load_policy(self, file: BinaryIO) -> "QPolicy":
        from .policy import QPolicy

        return QPolicy.load(file)
