"""The report: one HTML file that opens from disk, with everything inside."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import numpy as np

from offbench.bench.formats import aligned, cells
from offbench.bench.frame import Results
from offbench.bench.row import Row
from offbench.bench.store import Store
from offbench.bench.tables import Analysis, TitledTable
from offbench.evaluation.breaches import share_in_words, verdict
from offbench.evaluation.client_only import client_only, marked
from offbench.files.escaping import in_page, in_script
from offbench.files.plain import plain
from offbench.model.instance import Instance
from offbench.model.placement import parse_placement
from offbench.model.problem import P1
from offbench.report.charts import charts, looks
from offbench.report.figures import critical_difference, figure
from offbench.report.palette import server_colours
from offbench.runs.schedule import Schedule, schedule
from offbench.runs.whereabouts import server_letters

# Bars of all Gantt charts together, so that the file stays a few megabytes.
_BARS_AT_MOST = 250_000


def report(store: Store, results: Results, analysis: Analysis, target: float) -> str:
    """Return the report of a folder as HTML.

    Every placement is evaluated once more.

    Raises
    ------
    ValueError
        If one has another objective than its row says.
    """
    look = looks(analysis)
    drawn = charts(analysis, results.rows, target)
    titles = {chart.name: chart.title for chart in drawn}
    figures = {chart.name: figure(chart, look) for chart in drawn}
    if analysis.ranking is not None:
        figures["ranks"] = critical_difference(analysis.ranking, look)
        titles["ranks"] = "Mean ranks; grey bars join what doesn't differ"
    shown, left_out = _first_of_all(results.rows)
    left = (f"{left_out} runs have no Gantt chart here, to keep the file small: `offbench show` draws any",)
    instances = {row.job.instance: store.instance(row.job.instance_hash) for row in shown}
    gaps = dict(zip(analysis.table["key"], analysis.table["to_best_known"], strict=True))
    # Names are only shown; what belongs together is found by its place in a list.
    names, solvers = list(analysis.known.index), sorted(set(analysis.table["solver"]))
    over_time = {chart.instance: chart.name for chart in drawn if chart.name.startswith("anytime-")}
    data = {
        "figures": figures,
        "runs": [
            {"instance": names.index(row.job.instance), "solver": solvers.index(row.job.solver)}
            | _run(row, instances[row.job.instance], gaps[row.job.key])
            for row in shown
        ],
        "instances": [
            {"anytime": over_time.get(name)} | (_compared(instances[name]) if name in instances else {})
            for name in names
        ],
        "solvers": [
            {"name": plain(solver), "colour": look[solver].colour, "marker": look[solver].marker} for solver in solvers
        ],
    }
    counts = ", ".join(f"{count} {status}" for status, count in Counter(results.table["status"]).most_common())
    blocks = {block.name: _cells(block) for block in analysis.blocks}
    return _page(
        store.folder.resolve().name,
        f"{len(results.table)} runs: {counts}. Written {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        data,
        notes=[*analysis.notes, *(left if left_out else ())],
        blocks=blocks,
        more=[block for name, block in blocks.items() if name not in ("summary", "gaps")],
        names=names,
        titles=titles,
        learning=[name for name in figures if name.startswith("learning-")],
        machines=_machines(results.rows),
    )


def gantt_page(title: str, found: Schedule) -> str:
    """Return a page with the Gantt chart of one placement."""
    name = found.instance.name
    data = {"figures": {}, "runs": [{"instance": 0, **bars(found)}], "instances": [facts(found.instance)]}
    lines = verdict(found.instance, found.placement, found.evaluation)
    return _page(title, f"{name}: {told(found)}", data, verdict=lines, kept=found.evaluation.feasible)


def told(found: Schedule) -> str:
    """Return a placement's numbers in words."""
    e = found.evaluation
    broken = "" if e.feasible else f"not feasible, violation {e.violation:.4g}: "
    return (
        f"{broken}Q {e.objective:.6g}, delay {e.delay_s:.4g} s, energy {e.energy_j:.4g} J, cost ${e.cost_usd:.4g}, "
        f"makespan {e.makespan_s:.4g} s"
    )


def facts(instance: Instance) -> dict[str, Any]:
    """Return what the page's script needs of an instance."""
    servers = zip(instance.servers, server_letters(instance), server_colours(instance), strict=True)
    return {
        "servers": [
            {"name": plain(s.name), "letter": letter, "colour": colour, "client": s.kind == "client"}
            for s, (letter, _), colour in servers
        ],
        "tasks": [
            {"name": plain(task.name), "layers": [plain(layer.name) for layer in task.layers]}
            for task in instance.tasks
        ],
    }


def _compared(instance: Instance) -> dict[str, Any]:
    """Return the same and what everything on the client amounts to, which runs are compared with."""
    alone = client_only(P1(instance))
    totals = {"delay": alone.delay_s, "energy": alone.energy_j, "cost": alone.cost_usd, "q": alone.objective}
    return facts(instance) | {"client_only": {"name": marked("client-only", instance), **totals}}


def bars(found: Schedule) -> dict[str, Any]:
    """Return a placement in time, as short as can be: a list for each thing, an item for each subtask."""
    times = {"sent": found.sent, "ready": found.ready, "start": found.start, "end": found.end}
    short = {name: [float(f"{value:.6g}") for value in values.tolist()] for name, values in times.items()}
    deadlines = [[each.task, each.last, float(f"{each.at_s:.6g}"), each.late] for each in found.deadlines]
    return {
        "servers": found.servers.tolist(), "slots": found.slots.tolist(), "sources": found.sources.tolist(),
        "senders": found.senders.tolist(), **short, "waits": np.flatnonzero(found.waits).tolist(), "rows": found.drawn,
        "deadlines": deadlines, "folded": found.folded,
        "memories": [[plain(use.name), use.used, use.admitted, share_in_words(use.share)] for use in found.memories],
    }  # fmt: skip


def _first_of_all(rows: Sequence[Row]) -> tuple[list[Row], int]:
    """Return the runs with a placement, the best of each solver first, and how many there is no room for.

    Those that break constraints come last, the one that breaks least before the others.
    """
    placed = [row for row in rows if row.placement is not None]
    placed.sort(key=lambda row: row.violation or 0.0)
    placed.sort(key=lambda row: row.objective if row.objective is not None else math.inf)
    best = {(row.job.instance, row.job.solver): row.job.key for row in reversed(placed)}
    placed.sort(key=lambda row: best[row.job.instance, row.job.solver] != row.job.key)
    shown, room = [], _BARS_AT_MOST
    for row in placed:
        assert row.placement is not None
        size = sum(map(len, row.placement.servers))
        if size <= room:
            room -= size
            shown.append(row)
    return shown, len(placed) - len(shown)


def _run(row: Row, instance: Instance, gap: float) -> dict[str, Any]:
    assert row.placement is not None
    found = schedule(instance, parse_placement(row.placement.model_dump(), instance, row.job.key))
    evaluation = found.evaluation
    objective = evaluation.objective if evaluation.feasible else None
    if objective != row.objective:
        raise ValueError(f"run {row.job.key}: its row says {row.objective!r}, the evaluator {objective!r}")
    return {
        "seed": row.job.seed, "q": row.objective, "violation": evaluation.violation,
        "gap": gap if math.isfinite(gap) else None, "delay": evaluation.delay_s, "energy": evaluation.energy_j,
        "cost": evaluation.cost_usd, **bars(found),
    }  # fmt: skip


def _cells(block: TitledTable) -> dict[str, Any]:
    heads, rows = cells(block)
    right = aligned(rows, len(heads))
    return {
        "name": block.name, "title": block.title, "heads": heads, "rows": rows, "right": right, "notes": block.notes,
    }  # fmt: skip


def _machines(rows: Iterable[Row]) -> list[tuple[int, str]]:
    """Return how many runs each machine made, and what it is."""
    found = Counter(
        f"{m.host}: {m.cpu}, {m.physical_cores} cores, {m.memory_gb:g} GB, {m.system}; commit {m.commit or 'none'}; "
        + ", ".join(f"{name} {version}" for name, version in m.versions.items())
        for row in rows
        if (m := row.machine) is not None
    )
    return [(count, text) for text, count in found.most_common()]


def _page(title: str, subtitle: str, data: dict[str, Any], **parts: Any) -> str:
    empty: dict[str, Any] = {"verdict": [], "kept": True, "notes": [], "blocks": {}, "learning": [], "titles": {}}
    return render(_text("page.html"), title, subtitle, data, **empty | parts)


def render(template: str, title: str, subtitle: str, data: dict[str, Any], **parts: Any) -> str:
    """Return a page with everything that it needs inside: the data, plotly, this folder's style and script.

    Parameters
    ----------
    template
        A page in Jinja's language, which can import `macros.html`.
    title, subtitle
        Of the page.
    data
        What the script works on: `figures`, `runs` and `instances`.
    **parts
        What else the template names.
    """
    import plotly.offline
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    made = Environment(autoescape=True, finalize=in_page, undefined=StrictUndefined, loader=FunctionLoader(_text))
    script = "".join(map(_text, ("page.js", "gantt.js", "start.js")))
    return made.from_string(template).render(
        parts, title=title, subtitle=subtitle, data=in_script(data), style=_text("page.css"), script=script,
        plotly=plotly.offline.get_plotlyjs(),
    )  # fmt: skip


def _text(name: str) -> str:
    return (files("offbench.report") / name).read_text(encoding="utf-8")
