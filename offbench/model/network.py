"""A neural network by itself, without servers (format ``offbench-network/1``): what it computes, reads, writes, holds.

An importer makes one from a model file. With devices it becomes tasks of an instance, for how long a layer takes
depends on where it runs.
"""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, model_validator

from offbench.errors import OffbenchError, nearest, one_of
from offbench.files.json import check, layout, read_json
from offbench.model.facts import Fact, Input, LayerOutput, Name, NonNegative, TaskInput, counted
from offbench.model.rules import check_inputs, check_weights

Operator = Literal[
    "convolution", "depthwise-convolution", "matrix-product", "recurrent", "normalisation", "activation", "softmax",
    "pooling", "elementwise", "embedding", "movement", "control", "other",
]  # fmt: skip
OPERATORS: tuple[Operator, ...] = get_args(Operator)
"""classes of layers that take time for the same reasons; *movement* computes nothing: reshape, transpose, concat"""


class NetworkLayer(Fact):
    """One layer of a network."""

    name: Name
    operator: Operator
    gflop: NonNegative | None = None
    """10^9 floating-point operations, a multiplication and an addition are two; absent where no one can tell"""
    read_mb: NonNegative
    """data that it reads from memory, weights included, MB"""
    written_mb: NonNegative
    """data that it writes to memory, MB"""
    launches: Annotated[int, Field(ge=0, strict=True)] = 1
    """how many kernels a runtime starts for it, each with an overhead; none for what only reads its input otherwise"""
    output_mb: NonNegative
    """size of what it hands to each reader, MB"""
    inputs: tuple[Input, ...]
    """earlier layers whose output it reads, or parts of the network's input; none: the network's whole input"""
    weights_mb: NonNegative = 0.0
    """size of its weights, MB"""
    weights_id: Name | None = None
    """layers that name the same hold the same weights"""
    seconds: dict[Name, NonNegative] | None = None
    """execution time as measured, s, by device"""
    aliases: tuple[Name, ...] | None = None
    """other names of it in profiles: of nodes that are told with it, and of what these make"""

    @property
    def sources(self) -> tuple[str, ...]:
        """The layers that it reads, by name."""
        return tuple(
            each if isinstance(each, str) else each.layer for each in self.inputs if not isinstance(each, TaskInput)
        )


class Network(Fact):
    """A network, its layers in topological order."""

    format: Literal["offbench-network/1"] = "offbench-network/1"
    name: Name
    source: str = ""
    """where the numbers come from"""
    input_mb: NonNegative
    """size of its input, MB"""
    layers: Annotated[tuple[NetworkLayer, ...], Field(min_length=1)]
    outputs: tuple[Name, ...] | None = None
    """layers whose output is a result; those that nobody reads if absent"""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_inputs("layers", self.layers, "this network")
        sizes: dict[str, tuple[float, str]] = {}
        for j, layer in enumerate(self.layers):
            check_weights(f"layers[{j}]", layer, sizes)
        names = [layer.name for layer in self.layers]
        known = set(names)
        for k, name in enumerate(self.outputs or ()):
            if name not in known:
                raise ValueError(f"outputs[{k}]: '{name}' is no layer of this network{nearest(name, names)}")
        return self

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        return [("name", self.name), ("layers", len(self.layers))]

    def __repr__(self) -> str:
        return f"<Network {self.name!r}: {counted(len(self.layers), 'layer')}, {self.gflop:.3g} GFLOP>"

    __str__ = __repr__

    @property
    def results(self) -> tuple[NetworkLayer, ...]:
        """The layers whose output is a result."""
        if self.outputs is not None:
            outputs = set(self.outputs)
            return tuple(layer for layer in self.layers if layer.name in outputs)
        read = {name for layer in self.layers for name in layer.sources}
        return tuple(layer for layer in self.layers if layer.name not in read)

    @property
    def gflop(self) -> float:
        """10^9 floating-point operations of one inference, as far as they are known."""
        return sum(layer.gflop or 0.0 for layer in self.layers)

    @property
    def weights_mb(self) -> float:
        """Size of all its weights, those that layers share once, MB."""
        own = sum(layer.weights_mb for layer in self.layers if layer.weights_id is None)
        shared = {layer.weights_id: layer.weights_mb for layer in self.layers if layer.weights_id is not None}
        return own + sum(shared.values())

    @property
    def devices(self) -> list[str]:
        """Devices that seconds were measured on."""
        return sorted({device for layer in self.layers for device in layer.seconds or ()})

    @property
    def largest_cut_mb(self) -> float:
        """The most that is sent where everything up to some layer runs in one place and the rest in another, MB."""
        return max(self.cuts_mb())

    def cuts_mb(self) -> list[float]:
        """Return what is sent when the first ``j`` layers run in one place and the others in another, MB.

        Returns
        -------
        list
            From ``j = 0``, which sends the input, to one less than there are layers. What several layers read of one
            output is sent once, the largest of the sizes that they read.
        """
        last: dict[str, int] = {}
        most: dict[str, float] = {}
        size = {layer.name: layer.output_mb for layer in self.layers}
        read: dict[int, float] = {}
        for j, layer in enumerate(self.layers):
            for each in layer.inputs or (TaskInput(input_mb=self.input_mb),):
                if isinstance(each, TaskInput):
                    read[j] = read.get(j, 0.0) + each.input_mb
                    continue
                name = each if isinstance(each, str) else each.layer
                mb = each.mb if isinstance(each, LayerOutput) else size[name]
                last[name], most[name] = j, max(most.get(name, 0.0), mb)
        number = {layer.name: j for j, layer in enumerate(self.layers)}
        changes = [0.0] * (len(self.layers) + 1)
        for name, mb in most.items():  # crosses the cuts behind it, up to its last reader
            changes[number[name] + 1] += mb
            changes[last[name] + 1] -= mb
        for j, mb in read.items():  # the parts of the input are sent as long as their reader is to come
            changes[0] += mb
            changes[j + 1] -= mb
        sums, found = 0.0, []
        for change in changes[:-1]:
            sums += change
            found.append(max(0.0, sums))
        return found

    @property
    def hash(self) -> str:
        """SHA-256 of the facts; without name, source and aliases, which change no number."""
        apart: Any = {"format": True, "name": True, "source": True, "layers": {"__all__": {"aliases"}}}
        facts = self.model_dump_json(exclude=apart, exclude_defaults=True)
        return sha256(facts.encode()).hexdigest()

    def to_text(self) -> str:
        """Return the network as a file's text, a line for each layer."""
        return layout(self.model_dump(mode="json", exclude_none=True)) + "\n"


def with_device_names(network: Network, names: Mapping[str, str]) -> Network:
    """Return the network with measured seconds under other names of devices.

    Parameters
    ----------
    network
        With seconds.
    names
        New names by old ones.

    Raises
    ------
    OffbenchError
        If there are no seconds of a device, or two would have one name.
    """
    known = network.devices
    for old in names:
        if old not in known:
            if not known:
                raise OffbenchError(f"device name '{old}': '{network.name}' has no measured seconds")
            raise one_of("device name", old, known)
    renamed = [names.get(device, device) for device in known]
    twin = next((name for name in renamed if renamed.count(name) > 1), None)
    if twin is not None:
        raise OffbenchError(f"device name '{twin}': two devices would have it; there are {', '.join(known)}")

    def layer(one: NetworkLayer) -> NetworkLayer:
        if one.seconds is None:
            return one
        return one.model_copy(update={"seconds": {names.get(name, name): s for name, s in one.seconds.items()}})

    return network.model_copy(update={"layers": tuple(map(layer, network.layers))}) if names else network


def load_network(path: str | Path) -> Network:
    """Read a network from a file.

    Raises
    ------
    OffbenchError
        If there is no such file, or it breaks a rule of the format; the message names file, place and rule.
    """
    return parse_network(read_json(Path(path)), str(path))


def parse_network(data: object, source: str = "network") -> Network:
    """Check parsed JSON against the format; *source* is what errors call it."""
    if isinstance(data, dict) and {"servers", "tasks"} & set(data):
        raise OffbenchError(f"{source}: is an instance, where a network is asked for")
    return check(Network, data, source)
