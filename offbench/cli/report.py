"""`offbench report`: the page of a folder of results."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from offbench.cli.results.folder import Exclude, Folder, Target, analysed
from offbench.cli.shared.errors import say


def report(
    results: Folder,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The HTML file; report.html beside the results by default.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the charts as PDF and PNG here, too.")
    ] = None,
    target: Target = 0.01,
    exclude: Exclude = None,
) -> None:
    """Write one HTML file that opens from disk.

    Gap table, curves over time, profiles, ranks, where layers went, Gantt charts, machines and versions. With --figures
    also what the placements amount to, delay against energy, and how far solvers are apart.
    """
    from offbench.cli.shared.files import check_folder, check_writable, write

    file = output or results / "report.html"
    if results.is_dir():
        check_writable(file)
    if figures is not None:
        check_folder(figures)
    store, found, analysis = analysed(results, target, 100, exclude)

    from offbench.report.page import report as page

    write(file, page(store, found, analysis, target))
    if figures is not None:
        from functools import partial

        from offbench.evaluation.client_only import client_only
        from offbench.files.escaping import file_names
        from offbench.model.problem import P1
        from offbench.report.charts import charts, looks
        from offbench.report.static_figures import chart_figure, ranks_figure, save
        from offbench.report.static_totals import effects_figure, scatter_figure, totals_figure

        look = looks(analysis)
        drawn = charts(analysis, found.rows, target)
        made: dict[str, Callable[[], Any]] = {chart.name: partial(chart_figure, chart, look) for chart in drawn}
        if analysis.ranking is not None:
            made["ranks"] = partial(ranks_figure, analysis.ranking, look)
            made["effects"] = partial(effects_figure, analysis)
        hashes = {row.job.instance: row.job.instance_hash for row in found.rows if row.objective is not None}
        for name, stem in zip(hashes, file_names(hashes), strict=True):
            alone = client_only(P1(store.instance(hashes[name])))
            made[f"totals-{stem}"] = partial(totals_figure, analysis, name, alone, look)
            made[f"scatter-{stem}"] = partial(scatter_figure, analysis, name, alone, look)
        say(f"wrote {len(save(made, figures))} files into {figures}")
    for note in analysis.notes:
        say(note)
