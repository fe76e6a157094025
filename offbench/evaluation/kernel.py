"""The evaluator's compiled loops: a placement is booked, then its numbers are added up (MODEL.md sections 2-4).

*p* is the problem and *w* the workspace (`workspace`).
"""

from typing import Any, NamedTuple

import numpy as np

from offbench.evaluation.booking import (
    book_first_come,
    book_in_order,
    book_in_turn,
    free_slots,
    goes_in_turn,
    predecessors,
)
from offbench.evaluation.careful import coordinate_carefully
from offbench.evaluation.compiled import borrowed, compiled, inlined, keep
from offbench.evaluation.constraints import excess, memory_violation
from offbench.evaluation.coordination import h
from offbench.evaluation.workspace import room, unpack
from offbench.model.arrays import SCALE, WEIGHT

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"


class Totals(NamedTuple):
    """What a placement amounts to, or where each of it stands in a row of totals."""

    objective: Any
    delay_s: Any
    energy_j: Any
    cost_usd: Any
    score: Any
    coordination: Any
    balance: Any
    final_imbalance: Any
    makespan_s: Any
    violation: Any
    memory_violation: Any
    deadline_violation: Any
    limit_violation: Any


class Parts(NamedTuple):
    """What a subtask has in it, or where each of it stands in a row of parts."""

    delay_s: Any
    execution_s: Any
    transmission_s: Any
    queueing_s: Any
    energy_j: Any
    cost_usd: Any
    coordination: Any
    imbalance: Any
    start_s: Any
    completion_s: Any


TOTALS, PARTS = Totals._fields, Parts._fields
TOTAL, PART = Totals(*range(len(TOTALS))), Parts(*range(len(PARTS)))


@compiled
def score(ints, floats, allowed, placements, orders, decided, totals, parts, constraints=None):
    """Score each row of *placements* on its first *decided* subtasks.

    Parameters
    ----------
    ints, floats
        The problem, packed.
    allowed
        At which places each subtask may run, shape ``(subtasks, places)``.
    placements
        Place of each subtask, shape ``(rows, subtasks)``.
    orders
        Dispatch order of each row, or no rows: first come, first served.
    decided
        How many subtasks count, from the first on; the others are as if not there.
    totals
        Filled with a row of `TOTALS` for each placement.
    parts
        If it has rows: filled with a row of `PARTS` for each subtask of the last placement.
    constraints
        Of the problem (`Problem.constraints`): None, for which nothing of them is compiled, or True.

    Returns
    -------
    int
        -1, or ``row * subtasks + k`` where subtask *k* stands on a server that isn't allowed, or in
        the dispatch order twice or before an input.
    """
    p = borrowed(unpack(ints, floats))
    own = room(p)
    w = borrowed(own)
    allowed, placements, orders = borrowed(allowed), borrowed(placements), borrowed(orders)
    totals, parts = borrowed(totals), borrowed(parts)
    fault, in_turn = -1, goes_in_turn(p, decided)
    for row in range(placements.shape[0]):
        fault = _place(p, w, decided, placements[row], allowed)
        if fault < 0 and in_turn and orders.shape[0] == 0:
            book_in_turn(p, w, decided)
        elif fault < 0:
            _prepare_booking(p, w, decided)
            if orders.shape[0] > 0:
                fault = book_in_order(p, w, decided, orders[row])
            else:
                book_first_come(p, w, decided)
        if fault >= 0:
            fault += row * p.gcycles.size
            break
        add_execution(p, w, 0, decided)
        coordinate(p, w, 0, decided)
        if p.weights[WEIGHT.coordination] > 0:
            coordinate_carefully(p, w, decided, orders.shape[0] == 0)
        imbalances, imbalance = balance_of(p, w, decided, parts)
        _add_up(p, w, decided, imbalances, imbalance, totals[row], constraints)
    if fault < 0 and parts.shape[0] > 0:
        _tell_parts(p, w, decided, parts, orders.shape[0] == 0)
    keep(own)
    return fault


@inlined
def _place(p, w, decided, servers, allowed):
    """Put subtasks on their servers, nothing booked; return one that isn't allowed there, or -1."""
    for k in range(decided):
        server = servers[k]
        if server < 0 or server >= p.kind.size or not allowed[k, server]:
            return k
        w.at[k] = server
        w.execution[k] = p.execution_s[k, server]
    w.doubt[0] = 0
    return -1


@inlined
def _prepare_booking(p, w, decided):
    for k in range(decided):
        w.waits_for[k] = p.waits_for[k]
    free_slots(p, w)


@inlined
def add_execution(p, w, first, stop):
    """Delay of booked subtasks; energy and cost of running them beside those of their inputs."""
    for k in range(first, stop):
        w.delay[k] = w.execution[k] + w.transmission[k] + (w.start[k] - w.ready[k])


@inlined
def coordinate(p, w, first, stop):
    """Eq. 10 and 11 of booked subtasks; the usual reading in a loop that the compiler vectorises.

    Indicators are divided, not multiplied by an inverse: one that attains its scale must be exactly
    1, for a cube root makes 1e-6 of a benefit of 1e-16.
    """
    delay, energy, cost = p.scale[SCALE.delay], p.scale[SCALE.energy], p.scale[SCALE.cost]
    if p.root == 2 and not p.benefits:
        for k in range(first, stop):
            w.coordination[k] = h(w.delay[k] / delay, w.energy[k] / energy, w.cost[k] / cost, p.lambdas, 2, False)
    else:
        for k in range(first, stop):
            w.coordination[k] = h(
                w.delay[k] / delay, w.energy[k] / energy, w.cost[k] / cost, p.lambdas, p.root, p.benefits
            )


@inlined
def balance_of(p, w, decided, parts):
    """Eq. 12 after each subtask in index order; returns the sum of all and the last."""
    w.count[:] = 0
    for kind in range(w.more_than.shape[0]):
        w.more_than[kind, :decided] = 0
    imbalances = imbalance = 0
    for k in range(decided):
        kind = p.kind[w.at[k]]
        had = w.count[w.at[k]]
        # One more here: farther from each server of the kind that has no more, nearer to the others.
        imbalance += np.int64(p.peers[kind]) - 2 * np.int64(w.more_than[kind, had])
        w.more_than[kind, had] += 1
        w.count[w.at[k]] = had + 1
        imbalances += imbalance
        if parts.shape[0] > 0:
            parts[k, PART.imbalance] = imbalance
    return imbalances, imbalance


@inlined
def _add_up(p, w, decided, imbalances, imbalance, totals, constraints):
    """Fill a row of totals."""
    delay = makespan = energy = cost = coordination = 0.0
    memory = deadlines = limits = 0.0
    for i in range(p.arrival_s.size):
        if p.task_start[i] >= decided:
            break
        latest = 0.0
        for k in range(p.task_start[i], min(decided, p.task_start[i + 1])):
            latest = max(latest, w.end[k])
            energy += w.energy[k]
            cost += w.cost[k]
            coordination += w.coordination[k]
        delay += latest
        if constraints is not None:
            deadlines += excess(latest, p.deadline_s[i])
        makespan = max(makespan, p.arrival_s[i] + latest)
    system_score = score_of(p, delay, energy, cost)
    balance = imbalances / p.scale[SCALE.balance]
    totals[TOTAL.objective] = (
        p.weights[WEIGHT.score] * system_score
        - p.weights[WEIGHT.coordination] * coordination
        + p.weights[WEIGHT.balance] * balance
    )
    totals[TOTAL.delay_s] = delay
    totals[TOTAL.energy_j] = energy
    totals[TOTAL.cost_usd] = cost
    totals[TOTAL.score] = system_score
    totals[TOTAL.coordination] = coordination
    totals[TOTAL.balance] = balance
    totals[TOTAL.final_imbalance] = imbalance
    totals[TOTAL.makespan_s] = makespan
    if constraints is not None:
        memory = memory_violation(p, w, decided)
        for indicator, total in enumerate((delay, energy, cost)):
            limits += excess(total, p.limit[indicator])
    totals[TOTAL.violation] = memory + deadlines + limits
    totals[TOTAL.memory_violation] = memory
    totals[TOTAL.deadline_violation] = deadlines
    totals[TOTAL.limit_violation] = limits


@inlined
def score_of(p, delay, energy, cost):
    """Return the weighted sum of delay, energy and cost over their scales."""
    return (
        p.weights[WEIGHT.delay] * delay / p.scale[SCALE.delay]
        + p.weights[WEIGHT.energy] * energy / p.scale[SCALE.energy]
        + p.weights[WEIGHT.cost] * cost / p.scale[SCALE.cost]
    )


@inlined
def _tell_parts(p, w, decided, parts, first_come):
    for k in range(decided):
        parts[k, PART.delay_s] = w.delay[k]
        parts[k, PART.execution_s] = w.execution[k]
        parts[k, PART.transmission_s] = w.transmission[k]
        parts[k, PART.queueing_s] = w.start[k] - w.ready[k]
        parts[k, PART.energy_j] = w.energy[k]
        parts[k, PART.cost_usd] = w.cost[k]
        parts[k, PART.coordination] = w.coordination[k]
    for i in range(p.arrival_s.size):
        for k in range(p.task_start[i], min(decided, p.task_start[i + 1])):
            parts[k, PART.start_s] = p.arrival_s[i] + w.start[k]
            parts[k, PART.completion_s] = p.arrival_s[i] + w.end[k]
    behind = predecessors(p, w, decided, first_come)
    # The clock's time has fewer digits: none may start a last one of them before what it waits for is complete.
    for position in range(decided):
        k = np.int64(w.booked[position])
        begin = parts[k, PART.start_s]
        if behind[k] < decided:
            begin = max(begin, parts[behind[k], PART.completion_s])
        for i in range(p.input_start[k], p.input_start[k + 1]):
            if p.input_of[i] < decided:
                begin = max(begin, parts[p.input_of[i], PART.completion_s])
        parts[k, PART.start_s] = begin
        parts[k, PART.completion_s] = max(begin, parts[k, PART.completion_s])
