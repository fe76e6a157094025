"""`offbench table`, `status` and `export`: what a folder of results says."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.arguments import Json
from offbench.cli.errors import FAILED, say
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.bench.frame import Results
    from offbench.bench.store import Store
    from offbench.bench.tables import Analysis, Block

Folder = Annotated[Path, typer.Argument(metavar="RESULTS", help="A folder that `offbench bench` wrote.")]
Target = Annotated[
    float, typer.Option(metavar="GAP", help="Missed improvement that times are taken to, such as 0.01 for 1 %.")
]


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
    spread: Annotated[int, typer.Option(metavar="K", help="Instances that one training is spread over.")] = 100,
    output: Annotated[Path | None, typer.Option(metavar="FILE", help="Write here instead of printing.")] = None,
    json: Json = False,
) -> None:
    """Print gaps and statistics.

    Runs are counted, gaps taken to the proven optimum and to the best bound apart, solvers compared. A
    bound above an objective stops it all.
    """
    from offbench.bench import formats
    from offbench.cli.console import show, show_json
    from offbench.cli.files import check_writable, write

    if form not in formats.FORMATS:
        raise OffbenchError(f"--format: must be one of {', '.join(formats.FORMATS)}, not '{form}'")
    if output is not None and form == "terminal":
        raise OffbenchError("--output: needs --format markdown, latex or csv")
    if output is not None:
        check_writable(output)
    if spread < 1:
        raise OffbenchError(f"--spread: must be at least 1, not {spread}")
    _, _, found = analysed(results, target, spread)
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


def analysed(folder: Path, target: float, spread: int) -> "tuple[Store, Results, Analysis]":
    """Return what a folder has, and its statistics; a contradiction among its runs ends the command."""
    from offbench.bench.best import Contradiction
    from offbench.bench.frame import results
    from offbench.bench.store import Store
    from offbench.bench.tables import analyse
    from offbench.references import references

    known = {reference.hash: reference for reference in references().instances.values()}
    if not 0 <= target < 1:
        raise OffbenchError(f"--target: must be from 0 to below 1, not {target}")
    store = Store.of_results(folder)
    found = results(store)
    if not len(found.table):
        raise OffbenchError(f"{folder}: has no runs yet")
    try:
        return store, found, analyse(found, known, target, spread)
    except Contradiction as error:
        say(str(error))
        raise typer.Exit(FAILED) from None


def _chosen(found: "Analysis", only: list[str] | None, single: bool) -> "list[Block]":
    blocks = {block.name: block for block in found.blocks}
    for name in only or ():
        if name not in blocks:
            raise OffbenchError(f"--only: must be one of {', '.join(blocks)}, not '{name}'")
    names = only or (["gaps"] if single else list(blocks))
    if single and len(names) > 1:
        raise OffbenchError("--format csv: is one table; name one with --only")
    return [blocks[name] for name in names]


def _renderable(block: "Block") -> list[Any]:
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


def status(results: Folder, json: Json = False) -> None:
    """Say what is done, what failed and why, and what is left."""
    from offbench.bench.frame import results as read
    from offbench.bench.row import MEANING
    from offbench.bench.store import Store
    from offbench.cli.console import show, show_json

    store = Store.of_results(results)
    found = read(store)
    claimed = store.claimed()
    counts = {str(status): int(count) for status, count in found.table["status"].value_counts().items()}
    failures = [row for row in found.rows if row.failed]
    if json:
        show_json(
            {
                "folder": str(results), "runs": len(found.table), "statuses": counts, "in_flight": len(claimed),
                "failures": [
                    {"run": row.job.key, "instance": row.job.instance, "solver": row.job.solver, "seed": row.job.seed,
                     "status": row.status, "message": row.message}
                    for row in failures
                ],
                "notes": found.notes,
            }
        )  # fmt: skip
        return

    from rich.table import Table

    drawn = Table("status", "runs", "means")
    drawn.columns[1].justify = "right"
    for name, text in {**MEANING, "pending": "not made yet"}.items():
        if counts.get(name):
            drawn.add_row(name, str(counts[name]), text)
    done = len(found.table) - counts.get("pending", 0)
    show(f"{results}: {done} of {len(found.table)} runs done, {len(claimed)} in flight", drawn)
    for row in failures:
        what = f"{row.job.solver} on {row.job.instance}, seed {row.job.seed}"
        show(f"{row.status}: {what}: {row.message} [runs/{row.job.key}.json]")
    for note in found.notes:
        say(note)
    if failures:
        say("the command that made them runs the failed ones again with `--rerun failed`")


def export(
    results: Folder,
    output: Annotated[Path, typer.Option(metavar="FILE", help="A .parquet or .csv file.")],
) -> None:
    """Write one tidy table, a line for each run.

    `pandas.read_parquet(FILE)` or `pandas.read_csv(FILE)` reads it.
    """
    from offbench.bench.frame import results as read
    from offbench.bench.store import Store
    from offbench.cli.files import check_writable, write

    if output.suffix not in (".parquet", ".csv"):
        raise OffbenchError(f"--output: must end in .parquet or .csv, not '{output.name}'")
    check_writable(output)
    found = read(Store.of_results(results))
    table = found.table
    data = table.to_parquet(index=False) if output.suffix == ".parquet" else table.to_csv(index=False).encode()
    write(output, data)
    for note in found.notes:
        say(note)
