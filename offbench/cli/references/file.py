"""A file of references and the names in it as arguments; its table."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.errors import OffbenchError, nearest

if TYPE_CHECKING:
    from rich.table import Table

    from offbench.evaluation.references import Reference, References

Names = Annotated[
    list[str] | None, typer.Argument(metavar="[INSTANCE]...", help="Shipped instances; all of them by default.")
]
File = Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Another file than the shipped one.")]

NOTE = "certified: at most this share of the possible improvement over everything on the client is missed."


def read(file: Path | None) -> "References":
    """Read a file of references, the shipped one without a path."""
    from offbench.cli.shared.given import STDIN, is_dash, json_from
    from offbench.evaluation.references import References, read_references, shipped_path
    from offbench.files.json import check

    if is_dash(file):
        return check(References, json_from("-"), STDIN)
    return read_references(file or shipped_path())


def checked_names(names: list[str] | None, known: list[str]) -> list[str]:
    """Return the names without repetition, all that are known if none is given; a name stands for all its objectives.

    Raises
    ------
    OffbenchError
        If one is unknown.
    """
    chosen: list[str] = []
    for name in names or known:
        found = [each for each in known if each == name or each.partition("@")[0] == name]
        if not found:
            raise OffbenchError(f"'{name}' has no reference{nearest(name, known)}; there are {', '.join(known)}")
        chosen += found
    return list(dict.fromkeys(chosen))


def table(references: "Mapping[str, Reference]") -> "Table":
    """Return the references as a table: objective, bound, who found them, gaps."""
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
            *_objective(reference),
            "none" if bound is None else f"{bound:.6g}",
            "" if reference.bound_from is None else reference.bound_from.by,
            "proven" if reference.proven else "" if gap is None else f"{gap:z.2%}",
            _certified(reference),
        )
    return table


def _objective(reference: "Reference") -> tuple[str, str]:
    """Return the best objective and who found it, or who has proven that there is none."""
    if reference.best_objective is not None and reference.objective_from is not None:
        return f"{reference.best_objective:.6g}", reference.objective_from.by
    proof = reference.infeasible_from
    return ("none known", "") if proof is None else ("infeasible", proof.by)


def _certified(reference: "Reference") -> str:
    if reference.best_bound is None or reference.best_objective is None:
        return ""
    share = reference.certified
    return "nothing to gain" if share is None else f"{share:z.2%}"
