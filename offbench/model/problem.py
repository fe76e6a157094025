"""P1 and P2 as arrays: what a solver is given (MODEL.md sections 1-4).

Units are those of the names. Nothing here depends on a placement. A subtask chooses among *places*: the client of its
own task, which is one place whatever the task, and the remote servers (`Instance.places`). With one client these are
the servers. So arrays grow with the remote servers, not with the clients.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, chain, pairwise
from math import log2
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbench.errors import OffbenchError
from offbench.model.exact_scales import exact_scales
from offbench.model.instance import KINDS, Instance, Layer, LayerOutput, Link, Scales, Server, TaskInput
from offbench.model.links import Links
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
    latency_s: int = 3


INDICATOR, SCALE, WEIGHT, LINK = Indicator(), Scale(), Weight(), LinkFact()


class Arrays(NamedTuple):
    """A problem as arrays.

    Subtasks are numbered tasks in order, layers in order; places as in `Instance.places`. The source of an input is a
    subtask, or ``subtasks + i`` for the input of task i. What runs at the same *station* shares its slots and its
    memory: the stations are the places, that of the client for the first client, and then the other clients.
    """

    client: int
    """the place that is the client of a subtask's own task"""
    root: int
    """2 or 3 (Eq. 11)"""
    benefits: bool
    """whether the coordination is one of benefits instead of costs"""
    constrained: bool
    """whether there is a memory, a deadline or a limit that a placement can exceed"""
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
    """slots of station s are ``slot_start[s]:slot_start[s + 1]``: as many as its pool, but no more than subtasks"""
    kind: Indices
    """0 client, 1 edge, 2 cloud, for each place"""
    peers: Indices
    """for each kind, how many others of it a server is balanced against (Eq. 12); none for the client"""
    own_station: Indices
    """of each subtask, the station that the client of its task is"""
    links_of: Indices
    """of each subtask, which of the tables in *link* it goes by"""
    weighed: Indices
    """the subtasks that have weights, those that hold the same weights together; none where no memory is limited"""
    weights_of: Indices
    """of each of these, which weights it holds"""
    gcycles: Floats
    """work of each subtask; where it is not stated, what its own client does in its measured seconds"""
    arrival_s: Floats
    """arrival of each task"""
    input_mb: Floats
    """size of each input"""
    input_gb: Floats
    """the same in GB"""
    execution_s: Floats
    """how long each subtask runs at each place, shape ``(subtasks, places)``"""
    run_energy_j: Floats
    """what the client of each subtask draws while it runs at each place, shape ``(subtasks, places)``"""
    run_usd: Floats
    """what running it costs, shape ``(subtasks, places)``"""
    execution_rest_s: Floats
    """what the exact execution time is above *execution_s*, to 32 digits"""
    client_power_w: Floats
    """what each client draws while a subtask of it runs at each place, shape ``(clients, places)``"""
    usd_per_h: Floats
    """price of each place for each client as it is stated, shape ``(clients, places)``"""
    link: Floats
    """`LINK` from place to place; infinite, 0, 0, 0 from one to itself; shape ``(tables, places, places, 4)``

    Clients whose links say the same share a table.
    """
    scale: Floats
    """`SCALE`; infinite for an indicator that cannot occur"""
    weights: Floats
    """`WEIGHT`"""
    lambdas: Floats
    """of each `INDICATOR` in the coordination (Eq. 11)"""
    scale_rest: Floats
    """what the exact scale of each `INDICATOR` is above `scale`; 0 where that is no matter"""
    weights_mb: Floats
    """size of the weights of each subtask"""
    memory_mb: Floats
    """how much weight each station holds; infinite without a limit"""
    deadline_s: Floats
    """of each task, counted from its arrival; infinite without one"""
    limit: Floats
    """of each `INDICATOR`'s total; infinite without one"""


FEASIBLE = 1e-9
"""the largest violation of a placement that is feasible (MODEL.md section 4)"""


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
    """at which places each subtask may run, shape ``(n_subtasks, n_servers)``"""
    scales: Scales
    """as the instance states them, else computed (MODEL.md section 4)"""
    exact_scales: tuple[Fraction, ...]
    """of each `INDICATOR`, without rounding where benefits count"""
    packed: tuple[Indices, Floats]
    """the arrays as compiled code takes them (`evaluation.workspace.unpack`)"""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.allowed = _allowed(instance)
        facts = _servers(instance) | _layers(instance) | _objective(instance) | _constraints(instance)
        facts |= _execution(instance, facts)
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
        self.arrays = Arrays(**{name: facts[name] for name in Arrays._fields})
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
        """How many places a subtask chooses among: its own client and the remote servers."""
        return len(self.arrays.kind)

    @property
    def n_stations(self) -> int:
        """How many servers there are, all clients among them; arrays of slots and memories count these."""
        return len(self.arrays.memory_mb)

    @property
    def constrained(self) -> bool:
        """Whether a placement can break a constraint: a memory, a deadline or a limit."""
        return bool(self.arrays.constrained)

    @cached_property
    def constraints(self) -> bool | None:
        """The same for compiled functions: None where there are none, so that nothing of them is compiled."""
        return True if self.constrained else None

    @cached_property
    def ceiling(self) -> float:
        """What no placement's Q exceeds, at least 1.

        Each subtask waits for its inputs or for one that holds its slot. So the last one is complete before the last
        arrival, and all executions and transfers one after another.
        """
        a, n = self.arrays, self.n_subtasks
        delay, energy, cost = (float(values.max(axis=1).sum()) for values in _largest_of_each(a._asdict()))
        total_s = delay + float(a.arrival_s.max() - a.arrival_s.min())
        most = self.n_tasks * total_s, energy, cost
        score = sum(float(w * x / scale) for w, x, scale in zip(a.weights, most, a.scale, strict=False))
        balance = n * n * float(a.peers.max()) / float(a.scale[SCALE.balance])
        return max(1.0, float(a.weights[WEIGHT.score]) * score + float(a.weights[WEIGHT.balance]) * balance)

    def merit(self, objectives: Floats, violations: Floats) -> Floats:
        """Return numbers that order placements as MODEL.md section 4 does: the lower the better.

        Of a feasible placement it is Q. Of one that breaks constraints it is above `ceiling`, and the more it breaks
        the higher.
        """
        if not self.constrained:
            return objectives
        return np.where(violations <= FEASIBLE, objectives, self.ceiling * (1 + violations))

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

    @cached_property
    def task_of(self) -> Ints:
        """The task of each subtask."""
        task_start: Ints = self.arrays.task_start.astype(np.int64)
        return np.searchsorted(task_start, np.arange(self.n_subtasks), side="right").astype(np.int64) - 1

    def stations(self, servers: Ints) -> Ints:
        """Return at which station each subtask runs, whose slots and memory it takes; *servers* are places."""
        return np.where(servers == self.arrays.client, self.arrays.own_station, servers).astype(np.int64)

    @cached_property
    def station_names(self) -> list[str]:
        """The name of each station."""
        instance = self.instance
        return [instance.servers[s].name for s in (*instance.places, *instance.clients[1:])]

    def server_name(self, k: int, server: int) -> str:
        """Return the name of the server that subtask *k* finds at a place."""
        return self.instance.server_at(int(self.task_of[k]), server).name

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
    servers, places, clients = instance.servers, instance.places, instance.clients
    client = places.index(instance.client)
    seen = np.array([places] * len(clients), dtype=np.int64)
    """the server that tasks of each client find at each place"""
    seen[:, client] = clients
    power_w = [[servers[s].client_power_w for s in row] for row in seen.tolist()]
    for row, c in zip(power_w, clients, strict=True):
        idle_w = servers[c].idle_power_w
        if idle_w is not None:
            row[:] = [power if place == client else idle_w for place, power in enumerate(row)]
    number = {c: number for number, c in enumerate(clients)}
    counts = [len(task.layers) for task in instance.tasks]
    of_task = np.array([number[c] for c in instance.client_of], dtype=np.int64)
    stations = [*places, *clients[1:]]
    subtasks = np.bincount(of_task, weights=counts, minlength=len(clients)).astype(int).tolist()
    # More than there are subtasks are never taken, however large a pool is.
    most = [max(1, subtasks[number[s]]) if s in number else instance.subtasks for s in stations]
    tables, table_of = _links(instance)
    kind = [KINDS.index(servers[s].kind) for s in places]
    return {
        "client": client,
        "slot_start": _starts([min(servers[s].pool, count) for s, count in zip(stations, most, strict=True)]),
        "kind": _indices(kind),
        "peers": _indices([0, *(max(0, kind.count(remote) - 1) for remote in (1, 2))]),
        "own_station": np.repeat(np.where(of_task == 0, client, len(places) + of_task - 1), counts).astype(np.uint32),
        "links_of": np.repeat(table_of[of_task], counts).astype(np.uint32),
        "client_power_w": _floats(power_w),
        "usd_per_h": _floats([[servers[s].price_per_hour for s in row] for row in seen.tolist()]),
        "ghz": _floats([[servers[s].compute_ghz for s in row] for row in seen.tolist()]),
        "client_of": np.repeat(of_task, counts),
        "link": tables,
    }


def _links(instance: Instance) -> tuple[Floats, Ints]:
    """Return the tables of `Arrays.link`, and which of them each client has."""
    servers, places = instance.servers, instance.places
    links = Links(servers, instance.links)
    client = places.index(instance.client)
    remote = [(place, s) for place, s in enumerate(places) if s != instance.client]
    among = np.zeros((len(places), len(places), 4))
    among[..., LINK.rate_mb_per_s] = np.inf

    def tell(table: Floats, a: int, b: int, ends: tuple[int, int]) -> None:
        link = links.at(*ends)
        if link is not None:
            rate = rate_mb_per_s(link, servers, *ends)
            table[a, b] = rate, link.transmit_power_w, link.price_per_gb, link.latency_s

    for a, s in remote:
        for b, t in remote:
            if a != b:
                tell(among, a, b, (s, t))
    tables: list[Floats] = []
    number_of: dict[object, int] = {}
    table_of = np.zeros(len(instance.clients), np.int64)
    busy = set(instance.client_of)
    for number, c in enumerate(instance.clients):
        if c not in busy:
            continue  # it has no task, and may have no links
        key = [id(links.at(*ends)) for _, s in remote for ends in ((c, s), (s, c))] if links.names(c) else []
        found = number_of.setdefault(tuple(key), len(tables))
        if found == len(tables):
            table = among.copy()
            for place, s in remote:
                tell(table, client, place, (c, s))
                tell(table, place, client, (s, c))
            tables.append(table)
        table_of[number] = found
    return np.array(tables), table_of


def _layers(instance: Instance) -> dict[str, Any]:
    n = instance.subtasks
    inputs: list[list[tuple[int, float]]] = []
    readers: list[list[int]] = [[] for _ in range(n)]
    for i, task in enumerate(instance.tasks):
        output: dict[str, tuple[int, float]] = {}
        for layer in task.layers:
            k = len(inputs)
            row = []
            for each in layer.inputs:
                if isinstance(each, TaskInput):
                    row.append((n + i, each.input_mb))
                    continue
                source, mb = output[each.layer if isinstance(each, LayerOutput) else each]
                row.append((source, each.mb if isinstance(each, LayerOutput) else mb))
                readers[source].append(k)
            inputs.append(row or [(n + i, task.input_mb)])
            output[layer.name] = (k, layer.output_mb)
    return {
        "task_start": _starts([len(task.layers) for task in instance.tasks]),
        "waits_for": _indices([sum(source < n for source, _ in row) for row in inputs]),
        "input_start": _starts([len(row) for row in inputs]),
        "input_of": _indices([source for row in inputs for source, _ in row]),
        "reader_start": _starts([len(row) for row in readers]),
        "reader_of": _indices([k for row in readers for k in row]),
        "arrival_s": _floats([task.arrival_s for task in instance.tasks]),
        "input_mb": _floats([mb for row in inputs for _, mb in row]),
        "input_gb": _floats([mb / 1000 for row in inputs for _, mb in row]),
    }


def _execution(instance: Instance, facts: dict[str, Any]) -> dict[str, Any]:
    """Return how long each subtask runs at each place, and what that takes (Eq. 1, 6, 7)."""
    layers, client = list(_all_layers(instance)), facts["client"]
    ghz = facts["ghz"][facts["client_of"]]
    gcycles = _floats([layer.gcycles if layer.gcycles is not None else np.nan for layer in layers])
    with np.errstate(over="ignore", invalid="ignore"):
        seconds = gcycles[:, None] / ghz
        rest = _rest_of_quotient(gcycles[:, None], ghz, seconds)
        of_kind = {kind: facts["kind"] == number for number, kind in enumerate(KINDS)}
        place_of = {instance.servers[s].name: place for place, s in enumerate(instance.places) if place != client}
        own = [instance.servers[s].name for s in instance.client_of]
        measured = np.zeros(seconds.shape, dtype=np.bool_)
        for k, i in enumerate(facts["task_index"]):
            stated = layers[k].seconds
            if stated is None:
                continue
            for kind, places in of_kind.items():
                if kind in stated:
                    seconds[k, places], measured[k, places] = stated[kind], True
            for name, value in stated.items():
                place = client if name == own[i] else place_of.get(name)
                if place is not None:
                    seconds[k, place], measured[k, place] = value, True
        rest[measured] = 0
        power_w, usd_per_h = facts["client_power_w"][facts["client_of"]], facts["usd_per_h"][facts["client_of"]]
        return {
            "gcycles": np.where(np.isnan(gcycles), seconds[:, client] * ghz[:, client], gcycles),
            "measured": measured,
            "execution_s": seconds,
            "execution_rest_s": rest,
            "run_energy_j": power_w * seconds,
            "run_usd": usd_per_h / 3600 * seconds,
        }


def _rest_of_quotient(dividend: Floats, divisor: Floats, quotient: Floats) -> Floats:
    """Return what the exact quotient is above the rounded one, to 32 digits (Dekker 1971, two halves of 26 bits)."""

    def halves(x: Floats) -> tuple[Floats, Floats]:
        high = x * 134217729.0
        high = high - (high - x)
        return high, x - high

    (q, q_low), (d, d_low) = halves(quotient), halves(divisor)
    product = quotient * divisor
    error = ((q * d - product) + q * d_low + q_low * d) + q_low * d_low
    return np.nan_to_num((dividend - product - error) / divisor, nan=0.0, posinf=0.0, neginf=0.0)


def _constraints(instance: Instance) -> dict[str, Any]:
    """Return memories, deadlines and limits (MODEL.md section 4, violation)."""
    layers, servers = list(_all_layers(instance)), instance.servers
    stations = [servers[s] for s in (*instance.places, *instance.clients[1:])]
    memory_mb = _or_infinite([server.memory_mb for server in stations])
    deadline_s = _or_infinite([task.deadline_s for task in instance.tasks])
    limits = instance.limits
    limit = _or_infinite([None] * 3 if limits is None else [limits.delay_s, limits.energy_j, limits.cost_usd])
    number_of: dict[object, int] = {}
    weighed = []
    if np.isfinite(memory_mb).any():
        for k, layer in enumerate(layers):
            if layer.weights_mb > 0:
                held = k if layer.weights_id is None else layer.weights_id
                weighed.append((number_of.setdefault(held, len(number_of)), k))
    weighed.sort()
    return {
        "constrained": bool(np.isfinite(memory_mb).any() or np.isfinite(deadline_s).any() or np.isfinite(limit).any()),
        "weighed": _indices([k for _, k in weighed]),
        "weights_of": _indices([held for held, _ in weighed]),
        "weights_mb": _floats([layer.weights_mb for layer in layers]),
        "memory_mb": memory_mb,
        "deadline_s": deadline_s,
        "limit": limit,
        "task_index": list(chain.from_iterable([i] * len(task.layers) for i, task in enumerate(instance.tasks))),
    }


def _or_infinite(values: Sequence[float | None]) -> Floats:
    return _floats([np.inf if value is None else value for value in values])


def _all_layers(instance: Instance) -> Iterator[Layer]:
    return (layer for task in instance.tasks for layer in task.layers)


def _objective(instance: Instance) -> dict[str, Any]:
    w, c = instance.weights, instance.coordination
    return {
        "root": c.root,
        "benefits": c.indicators == "benefits",
        "weights": _floats([w.delay, w.energy, w.cost, w.score, w.coordination, w.balance]),
        "lambdas": _floats(c.lambdas),
    }


def _allowed(instance: Instance) -> NDArray[np.bool_]:
    allowed = np.ones((instance.subtasks, len(instance.places)), dtype=np.bool_)
    place_of = {instance.servers[s].name: place for place, s in enumerate(instance.places)}
    place_of |= {instance.servers[c].name: instance.places.index(instance.client) for c in instance.clients}
    for k, layer in enumerate(_all_layers(instance)):
        if layer.allowed is not None:
            allowed[k] = False
            allowed[k, [place_of[name] for name in layer.allowed]] = True
    return allowed


def _starts(lengths: Sequence[int]) -> Indices:
    return _indices([0, *accumulate(lengths)])


def _indices(values: Sequence[int]) -> Indices:
    return np.array(values, dtype=np.uint32)


def _floats(values: Sequence[Any]) -> Floats:
    return np.array(values, dtype=np.float64)


def _largest_of_each(facts: dict[str, Any]) -> tuple[Floats, Floats, Floats]:
    """Return the largest delay, energy and cost of each subtask at each place, inputs anywhere, no queueing.

    A task's own input can only be at its client. The arithmetic is the kernel's, step by step, so
    that a subtask that attains a scale has an indicator of exactly 1.
    """
    n = len(facts["gcycles"])
    mb, gb = facts["input_mb"][:, None], facts["input_gb"][:, None]
    first = facts["input_start"][:-1]
    table_of = facts["links_of"]
    if len(facts["link"]) > 1:
        table_of = np.repeat(table_of, np.diff(facts["input_start"].astype(np.int64)))
    else:
        table_of = table_of[:1]
    slowest_s, energy_j, cost_usd = np.zeros((3, len(mb), len(facts["kind"])))
    with np.errstate(over="ignore", invalid="ignore"):
        for source in range(len(facts["kind"])):
            rate, power_w, usd_per_gb, latency_s = np.moveaxis(facts["link"][table_of, source], -1, 0)
            possible = (facts["input_of"] < n)[:, None] | (source == facts["client"])
            transfer_s = np.where(possible, mb / rate, 0)
            slowest_s = np.maximum(slowest_s, np.where(possible, transfer_s + latency_s, 0))
            energy_j = np.maximum(energy_j, power_w * transfer_s)
            cost_usd = np.maximum(cost_usd, np.where(possible, gb * usd_per_gb, 0))
        delay = facts["execution_s"] + np.maximum.reduceat(slowest_s, first)
        energy = facts["run_energy_j"] + np.add.reduceat(energy_j, first)
        cost = facts["run_usd"] + np.add.reduceat(cost_usd, first)
        return delay, energy, cost


_SCALARS = 4
_INTEGERS = Arrays._fields.index("gcycles") - _SCALARS


def _pack(arrays: Arrays) -> tuple[Indices, Floats]:
    """Lay the arrays end to end, behind a header that says where each ends (`evaluation.workspace.unpack`)."""
    fields = [np.ravel(field) for field in arrays]
    scalars, integers, numbers = fields[:_SCALARS], fields[_SCALARS:][:_INTEGERS], fields[_SCALARS + _INTEGERS :]
    header = len(fields)
    ends = [
        *(header + np.cumsum([len(field) for field in integers])),
        *np.cumsum([len(field) for field in numbers]),
    ]
    ints = np.concatenate([*scalars, ends, *integers]).astype(np.uint32)
    # What running amounts to side by side, for it is read together.
    first = Arrays._fields.index("execution_s") - _SCALARS - _INTEGERS
    run = np.stack((arrays.execution_s, arrays.run_energy_j, arrays.run_usd), axis=-1)
    return ints, np.concatenate([*numbers[:first], run.ravel(), *numbers[first + 3 :]])
