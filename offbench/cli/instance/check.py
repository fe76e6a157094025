"""`offbench instance check`: whether files are instances."""

from typing import Annotated

import typer

from offbench.cli.shared.each_file import check_each


def check(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Instance files.", show_default=False)],
) -> None:
    """Check instance files, a line for each.

    The exit code is 2 if one is wrong.
    """
    check_each(files, _told)


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
