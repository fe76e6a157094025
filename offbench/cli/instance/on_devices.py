"""`offbench instance make --network ...`: networks of one's own, on devices of the catalogue."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.catalogue.catalogue import Catalogue
    from offbench.catalogue.deployment import Deployment
    from offbench.model.network import Network


def networks_of(
    files: Sequence[str], shapes: Sequence[str], granularity: str | None
) -> "tuple[list[Network], list[str]]":
    """Return networks from files, and what an importer has to say of them.

    Parameters
    ----------
    files
        Network files, ``.json``, or models that an importer reads; ``-`` is a network from stdin.
    shapes
        Of inputs with free dimensions, as on the command line.
    granularity
        Of what is imported; each importer has its own if absent.
    """
    from offbench.cli.network.facts import said
    from offbench.cli.network.read import parse_granularity, parse_shape
    from offbench.cli.shared.given import is_dash, json_from
    from offbench.importers.registry import import_network
    from offbench.model.network import parse_network

    fine = parse_granularity(granularity)
    found, notes = [], []
    for file in files:
        if is_dash(file):
            found.append(parse_network(json_from(file), file))
        else:
            imported = import_network(file, None, dict(map(parse_shape, shapes)), fine)
            found.append(imported.network)
            notes += list(said(imported))
    return found, notes


def deployed(
    networks: "Sequence[Network]",
    catalogue: "Catalogue",
    name: str | None,
    client: str | None,
    edges: Sequence[str],
    clouds: Sequence[str],
    uplink: str,
    cloud_uplink: str | None,
    backhaul: str,
    result: bool,
    deadline_s: float | None,
) -> "Deployment":
    """Return the instance of some networks on devices (`catalogue.deployment.deploy`)."""
    from offbench.catalogue.deployment import deploy

    if client is None:
        raise OffbenchError("--client: name the device that the network is used on, such as raspberry-pi-5")
    if not edges and not clouds:
        raise OffbenchError("--edge, --cloud: name at least one server, such as --edge jetson-orin-nano")
    label = name or "-".join([*(network.name for network in networks), client, *edges, *clouds])
    return deploy(label, networks, catalogue, client, edges, clouds, uplink, cloud_uplink, backhaul, result, deadline_s)
