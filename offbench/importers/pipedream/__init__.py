"""PipeDream's `graph.txt`: modules of torch with their times in training, sizes in bytes of a whole batch."""

import re
from collections.abc import Mapping
from pathlib import Path

from offbench.errors import OffbenchError
from offbench.files.json import check
from offbench.files.text import read_text
from offbench.importers.imported import Coverage, Imported, Shape
from offbench.importers.order import in_order
from offbench.importers.peek import beginning
from offbench.model.network import Network, Operator

GRANULARITY = "node"
"""a module is a layer"""
TELLS_SIZES = True
DEVICE = "profiled"
"""the file doesn't say on what it was measured"""

_NODE = re.compile(
    r"(?P<id>\S+) -- (?P<what>.*) -- forward_compute_time=(?P<forward>[^,]+), backward_compute_time=[^,]+, "
    r"activation_size=(?P<output>[^,]+), parameter_size=(?P<weights>\S+)(?: -- stage_id=\d+)?"
)
_EDGE = re.compile(r"\t(?P<source>\S+) -- (?P<reader>\S+)")


def recognises(path: Path) -> bool:
    """Tell a graph by its first line."""
    first = beginning(path).lstrip("\n").partition("\n")[0]
    return " -- forward_compute_time=" in first


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Return the network of a graph; times are those of the way forward, what it is named is in the names of layers.

    Parameters
    ----------
    path
        The file.
    shapes
        None: the file tells its sizes.
    name
        Of the network; that of the file, or of its folder where it is ``graph.txt``, if absent.

    Raises
    ------
    OffbenchError
        If a line is neither a module nor who reads it, or there is a cycle.
    """
    nodes: dict[str, re.Match[str]] = {}
    edges: list[tuple[str, str]] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if edge := _EDGE.fullmatch(line.rstrip()):
            edges.append((edge["source"], edge["reader"]))
        elif node := _NODE.fullmatch(line.strip()):
            if node["id"] in nodes:
                raise OffbenchError(f"{path}: line {number}: '{node['id']}' is there twice")
            nodes[node["id"]] = node
        elif line.strip():
            raise OffbenchError(
                f"{path}: line {number}: must be 'nodeN -- WHAT -- forward_compute_time=..., "
                "backward_compute_time=..., activation_size=..., parameter_size=...', or a tab and 'nodeN -- nodeM'"
            )
    lost = next((end for edge in edges for end in edge if end not in nodes), None)
    if lost is not None:
        raise OffbenchError(f"{path}: '{lost}' is read or reads, but no line tells of it")
    order = in_order(sorted(nodes, key=_rank), edges, str(path))
    sources: dict[str, list[str]] = {each: [] for each in order}
    for source, reader in dict.fromkeys(edges):
        sources[reader].append(source)
    given = [each for each in order if nodes[each]["what"].startswith("Input")]
    sizes = {each: _number(nodes[each], "output", path) / 1e6 for each in order}
    input_mb = sum(sizes[each] for each in given)
    names = {each: f"{each} {nodes[each]['what']}" for each in order}
    layers = []
    for each in order:
        if each in given:
            continue
        node, weights_mb = nodes[each], _number(nodes[each], "weights", path) / 1e6
        part = sum(sizes[source] for source in sources[each] if source in given)
        inputs: list[object] = [names[source] for source in sources[each] if source not in given]
        if part and (inputs or part != input_mb):
            inputs.insert(0, {"input_mb": part})
        elif not sources[each]:  # such as a state that is zero at first
            inputs = [{"input_mb": 0.0}]
        layers.append(
            {
                "name": names[each], "operator": _class_of(node["what"]), "inputs": inputs, "output_mb": sizes[each],
                "read_mb": sum(sizes[source] for source in sources[each]) + weights_mb, "written_mb": sizes[each],
                "weights_mb": weights_mb, "seconds": {DEVICE: _number(node, "forward", path) / 1e3},
            }
        )  # fmt: skip
    title = name or (path.resolve().parent.name if path.name == "graph.txt" else path.stem)
    facts = {"name": title, "source": f"{path.name}, PipeDream's", "input_mb": input_mb, "layers": layers}
    notes = (
        f"the file tells no operations; its times are those of the device '{DEVICE}', as its sizes of a whole batch",
    )
    parameters = round(sum(_number(node, "weights", path) for node in nodes.values()) / 4)
    return Imported(check(Network, facts, str(path)), Coverage(nodes=len(layers), parameters=parameters, notes=notes))


def _rank(name: str) -> tuple[int, str]:
    number = re.search(r"\d+", name)
    return (int(number[0]) if number else -1, name)


def _number(node: re.Match[str], field: str, path: Path) -> float:
    """Return a number, or the sum of several: ``[1.0; 2.0]``."""
    try:
        value = sum(float(part) for part in node[field].strip("[]").split(";"))
    except ValueError:
        value = -1.0
    if not (0 <= value < float("inf")):
        raise OffbenchError(f"{path}: {node['id']}: must be a number from 0 up, not '{node[field]}'")
    return value


def _class_of(what: str) -> Operator:
    if what.startswith("Conv"):
        channels, groups = re.search(r"\((\d+)", what), re.search(r"groups=(\d+)", what)
        alike = channels is not None and groups is not None and channels[1] == groups[1]
        return "depthwise-convolution" if alike and groups is not None and groups[1] != "1" else "convolution"
    return next((operator for starts, operator in _CLASSES.items() if what.startswith(starts)), "other")


_CLASSES: Mapping[tuple[str, ...], Operator] = {
    ("Linear", "Bilinear", "Classifier"): "matrix-product",
    ("LSTM", "GRU", "RNN", "EmuBidirLSTM", "RecurrentAttention"): "recurrent",
    ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "LocalResponseNorm"): "normalisation",
    ("ReLU", "LeakyReLU", "Sigmoid", "Tanh", "GELU", "SiLU", "Hard", "ELU", "PReLU", "Threshold"): "activation",
    ("Softmax", "LogSoftmax"): "softmax",
    ("MaxPool", "AvgPool", "AdaptiveAvgPool", "AdaptiveMaxPool", "Mean"): "pooling",
    ("Add", "Mul", "Sub", "Div"): "elementwise",
    ("Embedding",): "embedding",
    ("View", "Size", "Concat", "Dropout", "Reshape", "Transpose", "Permute", "__getitem__", "Flatten", "Split",
     "Chunk", "Pad", "ZeroPad", "hidden"): "movement",
}  # fmt: skip
