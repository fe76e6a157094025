"""`offbench instance edit`: the same networks and servers with another objective."""

from pathlib import Path
from typing import Annotated

import typer

from offbench.cli.shared.arguments import InstanceArgument, ObjectiveOption, WeightsOption
from offbench.cli.shared.errors import say
from offbench.errors import OffbenchError


def edit(
    instance: InstanceArgument,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Where to write; - or none: stdout.")] = None,
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    indicators: Annotated[
        str | None, typer.Option(metavar="costs|benefits", help="What the coordination couples.")
    ] = None,
    root: Annotated[int | None, typer.Option(metavar="2|3", help="Root in the coordination.")] = None,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
) -> None:
    """Give an instance another objective, and leave its networks, servers and links as they are."""
    from offbench.cli.instance.coordination import with_coordination
    from offbench.cli.shared.files import check_writable, write
    from offbench.cli.shared.given import instance_from, is_dash
    from offbench.model.objectives import described

    if (objective, weights, indicators, root, name) == (None,) * 5:
        raise OffbenchError("instance edit: give --objective, --weights, --indicators, --root or --name")
    target = output or Path("-")
    check_writable(target)
    made = with_coordination(instance_from(instance, objective, weights), indicators, root)
    if name is not None:
        made = made.model_copy(update={"name": name})
    write(target, made.to_text())
    if not is_dash(target):
        say(f"{output}: objective {described(made)}")
