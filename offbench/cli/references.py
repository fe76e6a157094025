"""`offbench references show` and `check`: the best known objectives and bounds of the shipped instances."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.cli.arguments import Json
from offbench.cli.errors import FAILED, say
from offbench.errors import OffbenchError, nearest

if TYPE_CHECKING:
    from rich.table import Table

    from offbench.references import Reference, References

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[INSTANCE]...", help="Shipped instances; all of them by default.")
]
File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Another file than the shipped one.")]

_NOTE = "certified: at most this share of the possible improvement over everything on the client is missed."


def show(names: Names = None, file: File = None, json: Json = False) -> None:
    """Show the best known objective and bound of each shipped instance, and where they come from."""
    from offbench.cli import console

    found = read(file)
    chosen = {name: found.instances[name] for name in checked_names(names, list(found.instances))}
    if json:
        console.show_json({name: reference.to_dict() for name, reference in chosen.items()})
    else:
        console.show(_table(chosen), _NOTE)


def check(file: File = None, json: Json = False) -> None:
    """Evaluate each reference's placement again, and compare hashes, bounds and proofs.

    The exit code is 1 if one is wrong.
    """
    from offbench.cli import console

    found = read(file)
    console.load_evaluator()

    from offbench.references import faults

    wrong = list(faults(found))
    if json:
        rows = {
            name: reference.to_dict() | {"faults": [fault for of, fault in wrong if of == name]}
            for name, reference in found.instances.items()
        }
        missing = [name for name, _ in wrong if name not in rows]
        console.show_json({"instances": rows, "missing": missing})
    else:
        console.show(_table(found.instances), _NOTE)
    sys.stdout.flush()
    for name, fault in wrong:
        say(f"references: {name}: {fault}")
    if wrong:
        raise typer.Exit(FAILED)
    if not json:
        print(f"{console.plural(len(found.instances), 'reference')}, all as they should be.")


def read(file: Path | None) -> "References":
    """Read a file of references, the shipped one without a path."""
    from offbench.references import read_references, shipped_path

    return read_references(file or shipped_path())


def checked_names(names: list[str] | None, known: list[str]) -> list[str]:
    """Return the names without repetition, all that are known if none is given.

    Raises
    ------
    OffbenchError
        If one is unknown.
    """
    for name in names or ():
        if name not in known:
            raise OffbenchError(f"'{name}' has no reference{nearest(name, known)}; there are {', '.join(known)}")
    return list(dict.fromkeys(names or known))


def _table(references: "Mapping[str, Reference]") -> "Table":
    from rich.table import Table

    table = Table("instance", "best Q", "found by", "best bound", "bound by", "relative gap", "certified")
    for column in (table.columns[1], table.columns[3], *table.columns[5:]):
        column.justify = "right"
    for column in (*table.columns[:2], table.columns[3]):
        column.no_wrap = True
    for name, reference in references.items():
        bound, gap = reference.best_bound, reference.relative_gap
        table.add_row(
            name,
            f"{reference.best_objective:.6g}",
            reference.objective_from.by,
            "none" if bound is None else f"{bound:.6g}",
            "" if reference.bound_from is None else reference.bound_from.by,
            "proven" if reference.proven else "" if gap is None else f"{gap:z.2%}",
            _certified(reference),
        )
    return table


def _certified(reference: "Reference") -> str:
    if reference.best_bound is None:
        return ""
    share = reference.certified
    return "nothing to gain" if share is None else f"{share:z.2%}"
