"""Minimum cut: the split of a network between the client and one remote server."""

import numpy as np
from numpy.typing import NDArray
from ortools.graph.python.max_flow import SimpleMaxFlow  # type: ignore[import-untyped]

from offbench import P1, Placement, Search, Solver
from offbench.solvers._shared.repair import repair

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# All capacities together, and what flows into any node, stay below what 64 bits hold.
_ALL_CAPACITIES = 2.0**61
# Cheaper than this a cut costs nothing: numbers end there.
_NOTHING = 1e-280


class MinCut(Solver):
    """Minimum cut between the client and each single remote server, the best of them (DADS, Hu et al., 2019).

    A subtask costs its score (delay, energy and cost, weighed) on the client or on the remote, an edge of
    the graph whose ends are cut apart that of its transfer; the cheapest split of all is a minimum cut. On a chain
    it is the optimum for one remote if coordination and balance weigh nothing, as Neurosurgeon finds it by trying all
    split points. Branches are summed, not run side by side, and nothing queues. What may run on neither of the two
    stays where it costs least by itself, and the split takes its transfers into account. What breaks constraints is
    repaired.
    """

    def solve(self, problem: P1, search: Search) -> None:
        client = problem.arrays.client
        repair(search, Placement(problem.everything_on(client)))
        for remote in range(problem.n_servers):
            if remote != client and problem.allowed[:, remote].any():
                repair(search, Placement(split(problem, remote)))


def split(problem: P1, remote: int) -> Ints:
    """Return the servers of the cheapest split between the client and one remote server."""
    a, n = problem.arrays, problem.n_subtasks
    weights = a.weights[:3] / a.scale[:3]
    two = np.array([a.client, remote])
    execution = weights[0] * a.execution_s + weights[1] * a.run_energy_j + weights[2] * a.run_usd
    own = np.where(problem.allowed, execution, np.inf)
    bound = ~problem.allowed[:, two].any(axis=1)
    at = np.concatenate([np.where(bound, own.argmin(axis=1), -1), np.full(len(a.arrival_s), a.client)])
    # What each subtask pays on the client and on the remote, with the transfers to and from what has its place.
    paid = own[:, two]
    readers = np.searchsorted(a.input_start, np.arange(len(a.input_of)), side="right") - 1
    senders = a.input_of.astype(np.int64)

    def transfer(i: NDArray[np.bool_], source: Ints | int, target: Ints | int) -> Floats:
        rate, power_w, usd_per_gb, latency_s = a.link[a.links_of[readers[i]], source, target].T
        seconds = a.input_mb[i] / rate
        delay, energy, cost = seconds + latency_s, power_w * seconds, a.input_gb[i] * usd_per_gb
        price: Floats = weights[0] * delay + weights[1] * energy + weights[2] * cost
        return price

    placed_sender, placed_reader = at[senders] >= 0, at[readers] >= 0
    arrives, leaves = placed_sender & ~placed_reader, placed_reader & ~placed_sender
    for side, server in enumerate(two.tolist()):
        np.add.at(paid[:, side], readers[arrives], transfer(arrives, at[senders[arrives]], server))
        np.add.at(paid[:, side], senders[leaves], transfer(leaves, server, at[readers[leaves]]))
    inner = ~placed_sender & ~placed_reader
    # Nodes: the subtasks, then the client, which is the source, and the remote, the sink. Cut from the client, a
    # subtask pays for the remote; from the remote, for the client. What it pays anyway decides nothing.
    free = np.flatnonzero(~bound)
    surplus = paid[free] - paid[free].min(axis=1, keepdims=True)
    tail = np.concatenate([senders[inner], readers[inner], np.full(len(free), n), free])
    head = np.concatenate([readers[inner], senders[inner], free, np.full(len(free), n + 1)])
    capacity = np.concatenate(
        [transfer(inner, a.client, remote), transfer(inner, remote, a.client), surplus[:, 1], surplus[:, 0]]
    )
    first = np.append(problem.allowed[:, a.client], [True, False])
    stays = minimum_cut(tail, head, capacity, n, n + 1, first)[:n]
    servers: Ints = np.where(bound, at[:n], np.where(stays, a.client, remote))
    return servers


def minimum_cut(
    tail: Ints, head: Ints, capacity: Floats, source: int, sink: int, known: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return which nodes are on the source's side of a minimum cut.

    Flows are of whole numbers. An arc that costs more than a cut that is known is in no minimum cut, so what it
    costs beyond that may go. Then a cut is off by at most half a unit for each of its arcs, together 2^-61 of the known
    cut's value times the square of the arcs. While the cut found is much better it is the known one of another
    round, so in the end it is off by so little of its own value, whatever the magnitudes of the capacities.

    Parameters
    ----------
    tail, head
        Node numbers of each arc.
    capacity
        Of each arc, from 0 on; infinite for one that must not be cut.
    source, sink
        Node numbers.
    known
        The source's side of a cut of finite value.
    """
    best, value = known, _value(tail, head, capacity, known)
    while value > _NOTHING:
        unit = 2 * value * len(tail) / _ALL_CAPACITIES
        flow = SimpleMaxFlow()
        whole = np.rint(np.minimum(capacity, 2 * value) / unit).astype(np.int64)
        flow.add_arcs_with_capacity(tail, head, whole)
        if (status := flow.solve(source, sink)) != SimpleMaxFlow.OPTIMAL:
            raise RuntimeError(f"OR-Tools finds no maximum flow: {status}")
        side = np.zeros_like(known)
        side[flow.get_source_side_min_cut()] = True
        before, found = value, _value(tail, head, capacity, side)
        if found < value:
            best, value = side, found
        if found > before / 2:
            break
    return best


def _value(tail: Ints, head: Ints, capacity: Floats, side: NDArray[np.bool_]) -> float:
    """Return the value of a cut: what the arcs from the source's side to the other cost."""
    return float(capacity[side[tail] & ~side[head]].sum())
