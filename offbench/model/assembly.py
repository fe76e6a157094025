"""An instance laid out as the arrays of a problem (`arrays.Arrays`), by name."""

from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from offbench.errors import OffbenchError
from offbench.model.arrays import LINK, Floats, Indices, Ints
from offbench.model.instance import KINDS, Instance, Layer, LayerOutput, Link, Server, TaskInput
from offbench.model.links import Links


def facts(instance: Instance) -> dict[str, Any]:
    """Return all that doesn't hang on the scales, and what is worked out on the way to it."""
    known = _servers(instance) | _layers(instance) | _objective(instance) | _constraints(instance)
    return known | _execution(instance, known)


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
    # What holds all the weights that there are can't be exceeded, and is no constraint for a solver.
    everything_mb = (1 + 1e-9) * sum(layer.weights_mb for layer in layers)
    memory_mb[memory_mb >= everything_mb] = np.inf
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


def allowed(instance: Instance) -> NDArray[np.bool_]:
    """Return at which places each subtask may run, shape ``(subtasks, places)``."""
    may = np.ones((instance.subtasks, len(instance.places)), dtype=np.bool_)
    place_of = {instance.servers[s].name: place for place, s in enumerate(instance.places)}
    place_of |= {instance.servers[c].name: instance.places.index(instance.client) for c in instance.clients}
    for k, layer in enumerate(_all_layers(instance)):
        if layer.allowed is not None:
            may[k] = False
            may[k, [place_of[name] for name in layer.allowed]] = True
    return may


def _starts(lengths: Sequence[int]) -> Indices:
    return _indices([0, *accumulate(lengths)])


def _indices(values: Sequence[int]) -> Indices:
    return np.array(values, dtype=np.uint32)


def _floats(values: Sequence[Any]) -> Floats:
    return np.array(values, dtype=np.float64)


def largest_of_each(facts: dict[str, Any]) -> tuple[Floats, Floats, Floats]:
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
