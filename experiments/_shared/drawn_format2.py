"""Random facts of format ``offbench/2`` as plain data: servers, links, tasks and weights, without constraints."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

Json = dict[str, Any]
Rng = np.random.Generator

KINDS = ("client", "edge", "cloud")
READINGS = tuple((indicators, root) for indicators in ("costs", "benefits") for root in (2, 3))
WEIGHTS = (
    (0.5, 0.3, 0.2, 0.6, 0.2, 0.2),  # the paper's
    (1, 0, 0, 1, 0, 0),
    (0, 1, 0, 1, 0, 0),
    (0, 0, 1, 1, 0, 0),
    (0.4, 0.3, 0.3, 0.3, 0.1, 0.6),
    (0.2, 0.4, 0.4, 0.4, 0.6, 0),
)


class _Numbers:
    """Draws from a range; in a *coarse* instance from few round values, so that ties abound."""

    def __init__(self, rng: Rng) -> None:
        self.rng = rng
        self.coarse = rng.random() < 0.2

    def __call__(self, low: float, high: float, zero: float = 0) -> float:
        """Return a number between *low* and *high*, or 0 with probability *zero*."""
        if self.rng.random() < zero:
            return 0.0
        if self.coarse:
            return float(self.rng.choice([low, high]))
        return float(f"{math.exp(self.rng.uniform(math.log(low), math.log(high))):.4g}")


def draw(rng: Rng, name: str, clients: int, remotes: int, sizes: Sequence[int], chains: bool | None = None) -> Json:
    """Return an instance with so many clients and remote servers, and a task of each of the *sizes*.

    Its tasks are chains, or not, or by chance.
    """
    number = _Numbers(rng)
    servers = _servers(rng, number, clients, remotes)
    data: Json = {
        "format": "offbench/2", "name": name, "source": "drawn", "servers": servers,
        "links": _links(rng, number, servers), "tasks": _tasks(rng, number, servers, sizes, chains),
        "weights": _weights(rng),
    }  # fmt: skip
    if rng.random() < 0.8:
        indicators, root = READINGS[rng.integers(len(READINGS))]
        data["coordination"] = {"indicators": indicators, "root": root}
        if rng.random() < 0.5:
            data["coordination"]["lambdas"] = [number(0.1, 1, zero=0.1) for _ in range(3)]
    if rng.random() < 0.2:
        data["scales"] = {
            "delay_s": number(0.1, 10, zero=0.1), "energy_j": number(1, 100, zero=0.1),
            "cost_usd": number(1e-5, 1e-3, zero=0.1), "balance": number(1, 20, zero=0.1),
        }  # fmt: skip
    return data


def _servers(rng: Rng, number: _Numbers, clients: int, remotes: int) -> list[Json]:
    kinds = ["client"] * clients + sorted(rng.choice(["edge", "cloud"], size=remotes).tolist())
    servers = []
    for s, kind in enumerate(kinds):
        ghz = {"client": (1, 4), "edge": (4, 18), "cloud": (30, 100)}[kind]
        # A server that is the only one of its kind may have the kind's name.
        alone = kinds.count(kind) == 1 and rng.random() < 0.15
        server: Json = {
            "name": kind if alone else f"{kind}-{kinds[: s + 1].count(kind)}", "kind": kind,
            "compute_ghz": number(*ghz), "price_per_hour": 0 if kind == "client" else number(0.2, 3, zero=0.1),
            "client_power_w": number(20, 70) if kind == "client" else number(2, 12, zero=0.1),
            "pool": int(rng.choice([1, 2, 3], p=[0.75, 0.2, 0.05])),
        }  # fmt: skip
        if kind == "client" and rng.random() < 0.4:
            server["idle_power_w"] = number(0.5, 8, zero=0.2)
        servers.append(server)
    if rng.random() < 0.3:
        servers = [servers[s] for s in rng.permutation(len(servers))]  # clients need not be the first
    return servers


def _links(rng: Rng, number: _Numbers, servers: list[Json]) -> list[Json]:
    wireless = rng.random() < 0.15
    for server in servers:
        if wireless and server["kind"] != "client":
            server["radio"] = {"channel": int(rng.integers(2)), "power_w": number(0.05, 0.2), "gain": 1e-6}
    rates = {
        ("client", "edge"): (2, 15), ("client", "cloud"): (0.5, 2), ("edge", "edge"): (5, 15),
        ("cloud", "edge"): (0.5, 3), ("cloud", "cloud"): (3, 8),
    }  # fmt: skip

    def link(ends: Json, rate: tuple[float, float], client: bool) -> Json:
        made: Json = {**ends, "price_per_gb": number(0.1, 1, zero=0.1)}
        if client and wireless and rng.random() < 0.7:
            made["shannon"] = {"bandwidth_mhz": number(5, 20), "noise_w": number(1e-9, 1e-8)}
        else:
            made["rate_mb_per_s"] = number(*rate)
        if client and rng.random() < 0.8:
            made["transmit_power_w"] = number(0.1, 3, zero=0.1)
        if rng.random() < 0.5:
            made["latency_s"] = number(0.001, 0.2, zero=0.1)
        return made

    def links(a: str, b: str, rate: tuple[float, float], client: bool) -> list[Json]:
        """Return links for both directions between two ends, and now and then one more that counts before."""
        both, there, back = {"between": [a, b]}, {"from": a, "to": b}, {"from": b, "to": a}
        ways: list[list[Json]] = [[both], [there, back], [both, there], [both, back]]
        chosen = ways[0] if a == b else ways[rng.choice(4, p=[0.5, 0.2, 0.15, 0.15])]
        return [link(ends, rate, client) for ends in chosen]

    made = []
    for (a, b), rate in rates.items():
        made += links(a, b, rate, "client" in (a, b))
    kind_of = {server["name"]: server["kind"] for server in servers}
    remotes = [name for name, kind in kind_of.items() if kind != "client"]
    stated = {tuple(each.get("between", ())) for each in made}
    for _ in range(int(rng.choice([0, 1, 2], p=[0.55, 0.3, 0.15])) if remotes else 0):
        a, b = str(rng.choice(list(kind_of))), str(rng.choice(remotes))
        if a == b or {(a, b), (b, a)} & stated or {a, b} <= {*KINDS}:
            continue
        stated.add((a, b))
        named = links(a, b, (0.3, 20), kind_of[a] == "client")
        made += named if rng.random() < 0.5 else named[-1:]
    return [made[x] for x in rng.permutation(len(made))]


def _tasks(rng: Rng, number: _Numbers, servers: list[Json], sizes: Sequence[int], chains: bool | None) -> list[Json]:
    clients = [server["name"] for server in servers if server["kind"] == "client"]
    remotes = [server["name"] for server in servers if server["kind"] != "client"]
    ids: dict[str, float] = {}
    late, tasks = rng.random() < 0.5, []
    for i, size in enumerate(sizes):
        chain = rng.random() < 0.5 if chains is None else chains
        client = str(rng.choice(clients))
        task: Json = {"name": f"task-{i + 1}", "input_mb": number(0.2, 1, zero=0.05)}
        if len(clients) > 1 or rng.random() < 0.5:
            task["client"] = client
        if late:
            task["arrival_s"] = number(0.05, 0.5, zero=0.3)
        task["layers"] = _layers(rng, number, size, chain, client, remotes, servers, ids)
        tasks.append(task)
    return tasks


def _layers(
    rng: Rng,
    number: _Numbers,
    count: int,
    chain: bool,
    client: str,
    remotes: list[str],
    servers: list[Json],
    ids: dict[str, float],
) -> list[Json]:
    weighty = rng.random() < 0.7
    layers: list[Json] = []
    for j in range(count):
        earlier = [layer["name"] for layer in layers]
        sources = earlier[-1:]
        if not chain and earlier:
            sources = rng.choice(earlier, size=rng.integers(0, min(2, j) + 1), replace=False).tolist()
        layer: Json = {
            "name": f"layer-{j + 1}", "gcycles": number(0.1, 4, zero=0.08), "output_mb": number(0.1, 3, zero=0.08),
            "inputs": _inputs(rng, number, sources),
        }  # fmt: skip
        if rng.random() < 0.35:
            _measure(rng, number, layer, servers, [client, *remotes])
        if weighty and rng.random() < 0.8:
            layer["weights_mb"] = number(0.5, 60, zero=0.05)
            if rng.random() < 0.4:
                layer["weights_id"] = f"net/{rng.integers(3)}"
                layer["weights_mb"] = ids.setdefault(layer["weights_id"], layer["weights_mb"])
        if rng.random() < 0.12:
            may = [client, *remotes]
            layer["allowed"] = rng.choice(may, size=rng.integers(1, len(may) + 1), replace=False).tolist()
        layers.append(layer)
    return layers


def _inputs(rng: Rng, number: _Numbers, sources: Sequence[str]) -> list[Any]:
    entries: list[Any] = [
        {"layer": source, "mb": number(0.05, 3, zero=0.1)} if rng.random() < 0.25 else source for source in sources
    ]
    if rng.random() < 0.15:
        entries.insert(int(rng.integers(len(entries) + 1)), {"input_mb": number(0.05, 1, zero=0.1)})
    return entries


def _measure(rng: Rng, number: _Numbers, layer: Json, servers: list[Json], usable: Sequence[str]) -> None:
    """Give a layer times, by servers and kinds, and take its work away where each server has one."""
    kind_of = {server["name"]: server["kind"] for server in servers}
    seconds: Json = {}
    for name in usable:
        if rng.random() < 0.6:
            seconds[name if rng.random() < 0.6 else kind_of[name]] = number(0.01, 1, zero=0.08)
    if rng.random() < 0.2:
        seconds[str(rng.choice(KINDS))] = number(0.01, 1)
    layer["seconds"] = seconds
    if all({name, kind_of[name]} & {*seconds} for name in usable) and rng.random() < 0.7:
        del layer["gcycles"]
    elif not seconds:
        del layer["seconds"]


def _weights(rng: Rng) -> Json:
    shares: Sequence[float] = WEIGHTS[rng.integers(len(WEIGHTS))]
    if rng.random() < 0.4:
        drawn = [rng.multinomial(1000, rng.dirichlet([0.7] * 3)) / 1000 for _ in range(2)]
        shares = tuple(float(share) for triple in drawn for share in triple)
    return dict(zip(("delay", "energy", "cost", "score", "coordination", "balance"), shares, strict=True))
