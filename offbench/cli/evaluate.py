"""`offbench evaluate`: what a placement amounts to."""

from pathlib import Path
from typing import Annotated

import typer

from offbench.cli.shared.arguments import InstanceArgument, Json, ObjectiveOption, WeightsOption


def evaluate(
    instance: InstanceArgument,
    placement: Annotated[Path, typer.Argument(metavar="PLACEMENT", help="A placement file, or - for stdin.")],
    objective: ObjectiveOption = None,
    weights: WeightsOption = None,
    json: Json = False,
) -> None:
    """Score a placement.

    Delay, energy, cost and objective stand beside those of everything on the client. Of a placement that breaks
    constraints it is told which, and by how much; that is an answer, and no error.
    """
    from offbench.cli.shared.console import load_evaluator, show, show_json
    from offbench.cli.shared.given import STDIN, called, check_stdin_once, instance_from, is_dash, placement_from

    check_stdin_once(instance, placement)
    facts = instance_from(instance, objective, weights)
    given = placement_from(placement, facts)
    load_evaluator(instance=facts)

    from offbench.evaluation.breaches import breaches, verdict
    from offbench.evaluation.client_only import client_only, elsewhere_note, marked
    from offbench.evaluation.evaluator import evaluate as score
    from offbench.evaluation.single_server import best_single_server
    from offbench.model.problem import P1
    from offbench.runs.in_words import addends, bought, in_words

    problem = P1(facts)
    evaluation, device, single = score(problem, given), client_only(problem), best_single_server(problem)
    words, why = in_words(facts, evaluation, device, single), bought(facts, evaluation, device)
    if json:
        broken = [use.to_dict() for use in breaches(facts, given, evaluation)]
        totals = evaluation.to_dict(subtasks=True)
        said = {"in_words": words, "bought": why or None, "addends": addends(facts, evaluation)}
        show_json({**totals, **said, "feasible": evaluation.feasible, "breaches": broken})
        return

    from offbench.runs.summary import comparison, told, where_to_cut
    from offbench.runs.whereabouts import whereabouts

    notes = filter(None, (elsewhere_note(facts), single.note if single is not None else ""))
    beside = [] if single is None else [(single.label, single.evaluation)]
    show(
        *verdict(facts, given, evaluation),
        *told(words, why),
        f"{STDIN if is_dash(placement) else placement} on {facts.name}",
        comparison(facts, (called(placement), evaluation), *beside, (marked("client-only", facts), device)),
        *(f"* {note}" for note in notes),
        *where_to_cut(problem, given),
        whereabouts(facts, given, evaluation),
    )
