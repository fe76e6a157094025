"""`offbench table`: gaps and statistics of a folder of results."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.results.folder import Exclude, Folder, Target, analysed
from offbench.cli.shared.arguments import Json
from offbench.cli.shared.errors import say
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.bench.tables import Analysis, TitledTable


def table(
    results: Folder,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="terminal, markdown, latex (booktabs) or csv.")
    ] = "terminal",
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="runs, known, gaps, summary, ranks, pairs, times or training; repeatable."),
    ] = None,
    target: Target = 0.01,
    exclude: Exclude = None,
    spread: Annotated[int, typer.Option(metavar="K", help="Instances that one training is spread over.")] = 100,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here instead of printing.")] = None,
    json: Json = False,
) -> None:
    """Print gaps and statistics.

    Runs are counted, gaps taken to the proven optimum and to the best bound apart, solvers compared. A
    bound above an objective stops it all, unless one of the two runs is left out with --exclude.
    """
    from offbench.bench import formats
    from offbench.cli.shared.console import show, show_json
    from offbench.cli.shared.files import check_writable, write

    if form not in formats.FORMATS:
        raise OffbenchError(f"--format: must be one of {', '.join(formats.FORMATS)}, not '{form}'")
    if output is not None and form == "terminal":
        raise OffbenchError("--output: needs --format markdown, latex or csv")
    if output is not None:
        check_writable(output)
    if spread < 1:
        raise OffbenchError(f"--spread: must be at least 1, not {spread}")
    _, _, found = analysed(results, target, spread, exclude)
    blocks = _chosen(found, only, single=form == "csv" and not json)
    if json:
        show_json({block.name: formats.records(block.frame) for block in blocks} | {"notes": found.notes})
    elif form == "terminal":
        show(*(part for block in blocks for part in _renderable(block)))
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
            raise OffbenchError(f"--only: must be one of {', '.join(blocks)}, not '{name}'")
    names = only or (["gaps"] if single else list(blocks))
    if single and len(names) > 1:
        raise OffbenchError("--format csv: is one table; name one with --only")
    return [blocks[name] for name in names]


def _renderable(block: "TitledTable") -> list[Any]:
    from rich.table import Table
    from rich.text import Text

    from offbench.bench.formats import aligned, cells

    heads, rows = cells(block)
    drawn = Table(title=block.title, title_justify="left", title_style="bold")
    for head, right in zip(heads, aligned(rows, len(heads)), strict=True):
        drawn.add_column(head, justify="right" if right else "left")
    for row in rows:
        drawn.add_row(*map(Text, row))
    return [drawn, *(Text(note, style="dim") for note in block.notes), ""]
