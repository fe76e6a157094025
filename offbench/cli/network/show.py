"""`offbench network show`: what a network says."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.cli.shared.arguments import Json

if TYPE_CHECKING:
    from rich.console import RenderableType

    from offbench.model.network import Network


_SHOWN = 2000  # layers, a line each; of more the table takes minutes


def show(
    network: Annotated[str, typer.Argument(metavar="NETWORK", help="A network file.")],
    json: Json = False,
) -> None:
    """Show a network: its layers, its totals, and what is sent where it is cut behind each layer."""
    from offbench.cli.network.facts import network_facts
    from offbench.cli.shared import console
    from offbench.cli.shared.given import json_from
    from offbench.model.network import parse_network

    found = parse_network(json_from(network), network)
    if json:
        console.show_json(network_facts(found))
    else:
        console.show(*_parts(found))


def _parts(network: "Network") -> Iterator["RenderableType"]:
    from rich.table import Table
    from rich.text import Text

    from offbench.cli.network.facts import totals
    from offbench.files.plain import plain

    yield Text(plain(network.name), style="bold")
    if network.source:
        yield Text(plain(f"source: {network.source}"))
    yield Text(totals(network))
    table = Table()
    for head in ("layer", "operator"):
        table.add_column(head)
    for head in ("GFLOP", "read MB", "written MB", "weights MB", "cut behind it, MB"):
        table.add_column(head, justify="right")
    table.add_column("reads")
    cuts = [*network.cuts_mb()[1:], 0.0]
    for layer, cut in zip(network.layers[:_SHOWN], cuts, strict=False):
        flop = "?" if layer.gflop is None else f"{layer.gflop:.4g}"
        numbers = (f"{value:.4g}" for value in (layer.read_mb, layer.written_mb, layer.weights_mb, cut))
        reads = ", ".join(layer.sources) or "the input"
        table.add_row(*(Text(plain(text)) for text in (layer.name, layer.operator, flop, *numbers, reads)))
    yield table
    if more := max(0, len(network.layers) - _SHOWN):
        yield Text(f"and {more:,} layers more; --json has all")
