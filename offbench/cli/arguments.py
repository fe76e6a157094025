"""Arguments that several verbs have."""

from typing import Annotated

import typer

InstanceArgument = Annotated[
    str, typer.Argument(metavar="INSTANCE", help="An instance file, or the name of a shipped one, such as alexnet.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of tables.")]
