"""`offbench show`: the Gantt chart of a placement."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from offbench.cli.shared.errors import say
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.model.instance import Instance
    from offbench.runs.schedule import Schedule


def show(
    files: Annotated[
        list[str],
        typer.Argument(
            metavar="[INSTANCE] PLACEMENT",
            help="A placement file, or a run of `offbench bench` (runs/KEY.json); before it its instance, which isn't "
            "needed for a run, or if one shipped instance fits.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write .html, .png, .pdf or .svg instead of drawing here.")
    ] = None,
) -> None:
    """Draw the Gantt chart of a placement: servers, slots, waiting, inputs on their way."""
    from offbench.cli.shared.console import columns, load_evaluator, show
    from offbench.cli.shared.files import check_writable, write
    from offbench.cli.shared.given import called, check_stdin_once, instance_from, is_dash
    from offbench.files.escaping import shortened
    from offbench.model.placement import PlacementFile, parse_placement
    from offbench.report.static_figures import ENDINGS

    if len(files) > 2:
        raise OffbenchError(f"show: takes an instance and a placement, not {len(files)} files")
    check_stdin_once(*files)
    placement, instance = Path(files[-1]), files[0] if len(files) == 2 else None
    if output is not None:
        if not is_dash(output) and output.suffix not in (".html", *ENDINGS):
            raise OffbenchError(f"--output: must end in .html, {', '.join(ENDINGS)}, not '{output.name}'")
        check_writable(output)
    named = instance_from(instance) if instance is not None else None
    data, own = _read(placement)
    facts = named or _fitting(own, data, placement)
    given = parse_placement(data.model_dump() if isinstance(data, PlacementFile) else data, facts, str(placement))
    load_evaluator(instance=facts)

    from offbench.runs.schedule import schedule

    found = schedule(facts, given)
    if output is None:
        from offbench.evaluation.breaches import verdict
        from offbench.report.page import told
        from offbench.report.terminal import gantt_text

        lines = verdict(facts, given, found.evaluation)
        show(f"{called(placement)} on {facts.name}: {told(found)}", *lines, gantt_text(found, columns()))
    elif output.suffix == ".html" or is_dash(output):
        from offbench.report.page import gantt_page

        write(output, gantt_page(called(placement), found))
    else:
        title = f"{shortened(called(placement))} on {shortened(facts.name)}"
        write(output, _picture(found, title, output.suffix))


def _picture(found: "Schedule", title: str, ending: str) -> bytes:
    from io import BytesIO

    from offbench.report.static_gantt import gantt_figure

    picture = BytesIO()
    gantt_figure(found, title).savefig(picture, format=ending[1:], dpi=200)
    return picture.getvalue()


def _read(path: Path) -> tuple[object, "Instance | None"]:
    """Return what a file says of a placement, and its instance if the file is a run of a folder of results."""
    from offbench.bench.row import FORMAT, Row
    from offbench.bench.store import Store
    from offbench.cli.shared.given import json_from
    from offbench.files.json import check
    from offbench.model.placement import refuse_instance

    data = json_from(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        refuse_instance(data, str(path))
        return data, None
    row = check(Row, data, str(path))
    if row.placement is None:
        raise OffbenchError(f"{path}: the run has no placement: {row.status}: {row.message}")
    return row.placement, Store(path.resolve().parent.parent).instance(row.job.instance_hash)


def _fitting(own: "Instance | None", data: object, path: Path) -> "Instance":
    """Return the run's own instance, or the one shipped instance that the placement fits."""
    from offbench.model.instance import load, shipped
    from offbench.model.placement import parse_placement

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
        raise OffbenchError(f"{path}: of which instance? {which}; name it: offbench show INSTANCE {path}")
    say(f"taken for a placement of '{fitting[0].name}', the one shipped instance that it fits")
    return fitting[0]
