"""`offbench instance check`: whether files are instances."""

from typing import Annotated

import typer

from offbench.cli.shared.errors import MISTAKE
from offbench.errors import OffbenchError


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Instance files.", show_default=False)],
) -> None:
    """Check instance files, a line for each.

    The exit code is 2 if one is wrong.
    """
    from offbench.cli.shared.console import show_line
    from offbench.cli.shared.given import check_stdin_once

    check_stdin_once(*files)
    wrong = False
    for file in files:
        try:
            show_line(f"{file}: {_told(file)}")
        except OffbenchError as error:
            wrong = True
            message = str(error) if str(error).startswith(f"{file}:") else f"{file}: {error}"
            show_line(message, to_stderr=True)
    if wrong:
        raise typer.Exit(MISTAKE)


def _told(file: str) -> str:
    from offbench.cli.shared.console import plural
    from offbench.cli.shared.given import instance_from
    from offbench.evaluation.infeasibility import why_infeasible
    from offbench.model.problem import P1

    instance = instance_from(file)
    problem = P1(instance)  # links that carry nothing and scales that overflow show only here
    servers, tasks = plural(len(instance.servers), "server"), plural(len(instance.tasks), "task")
    clients = f" ({plural(len(instance.clients), 'client')})" if len(instance.clients) > 1 else ""
    size = f"{servers}{clients}, {tasks}, {plural(instance.subtasks, 'subtask')}"
    why = why_infeasible(problem)
    return f"fine: {size}" if why is None else f"an instance, but no placement is feasible: {why} ({size})"
