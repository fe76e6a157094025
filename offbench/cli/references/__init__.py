"""`offbench references`: the best known objectives and bounds of the shipped instances."""

import typer

from offbench.cli.references import check, show, update

app = typer.Typer(
    help="The best known objectives and bounds of the shipped instances.", no_args_is_help=True, rich_markup_mode=None
)
app.command("show")(show.show)
app.command("check")(check.check)
app.command("update")(update.update)
