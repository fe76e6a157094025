"""An instance of format ``offbench/1`` or ``offbench/2`` in exact numbers, from its plain JSON data (MODEL.md).

Written from MODEL.md alone: nothing of offbench is used. A number is taken for exactly what it is in binary; the
logarithm of Eq. 2 has 60 digits.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction
from typing import Any

Json = Mapping[str, Any]

DIGITS = Context(prec=60)
INDICATORS = ("delay_s", "energy_j", "cost_usd")
OWN_INPUT = -1
"""the task's own input, in place of a subtask that is read"""


@dataclass(frozen=True)
class Spent:
    """What a run or a transfer comes to: how long it lasts, J and $."""

    seconds: Fraction = Fraction(0)
    energy: Fraction = Fraction(0)
    cost: Fraction = Fraction(0)


class ExactInstance:
    """The facts of an instance, with subtasks numbered tasks in order, layers in order, and servers as in the file.

    Parameters
    ----------
    data
        As in the file.
    """

    def __init__(self, data: Json) -> None:
        self.data = data
        self._servers: list[Json] = list(data["servers"])
        tasks: list[Json] = list(data["tasks"])
        self.names = [str(server["name"]) for server in self._servers]
        self.kinds = [str(server["kind"]) for server in self._servers]
        self.pools = [int(server["pool"]) for server in self._servers]
        self._layers = [(i, layer) for i, task in enumerate(tasks) for layer in task["layers"]]
        self.task = [i for i, _ in self._layers]
        """of each subtask"""
        clients = [s for s, kind in enumerate(self.kinds) if kind == "client"]
        self.client = [self.names.index(task["client"]) if "client" in task else _only(clients) for task in tasks]
        """of each task"""
        remotes = [s for s, kind in enumerate(self.kinds) if kind != "client"]
        self.usable = [tuple(sorted([client, *remotes])) for client in self.client]
        """of each task: its client and the remote servers"""
        self.allowed = [
            tuple(s for s in self.usable[i] if "allowed" not in layer or self.names[s] in layer["allowed"])
            for i, layer in self._layers
        ]
        """of each subtask"""
        self.arrival = [Fraction(task.get("arrival_s", 0)) for task in tasks]
        self.deadline = [_optional(task, "deadline_s") for task in tasks]
        self.memory = [_optional(server, "memory_mb") for server in self._servers]
        self.limits = {name: Fraction(limit) for name, limit in data.get("limits", {}).items()}
        self.weights = {name: Fraction(share) for name, share in data["weights"].items()}
        self.coordination: Json = {
            "indicators": "costs", "root": 2, "lambdas": [0.33, 0.33, 0.34], **data.get("coordination", {}),
        }  # fmt: skip
        self.stated_scales = {name: Fraction(scale) for name, scale in (data.get("scales") or {}).items()}
        self.reads = list(self._reads(tasks))
        """of each subtask its inputs: the subtask that it reads, or `OWN_INPUT`, and how many MB"""
        # Layers of one id hold the same weights, a layer without an id its own.
        self.weight = [
            (f"id {layer['weights_id']}" if "weights_id" in layer else k, Fraction(layer.get("weights_mb", 0)))
            for k, (_, layer) in enumerate(self._layers)
        ]
        """of each subtask: whose weights it holds, and how many MB they are"""
        self.ran = {(k, s): self._run(k, s) for k, i in enumerate(self.task) for s in self.usable[i]}
        """by subtask and server"""
        self.sent = dict(self._sent())
        """by subtask, number of the input, from which server and to which"""

    @property
    def n_subtasks(self) -> int:
        """How many subtasks all tasks have together."""
        return len(self.task)

    def server_numbers(self, rows: Sequence[Sequence[str]]) -> list[int]:
        """Return the server of each subtask, by a placement file's rows of names."""
        return [self.names.index(name) for row in rows for name in row]

    def subtask_numbers(self, order: Sequence[Sequence[int]] | None) -> list[int] | None:
        """Return a dispatch order by a placement file's ``[task, layer]`` pairs."""
        first = [self.task.index(i) for i in range(len(self.client))]
        return None if order is None else [first[i] + j for i, j in order]

    def _reads(self, tasks: Sequence[Json]) -> Iterator[list[tuple[int, Fraction]]]:
        first = 0
        for task in tasks:
            number = {layer["name"]: first + j for j, layer in enumerate(task["layers"])}
            output = {layer["name"]: Fraction(layer["output_mb"]) for layer in task["layers"]}
            for layer in task["layers"]:
                row = []
                for entry in layer["inputs"] or [{"input_mb": task["input_mb"]}]:
                    if isinstance(entry, str):
                        row.append((number[entry], output[entry]))
                    elif "layer" in entry:
                        mb = Fraction(entry["mb"]) if "mb" in entry else output[entry["layer"]]
                        row.append((number[entry["layer"]], mb))
                    else:
                        row.append((OWN_INPUT, Fraction(entry["input_mb"])))
                yield row
            first += len(task["layers"])

    def _run(self, k: int, s: int) -> Spent:
        """Return what subtask *k* comes to on server *s*, its inputs apart."""
        (i, layer), server = self._layers[k], self._servers[s]
        measured: Json = layer.get("seconds") or {}
        named = next((name for name in (self.names[s], self.kinds[s]) if name in measured), None)
        if named is not None:
            seconds = Fraction(measured[named])
        else:
            seconds = Fraction(layer["gcycles"]) / Fraction(server["compute_ghz"])
        idle_w = _optional(self._servers[self.client[i]], "idle_power_w")
        power_w = Fraction(server["client_power_w"]) if s == self.client[i] or idle_w is None else idle_w
        return Spent(seconds, power_w * seconds, Fraction(server["price_per_hour"]) / 3600 * seconds)

    def _sent(self) -> Iterator[tuple[tuple[int, int, int, int], Spent]]:
        links: dict[tuple[int, int], tuple[Json, Fraction]] = {}
        for k, row in enumerate(self.reads):
            i = self.task[k]
            for x, (source, mb) in enumerate(row):
                for a in self.usable[i] if source != OWN_INPUT else (self.client[i],):
                    for b in self.usable[i]:
                        if a == b:
                            yield (k, x, a, b), Spent()
                            continue
                        if (a, b) not in links:
                            link = self._link(a, b)
                            links[a, b] = link, self._rate(link, a, b)
                        link, rate = links[a, b]
                        flowing = mb / rate  # the radio is on for so long; the rest is travel
                        yield (
                            (k, x, a, b),
                            Spent(
                                flowing + Fraction(link.get("latency_s", 0)),
                                Fraction(link.get("transmit_power_w", 0)) * flowing,
                                mb / 1000 * Fraction(link["price_per_gb"]),
                            ),
                        )

    def _link(self, a: int, b: int) -> Json:
        """Return the link for a transfer from server *a* to *b*."""
        for one, other in ((self.names[a], self.names[b]), (self.kinds[a], self.kinds[b])):
            for link in self.data["links"]:
                if (link.get("from"), link.get("to")) == (one, other):
                    return dict(link)
            for link in self.data["links"]:
                if "between" in link and sorted(link["between"]) == sorted((one, other)):
                    return dict(link)
        raise ValueError(f"no link from {self.names[a]} to {self.names[b]}")

    def _rate(self, link: Json, a: int, b: int) -> Fraction:
        shannon = link.get("shannon")
        if shannon is None:
            return Fraction(link["rate_mb_per_s"])
        remote = b if self.kinds[a] == "client" else a
        own = self._servers[remote]["radio"]
        noise = Fraction(shannon["noise_w"])
        for n, server in enumerate(self._servers):
            radio = server.get("radio")
            if n != remote and radio is not None and radio["channel"] == own["channel"]:
                noise += Fraction(radio["power_w"]) * Fraction(radio["gain"])
        ratio = 1 + Fraction(own["power_w"]) * Fraction(own["gain"]) / noise
        log2 = DIGITS.divide(decimal(ratio).ln(DIGITS), Decimal(2).ln(DIGITS))
        return Fraction(shannon["bandwidth_mhz"]) * 10**6 * Fraction(log2) / (8 * 10**6)


def decimal(value: Fraction) -> Decimal:
    """Return a fraction to 60 digits."""
    return DIGITS.divide(Decimal(value.numerator), Decimal(value.denominator))


def _optional(fields: Json, name: str) -> Fraction | None:
    value = fields.get(name)
    return None if value is None else Fraction(value)


def _only(clients: Sequence[int]) -> int:
    if len(clients) != 1:
        raise ValueError("a task needs a client where there are several")
    return clients[0]
