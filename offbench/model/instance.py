"""What a file says: servers, links, tasks, weights (formats ``offbench/1`` and ``offbench/2``, MODEL.md section 8).

Everything here is a fact from a file, checked at the door (`rules`); arrays and scales are in `problem`.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, StringConstraints, Tag, model_validator

from offbench.errors import OffbenchError, nearest
from offbench.files.json import check, layout, read_json
from offbench.files.shipped import folders_of
from offbench.model.rules import check_rules

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

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, validate_by_name=True, serialize_by_alias=True
    )


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
    memory_mb: Positive | None = None
    """format 2: how much weight it holds, MB; any if absent"""
    idle_power_w: NonNegative | None = None
    """format 2, of a client: what it draws while a remote server computes for it, W; else that server says it"""


class Shannon(Fact):
    """A wireless channel whose rate follows from the remote end's radio (Eq. 2)."""

    bandwidth_mhz: Positive
    noise_w: Positive


class Link(Fact):
    """A connection between two servers or two kinds of server, of both directions or of one."""

    between: tuple[Name, Name] | None = None
    """both directions: two server names, or two kinds; names win over kinds"""
    from_: Annotated[Name | None, Field(alias="from")] = None
    """format 2, in place of *between*: where this direction starts"""
    to: Name | None = None
    """format 2: where it ends; one direction wins over both, where both are of names or both of kinds"""
    rate_mb_per_s: Positive | None = None
    """data rate, MB/s (Eq. 3); either this or *shannon*"""
    shannon: Shannon | None = None
    latency_s: NonNegative = 0.0
    """format 2: what each transfer takes longer, s, also one of 0 MB"""
    price_per_gb: NonNegative
    """price of a transfer, $/GB with 1 GB = 1000 MB (Eq. 8)"""
    transmit_power_w: NonNegative = 0.0
    """what the client draws while it sends or receives, W; 0 unless a client is an end"""

    @property
    def ends(self) -> tuple[str, str]:
        """The two ends, as stated: where it starts and where it ends, if it is of one direction."""
        if self.between is not None:
            return self.between
        assert self.from_ is not None
        assert self.to is not None
        return self.from_, self.to

    @property
    def directed(self) -> bool:
        """Whether it is of one direction."""
        return self.between is None

    @model_validator(mode="after")
    def _two_ends(self) -> Self:
        if self.between is not None and (self.from_ is not None or self.to is not None):
            raise ValueError("has 'between' and 'from' or 'to'; needs either 'between', or 'from' and 'to'")
        if self.between is None and (self.from_ is None or self.to is None):
            missing = "'to'" if self.from_ is not None else "'from'" if self.to is not None else "'between'"
            raise ValueError(f"{missing} is missing; needs either 'between', or 'from' and 'to'")
        return self

    @model_validator(mode="after")
    def _one_rate(self) -> Self:
        if (self.rate_mb_per_s is None) == (self.shannon is None):
            raise ValueError("needs either 'rate_mb_per_s' or 'shannon'")
        return self


class LayerOutput(Fact):
    """An input of which the reader gets another size than the layer's `Layer.output_mb` (format 2)."""

    layer: Name
    """an earlier layer of the same task"""
    mb: NonNegative
    """size of what this reader gets, MB"""


class TaskInput(Fact):
    """An input that is a part of the task's own, from its client (format 2)."""

    input_mb: NonNegative
    """size, MB"""


def _sort_of_input(value: Any) -> str:
    if isinstance(value, str):
        return "name"
    if isinstance(value, TaskInput) or (isinstance(value, dict) and "input_mb" in value and "layer" not in value):
        return "input"
    return "layer" if isinstance(value, dict | LayerOutput) else "name"


Input = Annotated[
    Annotated[Name, Tag("name")] | Annotated[LayerOutput, Tag("layer")] | Annotated[TaskInput, Tag("input")],
    Discriminator(_sort_of_input),
]


class Layer(Fact):
    """A subtask: one layer of a neural network."""

    name: Name
    gcycles: NonNegative | None = None
    """work, 10^9 cycles (Eq. 1); needed but where *seconds* names every server that the task may use"""
    seconds: dict[Name, NonNegative] | None = None
    """format 2: execution time as measured, s, by server name or kind; a name wins over a kind, both over gcycles"""
    output_mb: NonNegative
    """size of what it hands to each reader, MB (Eq. 3)"""
    inputs: tuple[Input, ...]
    """earlier layers of the same task whose output it reads; none: the task's input, at the client"""
    allowed: Annotated[tuple[Name, ...], Field(min_length=1)] | None = None
    """the servers it may run on; all of them if absent"""
    weights_mb: NonNegative = 0.0
    """format 2: size of its weights, MB, which its server must hold"""
    weights_id: Name | None = None
    """format 2: layers that name the same hold the same weights, once on a server"""

    @property
    def sources(self) -> tuple[str, ...]:
        """The layers that it reads, by name."""
        return tuple(
            each if isinstance(each, str) else each.layer for each in self.inputs if not isinstance(each, TaskInput)
        )


class Task(Fact):
    """One inference of one network, its layers in topological order."""

    name: Name
    client: Name | None = None
    """format 2: which client it is of; needed where there are several"""
    arrival_s: NonNegative = 0.0
    deadline_s: Positive | None = None
    """format 2: how long after its arrival it must be complete, s"""
    input_mb: NonNegative
    """data that waits at the client, MB"""
    layers: Annotated[tuple[Layer, ...], Field(min_length=1)]

    @property
    def is_chain(self) -> bool:
        """Whether every layer but the first reads the one before and nothing else, and the first one input."""
        return len(self.layers[0].inputs) <= 1 and all(
            len(layer.inputs) == 1 and layer.sources == (before.name,) for before, layer in pairwise(self.layers)
        )

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


class Limits(Fact):
    """What totals must not exceed (format 2)."""

    delay_s: Positive | None = None
    """of D, s"""
    energy_j: Positive | None = None
    """of the energy of all subtasks, J"""
    cost_usd: Positive | None = None
    """of the cost of all subtasks, $"""


class Instance(Fact):
    """Everything a file says about one offloading problem.

    The rules that span fields: one client, in format 2 one or more; names are unique; each transfer that a task may
    need has a link; inputs are earlier layers; weights sum to 1 (`rules`).
    """

    format: Literal["offbench/1", "offbench/2"]
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
    limits: Limits | None = None
    """format 2: what totals must not exceed"""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_rules(self)
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        counts = {"tasks": len(self.tasks), "subtasks": self.subtasks, "servers": len(self.servers)}
        return [("name", self.name), *counts.items()]

    def __repr__(self) -> str:
        counts = (len(self.tasks), "task"), (self.subtasks, "subtask"), (len(self.servers), "server")
        return f"<Instance {self.name!r}: {', '.join(_counted(*count) for count in counts)}>"

    __str__ = __repr__

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Return a copy, changed by *update*; what follows from the facts is worked out anew."""
        copied = super().model_copy(update=update, deep=deep)
        for name, value in vars(type(self)).items():
            if isinstance(value, cached_property):
                vars(copied).pop(name, None)
        return copied

    @cached_property
    def clients(self) -> tuple[int, ...]:
        """Indices of the clients among the servers."""
        return tuple(s for s, server in enumerate(self.servers) if server.kind == "client")

    @property
    def client(self) -> int:
        """Index of the client, or of the first, among the servers; the place of every task's own client as well."""
        return self.clients[0]

    @cached_property
    def client_of(self) -> tuple[int, ...]:
        """Of each task, the index of its client among the servers."""
        index = {self.servers[s].name: s for s in self.clients}
        return tuple(self.client if task.client is None else index[task.client] for task in self.tasks)

    @cached_property
    def places(self) -> tuple[int, ...]:
        """What a subtask chooses among, as indices of servers: the first client stands for the task's own.

        With one client these are the servers. Placements, arrays and actions count places, so that they grow with the
        remote servers and not with the clients.
        """
        others = set(self.clients[1:])
        return tuple(s for s in range(len(self.servers)) if s not in others)

    @property
    def place_names(self) -> list[str]:
        """Names of the places whatever the task: the servers', but ``client`` for each task's own of several."""
        several = len(self.clients) > 1
        return ["client" if several and s == self.client else self.servers[s].name for s in self.places]

    def server_at(self, i: int, place: int) -> Server:
        """Return the server that task *i* finds at a *place*."""
        return self.servers[self.client_of[i] if self.places[place] == self.client else self.places[place]]

    def names_of(self, i: int) -> list[str]:
        """Return the name of each place as task *i* sees it."""
        return [self.server_at(i, place).name for place in range(len(self.places))]

    @property
    def subtasks(self) -> int:
        """How many subtasks all tasks have together."""
        return sum(len(task.layers) for task in self.tasks)

    @property
    def is_chain(self) -> bool:
        """Whether all is one task, and a chain."""
        return len(self.tasks) == 1 and self.tasks[0].is_chain

    def servers_of(self, kind: Kind) -> list[int]:
        """Return the places of one kind; of clients there is one, each task's own."""
        return [place for place, s in enumerate(self.places) if self.servers[s].kind == kind]

    @property
    def hash(self) -> str:
        """SHA-256 of the facts, whatever a file's layout; without name and source, which change no number.

        A field that has its default counts as absent, so a format that grows by optional fields changes no hash;
        for the same reason the format's own name is left out.
        """
        facts = self.model_dump(mode="json", exclude={"format", "name", "source"}, exclude_defaults=True)
        for task, said in zip(self.tasks, facts["tasks"], strict=True):
            if len(self.clients) == 1:
                said.pop("client", None)
            _without_needless_sizes(task, said["layers"])
        return sha256(json.dumps(_without_negative_zeros(facts), sort_keys=True).encode()).hexdigest()

    def to_text(self) -> str:
        """Return the instance as a file's text, a line for each server, link and layer."""
        data = self.model_dump(mode="json", exclude_none=True)
        for said, name in [(link, "latency_s") for link in data["links"]] + [
            (layer, "weights_mb") for task in data["tasks"] for layer in task["layers"]
        ]:
            if said[name] == 0:  # a file of format 1 has no such field
                del said[name]
        return layout(data) + "\n"


def _without_needless_sizes(task: Task, layers: list[dict[str, Any]]) -> None:
    """Write inputs the short way where a size is the one that counts anyway."""
    sizes = {layer.name: layer.output_mb for layer in task.layers}
    for layer, said in zip(task.layers, layers, strict=True):
        if layer.inputs == (TaskInput(input_mb=task.input_mb),):
            said["inputs"] = []
        elif any(isinstance(each, LayerOutput) for each in layer.inputs):
            said["inputs"] = [
                each.layer if isinstance(each, LayerOutput) and each.mb == sizes[each.layer] else as_said
                for each, as_said in zip(layer.inputs, said["inputs"], strict=True)
            ]


def _without_negative_zeros(facts: Any) -> Any:
    if isinstance(facts, dict):
        return {name: _without_negative_zeros(value) for name, value in facts.items()}
    if isinstance(facts, list):
        return [_without_negative_zeros(value) for value in facts]
    return facts + 0.0 if isinstance(facts, float) else facts


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


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
