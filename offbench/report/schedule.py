"""When each subtask runs, on which slot, and what it waits for: what a Gantt chart draws."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.evaluator import Evaluation, evaluate
from offbench.evaluation.kernel import PARTS
from offbench.model.instance import Instance
from offbench.model.placement import Placement
from offbench.model.problem import P1

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Schedule:
    """A placement in time; arrays have an item for each subtask, times in seconds."""

    instance: Instance
    evaluation: Evaluation
    servers: NDArray[np.int64]
    slots: NDArray[np.int64]
    """of its server, from 0 on"""
    sent: Floats
    """when its last input set out"""
    ready: Floats
    """when that had come"""
    start: Floats
    end: Floats

    @property
    def names(self) -> list[str]:
        """``task / layer`` of each subtask, the layer alone where there is one task."""
        single = len(self.instance.tasks) == 1
        return [
            layer.name if single else f"{task.name} / {layer.name}"
            for task in self.instance.tasks
            for layer in task.layers
        ]

    @property
    def lanes(self) -> list[tuple[int, int]]:
        """The (server, slot) pairs that are used, in order."""
        return sorted({(int(s), int(k)) for s, k in zip(self.servers, self.slots, strict=True)})


def schedule(instance: Instance, placement: Placement) -> Schedule:
    """Return the schedule of a placement, its times by the shared evaluator.

    Raises
    ------
    OffbenchError
        If the placement isn't one of this instance.
    """
    evaluation = evaluate(P1(instance), placement)
    column = {name: evaluation.parts[:, c] for c, name in enumerate(PARTS)}
    start, end = column["start_s"], column["completion_s"]
    ready = start - column["queueing_s"]
    sent = ready - column["transmission_s"]
    # First come, first served: by ready time, then by index.
    order = placement.order if placement.order is not None else np.lexsort((np.arange(len(ready)), ready))
    slots = np.zeros(len(ready), dtype=np.int64)
    free = [np.zeros(min(server.pool, len(ready))) for server in instance.servers]
    for k in order:
        mine = free[placement.servers[k]]
        slots[k] = np.argmin(mine)  # the slot that becomes free first (MODEL.md section 3)
        mine[slots[k]] = end[k]
    return Schedule(instance, evaluation, placement.servers, slots, sent, ready, start, end)
