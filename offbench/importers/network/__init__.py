"""Network files of offbench itself, so that seconds or another granularity can be added to what was imported."""

from collections.abc import Mapping
from pathlib import Path

from offbench.importers.imported import Coverage, Imported, Shape
from offbench.importers.peek import beginning
from offbench.model.network import load_network

GRANULARITY = "node"
TELLS_SIZES = True


def recognises(path: Path) -> bool:
    """Tell a network by its format, which stands first."""
    return '"offbench-network/' in beginning(path)


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Return the network in a file; raises as `load_network`."""
    network = load_network(path)
    return Imported(
        network if name is None else network.model_copy(update={"name": name}), Coverage(nodes=len(network.layers))
    )
