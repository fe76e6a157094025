"""A model file of ONNX: read, its free dimensions filled in, every tensor's shape worked out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from offbench.errors import OffbenchError, nearest

if TYPE_CHECKING:
    import onnx

Shape = tuple[int, ...]


class Tensor(NamedTuple):
    """What is known of a tensor."""

    shape: Shape | None
    """None where it can't be told"""
    bytes_each: float
    """of a number in it"""

    @property
    def numbers(self) -> int:
        """How many numbers it has; 0 where its shape can't be told."""
        count = 0 if self.shape is None else 1
        for size in self.shape or ():
            count *= size
        return count

    @property
    def mb(self) -> float:
        """Its size, MB; 0 where its shape can't be told."""
        return self.numbers * self.bytes_each / 1e6


UNKNOWN = Tensor(None, 4.0)


def read_model(path: Path, shapes: Mapping[str, Shape]) -> "onnx.ModelProto":
    """Read a model without its weights' values; functions of its own are written out.

    Parameters
    ----------
    path
        The file.
    shapes
        Of inputs that have free dimensions.

    Raises
    ------
    OffbenchError
        If it is no model, an input's shape is missing or contradicts the file, or there is no such input.
    """
    import onnx
    from google.protobuf.message import DecodeError
    from onnx import inliner, shape_inference

    try:
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
    except OSError as error:
        raise OffbenchError(f"{path}: can't be read: {error.strerror or error}") from None
    except DecodeError:
        raise OffbenchError(f"{path}: is no ONNX model: it can't be decoded") from None
    if not model.graph.node:
        raise OffbenchError(f"{path}: is no ONNX model: it has no operators")
    model = inliner.inline_local_functions(model) if model.functions else model
    _fill_in(model, shapes, str(path))
    del model.graph.value_info[:]
    try:
        return shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # onnx raises a RuntimeError or an InferenceError of its own
        raise OffbenchError(f"{path}: shapes can't be worked out: {str(error).strip().splitlines()[0]}") from None


def inputs_of(graph: "onnx.GraphProto") -> list["onnx.ValueInfoProto"]:
    """Return what a graph is given in each run; older models list their weights among the inputs."""
    weights = {one.name for one in graph.initializer}
    return [one for one in graph.input if one.name not in weights]


def _fill_in(model: "onnx.ModelProto", shapes: Mapping[str, Shape], source: str) -> None:
    inputs = inputs_of(model.graph)
    names = [one.name for one in inputs]
    for name in shapes:
        if name not in names:
            raise OffbenchError(
                f"{source}: --shape {name}: the model has no such input{nearest(name, names)}; inputs: "
                f"{', '.join(names)}"
            )
    for one in inputs:
        dims = one.type.tensor_type.shape.dim
        stated = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in dims]
        given = shapes.get(one.name)
        if given is None:
            if None in stated:
                free = ",".join(
                    str(size) if size is not None else (dim.dim_param or "?")
                    for size, dim in zip(stated, dims, strict=True)
                )
                some = ",".join(str(size) if size is not None else "1" for size in stated)
                raise OffbenchError(
                    f"{source}: input '{one.name}' has free dimensions ({free}): say how large it is, such as "
                    f"--shape {one.name}={some}"
                )
            continue
        if stated and len(given) != len(stated):
            raise OffbenchError(
                f"{source}: --shape {one.name}: has {len(given)} dimensions, but the model's input has {len(stated)}"
            )
        for k, (size, wanted) in enumerate(zip(stated, given, strict=False)):
            if size is not None and size != wanted:
                raise OffbenchError(f"{source}: --shape {one.name}: dimension {k} is {size} in the model, not {wanted}")
        if not stated:
            dims.extend(type(model.graph.input[0].type.tensor_type.shape.dim.add())() for _ in given)
        for dim, wanted in zip(dims, given, strict=True):
            dim.dim_value = wanted


def tensors_of(model: "onnx.ModelProto") -> dict[str, Tensor]:
    """Return what is known of each tensor, by name."""
    graph = model.graph
    found: dict[str, Tensor] = {}
    for one in (*graph.input, *graph.value_info, *graph.output):
        found[one.name] = _tensor(one)
    for weights in graph.initializer:
        found[weights.name] = Tensor(tuple(weights.dims), bytes_each(weights.data_type))
    return found


def _tensor(info: "onnx.ValueInfoProto") -> Tensor:
    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type") or not kind.HasField("shape"):
        return UNKNOWN
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
    shape = None if None in dims else tuple(size for size in dims if size is not None)
    return Tensor(shape, bytes_each(kind.elem_type))


def bytes_each(data_type: int) -> float:
    """Return the bytes of a number of a type of ONNX."""
    import onnx

    name = onnx.TensorProto.DataType.Name(data_type) if data_type else "FLOAT"
    if name.endswith(("INT4", "FLOAT4E2M1")):
        return 0.5
    if name == "STRING":
        return 1.0
    return float(onnx.helper.tensor_dtype_to_np_dtype(data_type or 1).itemsize)


def attributes_of(node: "onnx.NodeProto") -> dict[str, Any]:
    """Return a node's attributes, without graphs."""
    import onnx

    graphs = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS)
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute if one.type not in graphs}


def graphs_of(node: "onnx.NodeProto") -> Iterator["onnx.GraphProto"]:
    """Yield the graphs inside a node: the branches of an If, the body of a Loop."""
    for one in node.attribute:
        if one.HasField("g"):
            yield one.g
        yield from one.graphs
