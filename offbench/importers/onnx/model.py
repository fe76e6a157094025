"""A model file of ONNX: read, its free dimensions filled in, every tensor's shape worked out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from offbench.errors import OffbenchError, nearest
from offbench.files.plain import plain
from offbench.importers.imported import Shape
from offbench.importers.onnx.shapes import worked_out

if TYPE_CHECKING:
    import onnx

# What a file of this format can have, which protobuf reads at once.
_MOST_BYTES = 2**31
# More than any memory holds; products of such sizes are finite in floating point.
_MOST_NUMBERS = 2**63
_MESSAGE = 300  # characters of what the onnx package says


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

    try:
        if not path.is_file() and path.exists():
            raise OffbenchError(f"{path}: {'is a folder' if path.is_dir() else 'is no file'}")
        if path.stat().st_size > _MOST_BYTES:
            raise OffbenchError(f"{path}: is no ONNX model: it has more than {_MOST_BYTES / 1e6:,.0f} MB")
        model = onnx.load(str(path), format="protobuf", load_external_data=False)
        if not model.graph.node:
            raise OffbenchError(f"{path}: is no ONNX model: it has no operators")
        _fill_in(model, shapes, str(path))
        del model.graph.value_info[:]
        model = worked_out(model)
    except OSError as error:
        raise OffbenchError(f"{path}: can't be read: {error.strerror or error}") from None
    except DecodeError:
        raise OffbenchError(f"{path}: is no ONNX model: it can't be decoded") from None
    except (ArithmeticError, ValueError) as error:
        raise OffbenchError(f"{path}: shapes can't be worked out: {plain(str(error).strip(), _MESSAGE)}") from None
    _check(model.graph, str(path))
    return model


def _check(graph: "onnx.GraphProto", source: str) -> None:
    """Refuse a graph that isn't one: each tensor is made once, and before it is read."""
    given = {one.name for one in (*graph.input, *graph.initializer)} | {
        one.values.name for one in graph.sparse_initializer
    }
    made: dict[str, int] = {}
    for k, node in enumerate(graph.node):
        for name in filter(None, node.output):
            if name in made or name in given:
                raise OffbenchError(f"{source}: tensor '{name}' is made twice")
            made[name] = k
    for k, node in enumerate(graph.node):
        what = f"{source}: operator '{node.name or node.op_type}'"
        if not any(node.output):
            raise OffbenchError(f"{what}: makes no tensor")
        for name in (*node.input, *(name for inner in graphs_of(node) for name in outer_names(inner))):
            if not name or name in given or made.get(name, k) < k:
                continue
            why = "is made by no operator before it" if name in made else "is no tensor of the model"
            raise OffbenchError(f"{what}: reads '{name}', which {why}")
    if not any(one.name in made for one in graph.output):
        raise OffbenchError(f"{source}: no operator makes an output of the model")


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
        for dim, wanted in zip(dims if stated else [dims.add() for _ in given], given, strict=True):
            dim.dim_value = wanted


def tensors_of(model: "onnx.ModelProto", source: str) -> dict[str, Tensor]:
    """Return what is known of each tensor, by name.

    Raises
    ------
    OffbenchError
        If one is of a size or a type that there isn't; *source* is what the error calls the file.
    """
    graph = model.graph
    found: dict[str, Tensor] = {}
    try:
        for one in (*graph.input, *graph.value_info, *graph.output):
            name = one.name
            found[name] = _tensor(one)
        for weights in graph.initializer:
            name = weights.name
            found[name] = _sized(tuple(weights.dims), weights.data_type)
    except ValueError as error:
        raise OffbenchError(f"{source}: tensor '{name}': {error}") from None
    return found


def _tensor(info: "onnx.ValueInfoProto") -> Tensor:
    kind = info.type.tensor_type
    if not info.type.HasField("tensor_type") or not kind.HasField("shape"):
        return UNKNOWN
    dims = [dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim]
    if None in dims:
        return Tensor(None, bytes_each(kind.elem_type))
    return _sized(tuple(size for size in dims if size is not None), kind.elem_type)


def _sized(shape: Shape, data_type: int) -> Tensor:
    found = Tensor(shape, bytes_each(data_type))
    if min(shape, default=0) < 0 or found.numbers >= _MOST_NUMBERS:
        raise ValueError(f"no tensor is of shape {','.join(map(str, shape[:8]))}{',...' if len(shape) > 8 else ''}")
    return found


def bytes_each(data_type: int) -> float:
    """Return the bytes of a number of a type of ONNX.

    Raises
    ------
    ValueError
        If there is no such type.
    """
    import onnx

    if data_type and data_type not in onnx.TensorProto.DataType.values():
        raise ValueError(f"there is no type {data_type}")
    name = onnx.TensorProto.DataType.Name(data_type) if data_type else "FLOAT"
    if name.endswith(("INT4", "FLOAT4E2M1")):
        return 0.5
    if name == "STRING":
        return 1.0
    return float(onnx.helper.tensor_dtype_to_np_dtype(data_type or 1).itemsize)


def weights_mb(graph: "onnx.GraphProto") -> float:
    """Return the size of the weights that a graph inside a node has itself, MB."""
    own = sum(_sized(tuple(one.dims), one.data_type).mb for one in graph.initializer)
    return own + sum(weights_mb(one) for node in graph.node for one in graphs_of(node))


def outer_names(graph: "onnx.GraphProto") -> list[str]:
    """Return the tensors that a graph inside a node takes from outside."""
    made = {name for node in graph.node for name in node.output} | {one.name for one in graph.input}
    made |= {one.name for one in graph.initializer} | {one.values.name for one in graph.sparse_initializer}
    read = [name for node in graph.node for name in node.input] + [one.name for one in graph.output]
    inner = [name for node in graph.node for one in graphs_of(node) for name in outer_names(one)]
    return [name for name in dict.fromkeys((*read, *inner)) if name and name not in made]


def attributes_of(node: "onnx.NodeProto") -> dict[str, Any]:
    """Return a node's attributes, without graphs and what is of no type."""
    import onnx

    none = (onnx.AttributeProto.GRAPH, onnx.AttributeProto.GRAPHS, onnx.AttributeProto.UNDEFINED)
    return {one.name: onnx.helper.get_attribute_value(one) for one in node.attribute if one.type not in none}


def graphs_of(node: "onnx.NodeProto") -> Iterator["onnx.GraphProto"]:
    """Yield the graphs inside a node: the branches of an If, the body of a Loop."""
    for one in node.attribute:
        if one.HasField("g"):
            yield one.g
        yield from one.graphs
