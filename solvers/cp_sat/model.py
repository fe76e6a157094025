"""The whole model of one problem: choices, times, bookings, balance, objective.

Rounding: the model holds every placement better than the target, at no more than its Q. Times and costs are rounded
down (`units`), what hangs on an inexact time is relaxed (`times`, `booking`, `lines`), choices are left out by bounds
that hold in exact numbers (`pruning`), and where a limit is worked out in floating-point numbers (the target in units,
how long a subtask can queue, what `constraints` admit) it is widened by more than these can be off by. CP-SAT computes
with whole numbers.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from ortools.sat.python import cp_model

from offbench import Placement
from offbench.evaluation.coordination import largest
from offbench.model.arrays import SCALE, WEIGHT
from offbench.model.problem import Problem

from .balance import imbalances
from .booking import Bookings, capacities, unrelated
from .choices import Choices, consistent
from .constraints import constrain, fits
from .lines import Fineness, Queue, Run, queueing_cost
from .options import Key, Option
from .pruning import Relaxed
from .queueing import Worth, worth
from .symmetry import interchangeable
from .times import Spans, Times
from .transfers import slowest_s, transfers
from .units import Units

_DIGITS = 64 * float(np.finfo(float).eps)


@dataclass
class Detail:
    """How finely the model sees things, and what earlier rounds have shown to matter."""

    tolerance: float = 1.5e-5
    """how far coordination may be over-estimated"""
    lines: Fineness = field(default_factory=lambda: Fineness(48, 2**20))
    """of the lines for the queueing of one subtask"""
    options: int = 3_000
    """options of one subtask told apart at most"""
    bookings: int = 4_000
    """pairs of subtasks that are booked one after the other, at most; with more, subtasks may wait on purpose"""
    met: dict[tuple[int, Key], set[float]] = field(default_factory=dict)
    """how long a subtask with an option was found to queue, s: there the lines are to be exact"""
    splits: dict[int, set[float]] = field(default_factory=dict)
    """where they can't be, for want of convexity, without a new interval"""
    excluded: "list[Decision]" = field(default_factory=list)
    """what need not be found again"""

    def refine(self, met: "list[Met]", tick_s: float) -> bool:
        """Take in what `Model.met` returns; tell whether anything of it is new."""
        new = False
        for each in met:
            new |= _add(self.met.setdefault((each.subtask, each.key), set()), each.queued_s, tick_s)
            if each.short:
                new |= _add(self.splits.setdefault(each.subtask, set()), each.queued_s, tick_s)
        self.tolerance = max(1e-7, self.tolerance / 8)
        self.lines = Fineness(min(100, 2 * self.lines.lines), min(2**40, 8 * self.lines.ticks))
        return new


class Met(NamedTuple):
    """A subtask that queues in a solution."""

    subtask: int
    key: Key
    """of its option"""
    queued_s: float
    short: bool
    """whether lines fall short there for good"""


class Decision(NamedTuple):
    """All that the times of a placement depend on, up to the last digit."""

    servers: list[int]
    first: list[tuple[int, int]]
    """pairs of subtasks on one server that are not behind each other in a graph, the one booked earlier first"""


def _add(there: set[float], value: float, tick_s: float) -> bool:
    new = all(abs(value - known) > tick_s for known in there)
    if new:
        there.add(value)
    return new


class Model:
    """The model of a problem, as far as it can have a placement better than *target*.

    Parameters
    ----------
    problem
        P1 or P2.
    units
        Ticks and units of the objective.
    relaxed
        What choices can come to.
    target
        Placements that are no better are left out where that helps.
    detail
        How finely.
    horizon_s
        No time is later.
    check
        Called now and then; may raise to end it.
    """

    def __init__(
        self,
        problem: Problem,
        units: Units,
        relaxed: Relaxed,
        target: float,
        detail: Detail,
        horizon_s: float,
        check: Callable[[], None],
    ) -> None:
        self.problem, self.units = problem, units
        self.proto = model = cp_model.CpModel()
        possible = [table < target for table in relaxed.choice]
        if problem.constrained:
            fitting = fits(problem)
            possible = [possible[i] & fitting[k] for k in range(problem.n_subtasks) for i in problem.inputs_of(k)]
        possible = consistent(problem, possible)
        self.empty = not all(table.any() for table in possible)
        """whether there is no better placement"""
        if self.empty:
            return
        self.choices = choices = Choices(model, problem, possible, detail.options, horizon_s)
        check()
        a = problem.arrays
        chains = [chain for i, chain in enumerate(problem.chains) for _ in problem.subtasks_of(i)]
        shares = relaxed.flow.subtask
        self._worths = worths = [
            _worths(problem, choices, relaxed, k, target, detail, horizon_s, chains[k], float(shares[k]))
            for k in range(problem.n_subtasks)
        ]
        check()
        spans = Spans.of(problem, units, choices, [max(most_s for _, most_s in each) for each in worths])
        self.times = times = Times(model, problem, units, choices, spans)
        check()
        capacities(model, problem, units, choices, times)
        pairs = unrelated(problem, choices)
        self.booked = len(pairs) <= detail.bookings
        """whether the model has the booking rule in full"""
        self.bookings = Bookings(model, problem, units, choices, times, pairs) if self.booked else None
        if self.bookings is not None:
            for one, other in interchangeable(problem):
                position = self.bookings.position
                model.add(position[int(a.task_start[one])] < position[int(a.task_start[other])])
        for decision in detail.excluded:
            self._exclude(decision)
        check()
        terms: list[cp_model.LinearExprT] = []
        weights: list[int] = []
        self.offset = 0.0
        per_s = float(a.weights[WEIGHT.score] * a.weights[WEIGHT.delay] / a.scale[SCALE.delay])
        of_energy, of_cost = (
            float(a.weights[WEIGHT.score] * a.weights[WEIGHT.energy]),
            float(a.weights[WEIGHT.score] * a.weights[WEIGHT.cost]),
        )
        for k in range(problem.n_subtasks):
            for literal, option in zip(choices.options[k], choices.ways[k].options, strict=True):
                parts = (
                    of_energy * option.energy,
                    of_cost * option.cost,
                    -float(a.weights[WEIGHT.coordination]) * option.coordination,
                    per_s * option.delay_s if chains[k] else 0.0,
                )
                terms.append(literal)
                weights.append(units.down(*parts))
            if choices.ways[k].loose:
                self._transfers(k, of_energy, of_cost, terms, weights)
            queues = times.queues[k]
            if queues is not None:
                queue = Queue(times.queued[k], queues, int(spans.queued[k]))
                options = [
                    Run(literal, each, sorted(detail.met.get((k, option.key), ())))
                    for literal, option, (each, _) in zip(
                        choices.options[k], choices.ways[k].options, worths[k], strict=True
                    )
                ]
                splits = sorted(detail.splits.get(k, ()))
                terms.append(queueing_cost(model, units, queue, options, splits, detail.lines))
                weights.append(1)
        done = [self._done(i) for i in range(problem.n_tasks)] if per_s > 0 or problem.constrained else []
        for i, chain in enumerate(problem.chains):
            if not chain and per_s > 0:
                terms.append(done[i])
                weights.append(units.delay)
                self.offset -= per_s * float(a.arrival_s[i])
        constrain(model, problem, units, choices, times, done)
        imbalance = int(units.down(float(a.weights[WEIGHT.balance] / a.scale[SCALE.balance])))
        if imbalance > 0:
            each = imbalances(model, problem, choices)
            terms += each
            weights += [imbalance] * len(each)
        objective = cp_model.LinearExpr.weighted_sum(terms, weights)
        if target < math.inf:
            most = target - self.offset + _DIGITS * (abs(target) + abs(self.offset))
            model.add(objective <= math.ceil(most / units.unit))
        model.minimize(objective)

    def _done(self, i: int) -> cp_model.LinearExprT:
        """Return when a task is complete, or later."""
        subtasks, end = self.problem.subtasks_of(i), self.times.end
        if self.problem.chains[i]:
            return end[subtasks[-1]]
        earliest, latest = self.times.spans.end[subtasks.start : subtasks.stop].max(axis=0).tolist()
        done = self.proto.new_int_var(earliest, latest, "")
        for k in subtasks:
            if not self.problem.readers_of(k):
                self.proto.add(done >= end[k])
        return done

    def _exclude(self, decision: Decision) -> None:
        """Leave a decision out; where something of it is ruled out already, it is."""
        rows, first = self.choices.servers, {} if self.bookings is None else self.bookings.first
        if all(s in row for s, row in zip(decision.servers, rows, strict=True)):
            literals = [row[s] for s, row in zip(decision.servers, rows, strict=True)]
            self.proto.add_bool_or([~literal for literal in (*literals, *(first[pair] for pair in decision.first))])

    def _transfers(
        self, k: int, of_energy: float, of_cost: float, terms: list[cp_model.LinearExprT], weights: list[int]
    ) -> None:
        """Add energy and cost of the transfers to a subtask with loose options."""
        a = self.problem.arrays
        for i in self.problem.inputs_of(k):
            sent = transfers(self.problem, k, i)
            energy, cost = sent[..., 1] / a.scale[SCALE.energy], sent[..., 2] / a.scale[SCALE.cost]
            for (q, s), literal in self.choices.pairs[i].items():
                terms.append(literal)
                weights.append(self.units.down(float(of_energy * energy[q, s]), float(of_cost * cost[q, s])))

    def q(self, value: float) -> float:
        """Return the part of Q that an objective of the model stands for: at most a placement's Q."""
        return value * self.units.unit + self.offset - 1e-12 * abs(self.offset)

    def placements(self, value: Callable[[cp_model.LinearExprT], int]) -> list[Placement]:
        """Return what a solution says: its servers, in the order of its positions and in that of its starts."""
        servers = self._servers(value)
        starts = [(value(self.times.start[k]), value(self.times.end[k]), k) for k in range(len(servers))]
        found = [Placement(np.array(servers), np.array([k for *_, k in sorted(starts)]))]
        if self.bookings is not None:
            positions = [(value(position), k) for k, position in enumerate(self.bookings.position)]
            found.append(Placement(np.array(servers), np.array([k for _, k in sorted(positions)])))
        return found

    def decision(self, value: Callable[[cp_model.LinearExprT], int]) -> Decision:
        """Return what a solution decides."""
        servers = self._servers(value)
        first = self.bookings.first if self.bookings is not None else {}
        at = self.problem.stations(np.array(servers))
        return Decision(servers, [(j, k) for (j, k), literal in first.items() if at[j] == at[k] and value(literal)])

    def _servers(self, value: Callable[[cp_model.LinearExprT], int]) -> list[int]:
        return [next(s for s, literal in row.items() if value(literal)) for row in self.choices.servers]

    def met(self, value: Callable[[cp_model.LinearExprT], int]) -> list[Met]:
        """Return which subtasks queue in a solution."""
        found = []
        for k, queued in enumerate(self.times.queued):
            if not isinstance(queued, int) and value(queued) > 0:
                queued_s = value(queued) * self.units.tick_s
                x = next(x for x, literal in enumerate(self.choices.options[k]) if value(literal))
                here = self._worths[k][x][0]
                short = here.at(queued_s) - here.between(0, float(here.queued_s[-1])).at(queued_s)
                key = self.choices.ways[k].options[x].key
                found.append(Met(k, key, queued_s, short > 2 * self.units.unit))
        return found


def _worths(
    problem: Problem,
    choices: Choices,
    relaxed: Relaxed,
    k: int,
    target: float,
    detail: Detail,
    horizon_s: float,
    chain: bool,
    share: float,
) -> list[tuple[Worth, float]]:
    """Return for each option what its queueing adds to the objective, and how long it can be, s.

    All that a placement with an option adds to the relaxation's bound of it must leave it below the target.
    """
    a = problem.arrays
    per_s = float(a.weights[WEIGHT.score] * a.weights[WEIGHT.delay] / a.scale[SCALE.delay])
    of_energy, of_cost = (
        float(a.weights[WEIGHT.score] * a.weights[WEIGHT.energy]),
        float(a.weights[WEIGHT.score] * a.weights[WEIGHT.cost]),
    )
    inputs = problem.inputs_of(k)
    found = []
    for option in choices.ways[k].options:
        most_s = horizon_s
        if per_s * share > 0 and not option.loose and len(inputs) == 1:
            i = inputs[0]
            least = min(
                float(relaxed.choice[i][q, option.server] - relaxed.step[i][q, option.server])
                for q in choices.ways[k].classes[0][option.server][option.classes[0]]
                if choices.possible[i][q, option.server]
            )
            own = per_s * share * option.delay_s + of_energy * option.energy + of_cost * option.cost
            rounding = _DIGITS * (abs(target) + abs(least) + own)
            most_s = _longest_s(problem, option, target - least - own + rounding, per_s * share, horizon_s)
        at = detail.met.get((k, option.key), ())
        found.append((worth(problem, option, per_s if chain else 0.0, most_s, detail.tolerance, at), most_s))
    return found


def _longest_s(problem: Problem, option: Option, left: float, per_s: float, horizon_s: float) -> float:
    """Return how long an option can queue: then its delay costs more than coordination and what is *left* allow."""
    a = problem.arrays
    t = option.delay_s / float(a.scale[SCALE.delay])
    most_s = horizon_s
    for _ in range(3):
        gain = float(a.weights[WEIGHT.coordination]) * largest(
            a, option.energy, option.cost, t, t + most_s / float(a.scale[SCALE.delay]),
            option.left if a.benefits else None,
        )  # fmt: skip
        most_s = min(most_s, max(0.0, left + gain) / per_s * (1 + 1e-9))
    return most_s


def horizon_s(problem: Problem) -> float:
    """Return what no time exceeds: after the last arrival something runs or is sent until all is done."""
    a = problem.arrays
    return float(a.arrival_s.max() + slowest_s(problem).sum() + a.execution_s.max(axis=1).sum()) * (1 + 1e-9)


__all__: Sequence[str] = ["Detail", "Model", "horizon_s"]
