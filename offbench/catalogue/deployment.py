"""Networks on devices: an instance of format 2 from a network, devices and links of the catalogue.

The client reaches every remote server by its uplink; remote servers reach one another by the backhaul. A last layer
brings the results back to the client, whose way home would be free without it.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ValidationError

from offbench.catalogue.catalogue import Catalogue
from offbench.catalogue.cost_model import CostModel
from offbench.catalogue.entries import Device
from offbench.catalogue.entries import Link as CataloguedLink
from offbench.catalogue.figure import Figure
from offbench.errors import OffbenchError
from offbench.files.json import one_line
from offbench.model.facts import counted
from offbench.model.instance import Instance, Kind, Layer, Link, Server, Task, Weights
from offbench.model.network import Network, NetworkLayer
from offbench.model.ranges import ONE, LinkRange, Range, Ranges

SCORE = Weights(delay=0.5, energy=0.3, cost=0.2, score=1, coordination=0, balance=0)
_RESULT = "result"


@dataclass(frozen=True)
class Deployment:
    """An instance, and what one should know of its numbers."""

    instance: Instance
    notes: tuple[str, ...]
    """what is assumed, for the catalogue doesn't know it"""
    ranges: Ranges
    """how far its rates, latencies and times may be off, as the catalogue and the cost model say"""


def deploy(
    name: str,
    networks: Sequence[Network],
    catalogue: Catalogue,
    client: str,
    edges: Sequence[str] = (),
    clouds: Sequence[str] = (),
    uplink: str = "wifi-5",
    cloud_uplink: str | None = None,
    backhaul: str = "fibre-to-cloud",
    result: bool = True,
    deadline_s: float | None = None,
) -> Deployment:
    """Return an instance: one inference of each network, on devices of the catalogue.

    Parameters
    ----------
    name
        Of the instance.
    networks
        Whose layers run; times that were measured on a device win over the cost model.
    catalogue
        With the devices and links.
    client, edges, clouds
        Names of devices; one that stands several times is so many servers.
    uplink, cloud_uplink
        Names of links: from the client to the edges, and to the clouds if that is another one.
    backhaul
        Name of the link between remote servers.
    result
        Whether the results go back to the client.
    deadline_s
        Of each network, s.

    Raises
    ------
    OffbenchError
        If there is no such device or link, or nothing tells how fast a device is.
    """
    if not networks:
        raise OffbenchError("an instance needs at least one network")
    if deadline_s is not None and not 0 < deadline_s < math.inf:
        raise OffbenchError(f"deadline: must be above 0 and finite, not {deadline_s:g}")
    kinds: list[tuple[str, Kind]] = [(client, "client"), *((one, "edge") for one in edges)]
    kinds += [(one, "cloud") for one in clouds]
    names = _names([device for device, _ in kinds])
    notes: list[str] = []
    own = catalogue.device(client)
    servers = tuple(
        _server(server, catalogue, device, kind, own, notes)
        for server, (device, kind) in zip(names, kinds, strict=True)
    )
    way = catalogue.link(uplink), catalogue.link(cloud_uplink or uplink)
    links: list[Link] = []
    off: list[LinkRange] = []
    for kind, link in (("edge", way[0]), ("cloud", way[1])):
        if any(one == kind for _, one in kinds):
            there = [n for n, (_, one) in zip(names, kinds, strict=True) if one == kind]
            links += _both_ways(link, names[0], there)
            for server in there:
                off += [
                    _off(link, link.up_mb_per_s, names[0], server), _off(link, link.down_mb_per_s, server, names[0])
                ]  # fmt: skip
    remote = names[1:]
    between = catalogue.link(backhaul)
    pairs = [(a, b) for j, a in enumerate(remote) for b in remote[j + 1 :]]
    links += [_remote(between, a, b) for a, b in pairs]
    off += [_off(between, between.up_mb_per_s, a, b) for a, b in pairs]
    model = CostModel(catalogue)
    devices = dict(zip(names, (device for device, _ in kinds), strict=True))
    tasks = tuple(
        _task(label, network, model, devices, result, deadline_s)
        for label, network in zip(_names([network.name for network in networks]), networks, strict=True)
    )
    unknown = sum(layer.gflop is None and not layer.seconds for network in networks for layer in network.layers)
    if unknown:
        notes.append(
            f"{counted(unknown, 'layer')} with neither a measured time nor a cost model: only what is read and written "
            "counts"
        )
    notes += _unused_times(networks, list(dict.fromkeys(devices.values())))
    bases = sorted({f"{device}: {model.layers(networks[0].layers, device).basis}" for device in devices.values()})
    source = "; ".join(dict.fromkeys(network.source for network in networks if network.source))
    try:
        instance = Instance(
            format="offbench/2",
            name=name,
            source=f"{source}; devices, links and prices: offbench's catalogue; times: {', '.join(bases)}",
            servers=servers,
            links=tuple(links),
            tasks=tasks,
            weights=SCORE,
        )
    except ValidationError as error:
        raise OffbenchError(f"the instance would be wrong: {one_line(error)}") from None
    layers = [layer for network in networks for layer in network.layers]
    ranges = Ranges(
        source="offbench's catalogue and cost model",
        servers={server: _times(model, layers, device) for server, device in devices.items()},
        links=tuple(off),
    )
    return Deployment(instance, tuple(dict.fromkeys(notes)), ranges)


def _unused_times(networks: Sequence[Network], devices: Sequence[str]) -> Iterator[str]:
    """Say of which networks there are measured times, but of none of the devices."""
    for network in networks:
        if network.devices and not set(network.devices) & set(devices):
            yield (
                f"{network.name}: its measured times are of {', '.join(network.devices)}, which is none of these "
                "devices, and aren't used; `offbench network import FILE --device-name OLD=NEW` renames them"
            )


def _times(model: CostModel, layers: Sequence[NetworkLayer], device: str) -> Range:
    """Return how far the times of all layers on a device are off together."""
    found = model.layers(layers, device)
    return Range(low=found.low / found.seconds, high=found.high / found.seconds) if found.seconds > 0 else ONE


def _off(link: CataloguedLink, rate: Figure, start: str, end: str) -> LinkRange:
    return LinkRange(from_=start, to=end, rate=_relative(rate), latency=_relative(link.latency_s))


def _relative(figure: Figure) -> Range:
    return Range(low=figure.low / figure.value, high=figure.high / figure.value) if figure.value > 0 else ONE


def _names(names: Sequence[str]) -> list[str]:
    """Return names with a number behind those that stand several times."""
    return [
        f"{name}-{list(names[: j + 1]).count(name)}" if list(names).count(name) > 1 else name
        for j, name in enumerate(names)
    ]


def _known(figure: Figure | None, otherwise: float, what: str, notes: list[str]) -> float:
    if figure is None:
        notes.append(f"{what} isn't in the catalogue and counts as {otherwise:g}")
        return otherwise
    return figure.value


def _server(name: str, catalogue: Catalogue, device: str, kind: Kind, client: Device, notes: list[str]) -> Server:
    facts = catalogue.device(device)
    speed, _ = CostModel(catalogue).speed(device)
    idle_w = _known(client.idle_power_w, 0.0, "the client's idle power", notes)
    if kind == "client":
        power_w = _known(facts.busy_power_w, 0.0, f"{device}: busy power", notes)
        price = 0.0
    else:
        power_w = idle_w
        known = catalogue.price_per_hour(device)
        price = _known(known, 0.0, f"{device}: a price by the hour", notes) if kind == "cloud" or known else 0.0
    return Server(
        name=name,
        kind=kind,
        compute_ghz=speed.gflop_per_s,
        price_per_hour=price,
        client_power_w=power_w,
        pool=facts.pool,
        memory_mb=None if facts.memory_mb is None else facts.memory_mb.value,
        idle_power_w=idle_w if kind == "client" else None,
    )


def _both_ways(link: CataloguedLink, client: str, remotes: Sequence[str]) -> list[Link]:
    send, receive = (0.0 if power is None else power.value for power in (link.send_power_w, link.receive_power_w))
    return [
        one
        for remote in remotes
        for one in (
            Link(
                from_=client, to=remote, rate_mb_per_s=link.up_mb_per_s.value, latency_s=link.latency_s.value,
                price_per_gb=link.up_usd_per_gb.value, transmit_power_w=send,
            ),
            Link(
                from_=remote, to=client, rate_mb_per_s=link.down_mb_per_s.value, latency_s=link.latency_s.value,
                price_per_gb=link.down_usd_per_gb.value, transmit_power_w=receive,
            ),
        )
    ]  # fmt: skip


def _remote(link: CataloguedLink, a: str, b: str) -> Link:
    return Link(
        between=(a, b), rate_mb_per_s=link.up_mb_per_s.value, latency_s=link.latency_s.value,
        price_per_gb=link.up_usd_per_gb.value,
    )  # fmt: skip


def _task(
    name: str, network: Network, model: CostModel, devices: dict[str, str], result: bool, deadline_s: float | None
) -> Task:
    client = next(iter(devices))
    layers = [
        Layer(
            name=layer.name,
            seconds={server: model.layer(layer, device).seconds for server, device in devices.items()},
            output_mb=layer.output_mb,
            inputs=layer.inputs,
            weights_mb=layer.weights_mb,
            weights_id=None if layer.weights_id is None else f"{network.name}: {layer.weights_id}",
        )
        for layer in network.layers
    ]
    if result:
        taken = {layer.name for layer in network.layers}
        label = next(one for one in (_RESULT, *(f"{_RESULT}-{n}" for n in range(1, 10**6))) if one not in taken)
        layers.append(
            Layer(
                name=label, seconds=dict.fromkeys(devices, 0.0), output_mb=0.0, allowed=(client,),
                inputs=tuple(layer.name for layer in network.results),
            )
        )  # fmt: skip
    return Task(name=name, deadline_s=deadline_s, input_mb=network.input_mb, layers=tuple(layers))
