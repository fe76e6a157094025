"""`offbench bound`: the best lower bound on every placement's objective."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from offbench.cli.shared.arguments import InstanceArgument, ObjectiveOption, WeightsOption
from offbench.cli.shared.errors import FAILED, say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.table import Table

    from offbench.bounds.relaxation import Bounds
    from offbench.evaluation.evaluator import Evaluation
    from offbench.evaluation.references import Reference
    from offbench.model.placement import Placement
    from offbench.model.problem import Problem

_ON_CLIENT = "everything on the client"


def bound(
    instance: InstanceArgument,
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    time_limit: Annotated[float, typer.Option(metavar="S", help="Seconds for all relaxations together.")] = 60.0,
    placement: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="For P2: the placement whose servers are given; its orders are bounded."),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the result as one JSON object.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Bound every placement's objective from below.

    Each relaxation leaves something out of the problem, so that its optimum can only be lower.
    Ctrl-C ends it; what was found is printed all the same.
    """
    from offbench.cli.shared import console
    from offbench.cli.shared.given import check_stdin_once, instance_from, placement_from
    from offbench.cli.shared.interrupt import one_interrupt
    from offbench.search.budget import Budget

    Budget(time_limit)  # checks it
    check_stdin_once(instance, placement)
    facts = instance_from(instance, objective, weights)
    given = placement_from(placement, facts) if placement is not None else None
    console.load_evaluator(quiet, facts)

    from offbench.bounds import warm_up
    from offbench.model.problem import P1, P2

    problem = P1(facts) if given is None else P2(facts, given)
    with one_interrupt() as ending:
        warm_up()  # on no clock
        found = _bounds(problem, time_limit, quiet)
    result = _result(problem, given, found)
    if json:
        console.show_json(result)
    else:
        console.show(*_tables(result))
    wrong = [row for row in result["placements"] if row["contradicted"]]
    for row in wrong:
        say(
            f"{facts.name}: the bound {found.bound!r} by {result['by']} lies above the objective "
            f"{row['objective']!r} of {row['what']}: one of them is wrong"
        )
    if found.interrupted:
        raise typer.Exit(ending.exit_code)
    if found.best is None:
        all_of = "placement" if given is None else "dispatch order for these servers"
        none = result["infeasible"]
        what = f"infeasible: no {all_of} keeps all constraints: {none}" if none else f"no bound within {time_limit:g} s"
        say(f"{facts.name}: {what}")
    if wrong or found.best is None:
        raise typer.Exit(FAILED)


def _bounds(problem: "Problem", time_limit: float, quiet: bool) -> "Bounds":
    from offbench.bounds import RELAXATIONS
    from offbench.bounds.relaxation import Relaxation, tightest
    from offbench.cli.shared.progress import bar
    from offbench.search.budget import Clock

    clock = Clock()
    best = -math.inf

    def look() -> tuple[float, str]:
        state = f"bound {best:.6g}" if best > -math.inf else "no bound yet"
        return min(1.0, clock.seconds / time_limit), f"{state}, {clock.seconds:.1f} of {time_limit:g} s"

    def note(relaxation: Relaxation, value: float) -> None:
        nonlocal best
        best = max(best, value)

    with bar("bound", quiet, problem.instance.name) as progress:
        if progress is not None:
            progress.follow(look)
        return tightest(problem, RELAXATIONS, time_limit, note)


def _result(problem: "Problem", given: "Placement | None", found: "Bounds") -> dict[str, Any]:
    from offbench.evaluation.client_only import elsewhere, elsewhere_note
    from offbench.evaluation.infeasibility import why_infeasible
    from offbench.evaluation.references import lookup

    reference = lookup(problem.instance) if given is None else None
    bound = found.bound if found.best is not None else None
    return {
        "instance": problem.instance.name,
        "problem": "P1" if given is None else "P2",
        "relaxations": [
            {
                "name": outcome.relaxation.name,
                "leaves_out": outcome.relaxation.description,
                "bound": outcome.bound if outcome.bound > -math.inf else None,
                "seconds": outcome.seconds,
                "ended": outcome.ended,
            }
            for outcome in found.outcomes
        ],
        "bound": bound,
        "by": found.best.relaxation.name if found.best is not None else None,
        "seconds": sum(outcome.seconds for outcome in found.outcomes),
        "constrained": problem.constrained,
        "infeasible": why_infeasible(problem) if bound is None else None,
        "placements": list(_placements(problem, given, reference, bound)),
        "client_only": {"elsewhere": elsewhere(problem.instance), "note": elsewhere_note(problem.instance)},
        "reference": None if reference is None else reference.model_dump(mode="json", exclude={"placement"}),
    }


def _placements(
    problem: "Problem", given: "Placement | None", reference: "Reference | None", bound: float | None
) -> "Iterator[dict[str, Any]]":
    """Yield the placements to hold the bound against, with their gaps."""
    from offbench.evaluation.client_only import client_only
    from offbench.evaluation.evaluator import evaluate

    alone = client_only(problem)
    client = alone.objective
    if given is not None:  # everything on the client is no placement of this P2
        yield _gaps("the given placement", evaluate(problem, given), client, bound) | {"certified": None}
        return
    yield _gaps(_ON_CLIENT, alone, client, bound)
    if reference is not None and reference.best_objective is not None:
        yield _gaps("the best known placement", reference.best_objective, client, bound)


def _gaps(what: str, found: "Evaluation | float", client: float, bound: float | None) -> dict[str, Any]:
    from offbench.evaluation.gaps import absolute_gap, certified, contradict, relative_gap

    objective, feasible = (found, True) if isinstance(found, float) else (found.objective, found.feasible)
    none = {"absolute_gap": None, "relative_gap": None, "certified": None, "contradicted": False}
    if not feasible:  # a bound says nothing of what breaks constraints
        what = f"{what} (not feasible)"
    if bound is None or not feasible:
        return {"what": what, "objective": objective, **none}
    return {
        "what": what,
        "objective": objective,
        "absolute_gap": absolute_gap(objective, bound),
        "relative_gap": relative_gap(objective, bound, client_only=client),
        "certified": certified(objective, client, bound),
        "contradicted": contradict(objective, bound, client_only=client),
    }


def _tables(result: dict[str, Any]) -> "Iterator[Table | str]":
    from rich.table import Table

    table = Table("relaxation", "leaves out", "bound", "seconds", "ended")
    table.columns[2].justify = table.columns[3].justify = "right"
    for row in result["relaxations"]:
        table.add_row(
            row["name"], row["leaves_out"], _number(row["bound"], ".9g"), f"{row['seconds']:.2f}", row["ended"]
        )
    yield table
    if result["bound"] is None:
        return
    all_of = "placement" if result["problem"] == "P1" else "dispatch order of these servers"
    if result["constrained"]:
        all_of = f"feasible {all_of}"
    yield f"No {all_of} has an objective Q below {result['bound']:.9g}, by {result['by']}."
    table = Table("against it", "Q", "absolute gap", "relative gap", "certified")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in result["placements"]:
        numbers = (_number(row["objective"], ".9g"), _number(row["absolute_gap"], ".4g"))
        marked = f"{row['what']}{'*' if row['what'].startswith(_ON_CLIENT) and result['client_only']['note'] else ''}"
        table.add_row(marked, *numbers, _number(row["relative_gap"], "z.2%"), _number(row["certified"], "z.2%"))
    yield table
    if result["problem"] == "P1":
        if result["client_only"]["note"]:
            yield f"* {result['client_only']['note']}"
        yield "certified: at most this share of the possible improvement over everything on the client is missed."
    yield from _known(result)


def _known(result: dict[str, Any]) -> "Iterator[str]":
    """Tell what the references say of the best known placement."""
    reference = result["reference"]
    if reference is None:
        return
    if reference["objective_from"] is None:
        yield "No feasible placement is known."
        return
    by = reference["objective_from"]["by"]
    if reference["proven"]:
        yield f"The best known placement, by {by}, is proven optimal by {reference['bound_from']['by']}."
    elif reference["best_bound"] is not None and reference["best_bound"] > result["bound"]:
        higher = f"{reference['best_bound']:.9g}, by {reference['bound_from']['by']}"
        yield f"The best known placement is by {by}; the references know a higher bound: {higher}."
    else:
        yield f"The best known placement is by {by}; it is not proven optimal."


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
