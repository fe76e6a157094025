"""`offbench check`: whether a solver does what every solver must."""

from typing import Annotated

import typer

from offbench.cli.shared.arguments import Json
from offbench.cli.shared.errors import FAILED


def check(
    solver: Annotated[
        str,
        typer.Argument(metavar="SOLVER", help="A solver's name, or the path of a file with one: ./mine.py."),
    ],
    json: Json = False,
) -> None:
    """Check a solver: budget, allowed servers, seeds, strange instances, Ctrl-C.

    A solver may refuse an instance with a reason, or find nothing in time. The exit code is 1 if it
    does something wrong. (Files of instances: `offbench instance check`.)
    """
    import sys
    from contextlib import redirect_stdout

    from offbench.cli.shared.console import load_evaluator, show, show_json
    from offbench.search.registry import locate

    locate(solver)
    load_evaluator()

    from offbench.cli.shared.progress import bar
    from offbench.runs.conformance import conformance

    with redirect_stdout(sys.stderr), bar(solver, json) as progress:
        verdicts = list(conformance(solver, *([] if progress is None else [progress.begin])))
    failed = sum(verdict.outcome == "failed" for verdict in verdicts)
    if json:
        show_json([vars(verdict) for verdict in verdicts])
    else:
        from rich.table import Table

        table = Table("check", "outcome", "")
        styles = {"passed": "green", "refused": "yellow", "failed": "bold red"}
        for verdict in verdicts:
            table.add_row(verdict.check, verdict.outcome, verdict.detail, style=styles[verdict.outcome])
        show(table, f"{solver}: {failed} of {len(verdicts)} checks failed" if failed else f"{solver} conforms")
    if failed:
        raise typer.Exit(FAILED)
