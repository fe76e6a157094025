"""What cannot be part of a better placement, by dynamic programming without queues.

`offbench.bounds` relaxes a problem to a dynamic program over the subtasks, in which nothing queues but
where that pays. Its cheapest way through a choice, here the servers of a subtask and of an input, is
a lower bound on every placement with that choice. Choices whose bound is no better than what is known
already are left out of the model, and what a choice has left bounds how long its subtask can queue.
"""

from collections.abc import Callable

import numpy as np

from offbench.bounds import Flow, Program, SubtaskCosts, Window, widest
from offbench.bounds.frontier import ProgramStage
from offbench.bounds.path_flows import flows
from offbench.evaluation.compiled import compiled
from offbench.model.arrays import Floats
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

# Tables of all stages have at most this many entries, and windows this many states.
_TABLES = 20_000_000
_STATES = 2_000


class Relaxed:
    """The relaxation's lower bound of all placements, and of those with each choice.

    Parameters
    ----------
    problem
        P1 or P2.
    steps
        Of the problem.
    check
        Called between stages; may raise to end it.
    """

    flow: Flow
    """how the delay of each task is spread over its paths"""
    bound: float
    """no placement is better"""
    choice: list[Floats]
    """for each input, by the servers of its source and of its reader: no placement with these is better"""
    step: list[Floats]
    """for each input, likewise: what the reader adds to the relaxation's objective, at least"""

    def __init__(self, problem: Problem, steps: SubtaskCosts, check: Callable[[], None]) -> None:
        candidates = [(flow, _program(problem, steps, flow)) for flow in flows(problem)]
        narrow = Window(problem.arrays, ())
        self.flow, program = max(candidates, key=lambda pair: pair[1].lower_bound(narrow))
        rows = max(stage.cost.shape[0] for stage in program.stages)
        states = max(1, min(_STATES, _TABLES // (rows * (problem.n_subtasks + 1))))
        window = Window(problem.arrays, widest(problem.arrays, states)[0])
        ahead = program.to_go(window, check)
        self.bound = program.bound_of(ahead)
        n, m = problem.n_subtasks, problem.n_servers
        a = problem.arrays
        self.choice = [np.full((m, m), -np.inf) for _ in a.input_of]
        self.step = [np.full((m, m), -np.inf) for _ in a.input_of]
        before = np.full(ahead[0].shape, np.inf)
        before[0, 0] = 0
        steps_of = window.imbalance, window.next_start, window.next_of
        for k, stage in enumerate(program.stages):
            check()
            before, through = _forward(stage.cost, stage.into, before, ahead[k + 1], program.unit, *steps_of)
            through -= program.rounding
            for i, source in zip(problem.inputs_of(k), problem.sources_of(k), strict=True):
                for table, values in ((self.choice, through), (self.step, stage.cost)):
                    table[i] = _by_source(values, stage, source, m)
                    if source >= n:  # a task's input is at the client
                        table[i][np.arange(m) != a.client] = np.inf


def _program(problem: Problem, steps: SubtaskCosts, flow: Flow) -> Program:
    return Program(problem, [[[step]] for step in steps.under(flow)], problem.n_servers**2)


def _by_source(values: Floats, stage: ProgramStage, source: int, m: int) -> Floats:
    """Return the least value by the servers of *source* and of the subtask; the same for all where it is forgotten."""
    if source not in stage.live:
        return np.repeat(values.min(axis=0)[None], m, axis=0)
    axis = stage.live.index(source)
    table = values.reshape(*[m] * len(stage.live), m)
    least: Floats = table.min(axis=tuple(other for other in range(len(stage.live)) if other != axis))
    return least


@compiled
def _forward(cost, into, before, ahead, unit, imbalance, next_start, next_of):
    """Return the least cost up to the next stage, and for each row and server the least from end to end."""
    rows, m = cost.shape
    states = imbalance.size
    after = np.full(ahead.shape, np.inf)
    through = np.full((rows, m), np.inf)
    for row in range(rows):
        for s in range(m):
            if cost[row, s] == np.inf:
                continue
            place = into[row, s]
            for w in range(states):
                so_far = before[row, w] + cost[row, s]
                if so_far == np.inf:
                    continue
                for i in range(next_start[w * m + s], next_start[w * m + s + 1]):
                    value = so_far + unit * imbalance[next_of[i]]
                    after[place, next_of[i]] = min(after[place, next_of[i]], value)
                    through[row, s] = min(through[row, s], value + ahead[place, next_of[i]])
    return after, through
