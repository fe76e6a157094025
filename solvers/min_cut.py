"""Minimum cut: the split of a network between the client and one remote server."""

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from offbench import P1, Search, Solver

Floats = NDArray[np.float64]

# Capacities are whole numbers of 32 bits; all finite ones together stay below half of them.
_LARGEST = 2**30
_NEVER = 2**31 - 1


class MinCut(Solver):
    """Minimum cut between the client and each single remote server, the best of them (DADS, Hu et al., 2019).

    A subtask costs its score (delay, energy and cost, weighed) on the client or on the remote, an edge of
    the graph whose ends are cut apart that of its transfer; the cheapest split of all is a minimum cut. On a chain
    it is the optimum for one remote if coordination and balance weigh nothing, as Neurosurgeon finds it by trying all
    split points. Branches are summed, not run side by side, and nothing queues.
    """

    def solve(self, problem: P1, search: Search) -> None:
        client = problem.arrays.client
        search.propose(problem.everything_on(client))
        for remote in range(problem.n_servers):
            both = problem.allowed[:, [client, remote]]
            if remote != client and both.any(axis=1).all():
                search.propose(np.where(split(problem, remote), client, remote))


def split(problem: P1, remote: int) -> NDArray[np.bool_]:
    """Return which subtasks the cheapest split leaves on the client."""
    a, n = problem.arrays, problem.n_subtasks
    weights = a.weights[:3] / a.scale[:3]

    def execution(server: int) -> Floats:
        seconds = a.gcycles / a.ghz[server]
        parts = np.array([seconds, seconds * a.client_power_w[server], seconds * a.usd_per_s[server]])
        price: Floats = weights @ parts
        return price

    rate, power_w, usd_per_gb = a.link[a.client, remote]
    transfer = weights @ np.array([a.input_mb / rate, a.input_mb / rate * power_w, a.input_gb * usd_per_gb])
    readers = np.searchsorted(a.input_start, np.arange(len(a.input_of)), side="right") - 1
    # Nodes: the subtasks, then the client, which is the source and has the tasks' inputs, and the remote, the sink.
    source, sink = n, n + 1
    senders = np.minimum(a.input_of.astype(np.int64), source)
    inner = senders < n
    tail = np.concatenate([senders, readers[inner], np.full(n, source), np.arange(n)])
    head = np.concatenate([readers, senders[inner], np.arange(n), np.full(n, sink)])
    # Cut from the client, a subtask pays for the remote; from the remote, for the client.
    paid = np.concatenate([transfer, transfer[inner], execution(remote), execution(a.client)])
    scale = _LARGEST / max(paid.sum(), 1e-290)
    whole = np.rint(paid * scale).astype(np.int32)
    whole[-2 * n : -n][~problem.allowed[:, remote]] = _NEVER
    whole[-n:][~problem.allowed[:, a.client]] = _NEVER
    capacity = csr_array((whole, (tail, head)), shape=(n + 2, n + 2))
    capacity.sum_duplicates()  # several tasks or edges between the same two
    left = capacity - maximum_flow(capacity, source, sink).flow
    left.eliminate_zeros()
    stays = np.zeros(n + 2, dtype=np.bool_)
    stays[breadth_first_order(left, source, return_predecessors=False)] = True
    return stays[:n]
