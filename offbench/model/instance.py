"""What a file says: servers, links, tasks, weights (format ``offbench/1``, MODEL.md section 8).

Everything here is a fact from a file, checked at the door; arrays and scales are in `problem`.
"""

import json
from collections.abc import Iterable, Sequence
from hashlib import sha256
from itertools import combinations, pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from offbench.errors import OffbenchError, nearest
from offbench.files.json import check, layout, read_json
from offbench.files.shipped import folders_of

Kind = Literal["client", "edge", "cloud"]
KINDS: tuple[Kind, ...] = ("client", "edge", "cloud")

REFERENCES = "references.json"
"""beside the shipped instances, but none of them (`references`)"""

Name = Annotated[str, StringConstraints(min_length=1)]
NonNegative = Annotated[float, Field(ge=0, strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]


class Fact(BaseModel):
    """A frozen record that refuses fields it doesn't know."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Radio(Fact):
    """The radio of a remote server, for links whose rate follows Shannon (Eq. 2)."""

    channel: Annotated[int, Field(strict=True)]
    """servers on the same channel disturb one another"""
    power_w: Positive
    """transmission power q, W"""
    gain: Positive
    """channel gain g between the server and the base station"""


class Server(Fact):
    """A place where subtasks run."""

    name: Name
    kind: Kind
    compute_ghz: Positive
    """computing power, 10^9 cycles/s (Eq. 1)"""
    price_per_hour: NonNegative
    """price of running a subtask, $/h (Eq. 7)"""
    client_power_w: NonNegative
    """what the client draws while a subtask runs here, W: computing power on itself, idle power elsewhere"""
    pool: Count
    """how many subtasks it runs at once (Eq. 14)"""
    radio: Radio | None = None


class Shannon(Fact):
    """A wireless channel whose rate follows from the remote end's radio (Eq. 2)."""

    bandwidth_mhz: Positive
    noise_w: Positive


class Link(Fact):
    """A symmetric connection between two servers or two kinds of server."""

    between: tuple[Name, Name]
    """two server names, or two kinds; names win over kinds"""
    rate_mb_per_s: Positive | None = None
    """data rate, MB/s (Eq. 3); either this or *shannon*"""
    shannon: Shannon | None = None
    price_per_gb: NonNegative
    """price of a transfer, $/GB with 1 GB = 1000 MB (Eq. 8)"""
    transmit_power_w: NonNegative = 0.0
    """what the client draws while it sends, W; 0 unless the client is an end"""

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if (self.rate_mb_per_s is None) == (self.shannon is None):
            raise ValueError("needs either 'rate_mb_per_s' or 'shannon'")
        return self


class Layer(Fact):
    """A subtask: one layer of a neural network."""

    name: Name
    gcycles: NonNegative
    """work, 10^9 cycles (Eq. 1)"""
    output_mb: NonNegative
    """size of what it hands to each reader, MB (Eq. 3)"""
    inputs: tuple[Name, ...]
    """earlier layers of the same task whose output it reads; none: the task's input, at the client"""
    allowed: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """the servers it may run on; all of them if absent"""


class Task(Fact):
    """One inference of one network, its layers in topological order."""

    name: Name
    arrival_s: NonNegative = 0.0
    input_mb: NonNegative
    """data that waits at the client, MB"""
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]

    @property
    def is_chain(self) -> bool:
        """Whether every layer but the first reads the one before and nothing else."""
        return all(layer.inputs == (before.name,) for before, layer in pairwise(self.layers))

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [("name", self.name), ("layers", len(self.layers))]  # they are many

    def __repr__(self) -> str:
        return f"<Task {self.name!r}: {_counted(len(self.layers), 'layer')}>"

    __str__ = __repr__


class Weights(Fact):
    """Weights of the objective (Eq. 15-18): each triple sums to 1."""

    delay: Share
    energy: Share
    cost: Share
    score: Share
    coordination: Share
    balance: Share

    @model_validator(mode="after")
    def _sum_to_one(self) -> Self:
        for triple in (("delay", "energy", "cost"), ("score", "coordination", "balance")):
            total = sum(getattr(self, name) for name in triple)
            if abs(total - 1) > 1e-9:
                raise ValueError(f"{' + '.join(triple)} must be 1, not {total:.12g}")
        return self


class Coordination(Fact):
    """Which reading of the coupling coordination degree counts (Eq. 10, 11; MODEL.md section 4)."""

    indicators: Literal["costs", "benefits"] = "costs"
    root: Literal[2, 3] = 2
    lambdas: tuple[NonNegative, NonNegative, NonNegative] = (0.33, 0.33, 0.34)


class Scales(Fact):
    """What each indicator is divided by; an indicator whose scale is 0 contributes 0."""

    delay_s: NonNegative
    energy_j: NonNegative
    cost_usd: NonNegative
    balance: NonNegative


class Instance(Fact):
    """Everything a file says about one offloading problem.

    The rules that span fields: exactly one client; names are unique; each pair of servers has a
    link; inputs are earlier layers; weights sum to 1.
    """

    format: Literal["offbench/1"]
    name: Name
    source: str = ""
    """where the numbers come from"""
    servers: Annotated[tuple[Server, ...], Field(min_length=1)]
    links: tuple[Link, ...]
    tasks: Annotated[tuple[Task, ...], Field(min_length=1)]
    weights: Weights
    coordination: Coordination = Coordination()
    scales: Scales | None = None
    """stated scales stand; otherwise they are computed (MODEL.md section 4)"""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        _check_servers(self.servers)
        _check_links(self)
        _refuse_twins("tasks", [task.name for task in self.tasks])
        names = {server.name for server in self.servers}
        for i, task in enumerate(self.tasks):
            _check_layers(f"tasks[{i}]", task, names)
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        counts = {"tasks": len(self.tasks), "subtasks": self.subtasks, "servers": len(self.servers)}
        return [("name", self.name), *counts.items()]

    def __repr__(self) -> str:
        counts = (len(self.tasks), "task"), (self.subtasks, "subtask"), (len(self.servers), "server")
        return f"<Instance {self.name!r}: {', '.join(_counted(*count) for count in counts)}>"

    __str__ = __repr__

    @property
    def client(self) -> int:
        """Index of the client among the servers."""
        return next(s for s, server in enumerate(self.servers) if server.kind == "client")

    @property
    def subtasks(self) -> int:
        """How many subtasks all tasks have together."""
        return sum(len(task.layers) for task in self.tasks)

    @property
    def is_chain(self) -> bool:
        """Whether all is one task, and a chain."""
        return len(self.tasks) == 1 and self.tasks[0].is_chain

    def servers_of(self, kind: Kind) -> list[int]:
        """Return the indices of the servers of one kind."""
        return [s for s, server in enumerate(self.servers) if server.kind == kind]

    @property
    def hash(self) -> str:
        """SHA-256 of the facts, whatever a file's layout; without name and source, which change no number.

        A field that has its default counts as absent, so a format that grows by optional fields changes no hash;
        for the same reason the format's own name is left out.
        """
        facts = self.model_dump(mode="json", exclude={"format", "name", "source"}, exclude_defaults=True)
        return sha256(json.dumps(_without_negative_zeros(facts), sort_keys=True).encode()).hexdigest()

    def to_text(self) -> str:
        """Return the instance as a file's text, a line for each server, link and layer."""
        data = self.model_dump(mode="json", exclude_none=True, exclude_defaults=False)
        return layout(data) + "\n"

    def link_table(self) -> dict[tuple[int, int], Link]:
        """Return the link that joins each pair of servers ``(a, b)``, ``a < b``.

        A link named by two servers wins over one named by two kinds.
        """
        index = {server.name: s for s, server in enumerate(self.servers)}
        by_kind = {}
        by_name = {}
        for link in self.links:
            if all(end in KINDS for end in link.between):
                by_kind[frozenset(link.between)] = link
            else:
                by_name[frozenset(index[end] for end in link.between)] = link
        table = {}
        for a, b in combinations(range(len(self.servers)), 2):
            kinds = frozenset[str]((self.servers[a].kind, self.servers[b].kind))
            found = by_name.get(frozenset((a, b))) or by_kind.get(kinds)
            if found is not None:
                table[a, b] = found
        return table


def _without_negative_zeros(facts: Any) -> Any:
    if isinstance(facts, dict):
        return {name: _without_negative_zeros(value) for name, value in facts.items()}
    if isinstance(facts, list):
        return [_without_negative_zeros(value) for value in facts]
    return facts + 0.0 if isinstance(facts, float) else facts


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _refuse_twins(place: str, names: Sequence[str]) -> None:
    if len(set(names)) < len(names):
        seen: dict[str, int] = {}
        for i, name in enumerate(names):
            if name in seen:
                raise ValueError(f"{place}[{i}].name: '{name}' is already the name of {place}[{seen[name]}]")
            seen[name] = i


def _check_servers(servers: Sequence[Server]) -> None:
    _refuse_twins("servers", [server.name for server in servers])
    clients = [server.name for server in servers if server.kind == "client"]
    if len(clients) != 1:
        found = "none" if not clients else f"{len(clients)} ({', '.join(clients)})"
        raise ValueError(f"servers: exactly one must be of kind 'client', found {found}")
    for s, server in enumerate(servers):
        # `between: ["edge", ...]` must mean one thing.
        if server.name in KINDS and (
            server.kind != server.name or sum(other.kind == server.kind for other in servers) > 1
        ):
            raise ValueError(
                f"servers[{s}].name: '{server.name}' is the name of a kind and would be ambiguous in links"
            )


def _check_links(instance: Instance) -> None:
    servers = instance.servers
    kind_of: dict[str, str] = {server.name: server.kind for server in servers}
    seen: dict[frozenset[str], int] = {}
    for k, link in enumerate(instance.links):
        place = f"links[{k}].between"
        for end in link.between:
            if end not in kind_of and end not in KINDS:
                hint = nearest(end, [*kind_of, *KINDS])
                raise ValueError(f"{place}: '{end}' is neither a server nor a kind ({', '.join(KINDS)}){hint}")
        one, other = link.between
        kinds = one in KINDS and other in KINDS
        if not kinds and (one not in kind_of or other not in kind_of):
            raise ValueError(f"{place}: '{one}' and '{other}': must be two kinds or two server names")
        if one == other and (not kinds or one == "client"):
            raise ValueError(f"{place}: '{one}' can't be linked with itself")
        ends = frozenset(link.between)
        if ends in seen:
            raise ValueError(f"{place}: '{one}' and '{other}' are already linked by links[{seen[ends]}]")
        seen[ends] = k
        if link.transmit_power_w > 0 and "client" not in (kind_of.get(one, one), kind_of.get(other, other)):
            raise ValueError(f"links[{k}].transmit_power_w: must be 0, for the client is no end of this link")

    table = instance.link_table()
    place_of = {id(link): f"links[{k}]" for k, link in enumerate(instance.links)}
    for a, b in combinations(range(len(servers)), 2):
        if (a, b) not in table:
            kinds_text = f"kinds '{servers[a].kind}' and '{servers[b].kind}'"
            raise ValueError(f"links: none joins '{servers[a].name}' and '{servers[b].name}' ({kinds_text})")
        link = table[a, b]
        if link.shannon is not None:
            _check_radio(place_of[id(link)], servers[a], servers[b])


def _check_radio(place: str, a: Server, b: Server) -> None:
    if "client" not in (a.kind, b.kind):
        raise ValueError(f"{place}.shannon: joins '{a.name}' and '{b.name}'; a wireless link has the client as an end")
    remote = b if a.kind == "client" else a
    if remote.radio is None:
        raise ValueError(f"{place}.shannon: needs the remote end's radio, but '{remote.name}' has none")


def _check_layers(place: str, task: Task, servers: set[str]) -> None:
    _refuse_twins(f"{place}.layers", [layer.name for layer in task.layers])
    number = {layer.name: j for j, layer in enumerate(task.layers)}
    for j, layer in enumerate(task.layers):
        here = f"{place}.layers[{j}]"
        if len(set(layer.inputs)) < len(layer.inputs):
            raise ValueError(f"{here}.inputs: a layer of '{layer.name}' is named twice")
        for k, source in enumerate(layer.inputs):
            if source not in number:
                hint = nearest(source, list(number))
                raise ValueError(f"{here}.inputs[{k}]: '{source}' is no layer of task '{task.name}'{hint}")
            if number[source] >= j:
                cycle = _cycle(task, number)
                reason = f"a cycle: {' -> '.join(cycle)}" if cycle else "layers must follow their inputs"
                raise ValueError(f"{here}.inputs[{k}]: '{source}' is no earlier layer than '{layer.name}': {reason}")
        if layer.allowed is not None:
            for k, server in enumerate(layer.allowed):
                if server not in servers:
                    hint = nearest(server, sorted(servers))
                    raise ValueError(f"{here}.allowed[{k}]: '{server}' is no server of this instance{hint}")
            if len(set(layer.allowed)) < len(layer.allowed):
                raise ValueError(f"{here}.allowed: a server is named twice")


def _cycle(task: Task, number: dict[str, int]) -> list[str]:
    import networkx as nx

    graph = nx.DiGraph((source, layer.name) for layer in task.layers for source in layer.inputs if source in number)
    try:
        edges = nx.find_cycle(graph)
    except nx.NetworkXNoCycle:
        return []
    return [edges[0][0], *(edge[1] for edge in edges)]


def shipped() -> list[str]:
    """Names of the instances that come with the package."""
    return sorted(_shipped_files())


def _shipped_files() -> dict[str, Path]:
    paths = (path for folder in folders_of("offbench.instances") for path in folder.iterdir())
    return {path.stem: path for path in paths if path.suffix == ".json" and path.name != REFERENCES}


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that no file can have
        return False


def load(instance: str | Path) -> Instance:
    """Read an instance from a file, or one that ships with the package by its name.

    Parameters
    ----------
    instance
        A path such as ``instances/resnet.json``, or a name such as ``resnet``.

    Raises
    ------
    OffbenchError
        If there is no such file or name, or the file breaks a rule of the format; the message names
        file, place and rule.
    """
    if not isinstance(instance, str | Path):
        raise OffbenchError(f"instance: must be a file or a shipped name, not {type(instance).__name__}")
    path = Path(instance)
    if path.suffix == "" and path.name == str(instance) and not _is_file(path):
        found = _shipped_files()
        if str(instance) not in found:
            known = shipped()
            raise OffbenchError(
                f"{instance}: no such file, and no instance of that name"
                f"{nearest(str(instance), known)}; shipped: {', '.join(known)}"
            )
        path = found[str(instance)]
    return parse(read_json(path), str(path))


def parse(data: object, source: str = "instance") -> Instance:
    """Check parsed JSON against the format; *source* is what errors call it."""
    return check(Instance, data, source)
