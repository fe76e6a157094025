"""The decision: a server for every subtask, and a dispatch order or none."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field

from offbench.errors import InvalidPlacement, OffbenchError, nearest
from offbench.files.json import check, read_json
from offbench.model.facts import counted, some
from offbench.model.instance import Fact, Instance, Name

Index = Annotated[int, Field(ge=0, strict=True)]


class PlacementFile(Fact):
    """A placement as a file says it (MODEL.md section 8)."""

    servers: tuple[tuple[Name, ...], ...]
    """a row of server names for each task"""
    order: tuple[tuple[Index, Index], ...] | None = None
    """dispatch order as ``[task, layer]`` index pairs; null: first come, first served"""
    layers: tuple[tuple[Name, ...], ...] | None = None
    """the layers' names, so that a reader knows what stands where; checked against the instance's"""


@dataclass(frozen=True, eq=False)
class Placement:
    """Where each subtask runs, and in which order subtasks are booked.

    Parameters
    ----------
    servers
        Where each subtask runs, shape ``(subtasks,)``, by the place among `Instance.places`: with one client the index
        of the server; with several the place of the first client means the client of the subtask's own task.
        Subtasks are numbered tasks in order, layers in order.
    order
        Subtask indices in the order of booking, shape ``(subtasks,)``, inputs before their readers;
        None means first come, first served (MODEL.md section 3).
    """

    servers: NDArray[np.int64]
    order: NDArray[np.int64] | None = None

    def __init__(self, servers: ArrayLike, order: ArrayLike | None = None) -> None:
        # Copies, so that a solver may go on changing its own arrays.
        object.__setattr__(self, "servers", indices(servers, copy=True))
        object.__setattr__(self, "order", None if order is None else indices(order, copy=True))

    def to_file(self, instance: Instance, layers: bool = False) -> dict[str, Any]:
        """Return the placement as the JSON object of a placement file, with the names of the layers if wanted."""
        rows, pairs, first = [], [], 0
        for i, task in enumerate(instance.tasks):
            last = first + len(task.layers)
            names = instance.names_of(i)
            rows.append([names[s] for s in self.servers[first:last].tolist()])
            pairs += [[i, j] for j in range(len(task.layers))]
            first = last
        said = {"servers": rows, "order": None if self.order is None else [pairs[k] for k in self.order]}
        return said | ({"layers": [[layer.name for layer in task.layers] for task in instance.tasks]} if layers else {})


@runtime_checkable
class HasPlacement(Protocol):
    """What has found a placement or none, such as a `Solution`."""

    @property
    def placement(self) -> Placement | None:
        """The placement."""


def indices(values: ArrayLike, copy: bool = False) -> NDArray[np.int64]:
    """Return whole numbers as an array of the kind that the evaluator takes.

    Raises
    ------
    InvalidPlacement
        If they are no whole numbers.
    """
    array = np.asarray(values)
    if array.dtype.kind not in "iu":
        raise InvalidPlacement(f"placement: servers and orders are whole numbers, not {array.dtype}")
    return np.array(array, dtype=np.int64, order="C", copy=True if copy else None)


def load_placement(path: str | Path, instance: Instance) -> Placement:
    """Read a placement file for *instance*.

    Raises
    ------
    OffbenchError
        If the file can't be read, or names servers or subtasks that the instance doesn't have, or a
        server that `allowed` forbids; the message names file, place and rule.
    """
    return parse_placement(read_json(Path(path)), instance, str(path))


def parse_placement(data: object, instance: Instance, source: str = "placement") -> Placement:
    """Check a parsed placement against its instance; *source* is what errors call it."""
    refuse_instance(data, source)
    file = check(PlacementFile, data, source)
    _check_layers(file, instance, source)
    return Placement(_servers(file, instance, source), _order(file, instance, source))


def _check_layers(file: PlacementFile, instance: Instance, source: str) -> None:
    """Refuse the placement of another network, where it says of which layers it is."""
    if file.layers is None:
        return
    for i, (task, names) in enumerate(zip(instance.tasks, file.layers, strict=False)):
        for j, (layer, name) in enumerate(zip(task.layers, names, strict=False)):
            if name != layer.name:
                raise OffbenchError(
                    f"{source}: layers[{i}][{j}]: is of a layer '{name}', but task '{task.name}' of "
                    f"'{instance.name}' has '{layer.name}' there: it is a placement of another network"
                )


def refuse_instance(data: object, source: str) -> None:
    """Raise an `OffbenchError` where parsed JSON is an instance, and a placement is asked for."""
    if isinstance(data, dict) and {"servers", "links", "tasks"} <= set(data):
        raise OffbenchError(
            f"{source}: is an instance, where a placement is asked for; the instance comes first, then its placement"
        )


def _servers(file: PlacementFile, instance: Instance, source: str) -> list[int]:
    if len(file.servers) != len(instance.tasks):
        raise OffbenchError(
            f"{source}: servers: {counted(len(file.servers), 'row')}, but instance '{instance.name}' has "
            f"{counted(len(instance.tasks), 'task')}; one row for each task"
        )
    known = {server.name: server.kind for server in instance.servers}
    remote = {instance.servers[s].name: place for place, s in enumerate(instance.places) if s != instance.client}
    chosen = []
    for i, (task, row) in enumerate(zip(instance.tasks, file.servers, strict=True)):
        if len(row) != len(task.layers):
            raise OffbenchError(
                f"{source}: servers[{i}]: {counted(len(row), 'server')}, but task '{task.name}' has "
                f"{counted(len(task.layers), 'layer')}"
            )
        own = instance.servers[instance.client_of[i]].name
        index = remote | {own: instance.places.index(instance.client)}
        for j, (layer, name) in enumerate(zip(task.layers, row, strict=True)):
            place = f"{source}: servers[{i}][{j}]"
            if name not in index:
                if name in known:
                    raise OffbenchError(
                        f"{place}: '{name}' is another client than '{own}', of which task '{task.name}' is"
                    )
                hint = f"{nearest(name, list(known))}; servers: {some(list(index), 12)}"
                raise OffbenchError(f"{place}: '{name}' is no server of '{instance.name}'{hint}")
            if layer.allowed is not None and name not in layer.allowed:
                raise OffbenchError(
                    f"{place}: layer '{layer.name}' may not run on '{name}'; allowed: {', '.join(layer.allowed)}"
                )
            chosen.append(index[name])
    return chosen


def _order(file: PlacementFile, instance: Instance, source: str) -> list[int] | None:
    if file.order is None:
        return None
    first = [0]
    for task in instance.tasks:
        first.append(first[-1] + len(task.layers))
    booked: set[int] = set()
    order = []
    for p, (i, j) in enumerate(file.order):
        place = f"{source}: order[{p}]"
        if i >= len(instance.tasks) or j >= len(instance.tasks[i].layers):
            raise OffbenchError(f"{place}: [{i}, {j}]: there is no such [task, layer]; both count from 0")
        if first[i] + j in booked:
            raise OffbenchError(f"{place}: [{i}, {j}] stands twice; each subtask is booked once")
        task = instance.tasks[i]
        for k, earlier in enumerate(task.layers[:j]):
            if earlier.name in task.layers[j].sources and first[i] + k not in booked:
                raise OffbenchError(
                    f"{place}: [{i}, {j}]: layer '{task.layers[j].name}' comes before its input '{earlier.name}'"
                )
        booked.add(first[i] + j)
        order.append(first[i] + j)
    if len(order) < first[-1]:
        raise OffbenchError(f"{source}: order: {len(order)} of {first[-1]} subtasks; each is booked once")
    return order
