"""What HEFT and PEFT share: subtasks are put on slots one after another, each where it is done first."""

from collections.abc import Callable

import numpy as np

from offbench import P1, Placement, load
from offbench.evaluation.compiled import borrowed, compiled
from offbench.evaluation.held_weights import fits
from offbench.evaluation.insertion import Schedule, arrive_at, empty, find_slot, placement_of, put
from offbench.evaluation.workspace import unpack
from offbench.model.arrays import Floats, Ints
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

# Subtasks that are put between two looks at the clock.
_AT_ONCE = 500


def schedule(
    problem: Problem, order: Ints, to_go_s: Floats | None = None, check: Callable[[], None] = lambda: None
) -> tuple[Placement, Schedule]:
    """Put subtasks on slots, each where it is done first; into the first gap that is long enough.

    Places whose memory has no room for a subtask's weights are passed over, as long as another one has.

    Parameters
    ----------
    problem
        The problem.
    order
        The subtasks, inputs before their readers.
    to_go_s
        What counts beside the end of a subtask, shape ``(n_subtasks, n_servers)``; nothing without.
    check
        Called now and then; may raise to end it.

    Returns
    -------
    tuple
        Servers and dispatch order, and the schedule that is meant (`insertion.placement_of`).
    """
    made = empty(problem)
    if to_go_s is None:
        to_go_s = np.zeros((1, problem.n_servers))
    for first in range(0, len(order), _AT_ONCE):
        check()
        _put(*problem.packed, problem.allowed, order[first : first + _AT_ONCE], to_go_s, made)
    return placement_of(made, order), made


def warm_up() -> None:
    """Load the compiled code, or compile it if it never ran here; for `Solver.warm_up`."""
    problem = P1(load("tiny-chains"))
    schedule(problem, np.arange(problem.n_subtasks))


@compiled
def _put(ints, floats, allowed, order, to_go_s, made):
    """Put subtasks on slots in *order*."""
    p = borrowed(unpack(ints, floats))
    made, allowed, order, to_go_s = borrowed(made), borrowed(allowed), borrowed(order), borrowed(to_go_s)
    for x in range(order.size):
        k = order[x]
        best, best_slot, best_start_s, best_s, best_fits = -1, 0, np.inf, np.inf, False
        for s in range(p.kind.size):
            if not allowed[k, s]:
                continue
            slot, start_s = find_slot(p, made, k, s, arrive_at(p, made, k, s))
            value_s = start_s + p.execution_s[k, s] + to_go_s[k % to_go_s.shape[0], s]
            room = fits(p, made.cells, made.held, k, s)
            if best < 0 or (room and not best_fits) or (room == best_fits and value_s < best_s):
                best, best_slot, best_start_s, best_s, best_fits = s, slot, start_s, value_s, room
        put(p, made, k, best, best_slot, best_start_s)
