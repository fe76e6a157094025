"""Profiles of TensorFlow Lite: what `benchmark_model --enable_op_profiling=true` prints, as a table or as CSV."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from offbench.errors import OffbenchError
from offbench.files.escaping import shortened
from offbench.files.text import read_text
from offbench.importers.imported import Imported, Shape
from offbench.importers.measured import Profile, Timed, tells_no_graph
from offbench.importers.peek import beginning
from offbench.model.network import Operator

_RUN_ORDER = re.compile(r"=+ Run Order =+")
_RUNS = "Operator-wise Profiling Info for Regular Benchmark Runs"
_INSIDE = "Delegate internal"
_CELLS = {True: re.compile(r"\s*,\s*"), False: re.compile(r"\t\s*|\s{2,}")}
_NUMBER = r"(\d+(?:\.\d*)?(?:[eE][-+]?\d+)?|-?nan|inf)%?"


def recognises(path: Path) -> bool:
    """Tell what the tool prints by its headings."""
    start = beginning(path, 20_000)
    return "node type, " in start.lower() or "[node type]" in start.lower()


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Refuse to be a network: the tool doesn't tell what reads what."""
    raise tells_no_graph(path, "TensorFlow Lite")


def profile(path: Path) -> Profile:
    """Return what was measured: each operator's mean over the runs.

    What a delegate tells of its inside stands in the place of the delegate.

    Raises
    ------
    OffbenchError
        If there is no table in the order of execution, or a number in it is none.
    """
    text = read_text(path)
    regular = text.partition(_RUNS)[2] or text  # before are operators of the initialisation
    main, _, inside = regular.partition(_INSIDE)
    rows = list(_rows(main, path))
    if not rows:
        raise OffbenchError(f"{path}: has no table 'Run Order'; run benchmark_model with --enable_op_profiling=true")
    within = list(_rows(inside, path))
    timed: list[Timed] = []
    for row in rows:
        if within and "delegate" in row.kind.lower():
            timed += [each.timed for each in within]
            within = []
        else:
            timed.append(row.timed)
    counts = re.search(r"count=(\d{1,9})\b", main)
    return Profile("TensorFlow Lite", tuple(timed), int(counts[1]) if counts else 1, statistic="mean")


class _Row:
    """A line of the table."""

    def __init__(self, cells: Mapping[str, str]) -> None:
        self.kind, self.name = cells["node type"], cells["name"]
        self._cells = cells

    @property
    def timed(self) -> Timed:
        """What it says; several tensors, or several nodes in one, are named by the first."""
        calls = float(self._cells.get("times called", 1))
        tensors = re.fullmatch(r"\[(.*?)[;,\]].*", self.name)
        return Timed(
            tensors[1] if tensors else self.name, class_of(self.kind), float(self._cells["avg ms"]) / 1e3 * calls
        )


def _rows(text: str, path: Path) -> Iterator[_Row]:
    found = _RUN_ORDER.search(text)
    if found is None:
        return
    head, *lines = text[found.end() :].strip().splitlines() or [""]
    comma = "," in head
    columns = [cell.strip(" []").lower().replace("_", " ") for cell in _CELLS[comma].split(head.strip())]
    for column in ("node type", "avg ms", "name"):
        if column not in columns:
            raise OffbenchError(f"{path}: table 'Run Order': has no column '{column}', but {', '.join(columns)}")
    # The first and the last have commas of their own, and what is between is numbers.
    gap = r"\s*,\s*" if comma else r"(?:\t\s*|\s{2,})"
    line_of = re.compile(rf"(.*?){gap}{gap.join([_NUMBER] * (len(columns) - 2))}{gap}(.*)")
    for line in map(str.strip, lines):
        if not line:  # the table's end
            return
        cells = line_of.fullmatch(line)
        if cells is None or not math.isfinite(float(cells[columns.index("avg ms") + 1])):
            raise OffbenchError(f"{path}: table 'Run Order': must have {', '.join(columns)}, not '{shortened(line)}'")
        yield _Row(dict(zip(columns, cells.groups(), strict=True)))


def class_of(kind: str) -> Operator | None:
    """Return the class of an operator by how its name begins, TFLite's or XNNPACK's; None of one that isn't known."""
    plain = kind.lower().replace("_", " ")
    if plain.endswith("dwconv"):  # XNNPACK's
        return "depthwise-convolution"
    return next((operator for starts, operator in _CLASSES if plain.startswith(starts)), None)


_CLASSES: Sequence[tuple[tuple[str, ...], Operator]] = (
    (("depthwise conv",), "depthwise-convolution"),
    (("conv", "transpose conv", "deconv", "subconv"), "convolution"),
    (("fully connected", "batch matmul", "batch matrix"), "matrix-product"),
    (("unidirectional sequence", "bidirectional sequence", "lstm", "rnn", "svdf"), "recurrent"),
    (("average pool", "max pool", "l2 pool", "global average", "mean", "sum", "reduce", "arg max", "arg min",
      "argmax"), "pooling"),
    (("softmax", "log softmax"), "softmax"),
    (("relu", "prelu", "leaky relu", "elu", "logistic", "sigmoid", "tanh", "hard swish", "hardswish", "gelu", "clamp"),
     "activation"),
    (("l2 norm", "local response", "instance norm"), "normalisation"),
    (("embedding", "gather"), "embedding"),
    (("reshape", "transpose", "concat", "split", "slice", "strided slice", "pad", "constant pad", "pack", "unpack",
      "squeeze", "expand dims", "tile", "copy", "space to", "depth to", "channel shuffle", "reverse", "shape", "static",
      "broadcast"), "movement"),
    (("while", "if", "call"), "control"),
    (("add", "sub", "mul", "div", "maximum", "minimum", "squared", "rsqrt", "sqrt", "exp", "log", "pow", "abs", "neg",
      "quantize", "dequantize", "cast", "convert", "resize", "select", "where", "less", "greater", "equal", "not equal",
      "logical", "floor", "round", "sin", "cos", "unary", "binary"), "elementwise"),
)  # fmt: skip
