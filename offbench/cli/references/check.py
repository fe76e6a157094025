"""`offbench references check`: whether the references are what they say."""

import sys
from typing import Annotated

import typer

from offbench.cli.references.file import NOTE, File, read, table
from offbench.cli.shared.arguments import Json
from offbench.cli.shared.errors import FAILED, say


def check(
    file: File = None,
    json: Json = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Evaluate each reference's placement again, and compare hashes, bounds and proofs.

    The exit code is 1 if one is wrong.
    """
    from offbench.cli.shared import console

    found = read(file)
    console.load_evaluator(quiet)

    from offbench.cli.shared.progress import waiting
    from offbench.evaluation.references import faults

    with waiting("checking the references", quiet):
        wrong = list(faults(found))
    if json:
        rows = {
            name: reference.to_dict() | {"faults": [fault for of, fault in wrong if of == name]}
            for name, reference in found.instances.items()
        }
        missing = [name for name, _ in wrong if name not in rows]
        console.show_json({"instances": rows, "missing": missing})
    else:
        console.show(table(found.instances), NOTE)
    sys.stdout.flush()
    for name, fault in wrong:
        say(f"references: {name}: {fault}")
    if wrong:
        raise typer.Exit(FAILED)
    if not json:
        print(f"{console.plural(len(found.instances), 'reference')}, all as they should be.")
