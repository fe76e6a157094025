"""Slots: which subtasks stand in one another's way, and that none waits on purpose (MODEL.md section 3).

The slots of a server hold the ``pool`` largest completions of what was booked there so far. So, of the subtasks
booked before k on its server,

- at most ``pool - 1`` complete after k starts, and
- where k queues, at least ``pool`` complete when it starts or later.

The first says that there is a slot, the second that there is none earlier, for k starts as soon as one is
free. *Before* is any order of all subtasks in which inputs come before their readers: positions see to it.
Then one of these completes at that very moment. Rounding may change that by less than `Units.slack` ticks: a subtask
that queues in the true times need not in the rounded ones, and there the second rule is relaxed by so much.
Without it and the order, all that remains is that no more than ``pool`` run at once.
"""

from ortools.sat.python import cp_model

from offbench.model.problem import Problem

from .choices import Choices, Literal, station
from .times import Times, ancestors, execution
from .units import Units


def capacities(model: cp_model.CpModel, problem: Problem, units: Units, choices: Choices, times: Times) -> None:
    """Let no more subtasks run at once than there are slots."""
    here: dict[int, list[tuple[int, int]]] = {}
    for k, servers in enumerate(choices.servers):
        for s in servers:
            here.setdefault(station(problem, k, s), []).append((k, s))
    for place, slots in enumerate(_slots(problem)):
        runs = here.get(place, [])
        if len(runs) <= slots:
            continue
        intervals = [
            model.new_optional_fixed_size_interval_var(
                times.start[k], execution(problem, units, k, s), choices.servers[k][s], f"run {k} {s}"
            )
            for k, s in runs
        ]
        if slots == 1:
            model.add_no_overlap(intervals)
        else:
            model.add_cumulative(intervals, [1] * len(runs), slots)


def unrelated(problem: Problem, choices: Choices) -> list[tuple[int, int]]:
    """Return the pairs of subtasks that may share a server, neither being behind the other in a graph."""
    before = ancestors(problem)
    n = problem.n_subtasks
    return [
        (j, k)
        for k in range(n)
        for j in range(k)
        if j not in before[k] and choices.stations[j].keys() & choices.stations[k].keys()
    ]


class Bookings:
    """A dispatch order, and what it does to the starts.

    Parameters
    ----------
    model
        Gets variables and constraints.
    problem, units, choices, times
        What there is.
    pairs
        As `unrelated` returns them.
    """

    def __init__(
        self,
        model: cp_model.CpModel,
        problem: Problem,
        units: Units,
        choices: Choices,
        times: Times,
        pairs: list[tuple[int, int]],
    ) -> None:
        n = problem.n_subtasks
        self._model, self._units, self._choices, self._times = model, units, choices, times
        self.position = [model.new_int_var(0, n - 1, f"position {k}") for k in range(n)]
        for k in range(n):
            for source in problem.sources_of(k):
                if source < n:
                    model.add(self.position[source] < self.position[k])
        self._later: list[list[Literal]] = [[] for _ in range(n)]
        """of each subtask: others that are booked before it and complete after it starts"""
        self._not_sooner: list[list[Literal]] = [[] for _ in range(n)]
        """the same, or complete when it starts"""
        self._just: list[list[Literal]] = [[] for _ in range(n)]
        """those that complete when it starts, where times are rounded"""
        self.first: dict[tuple[int, int], Literal] = {}
        """whether the one is booked before the other"""
        for j, k in pairs:
            first = model.new_bool_var(f"first {j} {k}")
            self.first |= {(j, k): first, (k, j): ~first}
            together = self._together(j, k)
            self._book(j, k, first, together)
            self._book(k, j, ~first, together)
        slots = _slots(problem)
        for k in range(n):
            here = choices.stations[k]
            free = cp_model.LinearExpr.weighted_sum(list(here.values()), [slots[s] for s in here])
            if len(self._later[k]) >= min(slots[s] for s in here):
                model.add(sum(self._later[k]) <= free - 1)
            queues = times.queues[k]
            if queues is not None:
                model.add(sum(self._not_sooner[k]) >= free).only_enforce_if(queues)
            waits = times.waits[k]
            if waits is not None and units.slack > 0:
                model.add_bool_or([~waits, *self._just[k]])

    def _together(self, j: int, k: int) -> Literal:
        """Return a literal that is true where two subtasks are on one server."""
        one, other = self._choices.stations[j], self._choices.stations[k]
        common = one.keys() & other.keys()
        if len(one) == 1:
            return other[next(iter(common))]
        if len(other) == 1:
            return one[next(iter(common))]
        together = self._model.new_bool_var(f"together {j} {k}")
        for s in one.keys() | other.keys():
            if s in common:
                self._model.add_bool_or([~one[s], ~other[s], together])
                self._model.add_bool_or([~one[s], other[s], ~together])
                self._model.add_bool_or([one[s], ~other[s], ~together])
            else:
                self._model.add_implication((one if s in one else other)[s], ~together)
        return together

    def _book(self, j: int, k: int, first: Literal, together: Literal) -> None:
        """Say what *j* does to *k* if it is booked *first* and on the same server."""
        model, times = self._model, self._times
        model.add(self.position[j] < self.position[k]).only_enforce_if(first)
        end, start = times.spans.end[j], times.spans.start[k]
        if end[1] <= start[0]:
            sooner = True
        else:
            sooner = False
            if end[0] > start[1]:
                later = self._both(first, together)
            else:
                later = model.new_bool_var(f"later {j} {k}")
                model.add(times.end[j] <= times.start[k]).only_enforce_if([first, together, ~later])
                model.add(times.end[j] > times.start[k]).only_enforce_if(later)
                model.add_implication(later, first)
                model.add_implication(later, together)
            self._later[k].append(later)
        if times.queues[k] is None or end[1] < start[0] - self._units.slack:
            return
        if not sooner and end[0] > start[1]:
            self._not_sooner[k].append(later)
            return
        not_sooner = model.new_bool_var(f"not sooner {j} {k}")
        model.add(times.end[j] >= times.start[k] - self._units.slack).only_enforce_if(not_sooner)
        model.add_implication(not_sooner, first)
        model.add_implication(not_sooner, together)
        self._not_sooner[k].append(not_sooner)
        if self._units.slack > 0 and end[1] >= start[0]:
            just = model.new_bool_var(f"just {j} {k}")
            model.add(times.end[j] == times.start[k]).only_enforce_if(just)
            model.add_implication(just, not_sooner)
            self._just[k].append(just)

    def _both(self, one: Literal, other: Literal) -> Literal:
        both = self._model.new_bool_var("")
        self._model.add_multiplication_equality(both, [one, other])
        return both


def _slots(problem: Problem) -> list[int]:
    starts = problem.arrays.slot_start.astype(int)
    return [int(slots) for slots in starts[1:] - starts[:-1]]
