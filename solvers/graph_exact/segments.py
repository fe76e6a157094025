"""A task's graph as segments between gates, and what each of them adds to Q (MODEL.md sections 1-4).

When a gate (`offbench.model.gates`) has run, every slot is free again, and what is to come depends on where it ran and
on nothing else. So without H and Z, Q is a sum over segments of terms that depend on the servers of a segment's layers
and of the gate before it: an optimum is a shortest path over the servers of the gates.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from offbench import P1
from offbench.model.arrays import LINK, SCALE, WEIGHT, Floats, Ints
from offbench.model.gates import gates


@dataclass(frozen=True)
class Segment:
    """What lies between two gates, in numbers of Q.

    Node 0 is the gate before it, or the client that has the task's input; the others are layers in index order. The
    last is the gate behind it, if there is one.
    """

    first: int
    """the subtask that node 1 is"""
    starts: Ints
    """places that node 0 can be at"""
    ends: Ints
    """places that the last node can be at where it is a gate; else one entry that says nothing"""
    gate: bool
    """whether the last node is one"""
    delay: float
    """what a second of delay adds to Q"""
    execution_s: Floats
    """of each node at each place, shape ``(nodes, places)``"""
    added: Floats
    """what energy and cost of running add to Q; infinite where it isn't allowed"""
    input_start: Ints
    """inputs of node v stand at ``input_start[v]:input_start[v + 1]``"""
    source: Ints
    """the node that each input comes from"""
    transfer_s: Floats
    """of each input from place to place, shape ``(inputs, places, places)``"""
    transferred: Floats
    """what energy and cost of it add to Q"""
    slots: Ints
    """how many layers run at each place at a time"""

    @property
    def nodes(self) -> int:
        """How many nodes it has, the gate before it included."""
        return len(self.execution_s)


def segments(problem: P1) -> list[Segment]:
    """Return a problem's segments in order."""
    return list(_segments(problem))


def _segments(problem: P1) -> Iterator[Segment]:
    n = problem.n_subtasks
    before = -1
    for end in [*(found := gates(problem)), *([n - 1] if n - 1 not in found else [])]:
        yield _segment(problem, before, end, end in found)
        before = end


def _segment(problem: P1, before: int, end: int, gate: bool) -> Segment:
    a = problem.arrays
    n, m = problem.n_subtasks, problem.n_servers
    weights, scale = a.weights, a.scale
    delay, energy, cost = (
        float(weights[WEIGHT.score] * weights[w] / scale[s])
        for w, s in ((WEIGHT.delay, SCALE.delay), (WEIGHT.energy, SCALE.energy), (WEIGHT.cost, SCALE.cost))
    )
    layers = range(before + 1, end + 1)
    added = energy * a.run_energy_j[layers.start : layers.stop] + cost * a.run_usd[layers.start : layers.stop]
    added = np.where(problem.allowed[layers.start : layers.stop], added, np.inf)
    sources, starts, transfer_s, transferred = [], [0, 0], [], []
    for k in layers:
        link = a.link[a.links_of[k]]
        for e in range(int(a.input_start[k]), int(a.input_start[k + 1])):
            source = int(a.input_of[e])
            sources.append(0 if source in (before, n) else source - before)
            on_air_s = a.input_mb[e] / link[..., LINK.rate_mb_per_s]
            transfer_s.append(on_air_s + link[..., LINK.latency_s])
            transferred.append(
                energy * on_air_s * link[..., LINK.power_w] + cost * a.input_gb[e] * link[..., LINK.usd_per_gb]
            )
        starts.append(len(sources))
    station = np.arange(m)
    station[a.client] = a.own_station[0]
    slots: Ints = (a.slot_start[1:] - a.slot_start[:-1]).astype(np.int64)[station]
    return Segment(
        first=before + 1,
        starts=np.array([a.client]) if before < 0 else np.flatnonzero(problem.allowed[before]),
        ends=np.flatnonzero(problem.allowed[end]) if gate else np.array([-1]),
        gate=gate,
        delay=delay,
        execution_s=np.vstack((np.zeros(m), a.execution_s[layers.start : layers.stop])),
        added=np.vstack((np.zeros(m), added)),
        input_start=np.array(starts),
        source=np.array(sources, dtype=np.int64),
        transfer_s=np.array(transfer_s).reshape(-1, m, m),
        transferred=np.array(transferred).reshape(-1, m, m),
        slots=slots,
    )
