"""A network between a device and one remote server where delay alone counts, as Neurosurgeon and DADS cut it.

Nothing is sent back, the link has no latency, and the input is at the device: so both papers count.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from experiments._shared.known_networks import _Chain
from offbench.catalogue.cost_model import CostModel
from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import Instance, Layer, Link, Server, Task, Weights
from offbench.model.network import Network
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.model.variations import VARIATIONS, with_scales
from offbench.runs.advice.break_even import Optimum, exactly
from offbench.runs.solve import solve

LATENCY = Weights(delay=1, energy=0, cost=0, score=1, coordination=0, balance=0)
DEVICE, REMOTE = 0, 1
MBIT = 1 / 8
"""MB of a megabit"""


def instance_of(
    network: Network, device_s: Mapping[str, float], remote_s: Mapping[str, float], mb_per_s: float
) -> Instance:
    """Return the instance of a network with times by layer, s, over a link of a rate."""
    server = {"compute_ghz": 1.0, "price_per_hour": 0.0, "client_power_w": 0.0, "pool": 1}
    return Instance(
        format="offbench/2",
        name=network.name,
        source=network.source,
        servers=(
            Server.model_validate({"name": "device", "kind": "client", **server}),
            Server.model_validate({"name": "remote", "kind": "cloud", **server}),
        ),
        links=(Link(between=("client", "cloud"), rate_mb_per_s=mb_per_s, price_per_gb=0),),
        tasks=(
            Task(
                name=network.name,
                input_mb=network.input_mb,
                layers=tuple(
                    Layer(
                        name=layer.name, output_mb=layer.output_mb, inputs=layer.inputs,
                        seconds={"device": device_s[layer.name], "remote": remote_s[layer.name]},
                    )
                    for layer in network.layers
                ),
            ),
        ),
        weights=LATENCY,
    )  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """The proven optimum, beside all on the device and all on the remote server, s."""

    cut: str
    best_s: float
    device_s: float
    remote_s: float
    min_cut_s: float
    """what the solver `min-cut` finds, which is the papers' method"""


def answer(instance: Instance) -> Answer:
    """Return the proven optimum of an instance.

    Raises
    ------
    ValueError
        If it is not proven.
    """
    problem = P1(instance)
    found = solve(instance, "chain-exact" if instance.is_chain else "graph-exact", time_limit=60)
    if found.status != "optimal" or found.placement is None or found.evaluation is None:
        raise ValueError(f"{instance.name}: not proven, but {found.status}")
    other = solve(instance, "min-cut", time_limit=60)
    assert other.evaluation is not None
    device_s, remote_s = (
        evaluate(problem, Placement(np.full(problem.n_subtasks, server))).delay_s for server in (DEVICE, REMOTE)
    )
    return Answer(
        cut=cut_of(instance, found.placement), best_s=found.evaluation.delay_s, device_s=device_s, remote_s=remote_s,
        min_cut_s=other.evaluation.delay_s,
    )  # fmt: skip


def cut_of(instance: Instance, placement: Placement) -> str:
    """Return after which layers the remote server goes on: "input", "all on the device", or their names."""
    layers = instance.tasks[0].layers
    at = {layer.name: int(server) for layer, server in zip(layers, placement.servers, strict=True)}
    if set(at.values()) == {DEVICE}:
        return "all on the device"
    sent = [
        name
        for layer in layers
        if at[layer.name] == REMOTE
        for name in (_names(layer.inputs) or ("input",))
        if name == "input" or at[name] == DEVICE
    ]
    return " and ".join(dict.fromkeys(sent))


def place(cut: str) -> str:
    """Return a cut in words."""
    return "all in the cloud" if cut == "input" else cut if cut.startswith("all") else f"after {cut}"


def with_rate(instance: Instance, mb_per_s: float) -> Instance:
    """Return the instance with another rate."""
    link = instance.links[0].model_copy(update={"rate_mb_per_s": mb_per_s})
    return instance.model_copy(update={"links": (link,)})


def _names(inputs: Sequence[object]) -> list[str]:
    return [str(getattr(each, "layer", each)) for each in inputs]


def ranges(instance: Instance, low: float, high: float) -> list[tuple[str, float, float]]:
    """Return the best cuts of a chain with the rates between which each is it, MB/s, in ascending order."""
    rate = instance.links[0].rate_mb_per_s or 0.0
    base = with_scales(instance, P1(instance).scales)

    def proven(made: Instance) -> tuple[Placement, bool]:
        found = solve(made, "chain-exact", time_limit=60)
        assert found.placement is not None
        return found.placement, found.status == "optimal"

    curve = exactly(base, VARIATIONS["bandwidth"], low / rate, high / rate, proven)
    assert curve.exact
    ends = [low, *(change.x * rate for change in curve.changes), high]
    kept: list[Optimum] = [
        *(change.before for change in curve.changes), curve.changes[-1].after if curve.changes else curve.points[-1],
    ]  # fmt: skip
    return [(cut_of(base, one.placement), a, b) for one, (a, b) in zip(kept, pairwise(ends), strict=True)]


def scaled(seconds: Mapping[str, float], total: float) -> dict[str, float]:
    """Return times with the same shares and another sum."""
    factor = total / sum(seconds.values())
    return {name: factor * s for name, s in seconds.items()}


def tiny_yolo_v2(side: int) -> Network:
    """Return Tiny YOLOv2 for VOC (https://arxiv.org/abs/1612.08242): nine convolutions, six poolings."""
    net = _Chain("tiny-yolo-v2", side)
    for channels in (16, 32, 64, 128, 256):
        net.conv(channels, 3)
        net.pool(2)
    net.conv(512, 3)
    net.add("pooling", 4 * net.size, net.size)  # 2 x 2 with stride 1, padded: as large as before
    net.conv(1024, 3)
    net.conv(1024, 3)
    net.conv(125, 1)
    names = [f"{kind}{n}" for n in range(1, 7) for kind in ("conv", "max")] + ["conv7", "conv8", "conv9"]
    return named(Network(name=net.name, input_mb=net.input_mb, layers=tuple(net.layers)), names)


def named(network: Network, names: Sequence[str], input_mb: float | None = None) -> Network:
    """Return a chain with other names of its layers, and if wanted another size of its input."""
    layers = tuple(
        layer.model_copy(update={"name": name, "inputs": (names[j - 1],) if j else ()})
        for j, (layer, name) in enumerate(zip(network.layers, names, strict=True))
    )
    return network.model_copy(
        update={"layers": layers, "input_mb": network.input_mb if input_mb is None else input_mb}
    )  # fmt: skip


def seconds_of(model: CostModel, network: Network, device: str) -> dict[str, float]:
    """Return how long each layer takes on a device of the catalogue, s."""
    return {layer.name: model.layer(layer, device).seconds for layer in network.layers}
