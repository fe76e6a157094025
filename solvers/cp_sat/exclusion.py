"""What a placement that breaks constraints rules out."""

import math
from collections.abc import Sequence

from offbench import Placement, evaluate
from offbench.model.arrays import INDICATOR
from offbench.model.problem import FEASIBLE, Problem

from .model import Decision


def exclusion(problem: Problem, decision: Decision, booked: bool) -> Decision | None:
    """Return what to leave out of a model that let a broken *decision* pass; None where it can't be told.

    Parameters
    ----------
    problem
        The problem.
    decision
        It breaks constraints by more than is feasible.
    booked
        Whether the model knows who is booked first.
    """
    if _broken_however_booked(problem, decision.servers):
        return Decision(decision.servers, [])
    return decision if booked else None


def _broken_however_booked(problem: Problem, servers: Sequence[int]) -> bool:
    found = evaluate(problem, Placement(servers))
    totals = ((INDICATOR.energy, found.energy_j), (INDICATOR.cost, found.cost_usd))
    over = [max(0.0, total / float(problem.arrays.limit[indicator]) - 1) for indicator, total in totals]
    return bool(math.fsum([found.memory_violation, *over]) > FEASIBLE)
