"""The DQN of stable-baselines3, for comparison with our own agents."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from offbench import P1, Search, Solver
from offbench.learning import paper_agent as paper

if TYPE_CHECKING:
    from stable_baselines3 import DQN

Probability = Annotated[float, Field(ge=0, le=1)]


class Sb3Dqn(Solver):
    """Deep Q-network of stable-baselines3 with the paper's settings.

    Neither double, dueling nor prioritised. It updates after every step, as Algorithm 1 does. Loss (Huber), optimiser
    (Adam), gradient clipping and the parameters' names are stable-baselines3's.

    It knows no masks. An action that is masked is replaced by the first server that isn't; the transition keeps
    the action that was chosen and has the reward and the next observation of the one that was done. So a forbidden
    action is a synonym of the first allowed one, worth the same.
    """

    net_arch: tuple[PositiveInt, ...] = paper.HIDDEN
    """neurons of the hidden layers (the paper's)"""
    learning_rate: PositiveFloat = paper.LEARNING_RATE
    """of Adam (the paper's)"""
    batch_size: PositiveInt = paper.BATCH
    """transitions for each update (the paper's)"""
    gamma: Probability = paper.DISCOUNT
    """discount (the paper's)"""
    exploration_final_eps: Probability = round(1 - paper.GREEDY, 9)
    """probability of a random action, from the first update on (the paper's)"""
    target_update_interval: PositiveInt = paper.COPY_EVERY
    """updates between copies of the network to the target network (the paper's)"""
    buffer_size: PositiveInt = 20_000
    """transitions that the replay buffer holds"""
    learning_starts: PositiveInt = 256
    """random steps before the first update"""
    observation: Literal["paper", "full"] = "paper"
    """what the agent sees: paper has the previous action, data and work; full the servers' states too"""
    penalty: NonNegativeFloat | None = None
    """what a violation of 1 takes off the rewards, in units of Q; by default what everything on the client has, |Q|;
    without constraints it is no matter"""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """where the networks are; auto takes cuda when torch finds it"""

    def warm_up(self) -> None:
        from offbench.environment.episodes import warm_up

        warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        from offbench.solvers._shared.sb3 import train

        train(lambda seed: self.model(problem, search, seed), search)

    def model(self, problem: P1, search: Search, seed: int) -> "DQN":
        """Return the model, nothing learnt."""
        from stable_baselines3 import DQN

        from offbench.solvers._shared.sb3 import UnmaskedEnv, vectorized
        from offbench.solvers._shared.torch import device_for

        return DQN(
            "MlpPolicy",
            vectorized(UnmaskedEnv, problem, self.observation, self.penalty, search, 1),
            **self.model_dump(exclude={"net_arch", "observation", "penalty", "device"}),
            train_freq=1,
            # Constant, as in the paper; a schedule needs the number of steps, and the budget may be a time.
            exploration_initial_eps=self.exploration_final_eps,
            policy_kwargs={"net_arch": list(self.net_arch)},
            seed=seed,
            device=device_for(self.name, self.device),
        )
