"""`offbench instance make`: an instance from networks, in the paper's environment or on devices of the catalogue."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.network.read import GranularityOption, Shapes
from offbench.cli.shared.arguments import ObjectiveOption, WeightsOption
from offbench.cli.shared.errors import say
from offbench.errors import OffbenchError, one_of

if TYPE_CHECKING:
    from offbench.model.instance import Instance


# Options of one way to make an instance, which say nothing in the other.
_OF_DEVICES = (
    "client", "edge", "cloud", "uplink", "cloud_uplink", "backhaul", "no_result", "deadline", "shape", "granularity",
    "catalogue", "ranges",
)  # fmt: skip
_OF_THE_PAPER = ("tasks", "interval", "poisson", "seed", "edges", "clouds", "clients", "indicators", "root")


def make(
    ctx: typer.Context,
    dnns: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DNN]...", help="Shipped networks, or instance files with one task.", show_default=False
        ),
    ] = None,
    network: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FILE", help="Instead: a model or network file, for devices of the catalogue; repeatable."
        ),
    ] = None,
    client: Annotated[str | None, typer.Option(metavar="DEVICE", help="Where the network is used.")] = None,
    edge: Annotated[list[str] | None, typer.Option(metavar="DEVICE", help="An edge server; repeatable.")] = None,
    cloud: Annotated[list[str] | None, typer.Option(metavar="DEVICE", help="A cloud server; repeatable.")] = None,
    uplink: Annotated[str, typer.Option(metavar="LINK", help="From the client to the servers.")] = "wifi-5",
    cloud_uplink: Annotated[
        str | None, typer.Option(metavar="LINK", help="From the client to the clouds, if another one.")
    ] = None,
    backhaul: Annotated[str, typer.Option(metavar="LINK", help="Between the servers.")] = "fibre-to-cloud",
    no_result: Annotated[
        bool, typer.Option("--no-result", help="Leave the results where they are; the way home is free then.")
    ] = False,
    deadline: Annotated[float | None, typer.Option(metavar="S", help="Of each network, s.")] = None,
    shape: Shapes = None,
    granularity: GranularityOption = None,
    catalogue: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Own devices, links and prices, over the catalogue's.")
    ] = None,
    ranges: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write how far its numbers may be off, for `offbench advise --ranges`."),
    ] = None,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; - or none: stdout.")] = None,
    name: Annotated[str | None, typer.Option(help="The instance's name, such as alexnet-x10-e5-c5.")] = None,
    tasks: Annotated[
        int | None, typer.Option(metavar="N", help="How many tasks, the DNNs in turn; one of each by default.")
    ] = None,
    interval: Annotated[float | None, typer.Option(metavar="S", help="Seconds between arrivals.")] = None,
    poisson: Annotated[float | None, typer.Option(metavar="PER_S", help="Poisson arrivals, per second.")] = None,
    seed: Annotated[int | None, typer.Option(metavar="N", help="Seed of the Poisson arrivals; 0 by default.")] = None,
    edges: Annotated[int, typer.Option(metavar="N", help="How many edge servers.")] = 5,
    clouds: Annotated[int, typer.Option(metavar="N", help="How many cloud servers.")] = 5,
    clients: Annotated[
        str,
        typer.Option(metavar="shared|own", help="Whether tasks share a client, or each has one of its own (format 2)."),
    ] = "shared",
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    indicators: Annotated[
        str | None, typer.Option(metavar="costs|benefits", help="What the coordination couples; costs by default.")
    ] = None,
    root: Annotated[int | None, typer.Option(metavar="2|3", help="Root in the coordination; 2 by default.")] = None,
) -> None:
    """Compose an instance from networks.

    Client, edges, clouds and links are those of the paper's environment; a network of format 2 brings its own client.
    The format is offbench/1 where that can say it all, else offbench/2. The objective is the paper's where all networks
    are shipped ones, else score.

    With --network they are devices and links of the catalogue (`offbench catalogue`), and the objective is score.
    """
    if network:
        if dnns:
            raise OffbenchError(f"'{dnns[0]}' and --network: networks are named in one way or the other")
        _refuse(ctx, _OF_THE_PAPER, "doesn't go with --network, which puts one inference of each on named devices")
        if deadline is not None and not 0 < deadline < math.inf:
            raise OffbenchError(f"--deadline: must be above 0 and finite, not {deadline:g}")
        _on_devices(
            network, output, ranges, name, client, edge or [], cloud or [], uplink, cloud_uplink, backhaul,
            not no_result, deadline, shape or [], granularity, catalogue, objective, weights,
        )  # fmt: skip
        return
    _refuse(ctx, _OF_DEVICES, "goes with --network alone, which puts networks on devices of the catalogue")
    if not dnns:
        raise OffbenchError("name a network: a shipped one, such as alexnet, or a file with --network")
    if clients not in ("shared", "own"):
        raise one_of("--clients", clients, ["shared", "own"])
    _check_counts(dnns, tasks, edges, clouds)
    _check_arrivals(interval, poisson, seed)
    from offbench.cli.shared.files import check_writable, write
    from offbench.cli.shared.given import check_stdin_once, instance_from, is_dash

    check_stdin_once(*dnns)
    target = output or Path("-")
    check_writable(target)

    from offbench.cli.instance.coordination import with_coordination
    from offbench.model.composition import arrivals
    from offbench.model.instance import load, shipped
    from offbench.model.objectives import described, with_objective

    networks = [instance_from(dnn) for dnn in dnns]
    n = tasks if tasks is not None else len(networks)
    composed = _compose(
        name=name if name is not None else f"{'-'.join(dnn.name for dnn in networks)}-x{n}-e{edges}-c{clouds}",
        networks=networks,
        arrival_s=arrivals(n, interval, poisson, seed or 0),
        edges=edges,
        clouds=clouds,
        source=f"arrivals: Poisson, {poisson:g} per s, seed {seed or 0}" if poisson is not None else "",
        own_clients=clients == "own",
    )
    if (
        objective is None
        and weights is None
        and any(each.name not in shipped() or each != load(each.name) for each in networks)
    ):
        objective = "score"
    composed = with_coordination(with_objective(composed, objective, weights), indicators, root)
    write(target, composed.to_text())
    if is_dash(target):
        return

    from offbench.cli.shared.console import plural

    say(
        f"{output}: format {composed.format}, {plural(len(composed.clients), 'client')}, "
        f"objective {described(composed)}"
    )


def _on_devices(
    network: list[str],
    output: Path | None,
    ranges: Path | None,
    name: str | None,
    client: str | None,
    edges: list[str],
    clouds: list[str],
    uplink: str,
    cloud_uplink: str | None,
    backhaul: str,
    result: bool,
    deadline: float | None,
    shapes: list[str],
    granularity: str | None,
    catalogue: Path | None,
    objective: str | None,
    weights: str | None,
) -> None:
    from offbench.cli.instance.on_devices import deployed, networks_of
    from offbench.cli.shared.files import check_writable, write
    from offbench.cli.shared.given import check_stdin_once, is_dash

    check_stdin_once(*network)
    target = output or Path("-")
    check_writable(target)
    if ranges is not None:
        check_writable(ranges)
        if is_dash(target) and is_dash(ranges):
            raise OffbenchError("--ranges and the instance are both for stdout; name a file for one of them")

    from offbench.catalogue.catalogue import load_catalogue
    from offbench.model.objectives import described, with_objective

    networks, notes = networks_of(network, shapes, granularity)
    found = deployed(
        networks, load_catalogue(catalogue), name, client, edges, clouds, uplink, cloud_uplink, backhaul, result,
        deadline,
    )  # fmt: skip
    instance = with_objective(found.instance, objective, weights)
    for note in (*notes, *found.notes):
        say(note)
    write(target, instance.to_text())
    if ranges is not None:
        write(ranges, found.ranges.to_text())
    if not is_dash(target):
        say(f"{output}: format {instance.format}, objective {described(instance)}")


def _refuse(ctx: typer.Context, options: tuple[str, ...], why: str) -> None:
    """Refuse options that were given where they would say nothing."""
    for name in options:
        source = ctx.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            raise OffbenchError(f"--{name.replace('_', '-')}: {why}")


def _check_counts(dnns: list[str], tasks: int | None, edges: int, clouds: int) -> None:
    if tasks is not None and tasks < len(dnns):
        raise OffbenchError(f"--tasks: must be at least {len(dnns)}, one of each DNN, not {tasks}")
    for option, count in (("--edges", edges), ("--clouds", clouds)):
        if count < 0:
            raise OffbenchError(f"{option}: must be 0 or more, not {count}")


def _check_arrivals(interval: float | None, poisson: float | None, seed: int | None) -> None:
    if interval is not None and poisson is not None:
        raise OffbenchError("--interval and --poisson: one or the other")
    if seed is not None and poisson is None:
        raise OffbenchError("--seed: only Poisson arrivals are random; give --poisson as well")
    if seed is not None and seed < 0:
        raise OffbenchError(f"--seed: must be 0 or more, not {seed}")


def _compose(**parts: Any) -> "Instance":
    from pydantic import ValidationError

    from offbench.files.json import one_line
    from offbench.model.composition import compose

    try:
        return compose(**parts)
    except ValidationError as error:  # arrivals that overflow, an empty name
        raise OffbenchError(f"the instance would be wrong: {one_line(error)}") from None
