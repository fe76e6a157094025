"""What is told of a network."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from offbench.files.numbers import grouped

if TYPE_CHECKING:
    from offbench.importers.imported import Imported
    from offbench.model.network import Network


def said(found: "Imported") -> Iterator[str]:
    """Yield in sentences what an importer brought, and what it didn't understand."""
    network, coverage = found.network, found.coverage
    learnt = f"; {grouped(coverage.parameters / 1e6)} million parameters" if coverage.parameters else ""
    yield f"{network.name}: {totals(network)}{learnt}"
    understood = coverage.nodes - sum(coverage.without_cost.values()) - len(coverage.opaque)
    folded = f", {coverage.constant} of them constant" if coverage.constant else ""
    yield f"{understood} of {coverage.nodes} operators understood{folded}"
    yield from coverage.told()


def totals(network: "Network") -> str:
    """Return a network's totals in a line."""
    from offbench.cli.shared.console import plural

    return (
        f"{plural(len(network.layers), 'layer')}, {grouped(network.gflop)} GFLOP, {grouped(network.weights_mb)} MB of "
        f"weights, input {grouped(network.input_mb)} MB, largest cut {grouped(network.largest_cut_mb)} MB"
    )


def network_facts(network: "Network") -> dict[str, Any]:
    """Return what a network says, and what follows from it."""
    return network.model_dump(mode="json", exclude_none=True) | {
        "hash": network.hash, "gflop": network.gflop, "weights_mb": network.weights_mb,
        "largest_cut_mb": network.largest_cut_mb, "cuts_mb": network.cuts_mb(),
    }  # fmt: skip
