"""Plain-Python evaluation of offloading placements, written from MODEL.md alone.

Independent truth for the tests of the compiled evaluator, and the baseline of the speed comparison: standard
library only, equations in the order of the specification, nothing shared with ``offbench``.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any

DEFAULT_COORDINATION = {"indicators": "costs", "root": 2, "lambdas": [0.33, 0.33, 0.34]}
TASK_INPUT = -1  # stands for the task's own input where the index of an earlier subtask would be


@dataclass(frozen=True)
class Server:
    """What a subtask meets on a server."""

    name: str
    kind: str
    compute_ghz: float
    price_per_hour: float
    client_power_w: float
    pool: int


@dataclass(frozen=True)
class Link:
    """What one MB meets between two servers."""

    rate_mb_per_s: float
    price_per_gb: float
    transmit_power_w: float


@dataclass(frozen=True)
class Subtask:
    """One layer; ``inputs`` holds (subtask index or ``TASK_INPUT``, MB) pairs."""

    task: int
    layer: int
    arrival_s: float
    gcycles: float
    inputs: list[tuple[int, float]]
    allowed: list[str]


@dataclass(frozen=True)
class Prepared:
    """Everything that depends on the instance alone."""

    client: str
    servers: dict[str, Server]
    edges: list[str]
    clouds: list[str]
    links: dict[tuple[str, str], Link]
    arrivals_s: list[float]
    subtasks: list[Subtask]
    readers: list[list[int]]
    weights: dict[str, float]
    coordination: dict[str, Any]
    scales: dict[str, float]


# Section 1 and 8: the instance


def prepare(instance: dict[str, Any]) -> Prepared:
    """Read an ``offbench/1`` instance.

    Parameters
    ----------
    instance
        The parsed JSON.

    Returns
    -------
    Prepared
        Links between all pairs of servers, subtasks in index order, and the scales.
    """
    servers = {
        entry["name"]: Server(
            entry["name"],
            entry["kind"],
            entry["compute_ghz"],
            entry["price_per_hour"],
            entry["client_power_w"],
            entry["pool"],
        )
        for entry in instance["servers"]
    }
    (client,) = (server.name for server in servers.values() if server.kind == "client")
    edges = [server.name for server in servers.values() if server.kind == "edge"]
    clouds = [server.name for server in servers.values() if server.kind == "cloud"]
    links = _links(instance, servers)
    subtasks = _subtasks(instance)

    readers: list[list[int]] = [[] for _ in subtasks]
    for index, subtask in enumerate(subtasks):
        for source, _ in subtask.inputs:
            if source != TASK_INPUT:
                readers[source].append(index)

    scales = _scales(servers, links, client, subtasks)
    scales["balance"] = max(len(edges) - 1, len(clouds) - 1, 0) * len(subtasks)
    scales.update(instance.get("scales") or {})

    return Prepared(
        client=client,
        servers=servers,
        edges=edges,
        clouds=clouds,
        links=links,
        arrivals_s=[task.get("arrival_s", 0) for task in instance["tasks"]],
        subtasks=subtasks,
        readers=readers,
        weights=instance["weights"],
        coordination=DEFAULT_COORDINATION | (instance.get("coordination") or {}),
        scales=scales,
    )


def _links(instance: dict[str, Any], servers: dict[str, Server]) -> dict[tuple[str, str], Link]:
    """Return the link of every ordered pair of servers."""
    # Unordered pairs, because links are symmetric; a pair of one kind with itself is a set of one.
    stated = {frozenset(entry["between"]): entry for entry in instance["links"]}
    radios = {entry["name"]: entry["radio"] for entry in instance["servers"] if entry.get("radio")}
    links = {(name, name): Link(math.inf, 0.0, 0.0) for name in servers}
    for a, b in combinations(servers.values(), 2):
        entry = stated.get(frozenset([a.name, b.name])) or stated.get(frozenset([a.kind, b.kind]))
        if entry is None:
            raise ValueError(f"no link between {a.name} and {b.name}")
        if "shannon" in entry:
            remote = b if a.kind == "client" else a
            rate = _shannon_rate(entry["shannon"], remote.name, radios)
        else:
            rate = entry["rate_mb_per_s"]
        link = Link(rate, entry["price_per_gb"], entry.get("transmit_power_w", 0.0))
        links[a.name, b.name] = links[b.name, a.name] = link
    return links


def _shannon_rate(shannon: dict[str, float], remote: str, radios: dict[str, dict[str, float]]) -> float:
    """Return the rate in MB/s of a wireless link to the server ``remote`` (Eq. 2)."""
    radio = radios[remote]
    interference_w = sum(
        other["power_w"] * other["gain"]
        for name, other in radios.items()
        if name != remote and other["channel"] == radio["channel"]
    )
    signal_to_noise = radio["power_w"] * radio["gain"] / (shannon["noise_w"] + interference_w)
    return shannon["bandwidth_mhz"] * 1e6 * math.log2(1 + signal_to_noise) / 8e6


def _subtasks(instance: dict[str, Any]) -> list[Subtask]:
    """Flatten the tasks' layers into subtasks: tasks in order, layers in order."""
    everywhere = [entry["name"] for entry in instance["servers"]]
    subtasks: list[Subtask] = []
    for i, task in enumerate(instance["tasks"]):
        outputs: dict[str, tuple[int, float]] = {}
        for j, layer in enumerate(task["layers"]):
            inputs = [outputs[name] for name in layer["inputs"]] or [(TASK_INPUT, task["input_mb"])]
            allowed = layer.get("allowed") or everywhere
            outputs[layer["name"]] = (len(subtasks), layer["output_mb"])
            subtasks.append(Subtask(i, j, task.get("arrival_s", 0), layer["gcycles"], inputs, allowed))
    return subtasks


def _scales(
    servers: dict[str, Server], links: dict[tuple[str, str], Link], client: str, subtasks: list[Subtask]
) -> dict[str, float]:
    """Return the largest delay, energy and cost of any one subtask without queueing (section 4)."""
    delay_s = energy_j = cost_usd = 0.0
    for subtask in subtasks:
        for server in servers.values():
            slowest_s = transmit_j = transfer_usd = 0.0
            for source, mb in subtask.inputs:
                origins = [client] if source == TASK_INPUT else servers
                from_anywhere = [links[origin, server.name] for origin in origins]
                slowest_s = max(slowest_s, max(mb / link.rate_mb_per_s for link in from_anywhere))
                transmit_j += max(link.transmit_power_w * mb / link.rate_mb_per_s for link in from_anywhere)
                transfer_usd += max(mb / 1000 * link.price_per_gb for link in from_anywhere)
            execution_s = subtask.gcycles / server.compute_ghz
            delay_s = max(delay_s, execution_s + slowest_s)
            energy_j = max(energy_j, server.client_power_w * execution_s + transmit_j)
            cost_usd = max(cost_usd, server.price_per_hour / 3600 * execution_s + transfer_usd)
    return {"delay_s": delay_s, "energy_j": energy_j, "cost_usd": cost_usd}


# Sections 2 to 4: a placement


def evaluate(prepared: Prepared, servers: list[list[str]], order: list[list[int]] | None = None) -> dict[str, Any]:
    """Evaluate a placement.

    Parameters
    ----------
    prepared
        The instance, from `prepare`.
    servers
        A row of server names for each task.
    order
        Dispatch order as ``[task, layer]`` pairs, or None for first come, first served.

    Returns
    -------
    dict
        The system's numbers, the scales used, and a row of numbers for each subtask.
    """
    placed_on = [name for row in servers for name in row]
    if len(placed_on) != len(prepared.subtasks):
        raise ValueError(f"{len(placed_on)} servers named for {len(prepared.subtasks)} subtasks")
    bookings = _book_first_come(prepared, placed_on) if order is None else _book_in_order(prepared, placed_on, order)

    rows = []
    scales = prepared.scales
    for index, subtask in enumerate(prepared.subtasks):
        server = prepared.servers[placed_on[index]]
        booking = bookings[index]
        execution_s = subtask.gcycles / server.compute_ghz
        queueing_s = booking.start_s - booking.ready_s
        delay_s = execution_s + booking.transmission_s + queueing_s
        energy_j = server.client_power_w * execution_s
        cost_usd = server.price_per_hour / 3600 * execution_s
        for source, mb in subtask.inputs:
            origin = prepared.client if source == TASK_INPUT else placed_on[source]
            link = prepared.links[origin, server.name]
            energy_j += link.transmit_power_w * mb / link.rate_mb_per_s
            cost_usd += mb / 1000 * link.price_per_gb
        rows.append(
            {
                "delay_s": delay_s,
                "execution_s": execution_s,
                "transmission_s": booking.transmission_s,
                "queueing_s": queueing_s,
                "energy_j": energy_j,
                "cost_usd": cost_usd,
                "coordination": _coordination(
                    _normalised(delay_s, scales["delay_s"]),
                    _normalised(energy_j, scales["energy_j"]),
                    _normalised(cost_usd, scales["cost_usd"]),
                    prepared.coordination,
                ),
            }
        )
    for row, imbalance in zip(rows, _imbalances(prepared, placed_on), strict=True):
        row["imbalance"] = imbalance

    last_s = list(prepared.arrivals_s)
    for subtask, booking in zip(prepared.subtasks, bookings, strict=True):
        last_s[subtask.task] = max(last_s[subtask.task], booking.completion_s)
    delay_s = sum(last - arrival for last, arrival in zip(last_s, prepared.arrivals_s, strict=True))
    energy_j = sum(row["energy_j"] for row in rows)
    cost_usd = sum(row["cost_usd"] for row in rows)
    weights = prepared.weights
    score = (
        weights["delay"] * _normalised(delay_s, scales["delay_s"])
        + weights["energy"] * _normalised(energy_j, scales["energy_j"])
        + weights["cost"] * _normalised(cost_usd, scales["cost_usd"])
    )
    coordination = sum(row["coordination"] for row in rows)
    balance = sum(_normalised(row["imbalance"], scales["balance"]) for row in rows)
    return {
        "objective": weights["score"] * score - weights["coordination"] * coordination + weights["balance"] * balance,
        "delay_s": delay_s,
        "energy_j": energy_j,
        "cost_usd": cost_usd,
        "score": score,
        "coordination": coordination,
        "balance": balance,
        "final_imbalance": rows[-1]["imbalance"],
        "makespan_s": max(booking.completion_s for booking in bookings),
        "scales": dict(scales),
        "subtasks": rows,
    }


@dataclass(frozen=True)
class Booking:
    """When one subtask has its inputs, starts and completes."""

    ready_s: float
    transmission_s: float
    start_s: float
    completion_s: float


class _Booker:
    """Books subtasks one after another on the slots of their servers (section 3)."""

    def __init__(self, prepared: Prepared, placed_on: list[str]) -> None:
        self.prepared = prepared
        self.placed_on = placed_on
        self.bookings: dict[int, Booking] = {}
        # A list of equal numbers is a heap already: the slot that is free first comes first.
        self.slots = {name: [0.0] * server.pool for name, server in prepared.servers.items()}

    def ready(self, index: int) -> tuple[float, float]:
        """Return the ready time of a subtask whose inputs are booked, and its transmission delay."""
        subtask = self.prepared.subtasks[index]
        ready_s = critical_s = -math.inf
        for source, mb in subtask.inputs:
            if source == TASK_INPUT:
                origin, available_s = self.prepared.client, subtask.arrival_s
            else:
                if source not in self.bookings:
                    raise ValueError(f"task {subtask.task}, layer {subtask.layer} comes before its inputs")
                origin, available_s = self.placed_on[source], self.bookings[source].completion_s
            arrives_s = available_s + mb / self.prepared.links[origin, self.placed_on[index]].rate_mb_per_s
            if arrives_s > ready_s:  # strict, so that the first of equals is the critical one
                ready_s, critical_s = arrives_s, available_s
        return ready_s, ready_s - critical_s

    def book(self, index: int, ready_s: float, transmission_s: float) -> None:
        """Give a subtask the slot of its server that becomes free first."""
        server = self.prepared.servers[self.placed_on[index]]
        slots = self.slots[server.name]
        start_s = max(ready_s, slots[0])
        completion_s = start_s + self.prepared.subtasks[index].gcycles / server.compute_ghz
        heapq.heapreplace(slots, completion_s)
        self.bookings[index] = Booking(ready_s, transmission_s, start_s, completion_s)


def _book_first_come(prepared: Prepared, placed_on: list[str]) -> list[Booking]:
    """Book in the order of (ready time, subtask index)."""
    booker = _Booker(prepared, placed_on)
    missing = [0] * len(placed_on)
    for readers in prepared.readers:
        for reader in readers:
            missing[reader] += 1
    # A reader is never ready before its inputs are, so the heap yields the order of the whole list.
    waiting: list[tuple[float, int, float]] = []
    for index, count in enumerate(missing):
        if count == 0:
            ready_s, transmission_s = booker.ready(index)
            heapq.heappush(waiting, (ready_s, index, transmission_s))
    while waiting:
        ready_s, index, transmission_s = heapq.heappop(waiting)
        booker.book(index, ready_s, transmission_s)
        for reader in prepared.readers[index]:
            missing[reader] -= 1
            if missing[reader] == 0:
                reader_ready_s, reader_transmission_s = booker.ready(reader)
                heapq.heappush(waiting, (reader_ready_s, reader, reader_transmission_s))
    return [booker.bookings[index] for index in range(len(placed_on))]


def _book_in_order(prepared: Prepared, placed_on: list[str], order: list[list[int]]) -> list[Booking]:
    """Book in a given dispatch order."""
    indices = {(subtask.task, subtask.layer): index for index, subtask in enumerate(prepared.subtasks)}
    sequence = [indices[task, layer] for task, layer in order]
    if sorted(sequence) != list(range(len(placed_on))):
        raise ValueError("a dispatch order names every subtask once")
    booker = _Booker(prepared, placed_on)
    for index in sequence:
        booker.book(index, *booker.ready(index))
    return [booker.bookings[index] for index in range(len(placed_on))]


def _normalised(value: float, scale: float) -> float:
    """Return a value in its scale; an indicator that cannot occur contributes 0."""
    return value / scale if scale else 0.0


def _coordination(t: float, e: float, u: float, settings: dict[str, Any]) -> float:
    """Return the coordination H of one subtask (Eq. 10, 11)."""
    if settings["indicators"] == "benefits":
        t, e, u = 1 - min(1, t), 1 - min(1, e), 1 - min(1, u)
    total = t + e + u
    if total == 0:
        return 0.0
    coupling = 3 * (t * e * u / total**3) ** (1 / settings["root"])
    lambda_1, lambda_2, lambda_3 = settings["lambdas"]
    development = lambda_1 * t + lambda_2 * e + lambda_3 * u
    return math.sqrt(coupling * development)


def _imbalances(prepared: Prepared, placed_on: list[str]) -> Iterator[int]:
    """Yield the balance Z after each subtask in index order (Eq. 12)."""
    placed = dict.fromkeys(prepared.servers, 0)
    for name in placed_on:
        placed[name] += 1
        yield sum(
            abs(placed[a] - placed[b]) for kind in (prepared.edges, prepared.clouds) for a, b in combinations(kind, 2)
        )


# Exhaustive search, for tiny instances


def brute_force(instance: dict[str, Any]) -> tuple[float, list[list[str]]]:
    """Return the best objective of all allowed assignments, first come first served, and its servers."""
    prepared = prepare(instance)
    best = math.inf
    best_servers: list[list[str]] = []
    for placed_on in product(*(subtask.allowed for subtask in prepared.subtasks)):
        names = iter(placed_on)
        servers = [[next(names) for _ in task["layers"]] for task in instance["tasks"]]
        objective = evaluate(prepared, servers)["objective"]
        if objective < best:
            best, best_servers = objective, servers
    return best, best_servers


def brute_force_orders(instance: dict[str, Any], servers: list[list[str]]) -> tuple[float, list[list[int]]]:
    """Return the best objective of all dispatch orders for given servers, and its order."""
    prepared = prepare(instance)
    best = math.inf
    best_order: list[list[int]] = []
    for sequence in _topological_orders(prepared):
        order = [[prepared.subtasks[index].task, prepared.subtasks[index].layer] for index in sequence]
        objective = evaluate(prepared, servers, order)["objective"]
        if objective < best:
            best, best_order = objective, order
    return best, best_order


def _topological_orders(prepared: Prepared, done: tuple[int, ...] = ()) -> Iterator[tuple[int, ...]]:
    """Yield every order of the subtasks that continues ``done``, inputs before readers."""
    if len(done) == len(prepared.subtasks):
        yield done
        return
    for index, subtask in enumerate(prepared.subtasks):
        if index not in done and all(source == TASK_INPUT or source in done for source, _ in subtask.inputs):
            yield from _topological_orders(prepared, (*done, index))
