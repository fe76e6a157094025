"""What compiled functions work on: a problem, and the numbers of one placement that is being scored.

A call of a compiled function from Python costs about 0.1 us for each array that it takes, as much as scoring several
subtasks. So a problem travels as two flat arrays, and `unpack` lays named fields over them. Fields are borrowed
(`compiled.borrowed`): unpack what is an argument of the function, and borrow the whole as well.
"""

from typing import Any, NamedTuple

import numpy as np

from offbench.evaluation.compiled import borrowed, inlined
from offbench.model.arrays import Arrays

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, arg-type"

_SCALARS, _FIELDS = 4, len(Arrays._fields)


class Workspace(NamedTuple):
    """The numbers of one placement. Those of a subtask stand at its index."""

    at: Any
    """place of each source of data: the subtasks, then the tasks' inputs, which are at the client"""
    end: Any
    """when each source is complete, s after the arrival of its task: the tasks' inputs at 0"""
    shift: Any
    """of each subtask, by how much its task arrives after the first one, s"""
    execution: Any
    """how long a subtask runs, s"""
    ready: Any
    """when its last input is there, s after the arrival of its task"""
    transmission: Any
    """how long its critical input was on its way, s"""
    start: Any
    """when it starts, s after the arrival of its task"""
    delay: Any
    """s"""
    energy: Any
    """J"""
    cost: Any
    """$"""
    coordination: Any
    """H"""
    waits_for: Any
    """how many of its inputs aren't complete"""
    slot_free: Any
    """when each slot is free, s after the arrival of the task that has it"""
    slot_user: Any
    """the subtask that had each slot last; as many as there are where none had"""
    doubt: Any
    """one number: how often rounding may have decided which input is critical"""
    booked: Any
    """subtasks in the order in which they were booked"""
    heap_time: Any
    """ready times in a binary heap of ready subtasks"""
    heap: Any
    """the subtasks in it"""
    count: Any
    """how many subtasks are at each place"""
    more_than: Any
    """how many servers of a kind have more than so many subtasks, shape ``(3, subtasks)``"""
    held_mb: Any
    """how much weight each station holds"""
    holds: Any
    """which weights each station took last"""


@inlined
def unpack(ints, floats):
    """Return the `Arrays` that `problem.Problem.packed` holds."""
    ints, floats = borrowed(ints), borrowed(floats)
    end = ints[_SCALARS:_FIELDS]  # of each array, first those of integers
    places = np.int64(end[7]) - np.int64(end[6])
    subtasks = np.int64(end[9]) - np.int64(end[8])
    tables = (np.int64(end[23]) - np.int64(end[22])) // (4 * places * places)
    clients = (np.int64(end[21]) - np.int64(end[20])) // places
    run = floats[end[16] : end[19]].reshape((subtasks, places, 3))
    return Arrays(
        client=np.int64(ints[0]),
        root=np.int64(ints[1]),
        benefits=ints[2] > 0,
        constrained=ints[3] > 0,
        task_start=ints[_FIELDS : end[0]],
        waits_for=ints[end[0] : end[1]],
        input_start=ints[end[1] : end[2]],
        input_of=ints[end[2] : end[3]],
        reader_start=ints[end[3] : end[4]],
        reader_of=ints[end[4] : end[5]],
        slot_start=ints[end[5] : end[6]],
        kind=ints[end[6] : end[7]],
        peers=ints[end[7] : end[8]],
        own_station=ints[end[8] : end[9]],
        links_of=ints[end[9] : end[10]],
        weighed=ints[end[10] : end[11]],
        weights_of=ints[end[11] : end[12]],
        gcycles=floats[: end[13]],
        arrival_s=floats[end[13] : end[14]],
        input_mb=floats[end[14] : end[15]],
        input_gb=floats[end[15] : end[16]],
        execution_s=run[:, :, 0],
        run_energy_j=run[:, :, 1],
        run_usd=run[:, :, 2],
        execution_rest_s=floats[end[19] : end[20]].reshape((subtasks, places)),
        client_power_w=floats[end[20] : end[21]].reshape((clients, places)),
        usd_per_h=floats[end[21] : end[22]].reshape((clients, places)),
        link=floats[end[22] : end[23]].reshape((tables, places, places, 4)),
        scale=floats[end[23] : end[24]],
        weights=floats[end[24] : end[25]],
        lambdas=floats[end[25] : end[26]],
        scale_rest=floats[end[26] : end[27]],
        weights_mb=floats[end[27] : end[28]],
        memory_mb=floats[end[28] : end[29]],
        deadline_s=floats[end[29] : end[30]],
        limit=floats[end[30] : end[31]],
    )


@inlined
def first_arrival_s(p):
    """Return when the first task arrives."""
    first = p.arrival_s[0]
    for i in range(1, p.arrival_s.size):
        first = min(first, p.arrival_s[i])
    return first


@inlined
def room(p):
    """Return a workspace, the tasks' inputs in it."""
    n = p.gcycles.size
    sources = n + p.arrival_s.size
    w = Workspace(
        at=np.empty(sources, np.uint32),
        end=np.zeros(sources),
        shift=np.zeros(n + 1),
        execution=np.empty(n),
        ready=np.empty(n),
        transmission=np.empty(n),
        start=np.empty(n),
        delay=np.empty(n),
        energy=np.empty(n),
        cost=np.empty(n),
        coordination=np.empty(n),
        waits_for=np.empty(n, np.uint32),
        slot_free=np.empty(p.slot_start[-1]),
        slot_user=np.zeros(p.slot_start[-1], np.uint32),
        doubt=np.zeros(1, np.int64),
        booked=np.empty(n, np.uint32),
        heap_time=np.empty(n + 1),
        heap=np.empty(n + 1, np.uint32),
        count=np.empty(p.kind.size, np.uint32),
        more_than=np.empty((3, n), np.uint32),
        held_mb=np.empty(p.memory_mb.size),
        holds=np.empty(p.memory_mb.size, np.uint32),
    )
    first = first_arrival_s(p)
    for i in range(p.arrival_s.size):
        w.at[n + i] = p.client
        w.shift[p.task_start[i] : p.task_start[i + 1]] = p.arrival_s[i] - first
    return w
