"""When each subtask is ready, starts and completes, in ticks; and what its queueing costs."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from ortools.sat.python import cp_model

from offbench.model.arrays import Ints
from offbench.model.problem import Problem

from .choices import Choices, Literal
from .transfers import transfer_s
from .units import Units


@dataclass(frozen=True)
class Spans:
    """Earliest and latest times of each subtask, in ticks; all that booking can lead to lies between."""

    ready: Ints
    """shape (n_subtasks, 2)"""
    start: Ints
    end: Ints
    queued: Ints
    """the longest queueing, shape (n_subtasks,)"""

    @classmethod
    def of(cls, problem: Problem, units: Units, choices: Choices, most_s: list[float]) -> "Spans":
        """Follow the graph with the quickest and the slowest of what is possible.

        Parameters
        ----------
        problem, units, choices
            What there is.
        most_s
            No subtask queues longer.
        """
        most = np.array([math.ceil(s / units.tick_s) + units.slack for s in most_s], np.int64)
        related = ancestors(problem)
        spans = cls._with(problem, units, choices, most)
        for _ in range(4):
            still = [k for k in np.flatnonzero(most) if not _may_queue(problem, units, choices, related, spans, int(k))]
            if not still:
                break
            most[still] = 0
            spans = cls._with(problem, units, choices, most)
        return spans

    @classmethod
    def _with(cls, problem: Problem, units: Units, choices: Choices, most: Ints) -> "Spans":
        a = problem.arrays
        n = problem.n_subtasks
        ready, start, end = (np.zeros((n, 2), np.int64) for _ in range(3))
        for k in range(n):
            for i, source in zip(problem.inputs_of(k), problem.sources_of(k), strict=True):
                sent = [transfer(problem, units, k, i, q, s) for q, s in choices.pairs[i]]
                begun = end[source] if source < n else units.ticks(float(a.arrival_s[source - n]))
                ready[k] = np.maximum(ready[k], begun + np.array([min(sent), max(sent)]))
            runs = [execution(problem, units, k, s) for s in choices.servers[k]]
            start[k] = ready[k] + [0, most[k]]
            end[k] = start[k] + [min(runs), max(runs)]
        return cls(ready, start, end, most.copy())


def _may_queue(problem: Problem, units: Units, choices: Choices, related: list[set[int]], spans: Spans, k: int) -> bool:
    """Tell whether enough others can be in the way: one that completes when it starts, all slots' at least then."""
    first, last = int(spans.ready[k, 0]) - units.slack, int(spans.start[k, 1]) + units.slack
    for s in choices.stations[k]:
        others = [
            j
            for j, stations in enumerate(choices.stations)
            if s in stations and j != k and j not in related[k] and k not in related[j] and spans.end[j, 1] >= first
        ]
        slots = int(problem.arrays.slot_start[s + 1]) - int(problem.arrays.slot_start[s])
        if len(others) >= slots and any(spans.end[j, 0] <= last for j in others):
            return True
    return False


def ancestors(problem: Problem) -> list[set[int]]:
    """Return what each subtask needs, directly or not."""
    before: list[set[int]] = []
    for k in range(problem.n_subtasks):
        sources = problem.sources_of(k)
        placed = [source for source in sources if source < problem.n_subtasks]
        before.append(set(placed).union(*(before[source] for source in placed)))
    return before


def execution(problem: Problem, units: Units, k: int, s: int) -> int:
    """Return the execution of a subtask on a server, in ticks."""
    return units.ticks(float(problem.arrays.execution_s[k, s]))


def transfer(problem: Problem, units: Units, k: int, i: int, q: int, s: int) -> int:
    """Return the transfer of an input of subtask *k* from server to server, in ticks."""
    return units.ticks(transfer_s(problem, k, i, q, s))


class Times:
    """Variables for the times, tied to the choices.

    Parameters
    ----------
    model
        Gets variables and constraints.
    problem, units, choices
        What there is.
    spans
        Between which times.
    """

    def __init__(self, model: cp_model.CpModel, problem: Problem, units: Units, choices: Choices, spans: Spans) -> None:
        a = problem.arrays
        n = problem.n_subtasks
        self.spans = spans
        self.start: list[cp_model.IntVar] = []
        self.end: list[cp_model.LinearExprT] = []
        self.queued: list[cp_model.LinearExprT] = []
        """0 where a subtask can't queue"""
        self.queues: list[Literal | None] = []
        """whether a subtask queues; with rounded times it may also for less than `Units.slack`; None where it can't"""
        self.waits: list[Literal | None] = []
        """whether it does in the rounded times"""
        for k in range(n):
            inputs = problem.inputs_of(k)
            arrivals: list[cp_model.LinearExprT] = []
            for i in inputs:
                source = int(a.input_of[i])
                begun = self.end[source] if source < n else units.ticks(float(a.arrival_s[source - n]))
                arrivals.append(begun + _weighted(
                    (literal, transfer(problem, units, k, i, q, s)) for (q, s), literal in choices.pairs[i].items()
                ))  # fmt: skip
            ready = arrivals[0]
            if len(arrivals) > 1:
                ready = model.new_int_var(*spans.ready[k].tolist(), f"ready {k}")  # type: ignore[call-arg]
                model.add_max_equality(ready, arrivals)
                self._criticals(model, problem, units, choices, k, arrivals, ready)
            start = model.new_int_var(*spans.start[k].tolist(), f"start {k}")  # type: ignore[call-arg]
            if spans.queued[k] == 0:
                self.queued.append(0)
                self.queues.append(None)
                self.waits.append(None)
                model.add(start == ready)
            else:
                queued = model.new_int_var(0, int(spans.queued[k]), f"queued {k}")
                waits = model.new_bool_var(f"waits {k}")
                model.add(queued == 0).only_enforce_if(~waits)
                model.add(queued > 0).only_enforce_if(waits)
                queues = waits
                if units.slack > 0:
                    queues = model.new_bool_var(f"queues {k}")
                    model.add_implication(waits, queues)
                model.add(start == ready + queued)
                self.queued.append(queued)
                self.queues.append(queues)
                self.waits.append(waits)
            end = model.new_int_var(*spans.end[k].tolist(), f"end {k}")  # type: ignore[call-arg]
            model.add(
                end == start + _weighted((literal, execution(problem, units, k, s))
                                         for s, literal in choices.servers[k].items())
            )  # fmt: skip
            self.start.append(start)
            self.end.append(end)

    def _criticals(
        self,
        model: cp_model.CpModel,
        problem: Problem,
        units: Units,
        choices: Choices,
        k: int,
        arrivals: list[cp_model.LinearExprT],
        ready: cp_model.IntVar,
    ) -> None:
        """Tie the options to the input that arrives last, the first one in a tie; a near tie leaves it open."""
        if choices.ways[k].loose:
            return
        critical = [model.new_bool_var(f"critical {k}") for _ in arrivals]
        model.add_exactly_one(critical)
        for x, literal in enumerate(critical):
            model.add(arrivals[x] >= ready - units.slack).only_enforce_if(literal)
            if units.slack == 0:
                for earlier in arrivals[:x]:
                    model.add(earlier < ready).only_enforce_if(literal)
        for literal, option in zip(choices.options[k], choices.ways[k].options, strict=True):
            if len(option.critical) < len(arrivals):
                model.add_bool_or([~literal, *(critical[x] for x in option.critical)])
        if units.slack > 0:
            self._exact_ties(model, problem, choices, k, critical)

    def _exact_ties(
        self, model: cp_model.CpModel, problem: Problem, choices: Choices, k: int, critical: list[cp_model.IntVar]
    ) -> None:
        """Settle the ties that are no matter of rounding.

        Where a source takes no time, reads the same as the subtask and no other input, and runs on the subtask's
        server, it completes when that input would have arrived, or later if it queued.
        """
        a = problem.arrays
        sources = problem.sources_of(k)
        for x, through in enumerate(sources):
            if through >= problem.n_subtasks:
                continue
            read = problem.sources_of(through)
            if len(read) > 1 or read[0] >= problem.n_subtasks or read[0] not in sources:
                continue
            y = sources.index(read[0])
            if a.input_mb[problem.inputs_of(k)[y]] != a.input_mb[problem.inputs_of(through)[0]]:
                continue
            # The first of the two is critical, but for a later one that is later.
            late = self.queues[through]
            unless = [] if x < y or late is None else [late]
            for s, literal in choices.servers[through].items():
                if s in choices.servers[k] and a.execution_s[through, s] == 0:
                    model.add_bool_or([~critical[max(x, y)], ~literal, ~choices.servers[k][s], *unless])


def _weighted(terms: "list[tuple[Literal, int]] | object") -> cp_model.LinearExprT:
    pairs: list[Any] = list(terms)  # type: ignore[call-overload, arg-type]
    return cp_model.LinearExpr.weighted_sum([literal for literal, _ in pairs], [weight for _, weight in pairs])
