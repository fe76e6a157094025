"""A problem in units of its own time, for solvers whose libraries have absolute tolerances.

Times, energies and costs of a placement are proportional to work, data and arrivals. With all of these, and the
scales, multiplied by one power of two, every placement has the very same Q, to the last bit. So whether an
instance counts in seconds or in picoseconds, such a solver sees the same numbers. Times count from the first
arrival, so that a late one takes no digits from what follows.
"""

import math
from typing import TypeVar

import numpy as np

from offbench import P1, P2, Instance, Placement
from offbench.model.problem import LINK, Problem

AnyProblem = TypeVar("AnyProblem", P1, P2, Problem)


def in_own_time(problem: AnyProblem) -> AnyProblem:
    """Return the problem from time 0 on, its longest execution or transfer lasting from 1 up to 2 units of time."""
    a = problem.arrays
    longest = max(
        float(a.gcycles.max() / a.ghz.min()), float((a.input_mb / np.min(a.link[..., LINK.rate_mb_per_s])).max())
    )
    if not 0 < longest < math.inf:
        return problem
    exponent = -math.frexp(longest)[1] + 1
    first_s = float(a.arrival_s.min())
    if exponent == 0 and first_s == 0:
        return problem
    if not -900 < exponent < 900:  # beyond what numbers can be multiplied by
        return problem
    instance = times(problem.instance, 2.0**exponent, first_s)
    if isinstance(problem, P2):
        return type(problem)(instance, Placement(problem.servers, problem.order))
    return type(problem)(instance)


def times(instance: Instance, factor: float, first_s: float) -> Instance:
    """Return an instance with work, data, arrivals and what it states of scales multiplied.

    Arrivals count from *first_s* on. Scales that aren't stated follow, to the last digit.
    """
    tasks = tuple(
        task.model_copy(
            update={
                "arrival_s": (task.arrival_s - first_s) * factor,
                "input_mb": task.input_mb * factor,
                "layers": tuple(
                    layer.model_copy(update={"gcycles": layer.gcycles * factor, "output_mb": layer.output_mb * factor})
                    for layer in task.layers
                ),
            }
        )
        for task in instance.tasks
    )
    if instance.scales is None:
        return instance.model_copy(update={"tasks": tasks})
    stated = {name: getattr(instance.scales, name) * factor for name in ("delay_s", "energy_j", "cost_usd")}
    return instance.model_copy(update={"tasks": tasks, "scales": instance.scales.model_copy(update=stated)})
