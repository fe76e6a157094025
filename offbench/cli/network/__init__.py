"""`offbench network`: import, show and check networks."""

import typer

from offbench.cli.network import check, read, show

app = typer.Typer(help="Import, show and check networks.", no_args_is_help=True, rich_markup_mode=None)
app.command("import")(read.read)
app.command("show")(show.show)
app.command("check")(check.check)
