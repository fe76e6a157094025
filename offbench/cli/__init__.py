"""The command line: one file a verb.

At module level nothing heavier than typer is imported here or in the verbs, so that ``--help`` is
instant; a verb imports what it needs when it is called.
"""

import gc
from typing import Annotated

import typer

from offbench.cli import (
    advise,
    bench,
    bound,
    catalogue,
    check,
    emulate,
    evaluate,
    instance,
    network,
    pareto,
    profile,
    references,
    report,
    reproduce,
    schema,
    show,
    solve,
    solvers,
    train,
    warm_up,
)
from offbench.cli.results import export, status, table
from offbench.cli.shared.errors import OneLineErrors

app = typer.Typer(
    cls=OneLineErrors,
    name="offbench",
    help="Where should the layers of a neural network run: device, edge or cloud?",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich would double the time of --help
)
app.command("solve")(solve.solve)
app.command("advise")(advise.advise)
app.command("train")(train.train)
app.command("evaluate")(evaluate.evaluate)
app.command("bound")(bound.bound)
app.command("bench")(bench.bench)
app.command("status")(status.status)
app.command("table")(table.table)
app.command("report")(report.report)
app.command("export")(export.export)
app.command("show")(show.show)
app.command("reproduce")(reproduce.reproduce)
app.command("pareto")(pareto.pareto)
app.command("solvers")(solvers.solvers)
app.command("check")(check.check)
app.command("emulate")(emulate.emulate)
app.command("catalogue")(catalogue.catalogue)
app.command("profile")(profile.profile)
app.add_typer(instance.app, name="instance")
app.add_typer(network.app, name="network")
app.add_typer(references.app, name="references")
app.command("schema")(schema.schema)
app.command("warm-up")(warm_up.warm_up)


def _print_version(wanted: bool) -> None:
    if wanted:
        from offbench.versions import own_version

        typer.echo(f"offbench {own_version()}")
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
    # What is imported stays: looking through it for garbage at each thousand of objects is a tenth of a start.
    gc.set_threshold(20_000, 20, 100)
    app()
