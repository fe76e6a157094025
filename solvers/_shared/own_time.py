"""A problem in units of its own time, for solvers whose libraries have absolute tolerances.

Times, energies and costs of a placement are proportional to work, measured seconds, data, latencies and arrivals. With
all of these, the scales, deadlines and limits multiplied by one power of two, every placement has the very same Q and
violation, to the last bit. So whether an instance counts in seconds or in picoseconds, such a solver sees the same
numbers. Times count from the first arrival, so that a late one takes no digits from what follows.
"""

import math
from typing import TypeVar

import numpy as np

from offbench import P1, P2, Instance, Placement
from offbench.model.arrays import LINK
from offbench.model.instance import Input, LayerOutput, TaskInput
from offbench.model.problem import Problem

AnyProblem = TypeVar("AnyProblem", P1, P2, Problem)


def in_own_time(problem: AnyProblem) -> AnyProblem:
    """Return the problem from time 0 on, its longest execution or transfer lasting from 1 up to 2 units of time."""
    a = problem.arrays
    longest = max(float(a.execution_s.max()), _longest_transfer_s(problem))
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


def _longest_transfer_s(problem: Problem) -> float:
    a = problem.arrays
    table_of = np.repeat(a.links_of, np.diff(a.input_start).astype(np.int64))
    longest = 0.0
    for source in range(problem.n_servers):  # all at once would be too many with many clients
        link = a.link[table_of, source]
        transfers_s = a.input_mb[:, None] / link[..., LINK.rate_mb_per_s] + link[..., LINK.latency_s]
        longest = max(longest, float(transfers_s.max()))
    return longest


def times(instance: Instance, factor: float, first_s: float) -> Instance:
    """Return an instance with all that takes time multiplied, and what it states of scales, deadlines and limits.

    Arrivals count from *first_s* on. Scales that aren't stated follow, to the last digit.
    """

    def more(value: float | None) -> float | None:
        return None if value is None else value * factor

    def input_(each: Input) -> Input:
        if isinstance(each, LayerOutput):
            return each.model_copy(update={"mb": each.mb * factor})
        return each.model_copy(update={"input_mb": each.input_mb * factor}) if isinstance(each, TaskInput) else each

    tasks = tuple(
        task.model_copy(
            update={
                "arrival_s": (task.arrival_s - first_s) * factor,
                "deadline_s": more(task.deadline_s),
                "input_mb": task.input_mb * factor,
                "layers": tuple(
                    layer.model_copy(
                        update={
                            "gcycles": more(layer.gcycles),
                            "seconds": layer.seconds and {name: s * factor for name, s in layer.seconds.items()},
                            "output_mb": layer.output_mb * factor,
                            "inputs": tuple(input_(each) for each in layer.inputs),
                        }
                    )
                    for layer in task.layers
                ),
            }
        )
        for task in instance.tasks
    )
    links = tuple(link.model_copy(update={"latency_s": link.latency_s * factor}) for link in instance.links)
    changed: dict[str, object] = {"tasks": tasks, "links": links}
    for name in ("scales", "limits"):
        stated = getattr(instance, name)
        if stated is not None:
            update = {each: more(getattr(stated, each)) for each in ("delay_s", "energy_j", "cost_usd")}
            changed[name] = stated.model_copy(update=update)
    return instance.model_copy(update=changed)
