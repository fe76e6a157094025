"""Networks from model files of ONNX, by the `onnx` package's shape inference; weights' values aren't read."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from offbench.errors import OffbenchError
from offbench.importers.imported import Coverage, Imported, Shape
from offbench.importers.names import Names
from offbench.importers.onnx.model import (
    UNKNOWN,
    Tensor,
    attributes_of,
    graphs_of,
    inputs_of,
    outer_names,
    read_model,
    tensors_of,
    weights_mb,
)
from offbench.importers.onnx.operators import Cost, Node, cost, only_reads
from offbench.model.facts import Input, LayerOutput, TaskInput
from offbench.model.network import Network, NetworkLayer

if TYPE_CHECKING:
    import onnx


def recognises(path: Path) -> bool:
    """Tell a model file by its ending."""
    return path.suffix.lower() == ".onnx"


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Return the network of a model file, a layer for each operator that an input reaches.

    Parameters
    ----------
    path
        The file.
    shapes
        Of inputs that have free dimensions.
    name
        Of the network; the file's if absent.

    Raises
    ------
    OffbenchError
        If it is no model, or a shape is missing or wrong.
    """
    return _Reader(read_model(path, shapes), name or path.stem, path).imported()


class _Reader:
    """The layers of a graph, as they come about."""

    def __init__(self, model: "onnx.ModelProto", name: str, path: Path) -> None:
        self._graph = model.graph
        self._name, self._path = name, path
        self._tensors = tensors_of(model, str(path))
        self._inputs = {one.name for one in inputs_of(self._graph)}
        # Tensors that no input has a say in, and of these the ones that are learnt.
        self._constant = {one.name for one in self._graph.initializer}
        self._learnt = set(self._constant)
        self._results = {one.name for one in self._graph.output}
        self._of: dict[str, str] = {}
        """the layer that makes each tensor"""
        self._written: dict[str, float] = {}
        """what each layer hands on in all, MB"""
        self._names = Names()
        self._without_cost: Counter[str] = Counter()
        self._without_shape: list[str] = []
        self._opaque: list[str] = []
        self._folded = 0
        self._users: Counter[str] = Counter(name for node in self._graph.node for name in set(node.input))

    def imported(self) -> Imported:
        layers = []
        for node in self._graph.node:  # the format wants them in topological order
            if self._is_constant(node):
                self._folded += 1
                self._constant.update(node.output)
                if node.op_type not in ("Shape", "Size"):
                    self._learnt.update(node.output)
            else:
                layers.append(self._layer(node))
        layers, results = self._alive(layers)
        if not layers:
            raise OffbenchError(f"{self._path}: no operator leads from an input to an output")
        total = sum(self._tensors.get(name, UNKNOWN).mb for name in self._inputs)
        kept = {layer.name for layer in layers}
        network = Network(
            name=self._name,
            source=f"{self._path.name}, read by offbench's importer of ONNX",
            input_mb=total,
            layers=tuple(_whole_input(layer, total) for layer in layers),
            outputs=tuple(dict.fromkeys(name for name in results if name in kept)) or None,
        )
        coverage = Coverage(
            nodes=len(self._graph.node), constant=self._folded, without_cost=dict(self._without_cost),
            without_shape=tuple(self._without_shape), opaque=tuple(self._opaque), parameters=self._parameters(),
        )  # fmt: skip
        return Imported(network, coverage, {tensor: layer for tensor, layer in self._of.items() if layer in kept})

    def _is_constant(self, node: "onnx.NodeProto") -> bool:
        if node.op_type in ("Shape", "Size"):
            return all(self._tensors.get(name, UNKNOWN).shape is not None for name in node.input)
        return all(not name or name in self._constant for name in node.input) and not list(graphs_of(node))

    def _layer(self, node: "onnx.NodeProto") -> NetworkLayer:
        name = self._names.new(node.name or next(filter(None, node.output)))
        self._of.update(dict.fromkeys(filter(None, node.output), name))
        tensors = [self._tensors.get(one) if one else None for one in (*node.input, *node.output)]
        read, written = tensors[: len(node.input)], tensors[len(node.input) :]
        used = [
            one for name, one in zip(node.output, written, strict=True) if self._users[name] or name in self._results
        ]
        if any(one is not None and one.shape is None for one in (*read, *used)) or self._lacks(node):
            self._without_shape.append(name)
        found = self._cost(node, read, written)
        free = only_reads(node.op_type)
        held = sorted({one for one in node.input if one in self._learnt and one in self._tensors})
        read_mb = sum(one.mb for one in read if one is not None)
        written_mb = sum(one.mb for one in written if one is not None)
        if found.operator == "embedding":  # of its table it reads what it hands on
            read_mb = written_mb + sum(one.mb for one in read[1:] if one is not None)
        self._written[name] = written_mb
        held_mb = sum(self._tensors[one].mb for one in held) + sum(map(weights_mb, graphs_of(node)))
        shared = len(held) > 0 and all(self._users[one] > 1 for one in held)
        return NetworkLayer(
            name=name,
            operator=found.operator,
            gflop=None if found.flop is None else found.flop / 1e9,
            read_mb=0.0 if free else read_mb,
            written_mb=0.0 if free else written_mb,
            launches=0 if free else 1,
            output_mb=written_mb,
            inputs=self._reads(node),
            weights_mb=held_mb,
            weights_id=" ".join(held) if shared and held_mb > 0 else None,
        )

    def _lacks(self, node: "onnx.NodeProto") -> bool:
        used = [name for name in node.output if self._users[name] or name in self._results]
        return any(name and name not in self._tensors for name in (*node.input, *used))

    def _cost(self, node: "onnx.NodeProto", read: Sequence[Tensor | None], written: Sequence[Tensor | None]) -> Cost:
        shapes_in, shapes_out = ([None if one is None else one.shape for one in some] for some in (read, written))
        found = cost(Node(node.op_type, shapes_in, shapes_out, attributes_of(node)))
        if found is None:
            self._without_cost[node.op_type] += 1
            return Cost("other", None)
        if found.operator == "control":
            self._opaque.append(f"{node.op_type} '{node.name or next(filter(None, node.output))}'")
        elif found.operator == "embedding" and node.input[0] not in self._constant:
            return Cost("movement", found.flop)
        return found

    def _reads(self, node: "onnx.NodeProto") -> tuple[Input, ...]:
        from_layers: dict[str, float] = {}
        whole: dict[str, float] = {}
        given = 0.0
        inner = [name for graph in graphs_of(node) for name in outer_names(graph)]
        for name in dict.fromkeys((*node.input, *inner)):
            if name in self._inputs:
                given += self._tensors.get(name, UNKNOWN).mb
            elif name in self._of:
                source = self._of[name]
                from_layers[source] = from_layers.get(source, 0.0) + self._tensors.get(name, UNKNOWN).mb
                whole[source] = self._written[source]
        entries: list[Input] = [TaskInput(input_mb=given)] if given else []
        entries += [
            source if mb == whole[source] else LayerOutput(layer=source, mb=mb) for source, mb in from_layers.items()
        ]
        return tuple(entries)

    def _alive(self, layers: list[NetworkLayer]) -> tuple[list[NetworkLayer], list[str]]:
        """Return the layers that lead to an output of the model, and those that make one."""
        results = [self._of[one.name] for one in self._graph.output if one.name in self._of]
        needed = set(results)
        for layer in reversed(layers):
            if layer.name in needed:
                needed.update(layer.sources)
        return [layer for layer in layers if layer.name in needed], results

    def _parameters(self) -> int:
        used = {
            name
            for node in self._graph.node
            if not self._is_constant(node)
            for name in node.input
            if name in self._learnt
        }
        return sum(self._tensors.get(name, UNKNOWN).numbers for name in used)


def _whole_input(layer: NetworkLayer, input_mb: float) -> NetworkLayer:
    """Write a layer that reads the network's whole input and nothing else the short way."""
    return layer.model_copy(update={"inputs": ()}) if layer.inputs == (TaskInput(input_mb=input_mb),) else layer
