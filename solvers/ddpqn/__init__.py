"""Double dueling prioritised deep Q-network, the paper's agent (Algorithm 1, section 5.1)."""

from typing import Annotated, Literal, Self

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from offbench import P1, Search, Solver

Probability = Annotated[float, Field(ge=0, le=1)]


class Ddpqn(Solver):
    """Double dueling prioritised DQN in the paper's configuration; the best placement met counts.

    Where a default names no source, the paper is silent and the choice is ours.
    """

    hidden: tuple[PositiveInt, PositiveInt] = (50, 20)
    """neurons of the two hidden layers (section 5.1)"""
    lr: PositiveFloat = 0.001
    """learning rate of Adam (section 5.2)"""
    batch: PositiveInt = 256
    """transitions for each update (section 5.2)"""
    gamma: Probability = 0.8
    """discount (section 5.2)"""
    greedy: Probability = 0.9
    """probability of the greedy action; else a random one ("epsilon-greedy", section 5.2)"""
    copy_every: PositiveInt = 100
    """updates between copies of the network to the target network (section 5.2)"""
    omega: Probability = 0.6
    """exponent of the priority |delta|^omega (section 4.1.3; value of Schaul et al., 2016)"""
    beta: Probability = 0.4
    """exponent of the importance weights (value of Schaul et al., 2016)"""
    memory: PositiveInt = 20_000
    """transitions that the replay buffer holds"""
    candidates: PositiveInt = 256
    """placements that the policy proposes after each episode; the best one counts (B of Eq. 28)"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the networks are; auto takes cuda when torch finds it"""

    @model_validator(mode="after")
    def _memory_holds_a_batch(self) -> Self:
        if self.memory < self.batch:
            raise ValueError(f"memory: must hold a batch of {self.batch}, not {self.memory}; nothing would be learnt")
        return self

    def solve(self, problem: P1, search: Search) -> None:
        from .training import train

        train(self, problem, search)
