"""P1 and P2 as a mixed-integer linear model, in the order of MODEL.md's equations.

Format 2 (MODEL.md section 8) adds to it

- measured seconds, latencies, sizes and links of a reader's own (section 2): other constants, `Arrays.execution_s` and
  `inputs`
- clients (section 1): ``x[k, client]`` is subtask k on its own client, and subtasks of two clients don't meet there
  (section 3, `booking`)
- memory (section 4, violation): ``memory[station]`` and, for what several layers share, ``held`` and ``holds``
  (`constraints`)
- deadlines (section 4, violation): bounds of ``finish[i]``; without a clock ``deadline[i]``
- limits (section 4, violation): ``limit[indicator]`` of energy and cost, ``delay_limit``

and only where they can be exceeded.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyomo.environ as pyo

from offbench.model.arrays import INDICATOR, SCALE
from offbench.model.problem import FEASIBLE
from offbench.solvers.milp.balance import add_balance
from offbench.solvers.milp.booking import add_booking
from offbench.solvers.milp.choices import places
from offbench.solvers.milp.constraints import add_deadlines, add_limits, add_memories
from offbench.solvers.milp.data import ModelData
from offbench.solvers.milp.estimators import Estimators, Segment
from offbench.solvers.milp.inputs import transfer_j, transfer_s, transfer_usd

Decision = tuple[list[int], list[tuple[int, int]]]
"""a server for each subtask, and pairs of subtasks on one server, the one booked earlier first"""


def build(facts: ModelData, estimators: Estimators, excluded: Sequence[Decision] = ()) -> pyo.ConcreteModel:
    """Return the model without the placements that are *excluded*."""
    problem = facts.problem
    a = problem.arrays
    n, servers = problem.n_subtasks, range(problem.n_servers)
    delay, energy, cost, score, coordination, balance = a.weights.tolist()
    model = pyo.ConcreteModel(name=problem.instance.name)

    # x[k, s]: subtask k is on server s (Eq. 13).
    model.x = pyo.Var([(k, s) for k in range(n) for s in servers if problem.allowed[k, s]], domain=pyo.Binary)
    own = {k: [s for s in servers if problem.allowed[k, s]] for k in range(n)}
    model.placed_once = pyo.Constraint(range(n), rule=lambda m, k: sum(m.x[k, s] for s in own[k]) == 1)

    # y[i, p, s]: input i comes from server p to s.
    reader = {i: k for k in range(n) for i in problem.inputs_of(k)}
    source = {i: int(a.input_of[i]) for i in reader}
    origins = {i: places(problem, source[i]) for i in reader}
    model.y = pyo.Var([(i, p, s) for i, k in reader.items() for p in origins[i] for s in own[k]], bounds=(0, 1))
    model.arrives = pyo.Constraint(
        [(i, s) for i, k in reader.items() for s in own[k]],
        rule=lambda m, i, s: sum(m.y[i, p, s] for p in origins[i]) == m.x[reader[i], s],
    )
    model.leaves = pyo.Constraint(
        [(i, p) for i in reader if source[i] < n for p in origins[i]],
        rule=lambda m, i, p: sum(m.y[i, p, s] for s in own[reader[i]]) == m.x[source[i], p],
    )

    # Eq. 1 and 3: execution, transfers.
    def execution(m: Any, k: int, measure: Any = float) -> Any:
        return sum(measure(a.execution_s[k, s]) * m.x[k, s] for s in own[k])

    def transfer(m: Any, i: int, measure: Any = float) -> Any:
        return sum(
            measure(transfer_s(a, reader[i], i, p, s)) * m.y[i, p, s]
            for p in origins[i]
            for s in own[reader[i]]
            if p != s
        )

    def delay_of(subtasks: range, measure: Any = float) -> Any:
        return sum(
            execution(model, k, measure) + sum(transfer(model, i, measure) for i in problem.inputs_of(k))
            for k in subtasks
        )

    # Eq. 4 and 5: ready, waiting, completion. A chain that never waits needs no clock.
    if facts.clock:
        total_delay_s = facts.unit_s * _add_clock(model, facts, execution, transfer)
    else:
        total_delay_s = delay_of(range(n))
        add_deadlines(model, facts.constraints, delay_of)

    # Eq. 6 to 9: energy, cost.
    def total(run: Any, sent: Any, measure: Any = float) -> Any:
        return sum(measure(run[k, s]) * x for (k, s), x in model.x.items()) + sum(
            measure(sent(a, reader[i], i, p, s)) * y for (i, p, s), y in model.y.items()
        )

    total_energy_j, total_cost_usd = total(a.run_energy_j, transfer_j), total(a.run_usd, transfer_usd)
    add_limits(model, facts.constraints, total)
    add_memories(model, facts.constraints)

    # Eq. 10 and 11: coordination.
    total_h = _add_coordination(model, facts, estimators) if facts.choices else 0.0

    # Eq. 12: balance.
    total_z = add_balance(model, problem)

    # Eq. 14 to 18: the objective.
    weighted = (
        score
        * (
            delay / float(a.scale[SCALE.delay]) * total_delay_s
            + energy / float(a.scale[SCALE.energy]) * total_energy_j
            + cost / float(a.scale[SCALE.cost]) * total_cost_usd
        )
        - coordination * total_h
        + balance / float(a.scale[SCALE.balance]) * total_z
    )
    model.objective = pyo.Objective(expr=weighted, sense=pyo.minimize)

    # Placements that need not be found again differ from a solution in a server or in the order on one.
    def differs(m: Any, number: int) -> Any:
        on, earlier = excluded[number]
        return sum(1 - m.x[k, s] for k, s in enumerate(on)) + sum(1 - m.first[pair] for pair in earlier) >= 1

    model.differs = pyo.Constraint(range(len(excluded)), rule=differs)
    return model


def _add_clock(model: pyo.ConcreteModel, facts: ModelData, execution: Any, transfer: Any) -> Any:
    """Add ready times, waiting and completions; return the tasks' total delay, in the model's unit."""
    problem, times = facts.problem, facts.times
    a = problem.arrays
    n = problem.n_subtasks
    latest = [facts.on_clock(facts.latest_s[k]) for k in range(n)]
    may_wait = [k for k in range(n) if times.waits_on[k].any()]
    room = facts.room
    model.ready = pyo.Var(range(n), bounds=lambda m, k: (-room, latest[k] + room))
    model.waiting = pyo.Var(may_wait, bounds=lambda m, k: (0, facts.longest_s(k) / facts.unit_s + room))
    model.completion = pyo.Var(
        range(n), bounds=lambda m, k: (facts.on_clock(times.earliest_s[k]) - room, latest[k] + room)
    )

    def arrival(m: Any, i: int) -> Any:
        """Completion of the source plus transfer."""
        source = int(a.input_of[i])
        sent = m.completion[source] if source < n else facts.on_clock(a.arrival_s[source - n])
        return sent + transfer(m, i, facts.lasting)

    # The critical input is one of those that come last (section 2).
    several = [(k, i) for k in range(n) if len(problem.inputs_of(k)) > 1 for i in problem.inputs_of(k)]
    model.critical = pyo.Var(several, domain=pyo.Binary)
    model.one_critical = pyo.Constraint(
        sorted({k for k, _ in several}), rule=lambda m, k: sum(m.critical[k, i] for i in problem.inputs_of(k)) == 1
    )
    model.ready_after = pyo.Constraint(
        [(k, i) for k in range(n) for i in problem.inputs_of(k)],
        rule=lambda m, k, i: (
            m.ready[k] >= arrival(m, i) - room if (k, i) in m.critical else m.ready[k] == arrival(m, i)
        ),
    )
    model.ready_with = pyo.Constraint(
        several, rule=lambda m, k, i: m.ready[k] <= arrival(m, i) + latest[k] * (1 - m.critical[k, i]) + room
    )
    model.complete = pyo.Constraint(
        range(n),
        rule=lambda m, k: (
            m.completion[k] == m.ready[k] + (m.waiting[k] if k in may_wait else 0) + execution(m, k, facts.lasting)
        ),
    )
    if may_wait:
        add_booking(model, facts, latest)

    tasks = range(len(a.arrival_s))
    end = {i: max(latest[k] for k in times.layers_of(i)) for i in tasks}

    def longest(m: Any, i: int) -> tuple[float, float]:
        deadline = (1 + FEASIBLE) * float(a.deadline_s[i] / facts.unit_s)
        return 0, min(end[i] - facts.on_clock(a.arrival_s[i]), deadline) + room

    model.finish = pyo.Var(tasks, bounds=longest)
    model.finish_after = pyo.Constraint(
        [(i, k) for i in tasks for k in times.layers_of(i) if a.reader_start[k] == a.reader_start[k + 1]],
        rule=lambda m, i, k: m.finish[i] >= m.completion[k] - facts.on_clock(a.arrival_s[i]) - room,
    )
    total = sum(model.finish[i] for i in tasks)
    if facts.constraints.limits_delay:
        limit = float(a.limit[INDICATOR.delay] / facts.unit_s)
        model.delay_limit = pyo.Constraint(expr=total <= (1 + FEASIBLE) * limit + room)
    return total


def _add_coordination(model: pyo.ConcreteModel, facts: ModelData, estimators: Estimators) -> Any:
    """Add the choices of subtasks and what waiting adds to each; return the total of H."""
    times, unit_s, room = facts.times, facts.unit_s, facts.room
    chosen = _add_choices(model, facts)
    total = sum(
        float(facts.choices[k].h[c]) * variable for k, row in enumerate(chosen) for c, variable in enumerate(row)
    )
    if not times.waits_on.any():
        return total

    pieces: dict[tuple[int, int, int], Segment] = {}
    for k, choices in enumerate(facts.choices):
        for c in range(len(choices.t)):
            if times.waits_on[k, choices.servers[c, -1]] and facts.longest_s(k) > 0:
                for piece, segment in enumerate(estimators.segments((k, c), choices, facts.longest_s(k))):
                    pieces[k, c, piece] = segment
    of_subtask: dict[int, list[tuple[int, int, int]]] = {}
    of_choice: dict[tuple[int, int], list[tuple[int, int, int]]] = {}
    for k, c, piece in pieces:
        of_subtask.setdefault(k, []).append((k, c, piece))
        of_choice.setdefault((k, c), []).append((k, c, piece))

    # late[k, c, piece]: subtask k has choice c and waits, in that segment; lateness is how long, gain what H gains,
    # in the segment's unit.
    model.late = pyo.Var(
        list(pieces), domain=lambda m, k, c, p: pyo.Binary if len(of_choice[k, c]) > 1 else pyo.UnitInterval
    )
    model.lateness = pyo.Var(list(pieces), bounds=lambda m, *each: (0, facts.longest_s(each[0]) / unit_s + room))
    model.gain = pyo.Var(list(pieces), bounds=lambda m, *each: _in_unit(pieces[each]))
    model.late_waits = pyo.Constraint(
        list(of_subtask), rule=lambda m, k: sum(m.late[each] for each in of_subtask[k]) == m.waits[k]
    )
    model.late_chosen = pyo.Constraint(
        list(of_choice), rule=lambda m, k, c: sum(m.late[each] for each in of_choice[k, c]) <= chosen[k][c]
    )
    model.lateness_sum = pyo.Constraint(
        list(of_subtask), rule=lambda m, k: sum(m.lateness[each] for each in of_subtask[k]) == m.waiting[k]
    )
    model.lateness_low = pyo.Constraint(
        [each for each, segment in pieces.items() if segment.low_s > 0],
        rule=lambda m, *each: m.lateness[each] >= pieces[each].low_s / unit_s * m.late[each] - room,
    )
    model.lateness_high = pyo.Constraint(
        list(pieces), rule=lambda m, *each: m.lateness[each] <= pieces[each].high_s / unit_s * m.late[each] + room
    )

    def gain_below(m: Any, k: int, c: int, p: int, line: int) -> Any:
        slope, base = pieces[k, c, p].lines[line]
        slope *= unit_s
        unit = pieces[k, c, p].unit
        size = max(unit, abs(slope), abs(base))
        gain = unit / size * m.gain[k, c, p]
        return gain <= slope / size * m.lateness[k, c, p] + base / size * m.late[k, c, p] + room

    model.gain_below = pyo.Constraint(
        [(*each, line) for each, segment in pieces.items() for line in range(len(segment.lines))], rule=gain_below
    )
    return total + sum(pieces[each].unit * gain for each, gain in model.gain.items())


def _in_unit(segment: Segment) -> tuple[float, float]:
    return -segment.deepest / segment.unit, segment.highest / segment.unit


def _add_choices(model: pyo.ConcreteModel, facts: ModelData) -> list[list[Any]]:
    """Return a variable for each choice of each subtask; with one input that is its y."""
    problem = facts.problem
    several = {k: choices for k, choices in enumerate(facts.choices) if len(problem.inputs_of(k)) > 1}
    model.z = pyo.Var([(k, c) for k, choices in several.items() for c in range(len(choices.t))], bounds=(0, 1))
    model.z_critical = pyo.Constraint(
        [(k, i) for k in several for i in problem.inputs_of(k)],
        rule=lambda m, k, i: (
            sum(m.z[k, int(c)] for c in np.flatnonzero(several[k].critical == i - problem.inputs_of(k).start))
            == m.critical[k, i]
        ),
    )
    # Choices for each input, its server and the subtask's own.
    agreeing: dict[tuple[int, int, int, int], list[int]] = {}
    for k, choices in several.items():
        for c, row in enumerate(choices.servers.tolist()):
            for i, p in zip(problem.inputs_of(k), row[:-1], strict=True):
                agreeing.setdefault((k, i, p, row[-1]), []).append(c)
    model.z_flows = pyo.Constraint(
        list(agreeing), rule=lambda m, k, i, p, s: sum(m.z[k, c] for c in agreeing[k, i, p, s]) == m.y[i, p, s]
    )
    variables = []
    for k, choices in enumerate(facts.choices):
        if k in several:
            variables.append([model.z[k, c] for c in range(len(choices.t))])
        else:
            i = problem.inputs_of(k).start
            variables.append([model.y[i, p, s] for p, s in choices.servers.tolist()])
    return variables
