"""The maskable PPO of sb3-contrib: policy gradients, for comparison with agents that learn values."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from offbench import P1, Search, Solver
from offbench.learning import paper_agent as paper

Probability = Annotated[float, Field(ge=0, le=1)]


class Sb3MaskablePpo(Solver):
    """Proximal policy optimisation of sb3-contrib, with action masks.

    Parameters have stable-baselines3's names. Those that the paper's agents have too are at the paper's values.
    """

    net_arch: tuple[PositiveInt, ...] = paper.HIDDEN
    """neurons of the hidden layers, of policy and value each (the paper's)"""
    learning_rate: PositiveFloat = paper.LEARNING_RATE
    """of Adam (the paper's)"""
    batch_size: PositiveInt = Field(default=paper.BATCH, gt=1)
    """transitions for each update (the paper's)"""
    gamma: Probability = paper.DISCOUNT
    """discount (the paper's)"""
    n_envs: PositiveInt = 8
    """episodes at once"""
    n_steps: PositiveInt = 128
    """steps of each of them between updates"""
    n_epochs: PositiveInt = 10
    """passes over the transitions of these steps"""
    ent_coef: NonNegativeFloat = 0.0
    """weight of the policy's entropy in the loss"""
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
        from sb3_contrib import MaskablePPO

        from offbench.solvers._shared.sb3 import ProposingEnv, train, vectorized
        from offbench.solvers._shared.torch import device_for

        env = vectorized(ProposingEnv, problem, self.observation, self.penalty, search, self.n_envs)
        settings = self.model_dump(exclude={"net_arch", "observation", "penalty", "device", "n_envs"})
        train(
            lambda seed: MaskablePPO(
                "MlpPolicy",
                env,
                **settings,
                policy_kwargs={"net_arch": list(self.net_arch)},
                seed=seed,
                device=device_for(self.name, self.device),
            ),
            search,
        )
