"""`offbench network check`: whether files are networks."""

from typing import Annotated

import typer

from offbench.cli.shared.errors import MISTAKE
from offbench.errors import OffbenchError


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Network files.", show_default=False)],
) -> None:
    """Check network files, a line for each.

    The exit code is 2 if one is wrong.
    """
    from offbench.cli.network.facts import totals
    from offbench.cli.shared.console import show_line
    from offbench.cli.shared.given import check_stdin_once, json_from
    from offbench.model.network import parse_network

    check_stdin_once(*files)
    wrong = False
    for file in files:
        try:
            show_line(f"{file}: fine: {totals(parse_network(json_from(file), file))}")
        except OffbenchError as error:
            wrong = True
            message = str(error) if str(error).startswith(f"{file}:") else f"{file}: {error}"
            show_line(message, to_stderr=True)
    if wrong:
        raise typer.Exit(MISTAKE)
