"""Offloading as a Markov decision process (MODEL.md section 7).

Subtasks are decided in index order, pinned ones passed over; an action is a server, an episode a placement. The reward
of a step is what it takes off the objective, ``-(Q after it - Q before it)``, by the shared evaluator on the decided
prefix, so the rewards of an episode sum to ``-Q``. Where an instance has constraints it is less by *penalty* times what
the step adds to their violation, so that they sum to ``-(Q + penalty * violation)``.

>>> import gymnasium, offbench.environment
>>> env = gymnasium.make("offbench/Offloading-v0", instance="alexnet", observation="full")

Gymnasium knows the name once this package is imported; ``gymnasium.make("offbench.environment:offbench/Offloading-v0",
instance="alexnet")`` imports it.
"""

import gymnasium

from offbench.environment.episodes import Episodes
from offbench.environment.observation import LAYOUTS, Layout, Observer
from offbench.environment.penalty import penalty_of
from offbench.environment.single import OffloadingEnv
from offbench.environment.vector import OffloadingVectorEnv

__all__ = ["LAYOUTS", "Episodes", "Layout", "Observer", "OffloadingEnv", "OffloadingVectorEnv", "penalty_of"]

ENV_ID = "offbench/Offloading-v0"

if ENV_ID not in gymnasium.registry:
    gymnasium.register(
        ENV_ID,
        entry_point="offbench.environment.single:make",
        vector_entry_point="offbench.environment.vector:make",
        order_enforce=False,
        disable_env_checker=False,
    )
