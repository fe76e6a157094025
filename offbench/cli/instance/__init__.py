"""`offbench instance`: make, edit, show and check instances."""

import typer

from offbench.cli.instance import check, edit, make, show

app = typer.Typer(help="Make, edit, show and check instances.", no_args_is_help=True, rich_markup_mode=None)
app.command("make")(make.make)
app.command("edit")(edit.edit)
app.command("show")(show.show)
app.command("check")(check.check)
