"""`offbench report` and `offbench show`: pages and pictures."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.errors import say
from offbench.cli.results import Folder, Target
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.instance import Instance
    from offbench.report.schedule import Schedule


def report(
    results: Folder,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The HTML file; report.html beside the results by default.")
    ] = None,
    figures: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the charts as PDF and PNG here, too.")
    ] = None,
    target: Target = 0.01,
) -> None:
    """Write one HTML file that opens from disk.

    Gap table, curves over time, profiles, ranks, where layers went, Gantt charts, machines and versions.
    """
    from offbench.cli.files import check_writable, write
    from offbench.cli.results import analysed

    file = output or results / "report.html"
    if results.is_dir():
        check_writable(file)
    store, found, analysis = analysed(results, target, 100)

    from offbench.report.page import report as page

    write(file, page(store, found, analysis, target))
    if figures is not None:
        from functools import partial

        from offbench.report.charts import charts
        from offbench.report.palette import styles
        from offbench.report.paper_figures import chart_figure, ranks_figure, save

        look = styles(sorted(set(analysis.table["solver"])))
        drawn = charts(analysis, found.rows, target)
        made: dict[str, Callable[[], Any]] = {chart.name: partial(chart_figure, chart, look) for chart in drawn}
        if analysis.ranking is not None:
            made["ranks"] = partial(ranks_figure, analysis.ranking, look)
        say(f"wrote {len(save(made, figures))} files into {figures}")
    for note in analysis.notes:
        say(note)


def show(
    placement: Annotated[
        Path,
        typer.Argument(metavar="PLACEMENT", help="A placement file, or a run of `offbench bench` (runs/KEY.json)."),
    ],
    instance: Annotated[
        str | None,
        typer.Argument(metavar="INSTANCE", help="Its instance; not needed for a run, or if one shipped instance fits."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write .html, .png, .pdf or .svg instead of drawing here.")
    ] = None,
) -> None:
    """Draw the Gantt chart of a placement: servers, slots, waiting, inputs on their way."""
    from offbench.cli.console import load_evaluator, show
    from offbench.cli.files import check_writable, write
    from offbench.placement import PlacementFile, parse_placement
    from offbench.report.paper_figures import ENDINGS

    if output is not None:
        if output.suffix not in (".html", *ENDINGS):
            raise OffbenchError(f"--output: must end in .html, {', '.join(ENDINGS)}, not '{output.name}'")
        check_writable(output)
    data, own = _read(placement)
    facts = _instance(instance, own, data, placement)
    given = parse_placement(data.model_dump() if isinstance(data, PlacementFile) else data, facts, str(placement))
    load_evaluator()

    from offbench.report.schedule import schedule

    found = schedule(facts, given)
    title = f"{placement.stem} on {facts.name}"
    if output is None:
        from offbench.report.page import told
        from offbench.report.terminal import gantt_text

        show(f"{title}: {told(found)}", gantt_text(found))
    elif output.suffix == ".html":
        from offbench.report.page import gantt_page

        write(output, gantt_page(placement.stem, found))
    else:
        write(output, _picture(found, title, output.suffix))


def _picture(found: "Schedule", title: str, ending: str) -> bytes:
    from io import BytesIO

    from offbench.report.paper_figures import gantt_figure

    picture = BytesIO()
    gantt_figure(found, title).savefig(picture, format=ending[1:], dpi=200)
    return picture.getvalue()


def _read(path: Path) -> tuple[object, "Instance | None"]:
    """Return what a file says of a placement, and its instance if the file is a run of a folder of results."""
    from offbench.bench.row import FORMAT, Row
    from offbench.bench.store import Store
    from offbench.jsonfile import check, read_json

    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        return data, None
    row = check(Row, data, str(path))
    if row.placement is None:
        raise OffbenchError(f"{path}: the run has no placement: {row.status}: {row.message}")
    return row.placement, Store(path.resolve().parent.parent).instance(row.job.instance_hash)


def _instance(name: str | None, own: "Instance | None", data: object, path: Path) -> "Instance":
    """Return the instance named, or the run's own, or the one shipped instance that the placement fits."""
    from offbench.instance import load, shipped
    from offbench.placement import parse_placement

    if name is not None:
        return load(name)
    if own is not None:
        return own
    fitting = []
    for known in shipped():
        candidate = load(known)
        try:
            parse_placement(data, candidate, str(path))
        except OffbenchError:
            continue
        fitting.append(candidate)
    if len(fitting) != 1:
        which = f"it fits {', '.join(one.name for one in fitting)}" if fitting else "it fits no shipped one"
        raise OffbenchError(f"{path}: of which instance? {which}; name it: offbench show {path} INSTANCE")
    say(f"taken for a placement of '{fitting[0].name}', the one shipped instance that it fits")
    return fitting[0]
