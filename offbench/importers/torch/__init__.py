"""Networks from modules of torch: `FILE.py:FACTORY` or `package.module:FACTORY`, by torch.export, without weights."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from offbench.errors import OffbenchError
from offbench.importers.imported import Coverage, Imported, Shape
from offbench.importers.names import Names
from offbench.importers.torch.operators import Cost, Node, cost
from offbench.model.facts import Input, LayerOutput, TaskInput
from offbench.model.network import Network, NetworkLayer

if TYPE_CHECKING:
    from torch.export import ExportedProgram

_CODE = re.compile(r"(?:.*\.py|[A-Za-z_][\w.]*):[A-Za-z_][\w.]*")
# Of a layer whose weights are another's as well, what may be its own: the bias beside a tied matrix.
_OWN_SHARE = 0.1


def recognises(path: Path) -> bool:
    """Tell the name of a factory, which is no file, by its colon."""
    return _CODE.fullmatch(str(path)) is not None and not path.is_file()


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Return the network of a module, a layer for each operator that an input reaches.

    Parameters
    ----------
    path
        A Python file or an importable module, a colon, and what makes an ``nn.Module`` when called without arguments.
        It is run.
    shapes
        Of the inputs by name; ``ids:int64`` says a type.
    name
        Of the network; the factory's if absent.

    Raises
    ------
    OffbenchError
        If there is no such factory, it fails, an input is missing or wrong, or the module can't be exported.
    """
    from offbench.importers.torch.load import exported

    program, tied = exported(str(path), shapes)
    return _Reader(program, tied, name or str(path).rpartition(":")[2], path.name).imported()


class _Reader:
    """The layers of an exported program, as they come about."""

    def __init__(self, program: "ExportedProgram", tied: Mapping[str, str], name: str, source: str) -> None:
        self._graph, self._name, self._source = program.graph, name, source
        signature = program.graph_signature
        held = {**signature.inputs_to_parameters, **signature.inputs_to_buffers}
        held |= signature.inputs_to_lifted_tensor_constants
        self._weights = {name: tied.get(of, of) for name, of in held.items()}
        """what is learnt or stored, by placeholder, under one name where modules share it"""
        self._learnt = set(signature.inputs_to_parameters)
        self._given = set(signature.user_inputs)
        self._results = [one for one in signature.user_outputs if isinstance(one, str)]
        self._constant: dict[Node, tuple[Node, ...]] = {}
        """what no input has a say in, with the weights that it is worked out from"""
        self._layer_of: dict[Node, str] = {}
        self._users = Counter(
            self._weights[one.name]
            for node in self._graph.nodes
            for one in set(node.all_input_nodes)
            if one.name in self._weights
        )
        self._paths = Counter(_path(node) for node in self._graph.nodes if node.op == "call_function")
        self._names = Names()
        self._without_cost: Counter[str] = Counter()
        self._opaque: list[str] = []
        self._left_out_mb = 0.0
        self._nodes = self._folded = 0

    def imported(self) -> Imported:
        layers = list(self._layers())
        needed = {self._layer_of[node] for node in self._graph.nodes if node.name in self._results
                  and node in self._layer_of}  # fmt: skip
        results = tuple(layer.name for layer in layers if layer.name in needed)
        for layer in reversed(layers):
            if layer.name in needed:
                needed.update(layer.sources)
        total = sum(_mb(node) for node in self._graph.nodes if node.name in self._given)
        kept = [layer for layer in layers if layer.name in needed]
        if not kept:
            raise OffbenchError(f"{self._source}: no operator leads from an input to an output")
        whole = (TaskInput(input_mb=total),)
        network = Network(
            name=self._name,
            source=f"{self._source}, read by offbench's importer of torch",
            input_mb=total,
            layers=tuple(one.model_copy(update={"inputs": ()}) if one.inputs == whole else one for one in kept),
            outputs=results,
        )
        notes: tuple[str, ...] = ()
        if self._left_out_mb:
            notes = (f"{self._left_out_mb:.3g} MB of weights beside others that layers share are left out",)
        coverage = Coverage(
            nodes=self._nodes, constant=self._folded, without_cost=dict(self._without_cost),
            opaque=tuple(self._opaque), parameters=self._parameters(), notes=notes,
        )  # fmt: skip
        return Imported(network, coverage)

    def _layers(self) -> Iterator[NetworkLayer]:
        for node in self._graph.nodes:
            if node.op in ("placeholder", "get_attr"):
                if node.name not in self._given:
                    self._constant[node] = (node,) if node.name in self._weights else ()
                continue
            if node.op != "call_function" or node.meta.get("val") is None:  # the output; assertions
                continue
            sources = node.all_input_nodes
            if node.target.__name__ == "getitem":
                self._pass_on(node, sources[0])
                continue
            self._nodes += 1
            if (sources and not all(one in self._constant for one in sources)) or _is_control(node):
                yield self._layer(node, sources)
            else:
                self._folded += 1
                self._constant[node] = tuple(weights for one in sources for weights in self._constant[one])

    def _pass_on(self, node: Node, source: Node) -> None:
        """One of several outputs is of the layer that makes them."""
        if source in self._layer_of:
            self._layer_of[node] = self._layer_of[source]
        elif source in self._constant:
            self._constant[node] = self._constant[source]

    def _layer(self, node: Node, sources: list[Node]) -> NetworkLayer:
        name = self._unique(node)
        self._layer_of[node] = name
        found = self._cost(node, name)
        held = {one for source in sources for one in self._constant.get(source, ())}
        sizes = {self._weights[one.name]: _mb(one) for one in held}
        shared = {one: mb for one, mb in sizes.items() if self._users[one] > 1}
        weights_mb, weights_id = sum(sizes.values()), None
        if shared and sum(shared.values()) >= (1 - _OWN_SHARE) * weights_mb:
            self._left_out_mb += weights_mb - sum(shared.values())
            weights_mb, weights_id = sum(shared.values()), " ".join(sorted(shared))
        written = _written_mb(node)
        read = sum(_mb(one) for one in dict.fromkeys(sources))
        if found.operator == "embedding":  # of its table it reads what it hands on
            read = written + sum(_mb(one) for one in dict.fromkeys(sources) if one not in self._constant)
        return NetworkLayer(
            name=name,
            operator=found.operator,
            gflop=None if found.flop is None else found.flop / 1e9,
            read_mb=0.0 if found.free else read,
            written_mb=0.0 if found.free else written,
            launches=0 if found.free else 1,
            output_mb=written,
            inputs=self._reads(sources),
            weights_mb=weights_mb,
            weights_id=weights_id,
        )

    def _cost(self, node: Node, name: str) -> Cost:
        if _is_control(node):
            self._opaque.append(f"{node.target.__name__} '{name}'")
            return Cost("control", None)
        found = cost(node)
        if found is None:
            self._without_cost[node.target.__name__.partition(".")[0]] += 1
            return Cost("other", None)
        return found

    def _reads(self, sources: list[Node]) -> tuple[Input, ...]:
        given, from_layers, whole = 0.0, dict[str, float](), dict[str, float]()
        for source in dict.fromkeys(sources):
            if source.name in self._given:
                given += _mb(source)
            elif source in self._layer_of:
                layer = self._layer_of[source]
                from_layers[layer] = from_layers.get(layer, 0.0) + _mb(source)
                whole.setdefault(layer, _written_mb(source.args[0] if _is_item(source) else source))
        entries: list[Input] = [TaskInput(input_mb=given)] if given else []
        return (
            *entries,
            *(layer if mb == whole[layer] else LayerOutput(layer=layer, mb=mb) for layer, mb in from_layers.items()),
        )

    def _unique(self, node: Node) -> str:
        path = _path(node)
        name = path if path and self._paths[path] == 1 else ".".join(filter(None, (path, node.name)))
        return self._names.new(name)

    def _parameters(self) -> int:
        used = {self._weights[node.name]: node for node in self._graph.nodes
                if node.name in self._learnt and self._users[self._weights[node.name]]}  # fmt: skip
        return sum(node.meta["val"].numel() for node in used.values())


def _is_item(node: Node) -> bool:
    return bool(node.op == "call_function" and node.target.__name__ == "getitem")


def _is_control(node: Node) -> bool:
    from torch._ops import HigherOrderOperator

    return isinstance(node.target, HigherOrderOperator)


def _path(node: Node) -> str:
    """Return the module that an operator is of, such as ``layer1.0.conv1``."""
    stack = node.meta.get("nn_module_stack")
    return str(list(stack.values())[-1][0]) if stack else ""


def _mb(node: Node) -> float:
    return _bytes(node.meta.get("val")) / 1e6


def _written_mb(node: Node) -> float:
    """Return the size of what a node hands on, of several outputs those that are read."""
    if not isinstance(node.meta.get("val"), (tuple, list)):
        return _mb(node)
    items = {one.args[1]: one for one in node.users if _is_item(one) and one.users}
    return sum(_mb(one) for one in items.values()) if items else _mb(node)


def _bytes(value: Any) -> int:
    import torch

    if isinstance(value, torch.Tensor):
        return value.numel() * value.element_size()
    return sum(map(_bytes, value)) if isinstance(value, list | tuple) else 0
