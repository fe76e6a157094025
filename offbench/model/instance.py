"""What a file says: servers, links, tasks, weights (formats ``offbench/1`` and ``offbench/2``, MODEL.md section 8).

Everything here is a fact from a file, checked at the door (`rules`); arrays and scales are in `problem`.
"""

import json
from collections.abc import Iterable, Mapping
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from offbench.errors import OffbenchError, nearest
from offbench.files.json import check, layout, read_json
from offbench.files.shipped import folders_of
from offbench.model.facts import KINDS as KINDS
from offbench.model.facts import Coordination as Coordination
from offbench.model.facts import Count as Count
from offbench.model.facts import Fact as Fact
from offbench.model.facts import Input as Input
from offbench.model.facts import Kind as Kind
from offbench.model.facts import Layer as Layer
from offbench.model.facts import LayerOutput as LayerOutput
from offbench.model.facts import Limits as Limits
from offbench.model.facts import Link as Link
from offbench.model.facts import Name as Name
from offbench.model.facts import NonNegative as NonNegative
from offbench.model.facts import Positive as Positive
from offbench.model.facts import Radio as Radio
from offbench.model.facts import Scales as Scales
from offbench.model.facts import Server as Server
from offbench.model.facts import Shannon as Shannon
from offbench.model.facts import Share as Share
from offbench.model.facts import Task as Task
from offbench.model.facts import TaskInput as TaskInput
from offbench.model.facts import Weights as Weights
from offbench.model.facts import counted
from offbench.model.links import Links
from offbench.model.rules import check_rules

REFERENCES = "references.json"
"""beside the shipped instances, but none of them (`references`)"""


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
    """stated scales stand; otherwise they are computed (docs/model.md, section 4)"""
    limits: Limits | None = None
    """format 2: what totals must not exceed"""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_rules(self.format, self.servers, self.links, self.tasks, self.limits)
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        counts = {"tasks": len(self.tasks), "subtasks": self.subtasks, "servers": len(self.servers)}
        return [("name", self.name), *counts.items()]

    def __repr__(self) -> str:
        counts = (len(self.tasks), "task"), (self.subtasks, "subtask"), (len(self.servers), "server")
        return f"<Instance {self.name!r}: {', '.join(counted(*count) for count in counts)}>"

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
        """What a subtask chooses among, as indices of servers; the first client stands for the task's own.

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
    def may_be_constrained(self) -> bool:
        """Whether a memory, a deadline or a limit is stated."""
        memories = any(server.memory_mb is not None for server in self.servers)
        deadlines = any(task.deadline_s is not None for task in self.tasks)
        return self.limits is not None or memories or deadlines

    @property
    def is_chain(self) -> bool:
        """Whether all is one task, and a chain."""
        return len(self.tasks) == 1 and self.tasks[0].is_chain

    def servers_of(self, kind: Kind) -> list[int]:
        """Return the places of one kind; of clients there is one, each task's own."""
        return [place for place, s in enumerate(self.places) if self.servers[s].kind == kind]

    def link_table(self) -> dict[tuple[int, int], Link]:
        """Return the link from server ``a`` to server ``b`` for each pair ``(a, b)`` that may need one.

        For a page or a table; of many clients it is long, and `links.Links` knows each of them at once.
        """
        links, found = Links(self.servers, self.links), {}
        for a, one in enumerate(self.servers):
            for b, other in enumerate(self.servers):
                link = None if a == b or one.kind == other.kind == "client" else links.at(a, b)
                if link is not None:
                    found[a, b] = link
        return found

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


# How files end that an importer reads; an instance is JSON.
_MODELS = (".onnx", ".py", ".csv", ".tflite", ".pt", ".pth")


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
        raise OffbenchError(f"instance: must be an Instance, a file or a shipped name, not {type(instance).__name__}")
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
    if path.suffix in _MODELS and _is_file(path):
        raise _to_be_put_on_devices(str(path), "a model")
    return parse(read_json(path), str(path))


def _to_be_put_on_devices(source: str, what: str) -> OffbenchError:
    return OffbenchError(
        f"{source}: is {what}, where an instance is asked for; `offbench instance make --network {source} --client "
        "DEVICE --edge DEVICE` puts it on devices"
    )


def parse(data: object, source: str = "instance") -> Instance:
    """Check parsed JSON against the format; *source* is what errors call it."""
    if isinstance(data, dict) and {"servers", "order"} <= set(data) <= {"servers", "order", "layers"}:
        raise OffbenchError(
            f"{source}: is a placement, where an instance is asked for; the instance comes first, then its placement"
        )
    if isinstance(data, dict) and str(data.get("format", "")).startswith("offbench-network/"):
        raise _to_be_put_on_devices(source, "a network")
    return check(Instance, data, source)
