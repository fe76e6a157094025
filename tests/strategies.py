"""Hypothesis strategies for small instances, placements and dispatch orders, as parsed JSON.

An *exact* instance has numbers whose sums, products and quotients are exact in binary, so that a tie is
a tie in any order of arithmetic; the others have numbers at random, where ties have no chance.
"""

from collections.abc import Sequence
from random import Random
from typing import Any

from hypothesis import strategies as st

Json = dict[str, Any]
Draw = st.DrawFn

# Exact values; powers of two where something is divided by them, and $ by the 1/1024 s.
_GCYCLES = [1, 2, 0, 3, 5, 8.25]
_GHZ = [1, 2, 4, 16]
_USD_PER_HOUR = [3.515625, 0, 7.03125, 28.125]
_WATT = [1, 0, 2, 64]
_MB = [125, 0, 250, 375]
_MB_PER_S = [125, 62.5, 250, 1000]
_USD_PER_GB = [0, 125, 250]
_ARRIVAL_S = [0, 0, 1, 2.5]
_SHARES = [(0.5, 0.3, 0.2), (0.6, 0.2, 0.2), (1, 0, 0), (0, 0.5, 0.5), (0, 0, 1), (0.25, 0.5, 0.25)]
_LAMBDAS = [(0.33, 0.33, 0.34), (1, 0, 0), (0.25, 0.5, 0.25)]


class _Numbers:
    """Draws values from a list, or at random from a range of four powers of ten around 1."""

    def __init__(self, draw: Draw, exact: bool) -> None:
        self.draw = draw
        self.random = None if exact else Random(draw(st.integers(0, 10**6)))

    def __call__(self, values: Sequence[float], low: float = 0.1, high: float = 10) -> float:
        value = self.draw(st.sampled_from(values))
        if self.random is None or value == 0:
            return value
        return float(round(low * (high / low) ** self.random.random(), 6))


@st.composite
def instances(
    draw: Draw, exact: bool | None = None, max_tasks: int = 3, max_layers: int = 5, max_edges: int = 3,
    max_clouds: int = 3, settings: Json | None = None,
) -> Json:  # fmt: skip
    """Draw an instance; *settings* replace fields drawn, a field that is None is left out."""
    if exact is None:
        exact = draw(st.booleans())
    number = _Numbers(draw, exact)
    servers = _servers(draw, number, draw(st.integers(0, max_edges)), draw(st.integers(0, max_clouds)))
    weights = [*draw(st.sampled_from(_SHARES)), *draw(st.sampled_from(_SHARES))]
    made = {
        "format": "offbench/1",
        "name": "drawn",
        "servers": servers,
        "links": _links(draw, number, servers, wireless=not exact and draw(st.booleans())),
        "tasks": [
            _task(draw, number, i, max_layers, [server["name"] for server in servers])
            for i in range(draw(st.integers(1, max_tasks)))
        ],
        "weights": dict(
            zip(("delay", "energy", "cost", "score", "coordination", "balance"), weights, strict=True)
        ),
        "coordination": {
            "indicators": draw(st.sampled_from(["costs", "benefits"])),
            "root": draw(st.sampled_from([2, 3])),
            "lambdas": list(draw(st.sampled_from(_LAMBDAS))),
        },
    }  # fmt: skip
    if draw(st.booleans()):
        made["scales"] = {
            name: draw(st.sampled_from([4, 0, 0.5, 64])) for name in ("delay_s", "energy_j", "cost_usd", "balance")
        }
    made |= settings or {}
    return {name: value for name, value in made.items() if value is not None}


def _servers(draw: Draw, number: _Numbers, edges: int, clouds: int) -> list[Json]:
    names = [(draw(st.sampled_from(["client", "phone"])), "client")]
    names += [(f"edge-{i + 1}", "edge") for i in range(edges)] + [(f"cloud-{i + 1}", "cloud") for i in range(clouds)]
    servers = [
        {
            "name": name,
            "kind": kind,
            "compute_ghz": number(_GHZ, 1, 20),
            "price_per_hour": number(_USD_PER_HOUR),
            "client_power_w": number(_WATT, 1, 70),
            "pool": draw(st.integers(1, 3)),
        }
        for name, kind in names
    ]
    if draw(st.booleans()):
        servers.append(servers.pop(0))  # the client need not be the first
    return servers


def _links(draw: Draw, number: _Numbers, servers: list[Json], wireless: bool) -> list[Json]:
    kinds = (("client", "edge"), ("client", "cloud"), ("edge", "edge"), ("cloud", "edge"), ("cloud", "cloud"))
    links = [_link(draw, number, ends, "client" in ends, wireless) for ends in kinds]
    for a, one in enumerate(servers):
        for other in servers[a + 1 :]:
            if draw(st.integers(0, 3)) == 0:
                touches = "client" in (one["kind"], other["kind"])
                links.append(_link(draw, number, (other["name"], one["name"]), touches, wireless))
    if wireless:
        for server in servers:
            if server["kind"] != "client":
                server["radio"] = {
                    "channel": draw(st.integers(1, 2)),
                    "power_w": number([0.1], 0.05, 0.2),
                    "gain": number([1e-6], 1e-6, 1e-5) or 1e-6,
                }
    return draw(st.permutations(links))


def _link(draw: Draw, number: _Numbers, ends: tuple[str, str], touches_client: bool, wireless: bool) -> Json:
    link: Json = {"between": list(ends), "price_per_gb": number(_USD_PER_GB, 1, 200)}
    if touches_client:
        link["transmit_power_w"] = number(_WATT, 0.1, 2)
    if touches_client and wireless and draw(st.booleans()):
        link["shannon"] = {"bandwidth_mhz": number([20.0], 10, 40), "noise_w": 1e-7}
    else:
        link["rate_mb_per_s"] = number(_MB_PER_S, 0.5, 20)
    return link


def _task(draw: Draw, number: _Numbers, i: int, max_layers: int, servers: list[str]) -> Json:
    chain = draw(st.booleans())
    layers: list[Json] = []
    for j in range(draw(st.integers(1, max_layers))):
        earlier = [f"layer-{k}" for k in range(j)]
        if chain:
            inputs = earlier[-1:]
        else:
            inputs = draw(st.lists(st.sampled_from(earlier), unique=True, max_size=3)) if earlier else []
        layer = {
            "name": f"layer-{j}", "gcycles": number(_GCYCLES), "output_mb": number(_MB), "inputs": inputs,
        }  # fmt: skip
        if draw(st.integers(0, 5)) == 0:
            layer["allowed"] = draw(st.lists(st.sampled_from(servers), unique=True, min_size=1))
        layers.append(layer)
    return {"name": f"task-{i}", "arrival_s": number(_ARRIVAL_S), "input_mb": number(_MB), "layers": layers}


@st.composite
def servers_for(draw: Draw, instance: Json) -> list[list[str]]:
    """Draw a server for each subtask, a row for each task."""
    everywhere = [server["name"] for server in instance["servers"]]
    return [
        [draw(st.sampled_from(layer.get("allowed", everywhere))) for layer in task["layers"]]
        for task in instance["tasks"]
    ]


@st.composite
def orders_for(draw: Draw, instance: Json) -> list[list[int]]:
    """Draw a dispatch order: pairs of task and layer, inputs before their readers."""
    waiting = {
        (i, j): {(i, k) for k, other in enumerate(task["layers"]) if other["name"] in layer["inputs"]}
        for i, task in enumerate(instance["tasks"])
        for j, layer in enumerate(task["layers"])
    }
    order: list[list[int]] = []
    while waiting:
        pair = draw(st.sampled_from([pair for pair, inputs in waiting.items() if not inputs & waiting.keys()]))
        del waiting[pair]
        order.append(list(pair))
    return order


@st.composite
def placed(draw: Draw, /, ordered: bool = False, **how: Any) -> tuple[Json, list[list[str]], list[list[int]] | None]:
    """Draw an instance, servers, and a dispatch order or none."""
    instance = draw(instances(**how))
    return instance, draw(servers_for(instance)), draw(orders_for(instance)) if ordered else None
