"""P1 and P2 as arrays: what a solver is given (MODEL.md sections 1-4).

Units are those of the names. Nothing here depends on a placement.
"""

from collections.abc import Sequence
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise
from math import log2
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbench.errors import OffbenchError
from offbench.model.exact_scales import exact_scales
from offbench.model.instance import KINDS, Instance, Link, Scales, Server
from offbench.model.placement import Placement, indices

Floats = NDArray[np.float64]
Indices = NDArray[np.uint32]
Ints = NDArray[np.int64]


class Indicator(NamedTuple):
    """Where the indicators stand in `Arrays.lambdas`; the scales and weights begin alike."""

    delay: int = 0
    energy: int = 1
    cost: int = 2


class Scale(NamedTuple):
    """Where the scales stand in `Arrays.scale`."""

    delay: int = 0
    energy: int = 1
    cost: int = 2
    balance: int = 3


class Weight(NamedTuple):
    """Where the weights stand in `Arrays.weights`: those of the score (Eq. 15-17), then of the objective (Eq. 18)."""

    delay: int = 0
    energy: int = 1
    cost: int = 2
    score: int = 3
    coordination: int = 4
    balance: int = 5


class LinkFact(NamedTuple):
    """Where the facts of a link stand in the last axis of `Arrays.link`."""

    rate_mb_per_s: int = 0
    power_w: int = 1
    usd_per_gb: int = 2


INDICATOR, SCALE, WEIGHT, LINK = Indicator(), Scale(), Weight(), LinkFact()


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
    """slots of server s stand at ``slot_start[s]:slot_start[s + 1]``: as many as its pool, but no more than subtasks"""
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
    input_gb: Floats
    """the same in GB"""
    ghz: Floats
    """speed of each server"""
    usd_per_s: Floats
    """price of each server"""
    client_power_w: Floats
    """what the client draws while a subtask runs on each server"""
    link: Floats
    """`LINK` from server to server; infinite, 0, 0 from one to itself; shape (servers, servers, 3)"""
    scale: Floats
    """`SCALE`; infinite for an indicator that cannot occur"""
    weights: Floats
    """`WEIGHT`"""
    lambdas: Floats
    """of each `INDICATOR` in the coordination (Eq. 11)"""
    usd_per_h: Floats
    """price of each server as it is stated"""
    scale_rest: Floats
    """what the exact scale of each `INDICATOR` is above `scale`; 0 where that is no matter"""


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
    exact_scales: tuple[Fraction, ...]
    """of each `INDICATOR`, without rounding where benefits count"""
    packed: tuple[Indices, Floats]
    """the arrays as compiled code takes them (`evaluation.workspace.unpack`)"""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.allowed = _allowed(instance)
        facts = _servers(instance) | _layers(instance) | _objective(instance)
        values = _largest_of_each(facts)
        largest = (*(float(each.max()) for each in values), float(facts["peers"].max() * len(facts["gcycles"])))
        scales = largest if instance.scales is None else tuple(instance.scales.model_dump().values())
        # Also where an instance states its scales: no placement may exceed what a number can hold.
        if not np.isfinite(largest).all() or any(0 < scale < 1e-300 for scale in scales):
            raise OffbenchError(f"instance '{instance.name}': its numbers are too large, or its scales too small")
        self.scales = Scales(delay_s=scales[0], energy_j=scales[1], cost_usd=scales[2], balance=scales[3])
        facts["scale"] = np.array([scale if scale > 0 else np.inf for scale in scales])
        self.exact_scales = tuple(Fraction(scale) for scale in scales[:3])
        if facts["benefits"] and any(scale == value for scale, value in zip(scales[:3], largest, strict=False)):
            # A stated scale that is the largest value to the last digit, as in two steps, means that value.
            self.exact_scales = tuple(
                exact if scale == value else Fraction(scale)
                for exact, scale, value in zip(exact_scales(facts, values), scales, largest, strict=False)
            )
        rests = [float(exact - Fraction(scale)) for exact, scale in zip(self.exact_scales, scales, strict=False)]
        facts["scale_rest"] = _floats(rests)
        self.arrays = Arrays(**facts)
        self.packed = _pack(self.arrays)

    def __repr__(self) -> str:
        sizes = f"{self.n_subtasks:,} subtasks, {self.n_servers} servers"
        return f"<{type(self).__name__} of {self.instance.name!r}: {sizes}>"

    @property
    def n_subtasks(self) -> int:
        """How many subtasks there are."""
        return len(self.arrays.gcycles)

    @property
    def n_tasks(self) -> int:
        """How many tasks there are."""
        return len(self.arrays.arrival_s)

    @property
    def n_servers(self) -> int:
        """How many servers there are."""
        return len(self.arrays.kind)

    @cached_property
    def free(self) -> Ints:
        """The subtasks with a choice of servers, ascending; the others are pinned, and moving them is in vain.

        All of them where none has a choice, so that there is always one to draw.
        """
        free = np.flatnonzero(self.allowed.sum(axis=1) > 1)
        return free if free.size else np.arange(self.n_subtasks)

    @cached_property
    def _input_start(self) -> list[int]:
        starts: list[int] = self.arrays.input_start.tolist()
        return starts

    @cached_property
    def _sources(self) -> list[list[int]]:
        sources = self.arrays.input_of.tolist()
        return [sources[i:j] for i, j in pairwise(self._input_start)]

    @cached_property
    def _readers(self) -> list[list[int]]:
        readers = self.arrays.reader_of.tolist()
        return [readers[i:j] for i, j in pairwise(self.arrays.reader_start.tolist())]

    def inputs_of(self, k: int) -> range:
        """Return where the inputs of subtask *k* stand in ``input_of``, ``input_mb`` and ``input_gb``."""
        return range(self._input_start[k], self._input_start[k + 1])

    def sources_of(self, k: int) -> list[int]:
        """Return what subtask *k* reads: subtasks, or ``n_subtasks + i`` for the input of task i."""
        return self._sources[k]

    def readers_of(self, k: int) -> list[int]:
        """Return the subtasks that read the output of subtask *k*."""
        return self._readers[k]

    def subtasks_of(self, i: int) -> range:
        """Return the subtasks of task *i*."""
        start = self.arrays.task_start
        return range(int(start[i]), int(start[i + 1]))

    @cached_property
    def chains(self) -> tuple[bool, ...]:
        """Of each task, whether it is a chain: every layer but the first reads the one before and nothing else."""
        return tuple(task.is_chain for task in self.instance.tasks)

    @property
    def is_chain(self) -> bool:
        """Whether all is one task, and a chain."""
        return self.instance.is_chain

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
    order: Ints | None
    """dispatch order of the placement that the servers are from, to begin with; None without"""

    def __init__(self, instance: Instance, servers: ArrayLike | Placement) -> None:
        super().__init__(instance)
        chosen = servers.servers if isinstance(servers, Placement) else servers
        self.order = servers.order if isinstance(servers, Placement) else None
        self.servers = indices(chosen, copy=True)
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
    link[..., LINK.rate_mb_per_s] = np.inf
    for (a, b), facts in instance.link_table().items():
        rate = rate_mb_per_s(facts, servers, a, b)
        link[a, b] = link[b, a] = (rate, facts.transmit_power_w, facts.price_per_gb)
    kind = [KINDS.index(server.kind) for server in servers]
    return {
        "client": instance.client,
        # More than there are subtasks are never taken, however large a pool is.
        "slot_start": _starts([min(server.pool, instance.subtasks) for server in servers]),
        "kind": _indices(kind),
        "peers": _indices([0, *(max(0, kind.count(remote) - 1) for remote in (1, 2))]),
        "ghz": _floats([server.compute_ghz for server in servers]),
        "usd_per_s": _floats([server.price_per_hour / 3600 for server in servers]),
        "usd_per_h": _floats([server.price_per_hour for server in servers]),
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
        "input_gb": _floats([mb / 1000 for row in inputs for _, mb in row]),
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


def _largest_of_each(facts: dict[str, Any]) -> tuple[Floats, Floats, Floats]:
    """Return the largest delay, energy and cost of each subtask on each server, inputs anywhere, no queueing.

    A task's own input can only be at the client. The arithmetic is the kernel's, step by step, so
    that a subtask that attains a scale has an indicator of exactly 1.
    """
    n = len(facts["gcycles"])
    mb, gb = facts["input_mb"][:, None], facts["input_gb"][:, None]
    slowest_s, energy_j, cost_usd = np.zeros((3, len(mb), len(facts["kind"])))
    with np.errstate(over="ignore", invalid="ignore"):
        for source, (rate, power_w, usd_per_gb) in enumerate(facts["link"].transpose(0, 2, 1)):
            possible = (facts["input_of"] < n)[:, None] | (source == facts["client"])
            transfer_s = np.where(possible, mb / rate, 0)
            slowest_s = np.maximum(slowest_s, transfer_s)
            energy_j = np.maximum(energy_j, power_w * transfer_s)
            cost_usd = np.maximum(cost_usd, np.where(possible, gb * usd_per_gb, 0))
        execution_s = facts["gcycles"][:, None] / facts["ghz"]
        first = facts["input_start"][:-1]
        delay = execution_s + np.maximum.reduceat(slowest_s, first)
        energy = facts["client_power_w"] * execution_s + np.add.reduceat(energy_j, first)
        cost = facts["usd_per_s"] * execution_s + np.add.reduceat(cost_usd, first)
        return delay, energy, cost


def _pack(arrays: Arrays) -> tuple[Indices, Floats]:
    """Lay the arrays end to end, behind a header that says where each ends (`evaluation.workspace.unpack`)."""
    fields = [np.ravel(field) for field in arrays]
    scalars, integers, numbers = fields[:3], fields[3:12], fields[12:]
    header = len(scalars) + len(integers) + len(numbers)
    ends = [
        *(header + np.cumsum([len(field) for field in integers])),
        *np.cumsum([len(field) for field in numbers]),
    ]
    ints = np.concatenate([*scalars, ends, *integers]).astype(np.uint32)
    return ints, np.concatenate(numbers)
