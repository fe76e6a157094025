"""`offbench schema`: the file formats, for editors and other programs."""

from typing import Annotated

import typer


def schema(
    placement: Annotated[bool, typer.Option("--placement", help="Of a placement file instead.")] = False,
) -> None:
    """Print the JSON Schema of an instance file, of both formats: offbench/1 and offbench/2."""
    from offbench.cli.shared.console import show_json

    if placement:
        from offbench.model.placement import PlacementFile

        show_json(PlacementFile.model_json_schema())
    else:
        from offbench.model.schema import instance_schema

        show_json(instance_schema())
