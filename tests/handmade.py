"""Small instances made by hand, as parsed JSON."""

from copy import deepcopy
from typing import Any

Json = dict[str, Any]

PAPER_WEIGHTS = {"delay": 0.5, "energy": 0.3, "cost": 0.2, "score": 0.6, "coordination": 0.2, "balance": 0.2}
DELAY_ALONE = {"delay": 1, "energy": 0, "cost": 0, "score": 1, "coordination": 0, "balance": 0}


def server(name: str, kind: str, ghz: float = 1, pool: int = 1, price: float = 0, power: float = 0) -> Json:
    """Return a server."""
    return {
        "name": name,
        "kind": kind,
        "compute_ghz": ghz,
        "price_per_hour": price,
        "client_power_w": power,
        "pool": pool,
    }


def link(a: str, b: str, rate: float = 1, price: float = 0, power: float = 0) -> Json:
    """Return a link."""
    return {"between": [a, b], "rate_mb_per_s": rate, "price_per_gb": price, "transmit_power_w": power}


def layer(name: str, gcycles: float, output_mb: float = 0, inputs: tuple[str, ...] = ()) -> Json:
    """Return a layer."""
    return {"name": name, "gcycles": gcycles, "output_mb": output_mb, "inputs": list(inputs)}


def task(name: str, *layers: Json, input_mb: float = 0, arrival_s: float = 0) -> Json:
    """Return a task."""
    return {"name": name, "arrival_s": arrival_s, "input_mb": input_mb, "layers": list(layers)}


def instance(servers: list[Json], links: list[Json], tasks: list[Json], **more: Any) -> Json:
    """Return an instance; weights are the paper's unless given."""
    made = {
        "format": "offbench/1",
        "name": "made-by-hand",
        "servers": servers,
        "links": links,
        "tasks": tasks,
        "weights": PAPER_WEIGHTS,
        **more,
    }
    return deepcopy(made)  # a test may change what it has made


def phone() -> Json:
    """Return an instance with every kind of server, a chain, a graph and `allowed`; no field is at its default."""
    return instance(
        [
            server("phone", "client", ghz=2, power=4),
            {**server("edge-1", "edge", ghz=4, pool=2, price=3.6, power=1), "radio": _radio(1)},
            {**server("edge-2", "edge", ghz=8, pool=2, price=7.2, power=1), "radio": _radio(1)},
            server("cloud-1", "cloud", ghz=16, pool=4, price=1.8, power=1),
        ],
        [
            {
                "between": ["client", "edge"],
                "shannon": {"bandwidth_mhz": 20, "noise_w": 1e-9},
                "price_per_gb": 0.16,
                "transmit_power_w": 0.2,
            },
            link("edge", "edge", 10, 0.16),
            link("client", "cloud", 0.5, 0.8, 0.2),
            link("edge-1", "cloud-1", 5, 0.4),
            link("cloud", "edge", 0.5, 0.8),
        ],
        [
            task(
                "chain",
                layer("conv", 4, 1.5),
                {**layer("pool", 1, 0.5, ("conv",)), "allowed": ["phone", "edge-1"]},
                layer("fc", 2, 0, ("pool",)),
                input_mb=2,
                arrival_s=0.5,
            ),
            task(
                "graph",
                layer("fork", 2, 1),
                layer("left", 3, 0.5, ("fork",)),
                layer("right", 1, 0.25, ("fork",)),
                layer("join", 1, 0, ("left", "right")),
                input_mb=1,
            ),
        ],
        source="made by hand",
        coordination={"indicators": "benefits", "root": 3, "lambdas": [0.25, 0.25, 0.5]},
        scales={"delay_s": 8, "energy_j": 16, "cost_usd": 0.01, "balance": 7},
    )


def _radio(channel: int) -> Json:
    return {"channel": channel, "power_w": 0.1, "gain": 1e-6}


def cut(instance: Json, subtasks: int, scales: Json) -> Json:
    """Return the instance without the subtasks after the first ones, with *scales* stated."""
    tasks = []
    for each in instance["tasks"]:
        layers = each["layers"][:subtasks]
        subtasks -= len(layers)
        if layers:
            tasks.append({**each, "layers": layers})
    return {**instance, "tasks": tasks, "scales": scales}
