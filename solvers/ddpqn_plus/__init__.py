"""DDPQN and what the field has learnt since: each part is a switch, each switch a row of `make ablation`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal

import numpy as np
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from offbench import P1, Search, Trainable
from offbench.search.metrics import Diary

if TYPE_CHECKING:
    from .agent import Agent
    from .policy import SharedPolicy

# A window of many tasks takes the agent so long (`windows`).
_WINDOW_S = 3.0

Probability = Annotated[float, Field(ge=0, le=1)]


class DdpqnPlus(Trainable):
    """A policy gradient first, then DDPQN that re-decides windows of the best placement; one network for all servers.

    It starts from the best of greedy and everything in one place, the *reference*. A network whose values are logits
    first learns by a policy gradient from whole episodes: each step's baseline is the mean over the episodes played at
    once. Then another one plays, many at once, episodes of two kinds: whole ones from nothing, and *windows*, which
    begin anywhere in a good placement met before (return, then explore), decide a few subtasks and follow it again;
    their last reward is what all the rest adds. The last of these subtasks tries every server, for nothing is left to
    estimate there. Where subtasks can wait, some windows change the dispatch order too. Double, dueling Q-learning
    learns from all. Where there are constraints the agent sees what is left of each, too, and the
    placement that the windows are in is chosen by what is broken as long as anything is. Several tasks with more than
    10 000 subtasks are solved a few at a time.
    """

    double: bool = True
    """the online network picks the next action, the target network values it"""
    dueling: bool = True
    """state value and advantages have heads of their own"""
    shared: bool = True
    """each server's facts go through the same layers (Zaheer et al., 2017); else all facts at once through others"""
    onward: bool = True
    """the agent sees what a server costs later, in a relaxation without queues and balance"""
    scaled: bool = True
    """rewards are divided by the mean change of Q that a subtask of the reference makes"""
    steps: PositiveInt = 5
    """rewards added up before the next value is believed (n-step returns)"""
    gamma: Probability = 1.0
    """discount; 1 is what Q is"""
    gradient: Probability = 0.5
    """share of the time or evaluations for the policy gradient, before the windows; without such a limit, as in a
    training, there is none, unless it is 1: then there is nothing else"""
    rollouts: Annotated[int, Field(ge=3)] = 32
    """whole episodes of the policy gradient at once; all but the first are drawn from the policy"""
    segment: PositiveInt = 64
    """their steps to learn from at once; rewards are looked at for as many more"""
    gradient_gamma: Probability = 0.9
    """discount of the policy gradient"""
    gradient_lr: PositiveFloat = 0.003
    """its learning rate of Adam"""
    entropy: NonNegativeFloat = 0.2
    """bonus for the policy's entropy at first, over the deviation of the advantages; falls linearly"""
    entropy_floor: NonNegativeFloat = 0.01
    """what the bonus doesn't fall below"""
    longest: NonNegativeInt = 8
    """subtasks of a window at most, the logarithm uniform; 0 plays whole episodes alone"""
    whole: Probability = 0.2
    """share of the steps in whole episodes"""
    merge: bool = True
    """windows of one round that improve are tried together too"""
    exact: bool = True
    """the last subtask of a window tries all servers, and the objectives decide, not the network"""
    reorder: Probability = 0.5
    """share of the rounds of windows under a dispatch order, in which every other window moves one subtask, where any
    can wait; the others are first come, first served"""
    keep: bool = True
    """the placement that the windows are in may stay what the next are in; else one just met always follows"""
    heat: NonNegativeFloat = 1.0
    """temperature at which the windows' next placement is drawn, over the unit; falls to a hundredth"""
    explore: Probability = 0.05
    """probability of a random action; 1 is the same search without a policy"""
    hottest: PositiveFloat = 1.0
    """temperature of the last of the episodes, over the deviation of their values; of the first it is 0"""
    episodes: PositiveInt = 64
    """episodes played at once, each at its own temperature"""
    every: NonNegativeInt = 2
    """steps of all episodes between two updates; 0 never learns"""
    hidden: tuple[PositiveInt, PositiveInt] = (32, 32)
    """neurons of the layers"""
    lr: PositiveFloat = 0.001
    """learning rate of Adam"""
    batch: PositiveInt = 128
    """transitions for each update"""
    copy_every: PositiveInt = 100
    """updates between copies of the network to the target network"""
    penalty: NonNegativeFloat | None = None
    """what a violation of 1 takes off the rewards, in units of Q; by default what everything on the client has, |Q|;
    without constraints it is no matter"""
    loss: Literal["mse", "huber"] = "huber"
    """of an error: its square, or Huber's at 1"""
    memory: PositiveInt = 50_000
    """transitions that the replay buffer holds"""

    def warm_up(self) -> None:
        from offbench.environment import episodes
        from offbench.search import greedy
        from offbench.solvers.dqn.adam import Adam

        from . import features, network

        greedy.warm_up()
        episodes.warm_up()
        Adam(np.zeros(1, np.float32), np.ones(1, np.float32), self.lr).step()
        features.warm_up()
        network.warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        from offbench.solvers._shared.windows import by_windows, is_large

        from .agent import Agent

        if is_large(problem):
            by_windows(self, problem, search, _WINDOW_S)
        agent = Agent(self, [search], search.rng, search.diary)
        while search.running:
            agent.learn()

    def training(self, problems: Sequence[P1], rng: np.random.Generator, diary: Diary) -> "Agent":
        from .agent import Agent

        return Agent(self, [Search(problem) for problem in problems], rng, diary)

    def load_policy(self, file: BinaryIO) -> "SharedPolicy":
        from .policy import SharedPolicy

        return SharedPolicy.load(file)
