"""What a placement's delay is made of: computing, transfers, waiting for others."""

from dataclasses import dataclass

import numpy as np

from offbench.evaluation.evaluator import Evaluation
from offbench.evaluation.kernel import PART
from offbench.model.arrays import LINK
from offbench.model.placement import Placement
from offbench.model.problem import Problem


@dataclass(frozen=True)
class TimeShares:
    """Seconds that add up to the delay, those of all tasks together."""

    computing_s: float
    transfers_s: float
    waiting_s: float
    """for a server that is busy with other layers"""


def time_shares(problem: Problem, placement: Placement, evaluation: Evaluation) -> TimeShares:
    """Return what the delay is made of, along the layers that each task's end waits for.

    From the layer that ends last it goes back, always to the input that came last. What runs or is sent beside these
    delays nothing.
    """
    a, n, parts = problem.arrays, problem.n_subtasks, evaluation.parts
    end, servers = parts[:, PART.completion_s], placement.servers
    computing_s = transfers_s = waiting_s = 0.0

    def sent(k: int, entry: int) -> tuple[float, float, int]:
        """Return when an input is there, how long it takes, and where it comes from."""
        source = int(a.input_of[entry])
        at, since = (int(servers[source]), float(end[source])) if source < n else (a.client, a.arrival_s[source - n])
        link = a.link[a.links_of[k], at, servers[k]]
        took_s = float(a.input_mb[entry] / link[LINK.rate_mb_per_s] + link[LINK.latency_s])
        return since + took_s, took_s, source

    for i in range(problem.n_tasks):
        layers = problem.subtasks_of(i)
        k = layers.start + int(np.argmax(end[layers.start : layers.stop]))
        while k < n:
            computing_s += float(parts[k, PART.execution_s])
            waiting_s += float(parts[k, PART.queueing_s])
            _, took_s, k = max((sent(k, entry) for entry in problem.inputs_of(k)), key=lambda one: one[0])
            transfers_s += took_s
    return TimeShares(computing_s, transfers_s, waiting_s)
