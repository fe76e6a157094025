"""`offbench export`: the runs of a folder as one tidy table."""

from pathlib import Path
from typing import Annotated

import typer

from offbench.cli.results.folder import Folder
from offbench.cli.shared.errors import say
from offbench.errors import OffbenchError


def export(
    results: Folder,
    output: Annotated[Path, typer.Option(metavar="FILE", help="A .parquet or .csv file; - for CSV on stdout.")],
) -> None:
    """Write one tidy table, a line for each run.

    `pandas.read_parquet(FILE)` or `pandas.read_csv(FILE)` reads it.
    """
    from offbench.bench.formats import csv_of
    from offbench.bench.frame import results as read
    from offbench.bench.store import Store
    from offbench.cli.shared.files import check_writable, write
    from offbench.cli.shared.given import is_dash

    if not is_dash(output) and output.suffix not in (".parquet", ".csv"):
        raise OffbenchError(f"--output: must end in .parquet or .csv, not '{output.name}'")
    check_writable(output)
    found = read(Store.of_results(results))
    table = found.table
    data = table.to_parquet(index=False) if output.suffix == ".parquet" else csv_of(table).encode()
    write(output, data)
    for note in found.notes:
        say(note)
