"""Graphs of msr-fiddle/dnn-partitioning: layers or operators with their times on a CPU and on an accelerator."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from offbench.errors import OffbenchError
from offbench.files.json import check, read_json
from offbench.importers.imported import Coverage, Imported, Shape
from offbench.importers.names import Names
from offbench.importers.onnx.operators import class_of
from offbench.importers.order import in_order
from offbench.importers.peek import beginning
from offbench.model.facts import counted
from offbench.model.network import Network

GRANULARITY = "node"
"""a node is a layer"""
TELLS_SIZES = True
CPU, ACCELERATOR = "cpu", "accelerator"
"""the two devices that the times are of"""


class _Part(BaseModel):
    """What a graph has; what else there is, is for debugging."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=False)


class _Node(_Part):
    id: int
    name: str | None = None
    cpuLatency: float = Field(ge=0, allow_inf_nan=False)  # noqa: N815
    fpgaLatency: float = Field(ge=0, allow_inf_nan=False)  # noqa: N815
    supportedOnFpga: bool = True  # noqa: N815
    isBackwardNode: bool = False  # noqa: N815
    colorClass: int | None = None  # noqa: N815
    size: float = Field(ge=0, allow_inf_nan=False)


class _Edge(_Part):
    sourceId: int  # noqa: N815
    destId: int  # noqa: N815
    cost: float = Field(ge=0, allow_inf_nan=False)
    size: float | None = Field(None, ge=0, allow_inf_nan=False)


class _Graph(_Part):
    nodes: tuple[_Node, ...] = Field(min_length=1)
    edges: tuple[_Edge, ...]


def recognises(path: Path) -> bool:
    """Tell a graph by its limits, which come first, or the fields of its nodes."""
    start = beginning(path)
    return start.lstrip().startswith("{") and ('"maxFPGAs"' in start or '"fpgaLatency"' in start)


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Return the network of a graph; a node's memory is taken for its weights, and nothing is known of the input.

    Parameters
    ----------
    path
        The file.
    shapes
        None: the file tells its sizes.
    name
        Of the network; the file's if absent.

    Raises
    ------
    OffbenchError
        If a field is missing or wrong, or there is a cycle.
    """
    graph = check(_Graph, read_json(path), str(path))
    nodes = {str(node.id): node for node in graph.nodes}
    if len(nodes) < len(graph.nodes):
        twin = next(key for key, count in Counter(str(node.id) for node in graph.nodes).items() if count > 1)
        raise OffbenchError(f"{path}: nodes: id {twin} is there twice")
    sizes: dict[tuple[str, str], float | None] = {}
    for k, edge in enumerate(graph.edges):
        ends = str(edge.sourceId), str(edge.destId)
        lost = next((end for end in ends if end not in nodes), None)
        if lost is not None:
            raise OffbenchError(f"{path}: edges[{k}]: no node has the id {lost}")
        sizes[ends] = None if edge.size is None else edge.size / 1e6
    order = in_order(list(nodes), sizes, str(path))
    known, taken = Counter(node.name for node in graph.nodes), Names()
    names = {
        key: taken.new(node.name if node.name and known[node.name] == 1 else f"{node.name or 'node'} ({key})")
        for key, node in nodes.items()
    }
    reads: dict[str, dict[str, float]] = {key: {} for key in order}
    output = dict.fromkeys(order, 0.0)
    for (source, reader), mb in sizes.items():
        reads[reader][source] = mb or 0.0
        output[source] = max(output[source], mb or 0.0)
    layers: list[dict[str, Any]] = []
    for key in order:
        node = nodes[key]
        seconds = {CPU: node.cpuLatency / 1e3} | ({ACCELERATOR: node.fpgaLatency / 1e3} if node.supportedOnFpga else {})
        layers.append(
            {
                "name": names[key], "operator": class_of((node.name or "").rstrip("0123456789")) or "other",
                "inputs": [names[one] if mb == output[one] else {"layer": names[one], "mb": mb}
                           for one, mb in reads[key].items()],
                "read_mb": sum(reads[key].values()), "written_mb": output[key], "output_mb": output[key],
                "weights_mb": node.size / 1e6, "seconds": seconds,
            }
        )  # fmt: skip
    facts = {
        "name": name or path.stem, "source": f"{path.name}, of msr-fiddle/dnn-partitioning", "input_mb": 0.0,
        "layers": layers,
    }  # fmt: skip
    without = {source for (source, _), mb in sizes.items() if mb is None}
    unsized = tuple(names[key] for key in order if key in without)
    return Imported(
        check(Network, facts, str(path)),
        Coverage(nodes=len(layers), without_shape=unsized, notes=tuple(_notes(graph))),
    )


def _notes(graph: _Graph) -> list[str]:
    said = [
        "the file tells no operations and no input, which counts as 0 MB; weights are what a node takes in memory; "
        f"times are those of the devices '{CPU}' and '{ACCELERATOR}'"
    ]
    rates = sorted(edge.size / 1e3 / edge.cost for edge in graph.edges if edge.size and edge.cost)
    if rates:
        said.append(f"by its costs {rates[len(rates) // 2]:,.6g} MB/s go between accelerator and memory")
    backward = sum(node.isBackwardNode for node in graph.nodes)
    if backward:
        said.append(f"{counted(backward, 'node')} of the way backward: it is training, not inference")
    classes = Counter(node.colorClass for node in graph.nodes if node.colorClass is not None)
    together = sum(count for count in classes.values() if count > 1)
    if together:
        said.append(
            f"{counted(together, 'node')} must share a device with others (colorClass), which a network doesn't say"
        )
    return said
