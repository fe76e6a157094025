"""Random tiny instances whose numbers span 1e-6 to 1e6, one for each seed: what rounding and tolerances find hardest.

Numbers are drawn log-uniformly, with zeros, and with a few values that come again and again, so that there are ties
and huge ratios in one instance. They are small enough to enumerate in exact arithmetic (`exact_arithmetic`).
"""

import json
from functools import cache
from typing import Any

import numpy as np

from experiments._shared.brute_force import placements
from experiments._shared.exact_arithmetic import ExactArithmetic
from experiments._shared.tiny_format2 import constrain
from offbench.model.instance import Instance, parse
from offbench.model.placement import Placement
from offbench.model.problem import P1

Json = dict[str, Any]
Rng = np.random.Generator

LOW, HIGH = 1e-6, 1e6
# Exact arithmetic takes some seconds for as many.
MOST_PLACEMENTS = 2_000
MOST_SUBTASKS = 6


@cache
def wide_instance(seed: int) -> Instance:
    """Return the instance of a seed."""
    rng = np.random.default_rng([seed, 5])
    while True:
        instance = parse(_draw(rng, f"wide-{seed}"), f"wide-{seed}")
        if instance.subtasks <= MOST_SUBTASKS and placements(P1(instance)) <= MOST_PLACEMENTS:
            return instance


@cache
def wide_servers(seed: int) -> Placement:
    """Return servers drawn for the seed's instance, mostly of two, so that there are queues: with them it is P2."""
    rng = np.random.default_rng([seed, 6])
    allowed = P1(wide_instance(seed)).allowed
    two = np.isin(np.arange(allowed.shape[1]), rng.choice(allowed.shape[1], 2))
    return Placement([rng.choice(np.flatnonzero(row & two if (row & two).any() else row)) for row in allowed])


@cache
def wide_network(seed: int) -> Instance:
    """Return the largest task of the seed's instance alone, without H and Z."""
    data = json.loads(wide_instance(seed).to_text())
    data["tasks"] = [max(data["tasks"], key=lambda task: len(task["layers"]))]
    data["weights"] |= {"score": 1.0, "coordination": 0.0, "balance": 0.0}
    return parse(data, f"wide-{seed}")


@cache
def wide_constrained(seed: int) -> Instance:
    """Return the seed's instance with memory, deadlines and limits about what random placements need."""
    data = json.loads(wide_instance(seed).to_text()) | {"format": "offbench/2"}
    rng = np.random.default_rng([seed, 7])
    for task in data["tasks"]:
        for layer in task["layers"]:
            layer["weights_mb"] = float(f"{10.0 ** rng.uniform(-6, 6):.3g}") if rng.random() < 0.8 else 0.0
    constrain(data, ExactArithmetic(data), rng)
    return parse(data, f"wide-{seed}")


class _Numbers:
    """Draws numbers log-uniformly; how wide, how round and how often the same differs from instance to instance.

    Parameters
    ----------
    rng
        Whence.
    """

    def __init__(self, rng: Rng) -> None:
        self._rng = rng
        self._digits = int(rng.choice([1, 2, 6, 17]))
        middle, width = rng.uniform(-6, 6), rng.choice([0.5, 2, 12], p=[0.2, 0.3, 0.5])
        self._ends = max(-6.0, middle - width), min(6.0, middle + width)
        self._binary = rng.random() < 0.15
        self._again = rng.choice([0.0, 0.3, 0.8], p=[0.4, 0.35, 0.25])
        self._zeros = rng.choice([0.0, 0.1, 0.3], p=[0.4, 0.4, 0.2])
        self._some = [self._fresh() for _ in range(3)]

    def __call__(self, zero: bool = True) -> float:
        """Return a number from 1e-6 to 1e6, or 0 now and then where *zero* may be."""
        if zero and self._rng.random() < self._zeros:
            return 0.0
        if self._rng.random() < self._again:
            return self._some[int(self._rng.integers(len(self._some)))]
        return self._fresh()

    def _fresh(self) -> float:
        value = 10.0 ** self._rng.uniform(*self._ends)
        if self._binary:
            return float(2.0 ** np.clip(np.round(np.log2(value)), -19, 19))
        return float(f"{min(max(value, LOW), HIGH):.{self._digits}g}")


def _draw(rng: Rng, name: str) -> Json:
    number = _Numbers(rng)
    kinds = ["client", *rng.choice(["edge", "cloud"], size=rng.choice([1, 2, 3], p=[0.3, 0.4, 0.3])).tolist()]
    servers = [
        {
            "name": f"{kind}-{s}", "kind": kind, "compute_ghz": number(zero=False), "price_per_hour": number(),
            "client_power_w": number(), "pool": int(rng.choice([1, 2, 3], p=[0.75, 0.2, 0.05])),
        } for s, kind in enumerate(kinds)
    ]  # fmt: skip
    if rng.random() < 0.2:
        servers.append(servers.pop(0))  # the client need not be the first
    names = [server["name"] for server in servers]
    made: Json = {
        "format": "offbench/1", "name": name, "servers": servers, "links": _links(rng, number, servers),
        "tasks": [_task(rng, number, i, names) for i in range(int(rng.choice([1, 2, 3], p=[0.45, 0.4, 0.15])))],
        "weights": _weights(rng),
        "coordination": {
            "indicators": str(rng.choice(["costs", "benefits"])), "root": int(rng.choice([2, 3])),
            "lambdas": [0.33, 0.33, 0.34] if rng.random() < 0.5 else [number() for _ in range(3)],
        },
    }  # fmt: skip
    if rng.random() < 0.25:
        made["scales"] = {scale: number() for scale in ("delay_s", "energy_j", "cost_usd", "balance")}
    return made


def _links(rng: Rng, number: _Numbers, servers: list[Json]) -> list[Json]:
    def link(a: str, b: str, touches: bool) -> Json:
        power_w = number() if touches else 0.0
        made = {"between": [a, b], "price_per_gb": number(), "transmit_power_w": power_w}
        if touches and wireless:
            return made | {"shannon": {"bandwidth_mhz": number(zero=False), "noise_w": number(zero=False)}}
        return made | {"rate_mb_per_s": number(zero=False)}

    wireless = rng.random() < 0.1
    if wireless:
        for server in servers:
            if server["kind"] != "client":
                # A signal far below the noise would carry nothing at all.
                server["radio"] = {"channel": int(rng.integers(2)), "power_w": 10.0 ** rng.uniform(3, 6), "gain": 1.0}
    links = [link("client", "edge", True), link("client", "cloud", True)]
    wireless = False
    links += [link("edge", "edge", False), link("cloud", "edge", False), link("cloud", "cloud", False)]
    if rng.random() < 0.3:
        a, b = rng.choice(len(servers), size=2, replace=False)
        touches = "client" in (servers[a]["kind"], servers[b]["kind"])
        links.append(link(servers[a]["name"], servers[b]["name"], touches))
    return links


def _task(rng: Rng, number: _Numbers, i: int, servers: list[str]) -> Json:
    count = int(rng.choice([1, 2, 3, 4, 5, 6], p=[0.15, 0.25, 0.25, 0.2, 0.1, 0.05]))
    chain = rng.random() < 0.5
    layers: list[Json] = []
    for j in range(count):
        earlier = [layer["name"] for layer in layers]
        inputs = earlier[-1:]
        if not chain and earlier:
            inputs = sorted(rng.choice(earlier, size=rng.integers(0, min(3, j) + 1), replace=False).tolist())
        layer: Json = {"name": f"layer-{j}", "gcycles": number(), "output_mb": number(), "inputs": inputs}
        if rng.random() < 0.15:
            layer["allowed"] = rng.choice(servers, size=rng.integers(1, len(servers)), replace=False).tolist()
        layers.append(layer)
    return {"name": f"task-{i}", "arrival_s": number(), "input_mb": number(), "layers": layers}


def _weights(rng: Rng) -> Json:
    made: Json = {}
    for names in (("delay", "energy", "cost"), ("score", "coordination", "balance")):
        shares = 10.0 ** rng.uniform(-6 if rng.random() < 0.3 else -1, 0, size=3)
        shares[rng.random(3) < 0.25] = 0
        if not shares.any():
            shares[0] = 1
        made |= dict(zip(names, (shares / shares.sum()).tolist(), strict=True))
    return made
