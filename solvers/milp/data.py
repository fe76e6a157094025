"""What a model is built from, in its unit of time."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from offbench.model.arrays import SCALE, WEIGHT
from offbench.model.problem import Problem
from offbench.solvers.milp.choices import ROUNDING, Choices
from offbench.solvers.milp.constraints import Constraints
from offbench.solvers.milp.times import Times
from offbench.solvers.milp.tolerances import LONGEST, ROOM


@dataclass(frozen=True)
class ModelData:
    """What a model is built from."""

    problem: Problem
    times: Times
    constraints: Constraints
    choices: list[Choices]
    """of each subtask; none where coordination doesn't count"""
    latest_s: Any
    """no completion of each subtask is later in a solution that matters"""

    @cached_property
    def unit_s(self) -> float:
        """The model's unit of time, so that its times are from 0 to about 1."""
        return float(np.max(self.latest_s) - self.times.start_s) or 1.0

    @property
    def clock(self) -> bool:
        """Whether the model needs times on a clock: Q, or what is feasible, depends on when subtasks start."""
        a = self.times.problem.arrays
        counts = a.weights[WEIGHT.score] * a.weights[WEIGHT.delay] / a.scale[SCALE.delay] > 0
        return not self.times.single_file and bool(counts or self.choices or self.constraints.time_counts)

    @cached_property
    def room(self) -> float:
        """What inequalities of times have to spare, in the model's unit."""
        return ROOM + ROUNDING * float(np.max(self.latest_s)) / self.unit_s

    def on_clock(self, second: Any) -> float:
        """Return a time in the model's unit, from its start on."""
        return float((second - self.times.start_s) / self.unit_s)

    def lasting(self, duration_s: Any) -> float:
        """Return a duration in the model's unit, those cut that no placement that matters has."""
        return min(float(duration_s / self.unit_s), LONGEST)

    def longest_s(self, k: int) -> float:
        """Return how long subtask *k* can wait at most."""
        return float(self.latest_s[k] - self.times.earliest_s[k])
