"""`offbench pareto`: the front of delay, energy and cost."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.shared.arguments import InstanceArgument, ObjectiveOption, WeightsOption
from offbench.cli.shared.errors import FAILED, say
from offbench.errors import OffbenchError

if TYPE_CHECKING:
    from offbench.runs.pareto import Pareto


def pareto(
    instance: InstanceArgument,
    output: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="A new or empty folder for front.csv, front.html and placements.", show_default=False
        ),
    ],
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    time_limit: Annotated[float, typer.Option(metavar="S", help="Seconds for the front.")] = 60.0,
    solvers: Annotated[
        list[str] | None,
        typer.Option("--solver", metavar="NAME", help="A solver to compare; repeatable. All of P1 by default."),
    ] = None,
    time_limit_each: Annotated[float, typer.Option(metavar="S", help="Seconds for each of these.")] = 5.0,
    points: Annotated[int, typer.Option(metavar="N", help="Points of the front at most, spread out.")] = 200,
    seed: Annotated[int, typer.Option(metavar="N", help="Seed of the random numbers of all runs.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print the points as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress, no notes.")] = False,
) -> None:
    """Find the Pareto front of delay, energy and cost.

    The front is written as a table and as an interactive plot, together with where
    each solver's placement lies. placements/ holds a placement file for each point. Ctrl-C keeps what was found.
    """
    from offbench.cli.shared import console
    from offbench.cli.shared.given import instance_from
    from offbench.cli.shared.interrupt import one_interrupt
    from offbench.search.budget import Budget
    from offbench.search.registry import catalogue, locate

    for name in solvers or ():
        locate(name)
    for limit in (time_limit, time_limit_each):
        Budget(limit)
    if points < 1:
        raise OffbenchError(f"--points: must be at least 1, not {points}")
    facts = instance_from(instance, objective, weights)
    _check_new(output)
    console.load_evaluator(quiet, facts)

    from offbench.cli.shared.progress import bar
    from offbench.runs.pareto import NoFront, front_solver
    from offbench.runs.pareto import pareto as find_front

    finder = front_solver()
    others = solvers or [
        entry.name for entry in catalogue().values() if "P1" in entry.solves and entry.usable and entry.name != finder
    ]
    with one_interrupt() as ending:
        with console.prints_apart(), bar(facts.name, quiet, facts.name) as progress:
            watch: dict[str, Any] = {}
            if progress is not None:
                watch = {"on_run": progress.begin, "on_search": progress.watch}
            try:
                found = find_front(
                    facts,
                    others,
                    time_limit=time_limit,
                    time_limit_each=time_limit_each,
                    most=points,
                    seed=seed,
                    **watch,
                )
            except NoFront as nothing:
                say(str(nothing))
                raise typer.Exit(FAILED) from None
        try:
            _write(found, output, quiet)
        finally:  # where it can't be written, it is printed all the same
            _print(found, json)
    for refusal in found.refusals if not quiet else ():
        say(refusal)
    if found.interrupted:
        raise typer.Exit(ending.exit_code)


def _check_new(folder: Path) -> None:
    """Refuse a folder that has something in it, for placements of two fronts never mix, or that can't be made."""
    from offbench.cli.shared.files import check_folder
    from offbench.files.atomic import writing

    check_folder(folder)
    with writing(folder):
        if folder.exists() and any(folder.iterdir()):
            raise OffbenchError(f"{folder}: isn't empty; name a new folder")


def _write(found: "Pareto", folder: Path, quiet: bool) -> None:
    import csv
    from io import StringIO

    from offbench.cli.shared.files import write
    from offbench.files.escaping import in_csv
    from offbench.files.json import layout
    from offbench.report.front import front_page

    _check_new(folder)  # again: much may have happened since
    text = StringIO()
    rows = list(found.rows())
    table = csv.DictWriter(text, [*rows[0], "placement"], lineterminator="\n")
    table.writeheader()
    for point, row, name in zip((*found.front, *found.others), rows, found.files, strict=True):
        file = Path("placements") / f"{name}.json"
        write(folder / file, layout(point.placement.to_file(found.instance)) + "\n", quiet=True)
        cells = row | {"placement": file.as_posix()}
        table.writerow({key: in_csv(value) if isinstance(value, str) else value for key, value in cells.items()})
    write(folder / "front.csv", text.getvalue(), quiet)
    write(folder / "front.html", front_page(found), quiet)


def _print(found: "Pareto", json: bool) -> None:
    from offbench.cli.shared import console

    if not json:
        _show(found)
        return
    console.show_json(
        {
            "instance": found.instance.name,
            "size": found.size,
            "hypervolume": found.hypervolume,
            "reference": found.reference.tolist(),
            "points": list(found.rows()),
        }
    )


def _show(found: "Pareto") -> None:
    from rich.table import Table

    from offbench.cli.shared.console import show

    ends = {"least delay": 0, "least energy": 1, "least cost": 2}
    table = Table("placement", "file", "delay (s)", "energy (J)", "cost ($)", "Q", "dominated by")
    for column in table.columns[2:]:
        column.justify = "right"
    named = [(what, min(found.front, key=lambda point: float(point.values[i]))) for what, i in ends.items()]
    files = dict(zip(map(id, (*found.front, *found.others)), found.files, strict=True))
    for what, point in (*named, *((point.by, point) for point in found.others)):
        numbers = [f"{value:.5g}" for value in (*point.values.tolist(), point.objective)]
        table.add_row(what, f"{files[id(point)]}.json", *numbers, f"{point.dominated_by} of {found.size}")
    delay, energy, cost = found.reference.tolist()
    show(
        f"{found.instance.name}: {found.size} placements on the front, {len(found.front)} of them written",
        table,
        f"hypervolume {found.hypervolume:.4f}: the share that the front dominates of the box from 0 to {delay:.4g} s, "
        f"{energy:.4g} J, ${cost:.4g}, the worst of everything on one server",
    )
