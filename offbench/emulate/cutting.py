"""Parts of a model as ONNX files of their own."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from offbench.emulate.nodes import Model
from offbench.errors import OffbenchError
from offbench.importers.onnx.model import graphs_of

if TYPE_CHECKING:
    import onnx

_RANDOM = (
    "Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike",
)  # fmt: skip
_SHAPES = ("Shape", "Size")  # of what is known beforehand they are constant


class Tensor(NamedTuple):
    """What is sent."""

    dtype: str
    """as numpy calls it"""
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """In bytes."""
        import numpy as np

        return int(np.prod(self.shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize


class Cutter:
    """Cuts one model.

    Parameters
    ----------
    model
        Whose weights' values are read now, those in files of their own too.

    Raises
    ------
    OffbenchError
        If it can't be cut, or weights can't be read.
    """

    def __init__(self, model: Model) -> None:
        self.model = model
        graph = model.graph.graph
        for node in graph.node:
            if next(graphs_of(node), None) is not None:
                raise OffbenchError(
                    f"{model.path}: {node.op_type} '{node.name or node.output[0]}' is control flow, which can't be cut"
                )
            if node.op_type in _RANDOM:
                raise OffbenchError(
                    f"{model.path}: {node.op_type} '{node.name or node.output[0]}' draws at random, so what the parts "
                    "make can't be compared"
                )
        self._info = {one.name: one for one in (*graph.input, *graph.value_info, *graph.output)}
        self._weights = self._read_weights()
        self._sparse = {one.values.name: one for one in graph.sparse_initializer}
        self._maker = {name: node for node in graph.node for name in node.output if name}
        self._given = set(model.inputs)
        self._of: dict[str, list[onnx.NodeProto]] = {}
        """the operators of each layer"""
        for node in graph.node:
            layer = next((model.layer_of[name] for name in node.output if name in model.layer_of), None)
            if layer is not None:
                self._of.setdefault(layer, []).append(node)
        self._place = {id(node): k for k, node in enumerate(graph.node)}
        self._results = set(model.outputs)
        self._readers: dict[str, set[str]] = {}
        """the layers that read each tensor"""
        for layer in self._of:
            for name in self.read_by(layer):
                self._readers.setdefault(name, set()).add(layer)

    def _read_weights(self) -> "dict[str, onnx.TensorProto]":
        """Return the weights with their values, which `read_model` leaves out."""
        import onnx
        from onnx import checker

        try:
            return {one.name: one for one in onnx.load(str(self.model.path)).graph.initializer}
        except (OSError, ValueError, checker.ValidationError) as error:
            raise OffbenchError(f"{self.model.path}: its weights can't be read: {error}") from None

    def read_by(self, layer: str) -> list[str]:
        """Return the tensors that a layer reads of others and of what is given; the collecting one reads results."""
        if layer == self.model.collecting:
            return list(self.model.outputs)
        mine = self._of.get(layer, [])
        made = {name for node in mine for name in node.output}
        needed = [name for node in self._with_constants(mine) for name in self._reads(node)]
        return [name for name in dict.fromkeys(needed) if name not in made and self._depends(name)]

    def _depends(self, name: str) -> bool:
        """Tell whether a tensor changes with what the model is given."""
        return name in self._given or name in self.model.layer_of

    def _reads(self, node: "onnx.NodeProto") -> list[str]:
        """Return what a node needs when it runs; of shapes only those that aren't known before."""
        return [] if self._is_known_shape(node) else [name for name in node.input if name]

    def _is_known_shape(self, node: "onnx.NodeProto") -> bool:
        return node.op_type in _SHAPES and not any(name in self.model.layer_of for name in node.output)

    def _with_constants(self, nodes: Sequence["onnx.NodeProto"]) -> list["onnx.NodeProto"]:
        """Return nodes, with those that they need and no input has a say in, in the order of the model."""
        wanted = {id(node) for node in nodes}
        open_ = list(nodes)
        while open_:
            for name in self._reads(open_.pop()):
                maker = self._maker.get(name)
                if maker is not None and name not in self.model.layer_of and id(maker) not in wanted:
                    wanted.add(id(maker))
                    open_.append(maker)
        nodes = self.model.graph.graph.node
        return [nodes[k] for k in sorted(self._place[each] for each in wanted)]

    def tensor(self, name: str) -> Tensor:
        """Return what is known of a tensor that is sent.

        Raises
        ------
        OffbenchError
            If its size isn't known before the model runs, or it is no tensor of numbers.
        """
        import numpy as np
        from onnx import TensorProto, helper

        info = self._info.get(name)
        kind = None if info is None else info.type.tensor_type
        maker = f"{self._maker[name].op_type} makes" if name in self._maker else "is an input"
        if kind is None or info is None or not info.type.HasField("tensor_type") or not kind.elem_type:
            raise OffbenchError(f"{self.model.path}: '{name}', which {maker}, can't be sent: it is no known tensor")
        if kind.elem_type == TensorProto.STRING:
            raise OffbenchError(f"{self.model.path}: '{name}', which {maker}, can't be sent: it is text")
        dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
        if not kind.HasField("shape") or None in dims:
            raise OffbenchError(
                f"{self.model.path}: '{name}', which {maker}, can't be sent: its size isn't known before it runs"
            )
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type))
        if dtype.kind not in "fiub":  # such as bfloat16, which numpy itself doesn't have
            raise OffbenchError(f"{self.model.path}: '{name}', which {maker}, can't be sent: numpy has no {dtype}")
        return Tensor(dtype.name, tuple(size for size in dims if size is not None))

    def cut(self, layers: Iterable[str]) -> "tuple[onnx.ModelProto, list[str], list[str]]":
        """Return some layers as a model, what it reads and what it makes.

        Raises
        ------
        OffbenchError
            If something that it reads or makes can't be sent, or the model's checker refuses it.
        """
        import onnx
        from onnx import checker, helper

        chosen = list(layers)
        mine = [node for layer in chosen for node in self._of.get(layer, [])]
        made = [name for node in mine for name in node.output if name]
        makes = [name for name in made if name in self._results or not self._readers.get(name, set()) <= set(chosen)]
        nodes = self._with_constants(mine)
        reads = list(dict.fromkeys(
            name for node in nodes for name in self._reads(node) if name not in made and self._depends(name)
        ))  # fmt: skip
        body: list[onnx.NodeProto] = []
        weights: dict[str, Any] = {}
        sparse: dict[str, Any] = {}
        for node in nodes:
            if self._is_known_shape(node):
                weights[node.output[0]] = self._shape(node)
                continue
            body.append(node)
            weights |= {name: self._weights[name] for name in node.input if name in self._weights}
            sparse |= {name: self._sparse[name] for name in node.input if name in self._sparse}
        for name in (*reads, *makes):
            self.tensor(name)
        graph = helper.make_graph(
            body, f"{self.model.graph.graph.name or 'part'}", [self._info[name] for name in reads],
            [self._info[name] for name in makes], list(weights.values()), sparse_initializer=list(sparse.values()),
        )  # fmt: skip
        part = helper.make_model(graph, opset_imports=self.model.graph.opset_import, producer_name="offbench")
        part.ir_version = max(self.model.graph.ir_version, 4)  # from 4 on weights needn't be listed among the inputs
        try:
            checker.check_model(part)
        except (checker.ValidationError, ValueError) as error:  # the latter where it is too large for the format
            line = str(error).strip().splitlines()[0]
            raise OffbenchError(f"{self.model.path}: the part of {chosen[0]} can't be cut out: {line}") from None
        return part, reads, makes

    def _shape(self, node: "onnx.NodeProto") -> "onnx.TensorProto":
        """Return what a node that tells a known shape says."""
        import numpy as np
        from onnx import numpy_helper

        found = self._info.get(node.input[0])
        dims = (
            [dim.dim_value for dim in found.type.tensor_type.shape.dim]
            if found is not None
            else list(self._weights[node.input[0]].dims)
        )
        if node.op_type == "Size":
            values = np.array(np.prod(dims, dtype=np.int64), dtype=np.int64)
        else:
            ends = {one.name: one.i for one in node.attribute}
            values = np.array(dims[ends.get("start", 0) : ends.get("end", len(dims))], dtype=np.int64)
        return numpy_helper.from_array(values, node.output[0])
