"""Checking files, a line for each, whatever they are to be."""

from collections.abc import Callable, Sequence

import typer

from offbench.cli.shared.errors import LONGEST, MISTAKE
from offbench.errors import OffbenchError
from offbench.files.plain import plain


def check_each(files: Sequence[str], told: Callable[[str], str]) -> None:
    """Print what *told* says of each file, or what is wrong with it; the exit code is 2 if one is wrong."""
    from offbench.cli.shared.console import show_line
    from offbench.cli.shared.given import check_stdin_once

    check_stdin_once(*files)
    wrong = False
    for file in files:
        try:
            show_line(f"{file}: {told(file)}")
        except OffbenchError as error:
            wrong = True
            message = str(error) if str(error).startswith(f"{file}:") else f"{file}: {error}"
            show_line(plain(message, LONGEST), to_stderr=True)
    if wrong:
        raise typer.Exit(MISTAKE)
