"""Random tiny instances, one for each seed, small enough to enumerate servers and dispatch orders."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from experiments._shared.brute_force import placements
from experiments._shared.tiny_format2 import tiny_data
from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import Coordination, Instance, Weights, parse
from offbench.model.placement import Placement
from offbench.model.problem import P1, Problem

Json = dict[str, Any]
Rng = np.random.Generator

SEEDS = range(500)
# Beside them: one task with branches between a fork and a join, more subtasks on fewer servers.
MODULE_SEEDS = range(500, 600)
# And of format 2, with several clients and constraints: `tiny_format2`.
FORMAT_2_SEEDS = range(600, 1000)
# Brute force takes a quarter of a second for as many; 3 tasks of 2 layers on 4 servers have 368,640.
MOST_PLACEMENTS = 400_000
MOST_SUBTASKS = {False: 6, True: 9}

WEIGHTS = {
    "paper": Weights(delay=0.5, energy=0.3, cost=0.2, score=0.6, coordination=0.2, balance=0.2),
    "delay, no balance": Weights(delay=0.8, energy=0.1, cost=0.1, score=0.8, coordination=0.2, balance=0),
    "balance": Weights(delay=0.4, energy=0.3, cost=0.3, score=0.3, coordination=0.1, balance=0.6),
}
# The two readings of MODEL.md section 4 most of the time; the mixed ones are allowed too.
READINGS = (
    *(Coordination(), Coordination(indicators="benefits", root=3)) * 2,
    Coordination(indicators="costs", root=3),
    Coordination(indicators="benefits", root=2),
)


@cache
def tiny_instance(seed: int) -> Instance:
    """Return the instance of a seed: weights and readings take turns in format 1, the rest is drawn."""
    if seed in FORMAT_2_SEEDS:
        return parse(tiny_data(seed), f"tiny-{seed}")
    rng = np.random.default_rng([seed, 3])
    weights = list(WEIGHTS.values())[seed % len(WEIGHTS)]
    reading = READINGS[seed // len(WEIGHTS) % len(READINGS)]
    module = seed in MODULE_SEEDS
    while True:
        instance = _draw(rng, f"tiny-{seed}", weights, reading, module)
        if instance.subtasks <= MOST_SUBTASKS[module] and placements(P1(instance)) <= MOST_PLACEMENTS:
            return instance


@cache
def tiny_servers(seed: int) -> Placement:
    """Return servers drawn for the seed's instance: with them given it is P2.

    Of two servers where they are allowed, so that there are queues; in format 2 mostly the least violating of some.
    """
    rng = np.random.default_rng([seed, 4])
    problem = P1(tiny_instance(seed))
    draws = 8 if seed in FORMAT_2_SEEDS and seed % 4 else 1
    return min((_few(problem, rng) for _ in range(draws)), key=lambda each: evaluate(problem, each).violation)


def _few(problem: Problem, rng: Rng) -> Placement:
    allowed = problem.allowed
    places = allowed.shape[1]
    two = np.isin(np.arange(places), rng.choice(places, min(2, places), replace=False))
    return Placement([rng.choice(np.flatnonzero(row & two if (row & two).any() else row)) for row in allowed])


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
        return float(round(self.rng.uniform(low, high), 4))


def _draw(rng: Rng, name: str, weights: Weights, reading: Coordination, module: bool) -> Instance:
    number = _Numbers(rng)
    servers = _servers(rng, number)
    made: Json = {
        "format": "offbench/1",
        "name": name,
        "servers": servers,
        "links": _links(rng, number, servers),
        "tasks": _module(rng, number) if module else _tasks(rng, number, [server["name"] for server in servers]),
        "weights": weights.model_dump(),
        "coordination": reading.model_dump(mode="json"),
    }
    if rng.random() < 0.15:
        # As if the instance were a part of a larger one, or of a smaller one, an indicator now and then left out.
        made["scales"] = {
            "delay_s": number(0.5, 4), "energy_j": number(10, 200, zero=0.1),
            "cost_usd": number(0.0003, 0.003, zero=0.1), "balance": number(4, 20),
        }  # fmt: skip
    return parse(made, name)


def _servers(rng: Rng, number: _Numbers) -> list[Json]:
    kinds = rng.choice(["edge", "cloud"], size=rng.choice([1, 2, 3], p=[0.2, 0.35, 0.45]), p=[0.6, 0.4]).tolist()
    servers = [_server("client", "client", number(1, 3), 0.0, number(20, 70), rng)]
    for i, kind in enumerate(kinds):
        speeds, prices = ((4, 18), (2.1, 2.43)) if kind == "edge" else ((40, 120), (0.2, 1.8))
        servers.append(_server(f"{kind}-{i + 1}", kind, number(*speeds), number(*prices, zero=0.1), number(5, 10), rng))
    if rng.random() < 0.2:
        servers.append(servers.pop(0))  # the client need not be the first
    return servers


def _server(name: str, kind: str, ghz: float, price: float, power: float, rng: Rng) -> Json:
    pool = int(rng.choice([1, 2, 3], p=[0.7, 0.25, 0.05]))
    return {
        "name": name, "kind": kind, "compute_ghz": ghz, "price_per_hour": price, "client_power_w": power, "pool": pool,
    }  # fmt: skip


def _links(rng: Rng, number: _Numbers, servers: list[Json]) -> list[Json]:
    def link(a: str, b: str, rate: tuple[float, float], price: float, power: float) -> Json:
        return {
            "between": [a, b], "rate_mb_per_s": number(*rate), "price_per_gb": price, "transmit_power_w": power,
        }  # fmt: skip

    links = [
        link("client", "edge", (5, 15), 0.16, number(0.1, 0.4, zero=0.2)),
        link("client", "cloud", (0.5, 2), 0.8, number(0.1, 0.4, zero=0.2)),
        link("edge", "edge", (5, 15), 0.16, 0.0),
        link("cloud", "edge", (0.5, 2), 0.8, 0.0),
        link("cloud", "cloud", (3, 8), 0.4, 0.0),
    ]
    if rng.random() < 0.3:
        a, b = rng.choice(len(servers), size=2, replace=False)
        touches = "client" in (servers[a]["kind"], servers[b]["kind"])
        links.append(link(servers[a]["name"], servers[b]["name"], (0.3, 20), number(0, 1), 0.3 * touches))
    return links


def _tasks(rng: Rng, number: _Numbers, servers: Sequence[str]) -> list[Json]:
    count = int(rng.choice([1, 2, 3], p=[0.25, 0.45, 0.3]))
    late = rng.random() < 0.5
    return [
        {
            "name": f"task-{i + 1}",
            "arrival_s": number(0.05, 0.5, zero=0.3) if late else 0.0,
            "input_mb": number(0.2, 1, zero=0.05),
            "layers": _layers(rng, number, int(rng.integers(1, 7 if count == 1 else 4)), servers),
        }
        for i in range(count)
    ]


def _layers(rng: Rng, number: _Numbers, count: int, servers: Sequence[str]) -> list[Json]:
    chain = rng.random() < 0.5
    layers: list[Json] = []
    for j in range(count):
        earlier = [layer["name"] for layer in layers]
        inputs = earlier[-1:]
        if not chain and earlier:
            inputs = sorted(rng.choice(earlier, size=rng.integers(0, min(2, j) + 1), replace=False).tolist())
        layer: Json = {
            "name": f"layer-{j + 1}", "gcycles": number(0.1, 4, zero=0.08), "output_mb": number(0.1, 3, zero=0.08),
            "inputs": inputs,
        }  # fmt: skip
        if rng.random() < 0.1:
            layer["allowed"] = rng.choice(servers, size=rng.integers(1, len(servers)), replace=False).tolist()
        layers.append(layer)
    return layers


def _module(rng: Rng, number: _Numbers) -> list[Json]:
    # As in GoogLeNet, sending takes much longer than running, or both take as long.
    work = (0.001, 0.01) if rng.random() < 0.7 else (0.1, 2)
    layers: list[Json] = []

    def add(inputs: list[str]) -> str:
        name = f"layer-{len(layers) + 1}"
        layers.append({"name": name, "gcycles": number(*work), "output_mb": number(0.1, 2), "inputs": inputs})
        return name

    fork = add([])
    ends = []
    for _ in range(rng.integers(2, 5)):
        ends.append(fork)
        for _ in range(rng.integers(1, 3)):
            ends[-1] = add([ends[-1]])
    if rng.random() < 0.2:
        ends.append(fork)
    add(ends)
    return [{"name": "task-1", "input_mb": number(0.2, 1), "layers": layers}]
