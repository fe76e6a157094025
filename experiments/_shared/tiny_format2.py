"""Random tiny instances of format ``offbench/2`` as plain data, one for each seed, small enough to enumerate.

Several clients, measured seconds, latency, links of one direction, sizes of a reader's own, weights that layers share,
and constraints: memory, deadlines and limits are drawn about what random placements need, so that many of them bind and
some can't be held. Servers and dispatch orders can be enumerated in exact arithmetic (`exact_arithmetic`).
"""

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from experiments._shared.drawn_format2 import Json, Rng, draw
from experiments._shared.exact_arithmetic import ExactArithmetic

# Exact arithmetic takes a second or two for as many.
MOST_PLACEMENTS = 15_000


@cache
def tiny_data(seed: int) -> Json:
    """Return the instance of a seed, as in a file."""
    rng = np.random.default_rng([seed, 16])
    while True:
        data = _draw(rng, f"tiny-{seed}")
        exact = ExactArithmetic(data)
        if math.prod(len(row) for row in exact.allowed) * dispatch_orders(exact) <= MOST_PLACEMENTS:
            break
    if rng.random() < 0.75:
        constrain(data, exact, rng)
    return data


def random_placement(exact: ExactArithmetic, rng: Rng) -> tuple[list[int], list[int] | None]:
    """Return servers that are allowed, and a dispatch order or none."""
    servers = [int(rng.choice(row)) for row in exact.allowed]
    if rng.random() < 0.5:
        return servers, None
    order: list[int] = []
    while len(order) < exact.n_subtasks:
        ready = [k for k in range(exact.n_subtasks) if k not in order and exact.sources[k] <= set(order)]
        order.append(int(rng.choice(ready)))
    return servers, order


def dispatch_orders(exact: ExactArithmetic) -> int:
    """Return how many orders of the subtasks have inputs before their readers."""

    @cache
    def count(booked: frozenset[int]) -> int:
        ready = [k for k in range(exact.n_subtasks) if k not in booked and exact.sources[k] <= booked]
        return sum(count(booked | {k}) for k in ready) if ready else 1

    return count(frozenset())


def constrain(data: Json, exact: ExactArithmetic, rng: Rng) -> None:
    """Give memory, deadlines and limits about what random placements need."""
    found = []
    for _ in range(20):
        servers, order = random_placement(exact, rng)
        found.append((exact.held(servers), exact.evaluate(servers, order), exact.delays(servers, order)))

    def admitted(needed: Sequence[Any]) -> float | None:
        """Return what some placement needs, to its last digit or about so much, if that is anything."""
        needs = [float(each) for each in needed if each > 0]
        if not needs:
            return None
        low, high = np.quantile(needs, sorted(rng.random(2)))
        about = float(rng.choice([low, high])) * float(rng.choice([0.6, 0.95, 1.02, 1.3]))
        return float(rng.choice(needs)) if rng.random() < 0.3 else float(f"{about:.4g}")

    kinds = rng.random(3) < 0.6
    for s, server in enumerate(data["servers"]):
        if kinds[0] and rng.random() < 0.6 and (value := admitted([held[s] for held, _, _ in found])):
            server["memory_mb"] = value
    for i, task in enumerate(data["tasks"]):
        if kinds[1] and rng.random() < 0.7 and (value := admitted([delays[i] for _, _, delays in found])):
            task["deadline_s"] = value
    if kinds[2]:
        limits = {}
        for name in ("delay_s", "energy_j", "cost_usd"):
            if rng.random() < 0.5 and (value := admitted([getattr(totals, name) for _, totals, _ in found])):
                limits[name] = value
        if limits:
            data["limits"] = limits


def _draw(rng: Rng, name: str) -> Json:
    clients = int(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2]))
    remotes = int(rng.choice([0, 1, 2, 3], p=[0.07, 0.28, 0.4, 0.25]))
    tasks = int(rng.choice([1, 2, 3], p=[0.25, 0.45, 0.3]))
    sizes = [int(rng.integers(2, 7))] if tasks == 1 else rng.integers(1, 8 - 2 * tasks, size=tasks).tolist()
    return draw(rng, name, clients, remotes, sizes)
