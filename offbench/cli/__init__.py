"""The command line: one file a verb.

At module level nothing heavier than typer is imported here or in the verbs, so that ``--help`` is
instant; a verb imports what it needs when it is called.
"""

from typing import Annotated

import typer

from offbench.cli import (
    bench,
    bound,
    check,
    check_solver,
    evaluate,
    make,
    pareto,
    references,
    report,
    reproduce,
    results,
    schema,
    show,
    solve,
    solvers,
    train,
    update,
)
from offbench.cli.errors import OneLineErrors

app = typer.Typer(
    cls=OneLineErrors,
    name="offbench",
    help="Where should the layers of a neural network run: device, edge or cloud?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would double the time of --help
)
app.command("solve")(solve.solve)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("bound")(bound.bound)
app.command("bench")(bench.bench)
app.command("status")(results.status)
app.command("table")(results.table)
app.command("report")(report.report)
app.command("export")(results.export)
app.command("show")(report.show)
app.command("reproduce")(reproduce.reproduce)
app.command("pareto")(pareto.pareto)
app.command("solvers")(solvers.solvers)
app.command("check")(check_solver.check)

instance = typer.Typer(help="Make, show and check instances.", no_args_is_help=True, rich_markup_mode=None)
instance.command("make")(make.make)
instance.command("show")(show.show)
instance.command("check")(check.check)
app.add_typer(instance, name="instance")

known = typer.Typer(
    help="The best known objectives and bounds of the shipped instances.", no_args_is_help=True, rich_markup_mode=None
)
known.command("show")(references.show)
known.command("check")(references.check)
known.command("update")(update.update)
app.add_typer(known, name="references")

app.command("schema")(schema.schema)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"offbench {version('offbench')}")
        raise typer.Exit


@app.callback()
def offbench(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Decide where the layers of a neural network run."""


def main() -> None:
    """Run the command line."""
    app()
