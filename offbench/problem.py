"""P1 and P2 as arrays: what a solver is given (MODEL.md sections 1-4).

Units are those of the names. Nothing here depends on a placement.
"""

from collections.abc import Sequence
from itertools import accumulate
from math import log2
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbench.errors import OffbenchError
from offbench.instance import KINDS, Instance, Link, Scales, Server

if TYPE_CHECKING:
    from offbench.placement import Placement

Floats = NDArray[np.float64]
Indices = NDArray[np.uint32]
Ints = NDArray[np.int64]


class Arrays(NamedTuple):
    """A problem as arrays.

    Subtasks are numbered tasks in order, layers in order; servers as in the instance. The source of
    an input is a subtask, or ``subtasks + i`` for the input of task i; a layer without inputs reads
    that one.
    """

    client: int
    """index of the client"""
    root: int
    """2 or 3 (Eq. 11)"""
    benefits: bool
    """whether the coordination is one of benefits instead of costs"""
    task_start: Indices
    """subtasks of task i are ``task_start[i]:task_start[i + 1]``"""
    waits_for: Indices
    """how many subtasks each subtask reads"""
    input_start: Indices
    """inputs of subtask k stand at ``input_start[k]:input_start[k + 1]``"""
    input_of: Indices
    """the source of each input"""
    reader_start: Indices
    """readers of subtask k stand at ``reader_start[k]:reader_start[k + 1]``"""
    reader_of: Indices
    """the subtasks that read each output"""
    slot_start: Indices
    """slots of server s stand at ``slot_start[s]:slot_start[s + 1]``"""
    kind: Indices
    """0 client, 1 edge, 2 cloud, for each server"""
    peers: Indices
    """for each kind, how many others of it a server is balanced against (Eq. 12); none for the client"""
    gcycles: Floats
    """work of each subtask"""
    arrival_s: Floats
    """arrival of each task"""
    input_mb: Floats
    """size of each input"""
    ghz: Floats
    """speed of each server"""
    usd_per_s: Floats
    """price of each server"""
    client_power_w: Floats
    """what the client draws while a subtask runs on each server"""
    link: Floats
    """s/MB, J/MB and $/MB from server to server, 0 from one to itself, shape (servers, servers, 3)"""
    per_scale: Floats
    """1 / scale of delay, energy, cost, balance; 0 for an indicator that cannot occur"""
    weights: Floats
    """of delay, energy, cost; of score, coordination, balance"""
    lambdas: Floats
    """of delay, energy, cost in the coordination (Eq. 11)"""


class Problem:
    """An instance as arrays. Use `P1` or `P2`.

    Parameters
    ----------
    instance
        The instance.
    """

    instance: Instance
    arrays: Arrays
    allowed: NDArray[np.bool_]
    """which servers each subtask may run on, shape ``(n_subtasks, n_servers)``"""
    scales: Scales
    """as the instance states them, else computed (MODEL.md section 4)"""
    packed: tuple[Indices, Floats]
    """the arrays as `kernel.score` takes them"""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.allowed = _allowed(instance)
        facts = _servers(instance) | _layers(instance) | _objective(instance)
        self.scales = instance.scales or _largest_values(facts)
        scales = (self.scales.delay_s, self.scales.energy_j, self.scales.cost_usd, self.scales.balance)
        if not np.isfinite(scales).all():
            raise OffbenchError(f"instance '{instance.name}': its numbers are too large: scales are not finite")
        facts["per_scale"] = np.array([1 / scale if scale > 0 else 0.0 for scale in scales])
        self.arrays = Arrays(**facts)
        self.packed = _pack(self.arrays)

    @property
    def n_subtasks(self) -> int:
        """How many subtasks there are."""
        return len(self.arrays.gcycles)

    @property
    def n_servers(self) -> int:
        """How many servers there are."""
        return len(self.arrays.kind)

    def everything_on(self, server: int) -> Ints:
        """Return servers, shape ``(n_subtasks,)``: all on one; what may not run there, where it first may."""
        return np.where(self.allowed[:, server], server, self.allowed.argmax(axis=1))

    def subtask_name(self, k: int) -> str:
        """Say where subtask *k* stands in the instance: ``tasks[0].layers[3] ('conv2')``."""
        i = int(np.searchsorted(self.arrays.task_start, k, side="right")) - 1
        j = k - int(self.arrays.task_start[i])
        return f"tasks[{i}].layers[{j}] ('{self.instance.tasks[i].layers[j].name}')"


class P1(Problem):
    """Choose a server for every subtask, and a dispatch order (Eq. 13)."""


class P2(Problem):
    """Servers given, choose the dispatch order alone (Eq. 23).

    Parameters
    ----------
    instance
        The instance.
    servers
        Server index of each subtask, shape ``(n_subtasks,)``, or a placement whose servers are
        taken. `allowed` then admits nothing else.

    Raises
    ------
    OffbenchError
        If *servers* has the wrong length or stands where `allowed` forbids.
    """

    servers: Ints
    """server of each subtask, shape (n_subtasks,)"""

    def __init__(self, instance: Instance, servers: "ArrayLike | Placement") -> None:
        super().__init__(instance)
        self.servers = np.array(getattr(servers, "servers", servers), dtype=np.int64)
        if self.servers.shape != (self.n_subtasks,):
            raise OffbenchError(f"P2: {self.servers.size} servers given for {self.n_subtasks} subtasks")
        given = np.arange(self.n_servers) == self.servers[:, None]
        forbidden = np.flatnonzero(~(given & self.allowed).any(axis=1))
        if forbidden.size:
            k = forbidden[0]
            raise OffbenchError(f"P2: {self.subtask_name(k)} may not run on server {self.servers[k]}")
        self.allowed = given


def rate_mb_per_s(link: Link, servers: tuple[Server, ...], a: int, b: int) -> float:
    """Return the rate of *link* between servers *a* and *b*, MB/s.

    A Shannon link takes it from the remote end's radio, disturbed by the other radios on its
    channel (Eq. 2).
    """
    if link.shannon is None:
        assert link.rate_mb_per_s is not None
        return link.rate_mb_per_s
    remote = b if servers[a].kind == "client" else a
    radio = servers[remote].radio
    assert radio is not None
    disturbance = sum(
        other.radio.power_w * other.radio.gain
        for s, other in enumerate(servers)
        if s != remote and other.radio is not None and other.radio.channel == radio.channel
    )
    ratio = radio.power_w * radio.gain / (link.shannon.noise_w + disturbance)
    rate = link.shannon.bandwidth_mhz * 1e6 * log2(1 + ratio) / 8e6
    if rate == 0:
        name = servers[remote].name
        raise OffbenchError(f"the wireless link of '{name}' carries nothing: signal to noise is {ratio:.3g} (Eq. 2)")
    return rate


def _servers(instance: Instance) -> dict[str, Any]:
    servers = instance.servers
    link = np.zeros((len(servers), len(servers), 3))
    for (a, b), facts in instance.link_table().items():
        s_per_mb = 1 / rate_mb_per_s(facts, servers, a, b)
        link[a, b] = link[b, a] = (s_per_mb, facts.transmit_power_w * s_per_mb, facts.price_per_gb / 1000)
    kind = [KINDS.index(server.kind) for server in servers]
    return {
        "client": instance.client,
        "slot_start": _starts([server.pool for server in servers]),
        "kind": _indices(kind),
        "peers": _indices([0, *(max(0, kind.count(remote) - 1) for remote in (1, 2))]),
        "ghz": _floats([server.compute_ghz for server in servers]),
        "usd_per_s": _floats([server.price_per_hour / 3600 for server in servers]),
        "client_power_w": _floats([server.client_power_w for server in servers]),
        "link": link,
    }


def _layers(instance: Instance) -> dict[str, Any]:
    n = instance.subtasks
    inputs: list[list[tuple[int, float]]] = []
    readers: list[list[int]] = [[] for _ in range(n)]
    for i, task in enumerate(instance.tasks):
        output: dict[str, tuple[int, float]] = {}
        for layer in task.layers:
            k = len(inputs)
            inputs.append([output[name] for name in layer.inputs] or [(n + i, task.input_mb)])
            for name in layer.inputs:
                readers[output[name][0]].append(k)
            output[layer.name] = (k, layer.output_mb)
    layers = [layer for task in instance.tasks for layer in task.layers]
    return {
        "task_start": _starts([len(task.layers) for task in instance.tasks]),
        "waits_for": _indices([len(layer.inputs) for layer in layers]),
        "input_start": _starts([len(row) for row in inputs]),
        "input_of": _indices([source for row in inputs for source, _ in row]),
        "reader_start": _starts([len(row) for row in readers]),
        "reader_of": _indices([k for row in readers for k in row]),
        "gcycles": _floats([layer.gcycles for layer in layers]),
        "arrival_s": _floats([task.arrival_s for task in instance.tasks]),
        "input_mb": _floats([mb for row in inputs for _, mb in row]),
    }


def _objective(instance: Instance) -> dict[str, Any]:
    w, c = instance.weights, instance.coordination
    return {
        "root": c.root,
        "benefits": c.indicators == "benefits",
        "weights": _floats([w.delay, w.energy, w.cost, w.score, w.coordination, w.balance]),
        "lambdas": _floats(c.lambdas),
    }


def _allowed(instance: Instance) -> NDArray[np.bool_]:
    index = {server.name: s for s, server in enumerate(instance.servers)}
    allowed = np.ones((instance.subtasks, len(index)), dtype=np.bool_)
    for k, layer in enumerate(layer for task in instance.tasks for layer in task.layers):
        if layer.allowed is not None:
            allowed[k] = False
            allowed[k, [index[name] for name in layer.allowed]] = True
    return allowed


def _starts(lengths: Sequence[int]) -> Indices:
    return _indices([0, *accumulate(lengths)])


def _indices(values: Sequence[int]) -> Indices:
    return np.array(values, dtype=np.uint32)


def _floats(values: Sequence[float]) -> Floats:
    return np.array(values, dtype=np.float64)


def _largest_values(facts: dict[str, Any]) -> Scales:
    """Return the largest value of each indicator for any one subtask, inputs anywhere, no queueing.

    A task's own input can only be at the client.
    """
    n = len(facts["gcycles"])
    link = facts["link"]
    execution_s = facts["gcycles"][:, None] / facts["ghz"]
    from_client = (facts["input_of"] >= n)[:, None, None]
    per_input = facts["input_mb"][:, None, None] * np.where(from_client, link[facts["client"]], link.max(axis=0))
    first = facts["input_start"][:-1]
    slowest_s = np.maximum.reduceat(per_input[..., 0], first)
    energy_j = np.add.reduceat(per_input[..., 1], first)
    cost_usd = np.add.reduceat(per_input[..., 2], first)
    return Scales(
        delay_s=float((execution_s + slowest_s).max()),
        energy_j=float((execution_s * facts["client_power_w"] + energy_j).max()),
        cost_usd=float((execution_s * facts["usd_per_s"] + cost_usd).max()),
        balance=float(facts["peers"].max() * n),
    )


def _pack(arrays: Arrays) -> tuple[Indices, Floats]:
    """Lay the arrays end to end, behind a header that says where each ends (`kernel.unpack`)."""
    fields = [np.ravel(field) for field in arrays]
    scalars, integers, numbers = fields[:3], fields[3:12], fields[12:]
    header = len(scalars) + len(integers) + len(numbers)
    ends = [
        *(header + np.cumsum([len(field) for field in integers])),
        *np.cumsum([len(field) for field in numbers]),
    ]
    ints = np.concatenate([*scalars, ends, *integers]).astype(np.uint32)
    return ints, np.concatenate(numbers)
