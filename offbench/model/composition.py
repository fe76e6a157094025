"""New instances from named networks, arrivals and the paper's environment (MODEL.md section 6)."""

import itertools
import math
from collections.abc import Sequence

import numpy as np

from offbench.errors import OffbenchError
from offbench.model.instance import KINDS, Coordination, Instance, Kind, Layer, Link, Server, Task, Weights

ENVIRONMENT_SOURCE = (
    "environment and weights: Xue, Wu, Peng, Wolter, DDPQN: An Efficient DNN Offloading Strategy in "
    "Local-Edge-Cloud Collaborative Environments, Tables 2 and 3 and its section 5.1, as read by docs/model.md, "
    "section 6"
)
PAPER_WEIGHTS = Weights(delay=0.5, energy=0.3, cost=0.2, score=0.6, coordination=0.2, balance=0.2)
INPUT_MB = 0.574
CLIENT_IDLE_W = 10.0
POOLS: dict[Kind, int] = {"client": 1, "edge": 2, "cloud": 4}

# Slowest and fastest server of each remote kind: GHz and $/h (Table 3).
RANGES: dict[Kind, tuple[tuple[float, float], tuple[float, float]]] = {
    "edge": ((4.2, 18.3), (2.10, 2.43)),
    "cloud": ((40.0, 120.0), (0.225, 1.80)),
}

# Ends, MB/s, $/GB, W (Table 2).
LINKS: tuple[tuple[Kind, Kind, float, float, float], ...] = (
    ("cloud", "cloud", 5.0, 0.4, 0.0),
    ("cloud", "edge", 0.5, 0.8, 0.0),
    ("client", "cloud", 0.5, 0.8, 0.2),
    ("edge", "edge", 10.0, 0.16, 0.0),
    ("client", "edge", 10.0, 0.16, 0.2),
)


def paper_servers(edges: int = 5, clouds: int = 5) -> tuple[Server, ...]:
    """Return the paper's client with any number of edge and cloud servers.

    The servers of a kind are spaced evenly over its ranges of speed and price, the faster the
    dearer; a single one stands in the middle of both.
    """
    client = Server(
        name="client", kind="client", compute_ghz=2.3, price_per_hour=0, client_power_w=70, pool=POOLS["client"]
    )
    remotes = []
    counts: tuple[tuple[Kind, int], ...] = (("edge", edges), ("cloud", clouds))
    for kind, count in counts:
        speeds, prices = (_spaced(*ends, count) for ends in RANGES[kind])
        remotes += [
            Server(
                name=f"{kind}-{i + 1}", kind=kind, compute_ghz=speeds[i], price_per_hour=prices[i],
                client_power_w=CLIENT_IDLE_W, pool=POOLS[kind],
            )
            for i in range(count)
        ]  # fmt: skip
    return (client, *remotes)


def _spaced(low: float, high: float, count: int) -> list[float]:
    if count == 1:
        return [_rounded((low + high) / 2)]
    return [_rounded(value) for value in np.linspace(low, high, count).tolist()]


def _rounded(value: float) -> float:
    """Drop the noise of binary arithmetic, so that files say 7.725 and not 7.7250000000000005."""
    return float(f"{value:.15g}")


def paper_links() -> tuple[Link, ...]:
    """Return the paper's links between kinds of server (Table 2)."""
    return tuple(
        Link(between=(a, b), rate_mb_per_s=rate, price_per_gb=price, transmit_power_w=power)
        for a, b, rate, price, power in LINKS
    )


def arrivals(tasks: int, interval_s: float | None = None, per_s: float | None = None, seed: int = 0) -> list[float]:
    """Return when each task arrives, s.

    Parameters
    ----------
    tasks
        How many.
    interval_s
        A fixed interval, the first task at 0.
    per_s
        Instead: a Poisson process of that rate, the first task at 0.
    seed
        Of the Poisson process.

    Raises
    ------
    OffbenchError
        If a number is out of range.
    """
    if tasks < 1:
        raise OffbenchError(f"tasks: must be at least 1, not {tasks}")
    if interval_s is not None and not 0 <= interval_s < math.inf:
        raise OffbenchError(f"interval: must be 0 s or more, not {interval_s}")
    if per_s is not None and not 0 < per_s < math.inf:
        raise OffbenchError(f"Poisson rate: must be a positive number of tasks per second, not {per_s}")
    if interval_s is not None:
        return [_rounded(i * interval_s) for i in range(tasks)]
    if per_s is not None:
        gaps = np.random.default_rng(seed).exponential(1 / per_s, tasks - 1)
        return [0.0, *(round(float(t), 9) for t in np.cumsum(gaps))]
    return [0.0] * tasks


def compose(
    name: str,
    networks: Sequence[Instance],
    arrival_s: Sequence[float],
    edges: int = 5,
    clouds: int = 5,
    weights: Weights = PAPER_WEIGHTS,
    coordination: Coordination | None = None,
    source: str = "",
    own_clients: bool = False,
) -> Instance:
    """Compose an instance in the paper's environment, of format 1 where that can say it all.

    A network of format 2 brings its client along, for which its layers are measured, and of other seconds keeps those
    of kinds of server; its other servers and its links are left.

    Parameters
    ----------
    name
        The instance's name.
    networks
        Instances of one task each, whose layers are taken; tasks go through them in turn.
    arrival_s
        When each task arrives, s; as many tasks as arrivals.
    edges, clouds
        How many servers of each kind.
    weights, coordination
        Of the objective; the paper's if absent.
    source
        Where the numbers come from, beside the networks' own sources.
    own_clients
        Whether each task has a client of its own; else those of alike clients share one.

    Raises
    ------
    OffbenchError
        If there is no network or task, or a network has several tasks, or a layer tied to servers
        that may not exist here.
    """
    for network in networks:
        if len(network.tasks) != 1:
            raise OffbenchError(f"'{network.name}' has {len(network.tasks)} tasks; a network is an instance of one")
        if any(layer.allowed for layer in network.tasks[0].layers):
            raise OffbenchError(f"'{network.name}' ties layers to servers ('allowed'), which can't be composed")
    if not networks or not arrival_s:
        raise OffbenchError("an instance needs at least one network and one task")
    chosen = [networks[i % len(networks)] for i in range(len(arrival_s))]
    names = [network.name for network in chosen]
    several = len(set(names)) < len(names)
    counts = {name: itertools.count(1) for name in names}
    number = [next(counts[name]) for name in names]
    paper_client, *remote = paper_servers(edges, clouds)
    clients = _Clients({server.name for server in remote}, own_clients and len(chosen) > 1)
    theirs = [paper_client if network.format == "offbench/1" else _client_of(network) for network in chosen]
    differ = len(set(theirs)) > 1
    of_task = [clients.one_more(client, several=differ) for client in theirs]
    format_2 = len(clients.made) > 1 or any(network.format == "offbench/2" for network in chosen)
    tasks = tuple(
        Task(
            name=f"{network.name}-{number[i]}" if several else network.name,
            client=of_task[i] if len(clients.made) > 1 else None,
            arrival_s=arrival_s[i],
            deadline_s=network.tasks[0].deadline_s,
            input_mb=network.tasks[0].input_mb,
            layers=tuple(_measured(layer, _client_of(network), of_task[i]) for layer in network.tasks[0].layers),
        )
        for i, network in enumerate(chosen)
    )
    sources = list(dict.fromkeys(network.source.split("; environment")[0] for network in networks))
    return Instance(
        format="offbench/2" if format_2 else "offbench/1",
        name=name,
        source="; ".join(part for part in (*sources, source, ENVIRONMENT_SOURCE) if part),
        servers=(*clients.made, *remote),
        links=paper_links(),
        tasks=tasks,
        weights=weights,
        coordination=coordination or Coordination(),
    )


class _Clients:
    """The clients of an instance that is composed, each with a name of its own."""

    def __init__(self, taken: set[str], own: bool) -> None:
        self._taken, self._own = taken, own
        self._shared: dict[Server, str] = {}
        self.made: list[Server] = []

    def one_more(self, client: Server, several: bool) -> str:
        """Return the name of the client of one more task; *several*: whether there are others than this one."""
        if not self._own and client in self._shared:
            return self._shared[client]
        # Where there are several none may have the name of their kind.
        numbered = self._own or (several and client.name in KINDS)
        name, number = f"{client.name}-1" if numbered else client.name, 1
        while name in self._taken:
            number += 1
            name = f"{client.name}-{number}"
        self._taken.add(name)
        self._shared[client] = name
        self.made.append(client.model_copy(update={"name": name}))
        return name


def _client_of(network: Instance) -> Server:
    return network.servers[network.client_of[0]]


def _measured(layer: Layer, client: Server, name: str) -> Layer:
    """Return a layer with the seconds that mean something elsewhere: those of its client, now called *name*, and kinds.

    A server that has a kind's name is no kind.
    """
    if layer.seconds is None:
        return layer
    kept: dict[str, float] = {kind: s for kind, s in layer.seconds.items() if kind in KINDS and kind != client.name}
    if client.name in layer.seconds:
        kept[name] = layer.seconds[client.name]
    return layer.model_copy(update={"seconds": kept or None})
