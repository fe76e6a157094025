"""What if: an instance with other rates, round trips, clients or a faster device, and all else as it was."""

from collections.abc import Callable
from typing import NamedTuple

from offbench.errors import OffbenchError
from offbench.model.instance import KINDS, Instance, Layer, Link, Scales, Server, Task


def with_rate(instance: Instance, factor: float) -> Instance:
    """Return the instance with *factor* times the data rate on each link that has a client as an end."""

    def changed(link: Link) -> Link:
        if link.rate_mb_per_s is None:
            raise OffbenchError(f"'{instance.name}' has links whose rate follows from a radio; a rate is needed")
        return link.model_copy(update={"rate_mb_per_s": link.rate_mb_per_s * factor})

    return _with_links(instance, changed)


def with_round_trip(instance: Instance, added_s: float) -> Instance:
    """Return the instance with a longer round trip on each link that has a client as an end: half of it each way."""
    return _with_links(
        instance, lambda link: link.model_copy(update={"latency_s": link.latency_s + added_s / 2})
    ).model_copy(update={"format": "offbench/2"})


def with_device_speed(instance: Instance, factor: float) -> Instance:
    """Return the instance with clients that are *factor* times as fast."""
    clients = {instance.servers[s].name for s in instance.clients}

    def layer(one: Layer) -> Layer:
        if one.seconds is None:
            return one
        seconds = {name: s / factor if name in clients or name == "client" else s for name, s in one.seconds.items()}
        return one.model_copy(update={"seconds": seconds})

    def server(one: Server) -> Server:
        return one.model_copy(update={"compute_ghz": one.compute_ghz * factor}) if one.kind == "client" else one

    return instance.model_copy(
        update={
            "servers": tuple(map(server, instance.servers)),
            "tasks": tuple(
                task.model_copy(update={"layers": tuple(map(layer, task.layers))}) for task in instance.tasks
            ),
        }
    )


def with_clients(instance: Instance, count: int) -> Instance:
    """Return the instance with so many clients alike, each with all the tasks, that share the servers.

    Raises
    ------
    OffbenchError
        If there are several clients already, or links name the client, so that others would have none.
    """
    if count == 1:
        return instance
    if len(instance.clients) > 1:
        raise OffbenchError(f"'{instance.name}' has several clients already")
    client = instance.servers[instance.client]
    names = [f"{client.name}-{i + 1}" for i in range(count)]

    def links(link: Link) -> list[Link]:
        if client.name not in link.ends or client.name in KINDS:
            return [link]
        if link.between is not None:
            other = next(end for end in link.between if end != client.name)
            return [link.model_copy(update={"between": (name, other)}) for name in names]
        return [
            link.model_copy(update={"from_": name if link.from_ == client.name else link.from_,
                                    "to": name if link.to == client.name else link.to})
            for name in names
        ]  # fmt: skip

    def of(task: Task, i: int) -> Task:
        def renamed(layer: Layer) -> Layer:
            update: dict[str, object] = {}
            if layer.seconds is not None:
                update["seconds"] = {names[i] if key == client.name and client.name not in KINDS else key: s
                                     for key, s in layer.seconds.items()}  # fmt: skip
            if layer.allowed is not None:
                update["allowed"] = tuple(names[i] if name == client.name else name for name in layer.allowed)
            return layer.model_copy(update=update)

        return task.model_copy(
            update={"name": f"{task.name}-{i + 1}", "client": names[i], "layers": tuple(map(renamed, task.layers))}
        )

    return instance.model_copy(
        update={
            "format": "offbench/2",
            "servers": (
                *(client.model_copy(update={"name": name}) for name in names),
                *(server for server in instance.servers if server.kind != "client"),
            ),
            "links": tuple(one for link in instance.links for one in links(link)),
            "tasks": tuple(of(task, i) for i in range(count) for task in instance.tasks),
        }
    )


def with_scales(instance: Instance, scales: Scales) -> Instance:
    """Return the instance with stated scales, so that variations of it have the same Q for the same totals."""
    return instance.model_copy(update={"scales": scales})


def _with_links(instance: Instance, change: Callable[[Link], Link]) -> Instance:
    clients = {"client", *(instance.servers[s].name for s in instance.clients)}
    return instance.model_copy(
        update={
            "links": tuple(change(link) if clients & set(link.ends) else link for link in instance.links),
        }
    )


class Variation(NamedTuple):
    """One thing that may be otherwise."""

    name: str
    """what changes"""
    unit: str
    """of *x*: times as it is, seconds, or a number of clients"""
    of: Callable[[Instance, float], Instance]
    """the instance at *x*"""
    base: float
    """the *x* at which it is as it is"""
    straight: Callable[[float], float] | None
    """of *x* what each total of a chain's placement is a straight line in; None where there is no such thing"""


VARIATIONS: dict[str, Variation] = {
    "bandwidth": Variation("bandwidth of the device's links", "times", with_rate, 1.0, lambda x: 1 / x),
    "round-trip": Variation("round trip added to the device's links", "s", with_round_trip, 0.0, lambda x: x),
    "device-speed": Variation("speed of the device", "times", with_device_speed, 1.0, lambda x: 1 / x),
    "clients": Variation(
        "devices that share the servers", "clients", lambda instance, x: with_clients(instance, round(x)), 1.0, None
    ),
}
