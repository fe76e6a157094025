"""The first subtasks of a placement, booked and scored, as compiled functions have them.

*p* is the problem and *x* the prefix.
"""

from typing import Any, NamedTuple

import numpy as np

from offbench.evaluation.compiled import inlined
from offbench.evaluation.held_weights import Cells, HeldWeights
from offbench.model.arrays import Floats, Ints

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"


class Sum(NamedTuple):
    """Where the sums of a prefix stand that don't depend on what comes behind."""

    energy_j: int = 0
    cost_usd: int = 1
    memory_violation: int = 2
    imbalance: int = 3
    """after the last subtask"""
    imbalances: int = 4
    """of all"""


class Number(NamedTuple):
    """Where the whole numbers of a prefix stand."""

    decided: int = 0
    odd: int = 1
    """how many subtasks make it one that is scored as a whole"""


SUM, NUMBER = Sum(), Number()


class Shared(NamedTuple):
    """What all prefixes of a problem share: what never changes, and room to work in."""

    task_of: Ints
    shift: Floats
    cells: Cells
    waits_for: Any
    heap_time: Floats
    heap: Any
    doubt: Ints
    times: Floats
    """what subtasks had before others were booked anew, shape ``(6, subtasks)``"""
    bookings: Any
    """likewise, shape ``(4, subtasks)``"""


class Prefix(NamedTuple):
    """One prefix. The fields that `workspace.Workspace` has, too, mean the same."""

    at: Any
    end: Any
    shift: Any
    execution: Any
    ready: Any
    transmission: Any
    start: Any
    delay: Any
    energy: Any
    cost: Any
    coordination: Any
    waits_for: Any
    slot_free: Any
    slot_user: Any
    doubt: Any
    booked: Any
    heap_time: Any
    heap: Any
    count: Any
    more_than: Any
    task_of: Any
    slot: Any
    """which slot each subtask has"""
    before: Any
    """who had it before; as many as there are subtasks where none had"""
    odd: Any
    """of each subtask, whether it is one for which the prefix is scored as a whole (bits)"""
    gained: Any
    """H of all subtasks before each"""
    peak: Any
    """when the last of its task's subtasks up to each is complete, s after its arrival"""
    tasks: Any
    """of all tasks before each: delay, makespan, violation of deadlines"""
    held: Any
    """what stations hold (`HeldWeights`)"""
    sums: Any
    """`SUM`"""
    numbers: Any
    """`NUMBER`"""
    cells: Any
    times: Any
    """what subtasks had before others were booked anew (`Shared`)"""
    bookings: Any


@inlined
def prefix_of(p, shared, reals, counts):
    """Lay the fields of a prefix over a row."""
    n, tasks, slots, places = p.gcycles.size, p.arrival_s.size, np.int64(p.slot_start[-1]), p.kind.size
    stations, cells = p.memory_mb.size, shared.cells.number[0]
    a, b = 11 * n + 1, 8 * n
    c, d = a + tasks + 3 * (tasks + 1), b + tasks + slots + places
    return Prefix(
        at=counts[: n + tasks],
        end=reals[: n + tasks],
        shift=shared.shift,
        execution=reals[n + tasks : 2 * n + tasks],
        ready=reals[2 * n + tasks : 3 * n + tasks],
        transmission=reals[3 * n + tasks : 4 * n + tasks],
        start=reals[4 * n + tasks : 5 * n + tasks],
        delay=reals[5 * n + tasks : 6 * n + tasks],
        energy=reals[6 * n + tasks : 7 * n + tasks],
        cost=reals[7 * n + tasks : 8 * n + tasks],
        coordination=reals[8 * n + tasks : 9 * n + tasks],
        waits_for=shared.waits_for,
        slot_free=reals[c : c + slots],
        slot_user=counts[b + tasks : b + tasks + slots],
        doubt=shared.doubt,
        booked=counts[n + tasks : 2 * n + tasks],
        heap_time=shared.heap_time,
        heap=shared.heap,
        count=counts[b + tasks + slots : d],
        more_than=counts[5 * n + tasks : 8 * n + tasks].reshape((3, n)),
        task_of=shared.task_of,
        slot=counts[2 * n + tasks : 3 * n + tasks],
        before=counts[3 * n + tasks : 4 * n + tasks],
        odd=counts[4 * n + tasks : 5 * n + tasks],
        gained=reals[9 * n + tasks : 10 * n + 1 + tasks],
        peak=reals[10 * n + 1 + tasks : a + tasks],
        tasks=reals[a + tasks : c].reshape((tasks + 1, 3)),
        held=HeldWeights(counts[d : d + cells], reals[c + slots : c + slots + stations]),
        sums=reals[c + slots + stations :],
        numbers=counts[d + cells :],
        cells=shared.cells,
        times=shared.times,
        bookings=shared.bookings,
    )
