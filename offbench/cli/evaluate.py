"""`offbench evaluate`: what a placement amounts to."""

from pathlib import Path
from typing import Annotated

import typer

from offbench.cli.shared.arguments import InstanceArgument, Json


def evaluate(
    instance: InstanceArgument,
    placement: Annotated[Path, typer.Argument(metavar="PLACEMENT", help="A placement file.")],
    json: Json = False,
) -> None:
    """Score a placement.

    Delay, energy, cost and objective stand beside those of everything on the client. Of a placement that breaks
    constraints it is told which, and by how much; that is an answer, and no error.
    """
    from offbench.cli.shared.console import load_evaluator, show, show_json
    from offbench.model.instance import load
    from offbench.model.placement import load_placement

    facts = load(instance)
    given = load_placement(placement, facts)
    load_evaluator()

    from offbench.evaluation.breaches import breaches, verdict
    from offbench.evaluation.client_only import client_only, elsewhere_note, marked
    from offbench.evaluation.evaluator import evaluate as score
    from offbench.model.problem import P1

    problem = P1(facts)
    evaluation = score(problem, given)
    if json:
        told = [use.to_dict() for use in breaches(facts, given, evaluation)]
        show_json({**evaluation.to_dict(subtasks=True), "feasible": evaluation.feasible, "breaches": told})
        return

    from offbench.runs.summary import comparison
    from offbench.runs.whereabouts import whereabouts

    note = elsewhere_note(facts)
    show(
        f"{placement} on {facts.name}",
        *verdict(facts, given, evaluation),
        comparison((placement.stem, evaluation), (marked("client-only", facts), client_only(problem))),
        *([f"* {note}"] if note else []),
        whereabouts(facts, given, evaluation),
    )
