"""`offbench network check`: whether files are networks."""

from typing import Annotated

import typer

from offbench.cli.shared.each_file import check_each


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Network files.", show_default=False)],
) -> None:
    """Check network files, a line for each.

    The exit code is 2 if one is wrong.
    """
    check_each(files, _told)


def _told(file: str) -> str:
    from offbench.cli.network.facts import totals
    from offbench.cli.shared.given import json_from
    from offbench.model.network import parse_network

    return f"fine: {totals(parse_network(json_from(file), file))}"
