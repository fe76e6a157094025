"""`offbench table`: gaps and statistics of a folder of results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.results.folder import Exclude, Folder, Target, analysed
from offbench.cli.shared.arguments import Json
from offbench.cli.shared.errors import say
from offbench.errors import OffbenchError, one_of

if TYPE_CHECKING:
    from offbench.bench.tables import Analysis, TitledTable


def table(
    results: Folder,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="terminal, markdown, latex (booktabs) or csv.")
    ] = "terminal",
    only: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="runs, known, gaps, totals, summary, ranks, pairs, times, training, measured; repeatable.",
        ),
    ] = None,
    target: Target = 0.01,
    exclude: Exclude = None,
    spread: Annotated[int, typer.Option(metavar="K", help="Instances that one training is spread over.")] = 100,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here instead of printing.")] = None,
    json: Json = False,
) -> None:
    """Print gaps and statistics.

    Runs are counted, gaps taken to the proven optimum and to the best bound apart, solvers compared. A
    run whose bound lies above an objective is left out, and named.
    """
    from offbench.bench import formats
    from offbench.cli.shared.console import columns, show, show_json
    from offbench.cli.shared.files import check_stdout_once, check_writable, write

    if form not in formats.FORMATS:
        raise one_of("--format", form, list(formats.FORMATS))
    if output is not None and form == "terminal":
        raise OffbenchError("--output: needs --format markdown, latex or csv")
    check_stdout_once(output, json)
    if output is not None:
        check_writable(output)
    if spread < 1:
        raise OffbenchError(f"--spread: must be at least 1, not {spread}")
    _, _, found = analysed(results, target, spread, exclude)
    blocks = _chosen(found, only, single=form == "csv" and not json)
    if json:
        show_json({block.name: formats.records(block.frame) for block in blocks} | {"notes": found.notes})
    elif form == "terminal":
        show(*(part for block in blocks for part in _renderable(block, columns(full=True))), full=True)
    else:
        text = "\n".join(
            {"markdown": formats.markdown, "latex": formats.latex, "csv": formats.csv}[form](b) for b in blocks
        )
        if output is not None:
            write(output, text)
        else:
            print(text, end="")
    for note in found.notes if not json else ():
        say(note)


def _chosen(found: "Analysis", only: list[str] | None, single: bool) -> "list[TitledTable]":
    blocks = {block.name: block for block in found.blocks}
    for name in only or ():
        if name not in blocks:
            raise one_of("--only", name, list(blocks))
    names = only or (["gaps"] if single else list(blocks))
    if single and len(names) > 1:
        raise OffbenchError("--format csv: is one table; name one with --only")
    return [blocks[name] for name in names]


def _renderable(block: "TitledTable", width: int) -> list[Any]:
    """Return a block as tables that are as narrow as *width*: what doesn't fit in one stands in the next."""
    from rich.table import Table
    from rich.text import Text

    from offbench.bench.formats import aligned, cells

    heads, rows = cells(block)
    right = aligned(rows, len(heads))
    needed = _needed(heads, rows, right)
    drawn: list[Any] = []
    parts = _parts(needed, right, width)
    for number, chosen in enumerate(parts):
        title = block.title if number == 0 else f"{block.title}, further columns"
        table = Table(title=title, title_justify="left", title_style="bold")
        for c in chosen:
            narrow = needed[c] if len(parts) > 1 else None
            table.add_column(heads[c], overflow="fold", width=narrow, justify="right" if right[c] else "left")
        for row in rows:
            table.add_row(*(Text(row[c]) for c in chosen))
        drawn.append(table)
    return [*drawn, *(Text(note, style="dim") for note in block.notes), ""]


def _needed(heads: list[str], rows: list[list[str]], right: list[bool]) -> list[int]:
    """Return how wide each column must be: heads break between words, and so do texts; numbers don't."""
    return [
        max(map(len, [*heads[c].split(), *(word for row in rows for word in _unbroken(row[c], right[c])), ""]))
        for c in range(len(heads))
    ]


def _parts(needed: list[int], right: list[bool], width: int) -> list[list[int]]:
    """Deal the columns to tables that fit; the first ones, which say what a line is of, stand in each."""
    keys = [c for c in range(min(2, len(needed))) if not right[c]]
    parts: list[list[int]] = []
    for c in range(len(keys), len(needed)):
        if parts and 1 + sum(needed[each] + 3 for each in (*parts[-1], c)) <= width:
            parts[-1].append(c)
        else:
            parts.append([*keys, c])
    return parts or [keys]


def _unbroken(cell: str, number: bool) -> list[str]:
    return [cell] if number and "(" not in cell else cell.split()
