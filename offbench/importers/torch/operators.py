"""What each operator of ATen computes, by class; products by torch's own counter, others as their like in ONNX."""

import math
from typing import Any, NamedTuple

from offbench.importers.onnx import operators as of_onnx
from offbench.model.network import Operator

Node = Any
"""a ``torch.fx.Node``, whose arguments may be of twenty types"""


class Cost(NamedTuple):
    """The class of a layer, and what it computes."""

    operator: Operator
    flop: float | None
    """None where no one can tell"""
    free: bool = False
    """whether it does nothing but read its input in another way"""


def cost(node: Node) -> Cost | None:
    """Return what an operator computes; None of one that isn't known here."""
    name = node.target._schema.name
    kind, operator, name = _kind(name), class_of(name), _bare(name)
    if operator is None:
        return None
    if operator in ("movement", "embedding"):
        return Cost(operator, 0, free=name in _FREE)
    if operator == "matrix-product":
        return Cost(operator, _counted(node))
    if operator == "convolution":
        return Cost("depthwise-convolution" if _is_depthwise(node) else operator, _counted(node))
    if operator == "recurrent":
        return Cost(operator, _recurrent(node))
    if kind is None:
        return Cost(operator, _numbers(node.meta["val"]) * _window(node, int(name.removesuffix("_with_indices")[-2])))
    shapes = [tuple(one.shape) for one in map(_value, node.args) if hasattr(one, "shape")]
    found = of_onnx.cost(of_onnx.Node(kind, shapes, [_first_shape(node.meta["val"])], {}))
    return None if found is None else Cost(found.operator, found.flop)


def class_of(name: str) -> Operator | None:
    """Return the class of an operator such as ``aten::linear``; None of one that isn't known here."""
    kind, bare = _kind(name), _bare(name)
    if not name.startswith("aten::"):
        return None
    if bare in _FREE or bare in _MOVEMENTS:
        return "movement"
    if bare in _PRODUCTS:
        return "matrix-product"
    if bare.startswith("conv") or bare.endswith("convolution"):
        return "convolution"
    if bare in _RECURRENT:
        return "recurrent"
    if bare in ("embedding", "embedding_bag"):
        return "embedding"
    if bare in _WINDOWS:
        return "pooling"
    return None if kind is None else of_onnx.class_of(kind)


def _bare(name: str) -> str:
    return name.partition("::")[2].strip("_")


def _kind(name: str) -> str | None:
    """Return the operator of ONNX that computes as much."""
    bare = _bare(name)
    return next((kind for start, kind in _STARTS.items() if bare.startswith(start)), None) or _ALIKE.get(bare)


def _value(argument: Any) -> Any:
    """Return what is known of an argument."""
    return argument.meta.get("val") if hasattr(argument, "meta") else argument


def _first_shape(value: Any) -> tuple[int, ...] | None:
    if isinstance(value, list | tuple):
        return _first_shape(value[0]) if value else None
    return tuple(value.shape) if hasattr(value, "shape") else None


def _numbers(value: Any) -> int:
    return math.prod(_first_shape(value) or (0,))


def _counted(node: Node) -> float:
    """Return what `torch.utils.flop_counter` counts; composed operators are taken apart by torch."""
    from torch.fx.node import map_arg
    from torch.utils.flop_counter import FlopCounterMode

    args, kwargs = map_arg((node.args, dict(node.kwargs)), lambda one: one.meta["val"])
    with FlopCounterMode(display=False) as counter:
        node.target(*args, **kwargs)
    return float(counter.get_total_flops())


def _is_depthwise(node: Node) -> bool:
    arguments = {one.name: given for one, given in zip(node.target._schema.arguments, node.args, strict=False)}
    groups = {**arguments, **node.kwargs}.get("groups", 1)
    channels = _value(node.args[0]).shape[1]
    return bool(groups > 1 and groups == channels)


def _window(node: Node, dimensions: int) -> int:
    size = node.args[1]
    sizes = size if isinstance(size, list | tuple) else [size]
    return math.prod(sizes) if len(sizes) > 1 else sizes[0] ** dimensions


def _recurrent(node: Node) -> float | None:
    """Twice the numbers in its matrices, for each step of each sequence."""
    x, _, weights = (node.args[k] if len(node.args) > k else None for k in range(3))
    shape = _first_shape(_value(x))
    if not isinstance(weights, list | tuple) or shape is None or len(shape) != 3:
        return None
    matrices = [one for one in map(_value, weights) if hasattr(one, "dim") and one.dim() == 2]
    return float(2 * shape[0] * shape[1] * sum(one.numel() for one in matrices))


_PRODUCTS = frozenset((
    "linear", "matmul", "mm", "bmm", "addmm", "baddbmm", "mv", "dot", "einsum", "scaled_dot_product_attention",
    "addbmm", "bilinear", "tensordot", "inner", "outer", "scaled_mm",
))  # fmt: skip
_RECURRENT = frozenset(("lstm", "gru", "rnn_tanh", "rnn_relu"))
_WINDOWS = frozenset(
    f"{kind}_pool{d}d{more}" for kind in ("max", "avg") for d in (1, 2, 3) for more in ("", "_with_indices")
)
# Views of what is there.
_FREE = frozenset((
    "view", "unsafe_view", "view_as", "reshape", "reshape_as", "flatten", "unflatten", "squeeze", "unsqueeze",
    "transpose", "permute", "t", "T", "mT", "numpy_T", "expand", "expand_as", "select", "slice", "narrow", "split",
    "split_with_sizes", "chunk", "tensor_split", "unbind",
    "alias", "detach", "dropout", "feature_dropout", "alpha_dropout", "swapaxes", "movedim",
    "lift_fresh_copy", "lift_fresh", "unfold", "diagonal", "as_strided", "real", "imag", "view_as_real",
    "view_as_complex", "broadcast_to", "hsplit", "vsplit", "swapdims", "moveaxis", "adjoint", "identity",
))  # fmt: skip
_MOVEMENTS = frozenset((
    "contiguous", "clone", "copy", "cat", "concat", "concatenate", "stack", "hstack", "vstack", "pad",
    "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "replication_pad2d", "roll", "flip", "repeat",
    "repeat_interleave", "tile",
    "gather", "index", "index_select", "index_put", "scatter", "scatter_add", "masked_select", "tril", "triu", "arange",
    "zeros", "ones", "full", "empty", "zeros_like", "ones_like", "full_like", "empty_like", "new_zeros", "new_ones",
    "new_full", "new_empty", "one_hot", "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "im2col", "col2im",
    "fill", "zero", "meshgrid", "scalar_tensor", "eye", "linspace", "nonzero", "take_along_dim", "select_scatter",
    "slice_scatter", "fft_fftshift", "rot90", "cartesian_prod", "tensor", "diag_embed",
))  # fmt: skip
# By how they begin, for there is one for each number of dimensions.
_STARTS = {
    "adaptive_avg_pool": "GlobalAveragePool", "adaptive_max_pool": "GlobalMaxPool", "upsample_": "Resize",
    "interpolate": "Resize", "grid_sampler": "GridSample", "logical_": "And", "bitwise_": "And",
}  # fmt: skip
_ALIKE = {
    "relu": "Relu", "relu6": "Clip", "hardtanh": "Clip", "clamp": "Clip", "clip": "Clip", "clamp_min": "Relu",
    "clamp_max": "Relu", "threshold": "ThresholdedRelu", "leaky_relu": "LeakyRelu", "prelu": "PRelu", "elu": "Elu",
    "selu": "Selu", "celu": "Celu", "silu": "Swish", "gelu": "Gelu", "mish": "Mish", "sigmoid": "Sigmoid",
    "log_sigmoid": "Sigmoid", "tanh": "Tanh", "hardswish": "HardSwish", "hardsigmoid": "HardSigmoid", "glu": "Sigmoid",
    "softplus": "Softplus", "softsign": "Softsign", "erf": "Erf", "softmax": "Softmax", "log_softmax": "LogSoftmax",
    "add": "Add", "sub": "Sub", "rsub": "Sub", "mul": "Mul", "div": "Div", "floor_divide": "Div", "remainder": "Mod",
    "fmod": "Mod", "pow": "Pow", "square": "Mul", "sqrt": "Sqrt", "rsqrt": "Sqrt", "exp": "Exp", "expm1": "Exp",
    "log": "Log", "log1p": "Log", "log2": "Log", "abs": "Abs", "neg": "Neg", "reciprocal": "Reciprocal",
    "floor": "Floor", "ceil": "Ceil", "round": "Round", "trunc": "Floor", "sign": "Sign", "sin": "Sin", "cos": "Cos",
    "where": "Where", "masked_fill": "Where", "eq": "Equal", "ne": "Equal", "gt": "Greater", "ge": "GreaterOrEqual",
    "lt": "Less", "le": "LessOrEqual", "and": "And", "or": "Or", "to": "Cast", "to_copy": "Cast",
    "type_as": "Cast", "float": "Cast", "maximum": "Add", "minimum": "Add", "cumsum": "CumSum", "isnan": "IsNaN",
    "isinf": "IsInf", "addcmul": "Add", "addcdiv": "Add", "lerp": "Add", "nan_to_num": "Where", "logaddexp": "Exp",
    "atan2": "Sin", "atan": "Sin", "sinh": "Exp", "cosh": "Exp",
    "layer_norm": "LayerNormalization", "native_layer_norm": "LayerNormalization", "batch_norm": "BatchNormalization",
    "native_batch_norm_legit_no_training": "BatchNormalization", "native_group_norm": "GroupNormalization",
    "group_norm": "GroupNormalization", "instance_norm": "InstanceNormalization", "rms_norm": "RMSNormalization",
    "local_response_norm": "LRN", "linalg_vector_norm": "ReduceL2", "norm": "ReduceL2", "mean": "ReduceMean",
    "sum": "ReduceSum", "amax": "ReduceMax", "amin": "ReduceMin", "prod": "ReduceProd", "std": "ReduceL2",
    "var": "ReduceL2", "var_mean": "ReduceL2", "logsumexp": "ReduceLogSumExp", "argmax": "ArgMax", "argmin": "ArgMin",
    "max": "ReduceMax", "min": "ReduceMin", "all": "ReduceMin", "any": "ReduceMax", "topk": "TopK", "sort": "TopK",
    "cosine_similarity": "ReduceL2",
}  # fmt: skip
"""operators by name, with the one of ONNX that computes as much"""
