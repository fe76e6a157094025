"""`offbench references show`: the best known objectives and bounds of the shipped instances."""

from offbench.cli.references.file import NOTE, File, Names, checked_names, read, table
from offbench.cli.shared.arguments import Json


def show(names: Names = None, file: File = None, json: Json = False) -> None:
    """Show the best known objective and bound of each shipped instance, and where they come from."""
    from offbench.cli.shared import console

    found = read(file)
    chosen = {name: found.instances[name] for name in checked_names(names, list(found.instances))}
    if json:
        console.show_json({name: reference.to_dict() for name, reference in chosen.items()})
    else:
        console.show(table(chosen), NOTE)
