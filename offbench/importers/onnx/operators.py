"""What each operator of ONNX computes, by class, with its floating-point operations (onnx.ai, Operators).

A multiplication and an addition are two operations. Of what has no closed form the usual counts are taken: an
exponential is four operations, a normalisation eight for each number.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from offbench.model.network import Operator

Shape = tuple[int, ...]


class Node(NamedTuple):
    """An operator with the shapes of what it reads and writes."""

    kind: str
    inputs: Sequence[Shape | None]
    """None where one is absent or its shape can't be told"""
    outputs: Sequence[Shape | None]
    attributes: Mapping[str, Any]


class Cost(NamedTuple):
    """The class of a layer, and what it computes."""

    operator: Operator
    flop: float | None
    """None where no one can tell"""


def cost(node: Node) -> Cost | None:
    """Return what a node computes; None of an operator that isn't known here."""
    if node.kind in _CONTROL:
        return Cost("control", None)
    if node.kind not in _ALIKE and node.kind not in _BY_KIND:
        return None
    try:
        found = _alike(node) if node.kind in _ALIKE else _BY_KIND[node.kind](node)
        # What is less than nothing or without end follows from attributes that are wrong.
        return found if found.flop is None or 0 <= found.flop / 1e9 < math.inf else found._replace(flop=None)
    except (ArithmeticError, LookupError, TypeError, ValueError):  # a shape or an attribute that isn't there, or wrong
        return Cost(_ALIKE[node.kind][0] if node.kind in _ALIKE else _CLASS[node.kind], None)


def _alike(node: Node) -> Cost:
    operator, each = _ALIKE[node.kind]
    return Cost(operator, None if (count := _size(node.outputs)) is None else each * count)


def class_of(kind: str) -> Operator | None:
    """Return the class of an operator, ONNX Runtime's own among them; None of one that isn't known here."""
    if kind in _CONTROL:
        return "control"
    return _ALIKE[kind][0] if kind in _ALIKE else _CLASS.get(kind, _OF_RUNTIME.get(kind))


def only_reads(kind: str) -> bool:
    """Tell whether a runtime does nothing for an operator but read its input in another way."""
    return kind in _FREE


def _size(shapes: Sequence[Shape | None]) -> int | None:
    return None if not shapes or shapes[0] is None else math.prod(shapes[0])


def _known(shape: Shape | None) -> Shape:
    if shape is None:
        raise TypeError
    return shape


def _convolution(data: int, weights: int) -> Callable[[Node], Cost]:
    def count(node: Node) -> Cost:
        x, w, y = _known(node.inputs[data]), _known(node.inputs[weights]), _known(node.outputs[0])
        group = int(node.attributes.get("group", 1))
        depthwise = group > 1 and group == x[1]
        bias = math.prod(y) if len(node.inputs) > weights + 1 and weights == 1 else 0
        # A filter has the channels of its group alone.
        return Cost("depthwise-convolution" if depthwise else "convolution", 2 * math.prod(y) * math.prod(w[1:]) + bias)

    return count


def _transposed(node: Node) -> Cost:
    x, w = _known(node.inputs[0]), _known(node.inputs[1])
    return Cost("convolution", 2 * math.prod(x) * math.prod(w[1:]))


def _product(a: int) -> Callable[[Node], Cost]:
    def count(node: Node) -> Cost:
        left, out = _known(node.inputs[a]), _known(node.outputs[0])
        inner = left[-2] if node.attributes.get("transA") else left[-1]
        added = math.prod(out) if node.kind == "Gemm" and len(node.inputs) > 2 else 0
        return Cost("matrix-product", 2 * math.prod(out) * inner + added)

    return count


def _einsum(node: Node) -> Cost:
    equation = node.attributes["equation"]
    text = (equation.decode() if isinstance(equation, bytes) else str(equation)).replace(" ", "")
    terms = text.partition("->")[0].split(",")
    if "." in text:
        return Cost("matrix-product", None)
    sizes = {letter: d for term, shape in zip(terms, node.inputs, strict=True)
             for letter, d in zip(term, _known(shape), strict=True)}  # fmt: skip
    return Cost("matrix-product", len(terms) * math.prod(sizes.values()))


def _recurrent(gates: int) -> Callable[[Node], Cost]:
    def count(node: Node) -> Cost:
        x, hidden = _known(node.inputs[0]), _known(node.inputs[2])[-1]
        both = 2 if node.attributes.get("direction") in (b"bidirectional", "bidirectional") else 1
        return Cost("recurrent", 2 * both * x[0] * x[1] * gates * hidden * (x[2] + hidden))

    return count


def _window(node: Node) -> Cost:
    return Cost("pooling", math.prod(_known(node.outputs[0])) * math.prod(node.attributes["kernel_shape"]))


def _of_input(operator: Operator, each: float) -> Callable[[Node], Cost]:
    return lambda node: Cost(operator, each * math.prod(_known(node.inputs[0])))


def _sum(node: Node) -> Cost:
    return Cost("elementwise", max(1, len(node.inputs) - 1) * math.prod(_known(node.outputs[0])))


def _gather(node: Node) -> Cost:
    return Cost("embedding", 0)


_CONTROL = frozenset(("If", "Loop", "Scan", "SequenceMap"))
_FREE = frozenset(("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Shape", "Size"))
_ACTIVATIONS = {
    "Relu": 1, "LeakyRelu": 2, "PRelu": 2, "ThresholdedRelu": 1, "Clip": 2, "HardSigmoid": 3, "HardSwish": 4, "Elu": 5,
    "Celu": 6, "Selu": 6, "Sigmoid": 6, "Tanh": 8, "Softplus": 6, "Softsign": 3, "Erf": 8, "Gelu": 10, "Mish": 12,
    "Swish": 7, "Shrink": 2, "FastGelu": 10, "QuickGelu": 7, "BiasGelu": 11,
}  # fmt: skip
_ELEMENTWISE = {
    "Add": 1, "Sub": 1, "Mul": 1, "Div": 1, "Mod": 1, "Pow": 8, "Sqrt": 1, "Exp": 4, "Log": 4, "Abs": 1, "Neg": 1,
    "Reciprocal": 1, "Floor": 1, "Ceil": 1, "Round": 1, "Sign": 1, "Sin": 8, "Cos": 8, "Where": 1, "Equal": 1,
    "Greater": 1, "GreaterOrEqual": 1, "Less": 1, "LessOrEqual": 1, "And": 1, "Or": 1, "Not": 1, "Xor": 1, "Cast": 1,
    "CastLike": 1, "IsNaN": 1, "IsInf": 1, "QuantizeLinear": 3, "DequantizeLinear": 2, "Resize": 8, "Upsample": 8,
    "GridSample": 12, "CumSum": 1, "BitShift": 1, "BitwiseAnd": 1, "BitwiseOr": 1,
}  # fmt: skip
_NORMALISATIONS = {
    "BatchNormalization": 2, "LayerNormalization": 8, "InstanceNormalization": 8, "GroupNormalization": 8,
    "RMSNormalization": 6, "SkipLayerNormalization": 9, "SimplifiedLayerNormalization": 6, "LpNormalization": 4,
    "MeanVarianceNormalization": 8, "LRN": 12,
}  # fmt: skip
_MOVEMENTS = (
    "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout", "Shape", "Size", "Transpose", "Concat",
    "Split", "Slice", "Pad", "Expand", "Tile", "DepthToSpace", "SpaceToDepth", "ConstantOfShape", "Range",
    "GatherElements", "GatherND", "ScatterND", "ScatterElements", "Trilu", "EyeLike", "OneHot", "Compress",
    "ReverseSequence", "NonZero", "SplitToSequence", "ConcatFromSequence", "SequenceAt", "SequenceConstruct",
)  # fmt: skip

_ALIKE: dict[str, tuple[Operator, float]] = {
    **{kind: ("activation", each) for kind, each in _ACTIVATIONS.items()},
    **{kind: ("elementwise", each) for kind, each in _ELEMENTWISE.items()},
    **{kind: ("normalisation", each) for kind, each in _NORMALISATIONS.items()},
    **dict.fromkeys(_MOVEMENTS, ("movement", 0)),
    "Softmax": ("softmax", 7),
    "LogSoftmax": ("softmax", 8),
    "Hardmax": ("softmax", 1),
}
_BY_KIND: dict[str, Callable[[Node], Cost]] = {
    "Conv": _convolution(0, 1), "ConvInteger": _convolution(0, 1), "QLinearConv": _convolution(0, 3),
    "FusedConv": _convolution(0, 1), "ConvTranspose": _transposed,
    "Gemm": _product(0), "MatMul": _product(0), "MatMulInteger": _product(0), "QLinearMatMul": _product(0),
    "FusedMatMul": _product(0), "Einsum": _einsum,
    "LSTM": _recurrent(4), "GRU": _recurrent(3), "RNN": _recurrent(1),
    "MaxPool": _window, "AveragePool": _window, "LpPool": _window,
    "GlobalAveragePool": _of_input("pooling", 1), "GlobalMaxPool": _of_input("pooling", 1),
    "Sum": _sum, "Max": _sum, "Min": _sum, "Mean": _sum, "Gather": _gather,
    "TopK": _of_input("other", 10), "ArgMax": _of_input("pooling", 1), "ArgMin": _of_input("pooling", 1),
    **{f"Reduce{kind}": _of_input("pooling", 1) for kind in ("Mean", "Sum", "Max", "Min", "Prod")},
    **{f"Reduce{kind}": _of_input("pooling", 2) for kind in ("L1", "L2", "SumSquare", "LogSum", "LogSumExp")},
}  # fmt: skip
_CLASS: dict[str, Operator] = {
    **dict.fromkeys(("Conv", "ConvInteger", "QLinearConv", "FusedConv", "ConvTranspose"), "convolution"),
    **dict.fromkeys(("Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "Einsum"), "matrix-product"),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "recurrent"),
    **dict.fromkeys(("Sum", "Max", "Min", "Mean"), "elementwise"),
    **{kind: "pooling" for kind in _BY_KIND if kind.endswith("Pool") or kind.startswith(("Reduce", "Arg"))},
    "TopK": "other",
    "Gather": "embedding",
}
# What ONNX Runtime makes of operators, or inserts.
_OF_RUNTIME: dict[str, Operator] = {
    **dict.fromkeys(("FusedGemm", "Attention", "MultiHeadAttention", "QAttention", "DynamicQuantizeMatMul"),
                    "matrix-product"),
    **dict.fromkeys(("ReorderInput", "ReorderOutput", "MemcpyToHost", "MemcpyFromHost"), "movement"),
    **dict.fromkeys(("QGemm", "MatMulIntegerToFloat", "MatMulNBits", "GroupQueryAttention"), "matrix-product"),
    **dict.fromkeys(("QLinearAdd", "QLinearMul", "DynamicQuantizeLinear"), "elementwise"),
    **dict.fromkeys(("QLinearGlobalAveragePool", "QLinearAveragePool"), "pooling"),
    **dict.fromkeys(("EmbedLayerNormalization", "SkipSimplifiedLayerNormalization"), "normalisation"),
    **dict.fromkeys(("QLinearSigmoid", "QLinearLeakyRelu"), "activation"),
    "QLinearConcat": "movement",
    "QLinearSoftmax": "softmax",
}  # fmt: skip
