"""What constraints admit, as resources that subtasks use up one after another.

In a chain nothing queues. So delay, energy and cost are sums over the subtasks of what each adds by its own server and
that of the one before, and so is the memory that is taken on a server, as long as no two layers hold the same weights.

Rounding: what is admitted is widened by all that a feasible placement may exceed it by (`FEASIBLE`) and by what sums
can be off by. The evaluator has the last word on what is let through beyond that.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from offbench import P1, OffbenchError
from offbench.bounds import Program
from offbench.bounds.frontier import ProgramStage
from offbench.bounds.subtask_costs import SubtaskCost
from offbench.model.arrays import INDICATOR, LINK, Floats
from offbench.model.problem import FEASIBLE

_DIGITS = 8 * float(np.finfo(float).eps)


@dataclass(frozen=True)
class Resource:
    """Something that a placement may use up to some amount."""

    needed: list[Floats]
    """by each subtask, in the shape of the cost of its step or one that is broadcast to it"""
    most: float
    """what all of them together may use, as the evaluator takes it, or a little more"""
    surely: float
    """so much or less breaks nothing, not even by what a feasible placement may"""


class Layout:
    """Resources along the stages of a program.

    Parameters
    ----------
    problem
        The problem.
    steps
        Of the program.
    resources
        Those that may run out.
    rows
        Of the program.
    """

    def __init__(self, problem: P1, steps: Sequence[SubtaskCost], resources: Sequence[Resource], rows: int) -> None:
        self.problem, self.steps, self.resources, self._rows = problem, steps, resources, rows
        self.most = np.array([resource.most for resource in resources])
        self.surely = np.array([resource.surely for resource in resources])
        self.program = self.priced(np.zeros(len(resources)))

    def priced(self, prices: Floats) -> Program:
        """Return the program in which what is used of each resource costs its price."""
        made = []
        for k, step in enumerate(self.steps):
            paid = sum(
                (price * each.needed[k] for price, each in zip(prices, self.resources, strict=True) if price), 0.0
            )
            made.append(SubtaskCost(step.inputs, step.cost + paid))
        return Program(self.problem, [[[step]] for step in made], self._rows)

    @cached_property
    def needed(self) -> list[Floats]:
        """For each stage by row and server what is used of each resource, shape (rows, servers, resources)."""
        laid = [self._stages(each.needed) for each in self.resources]
        return [np.stack([stage.cost for stage in stages], axis=-1) for stages in zip(*laid, strict=True)]

    def _stages(self, needed: Sequence[Floats]) -> list[ProgramStage]:
        steps = [
            SubtaskCost(step.inputs, np.array(np.broadcast_to(each, step.cost.shape)))
            for step, each in zip(self.steps, needed, strict=True)
        ]
        return Program(self.problem, [[[step]] for step in steps], self._rows).stages

    @cached_property
    def ahead(self) -> list[tuple[Floats, Floats]]:
        """For each stage and the end by row, the least and the most that is used from there on."""
        tables = [(np.zeros((1, len(self.resources))),) * 2]
        for stage, needed in zip(reversed(self.program.stages), reversed(self.needed), strict=True):
            possible = (stage.cost < np.inf)[..., None]
            least, most = (needed + table[stage.into] for table in tables[-1])
            tables.append((
                np.where(possible, least, np.inf).min(axis=1), np.where(possible, most, -np.inf).max(axis=1)
            ))  # fmt: skip
        return tables[::-1]

    def used(self, servers: NDArray[np.int64]) -> Floats:
        """Return what a placement uses of each resource."""
        row, used = 0, np.zeros(len(self.resources))
        for stage, needed, s in zip(self.program.stages, self.needed, servers.tolist(), strict=True):
            used, row = used + needed[row, s], int(stage.into[row, s])
        return used


def scarce(layout: Layout) -> list[Resource]:
    """Return the resources that can run out."""
    (most,) = layout.ahead[0][1]
    return [each for each, needed in zip(layout.resources, most.tolist(), strict=True) if needed > each.surely]


def limited(needed: list[Floats], limit: float, off: float = 0.0) -> Resource:
    """Return the resource of which *limit* is the most to be used; sums are *off* by so much beside their digits."""
    digits = _DIGITS * (len(needed) + 8)
    return Resource(needed, limit * (1 + FEASIBLE) * (1 + digits) + off, limit * (1 - digits) - off)


def of_chain(problem: P1) -> list[Resource]:
    """Return the resources of a chain that are limited."""
    a = problem.arrays
    n, client = problem.n_subtasks, a.client
    link = a.link[a.links_of[0]]
    delay, energy, cost = [], [], []
    for k in range(n):
        flows_s = a.input_mb[k] / link[..., LINK.rate_mb_per_s]
        delay.append(flows_s + link[..., LINK.latency_s] + a.execution_s[k])
        energy.append(link[..., LINK.power_w] * flows_s + a.run_energy_j[k])
        cost.append(a.input_gb[k] * link[..., LINK.usd_per_gb] + a.run_usd[k])
        if k == 0:
            for each in (delay, energy, cost):
                each[0] = each[0][client]
    limits = a.limit.tolist()
    caps = (
        (delay, min(limits[INDICATOR.delay], float(a.deadline_s[0]))),
        (energy, limits[INDICATOR.energy]),
        (cost, limits[INDICATOR.cost]),
    )
    found = [limited(needed, most) for needed, most in caps if most < math.inf]
    return found + memories(problem)


def memories(problem: P1) -> list[Resource]:
    """Return the memory of each server that can hold fewer weights than may come there.

    Raises
    ------
    OffbenchError
        If layers hold the same weights, which are then no sum over them.
    """
    a = problem.arrays
    n = problem.n_subtasks
    found = []
    for s in range(problem.n_servers):
        memory_mb = float(a.memory_mb[a.own_station[0] if s == a.client else s])
        here = [k for k in a.weighed.tolist() if problem.allowed[k, s]]
        held = dict(zip(a.weighed.tolist(), a.weights_of.tolist(), strict=True))
        alone = {held[k]: float(a.weights_mb[k]) for k in here}
        if sum(alone.values()) <= memory_mb:
            continue
        if len(alone) < len(here):
            raise OffbenchError(
                f"solver 'chain-exact' counts weights layer by layer; in instance '{problem.instance.name}' layers of "
                f"one weights_id share the memory of server '{problem.server_name(0, s)}': use cp-sat or milp"
            )
        needed = [np.zeros(problem.n_servers) for _ in range(n)]
        for k in here:
            needed[k][s] = a.weights_mb[k]
        found.append(limited(needed, memory_mb))
    return found
