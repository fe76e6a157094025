"""Label setting: every way to place the first k subtasks that can still lead to something better.

A label is where the live subtasks are and how far each count is above the smallest of its kind: whatever is
placed behind two equal labels costs the same, so the cheaper one stays. A label's value is what it cost so
far plus a bound on what is to come; from the incumbent's objective on it is dropped. What it finds is the
optimum of a `Program` whose window forgets nothing; for a chain, of the problem itself.

Rounding: costs and values are sums of steps from end to end, each off by less than the program's rounding. Whoever
takes the bound of a sweep lowers it by that; then it doesn't matter which of two labels that differ by less stays.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from offbench.bounds.frontier import Program
from offbench.bounds.state_space import Window, balanced_groups
from offbench.evaluation.compiled import compiled
from offbench.model.arrays import Floats

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def"


class Labels(NamedTuple):
    """The labels after some subtasks."""

    above: NDArray[np.uint16 | np.uint32]
    """counts above the smallest of their group, shape (labels, servers)"""
    row: NDArray[np.int32]
    """of the next stage: where the live subtasks are"""
    server: NDArray[np.int32]
    """of the last subtask"""
    imbalance: NDArray[np.int64]
    cost: Floats
    value: Floats
    """cost plus the bound on what is to come"""
    parent: NDArray[np.int32]
    """label before the last subtask"""


@dataclass(frozen=True)
class Sweep:
    """What one pass over the subtasks found."""

    servers: NDArray[np.int64] | None
    """the best placement that was not dropped"""
    lower_bound: float
    """no placement is cheaper than this and than that placement"""
    exact: bool
    """whether no label was dropped for want of room"""


class Tables(Protocol):
    """A table for each subtask and the end, by number."""

    def __getitem__(self, k: int, /) -> Floats: ...


class Guide(NamedTuple):
    """A bound on what is to come."""

    window: Window
    tables: Tables
    """least cost from each subtask on, by server of the one before and state"""
    adds: bool = False
    """whether it comes on top of the guide before it, instead of counting where it says more"""


def sweep(
    program: Program,
    guides: Sequence[Guide],
    check: Callable[[], None],
    incumbent: float,
    room: int,
) -> Sweep:
    """Set labels from the first subtask to the last.

    Parameters
    ----------
    program
        Has the costs of the steps.
    guides
        The bounds.
    check
        Called between subtasks; may raise to end it.
    incumbent
        Labels from this value on are dropped.
    room
        Labels to keep for each subtask; those of least value stay.
    """
    arrays = program.problem.arrays
    m = len(arrays.kind)
    group = np.full(m, -1)
    for g, members in enumerate(balanced_groups(arrays)):
        group[list(members)] = g
    widths = np.array([guide.window.width for guide in guides])
    radixes = np.array([guide.window.radix for guide in guides])
    # End to end, for compiled code is made anew for every number of arrays.
    state_of = np.concatenate([guide.window.state_of for guide in guides])
    first_code = np.cumsum([0, *(len(guide.window.state_of) for guide in guides)])
    states = np.array([guide.window.n_states for guide in guides])
    adds = np.array([guide.adds for guide in guides])
    labels = Labels(
        np.zeros((1, m), _counts_type(len(program.stages))), np.zeros(1, np.int32), np.zeros(1, np.int32),
        np.zeros(1, np.int64), np.zeros(1), np.zeros(1), np.zeros(1, np.int32),
    )  # fmt: skip
    trail = []
    dropped = incumbent
    exact = True
    for k, stage in enumerate(program.stages):
        check()
        tables = [guide.tables[k + 1].ravel() for guide in guides]
        ahead = np.concatenate(tables)
        first_row = np.cumsum([0, *(table.size for table in tables)])
        expanded = expand(
            labels.above, labels.row, labels.imbalance, labels.cost, stage.cost, stage.into, program.unit, group,
            widths, radixes, state_of, first_code, states, ahead, first_row, adds,
            incumbent,
        )  # fmt: skip
        labels = Labels(*expanded[:-1])
        dropped = min(dropped, expanded[-1])
        if len(labels.cost) > room:
            exact = False
            threshold = np.partition(labels.value, room)[room]
            kept = np.flatnonzero(labels.value < threshold)
            if not len(kept):
                kept = np.arange(room)
            dropped = min(dropped, float(threshold))
            labels = _take(labels, kept)
        if not len(labels.cost):
            return Sweep(None, dropped, exact)
        trail.append((labels.parent, labels.server))
    best = at = int(labels.cost.argmin())
    servers = np.empty(len(trail), np.int64)
    for k in range(len(trail) - 1, -1, -1):
        parent, server = trail[k]
        servers[k] = server[at]
        at = int(parent[at])
    return Sweep(servers, min(dropped, float(labels.cost[best])), exact)


def _counts_type(subtasks: int) -> type[np.unsignedinteger]:
    """Return the smallest type that can count so many; most labels are counts."""
    return np.uint16 if subtasks <= np.iinfo(np.uint16).max else np.uint32


def _take(labels: Labels, kept: NDArray[np.int64]) -> Labels:
    return Labels(*(field[kept] for field in labels))  # type: ignore[arg-type]


@compiled
def expand(
    above, row, imbalance, cost, step, into, unit, group, widths, radixes, state_of, first_code, states, ahead,
    first_row, adds, incumbent,
):  # fmt: skip
    """Place one more subtask behind each label; of equal labels the cheapest stays."""
    n, m = above.shape
    capacity = 16
    while capacity < 2 * n * m:
        capacity *= 2
    slots = np.full(capacity, -1, np.int32)
    room = n * m
    new_above = np.empty((room, m), above.dtype)
    new_row = np.empty(room, np.int32)
    new_server = np.empty(room, np.int32)
    new_imbalance = np.empty(room, np.int64)
    new_cost = np.empty(room)
    new_value = np.empty(room)
    new_parent = np.empty(room, np.int32)
    size = 0
    dropped = np.inf
    counts = np.empty(m, above.dtype)
    for label in range(n):
        for s in range(m):
            added = step[row[label], s]
            if added == np.inf:
                continue
            place = into[row[label], s]
            counts[:] = above[label]
            z = imbalance[label] + count_one(counts, s, group)
            total = cost[label] + added + unit * z
            bound = -np.inf
            sum_of_guides = -np.inf
            for w in range(widths.shape[0]):
                code = np.int64(0)
                for b in range(m):
                    code += min(np.int64(counts[b]), widths[w, b]) * radixes[w, b]
                state = state_of[first_code[w] + code]
                known = ahead[first_row[w] + place * states[w] + state]
                sum_of_guides = sum_of_guides + known if adds[w] else known
                if w + 1 == widths.shape[0] or not adds[w + 1]:
                    bound = max(bound, sum_of_guides)
            value = total + bound
            if value >= incumbent:
                dropped = min(dropped, value)
                continue
            key = np.uint64(place + 1)
            for b in range(m):
                key = (key ^ np.uint64(counts[b])) * np.uint64(0x9E3779B97F4A7C15)
                key ^= key >> np.uint64(29)
            slot = np.int64(key & np.uint64(capacity - 1))
            while slots[slot] >= 0 and not _same(new_above, new_row, slots[slot], counts, place):
                slot = (slot + 1) & (capacity - 1)
            at = slots[slot]
            if at < 0:
                at = size
                slots[slot] = size
                size += 1
            elif new_cost[at] <= total:
                continue
            new_above[at] = counts
            new_row[at] = place
            new_server[at] = s
            new_imbalance[at] = z
            new_cost[at] = total
            new_value[at] = value
            new_parent[at] = label
    return (
        new_above[:size].copy(), new_row[:size].copy(), new_server[:size].copy(), new_imbalance[:size].copy(),
        new_cost[:size].copy(), new_value[:size].copy(), new_parent[:size].copy(), dropped,
    )  # fmt: skip


@compiled
def count_one(counts, s, group):
    """Count one more on *s*; returns what it changes in the imbalance (Eq. 12)."""
    if group[s] < 0:
        return 0
    change = 0
    alone = counts[s] == 0
    for b in range(group.size):
        if group[b] == group[s] and b != s:
            change += 1 if counts[b] <= counts[s] else -1
            alone = alone and counts[b] > 0
    counts[s] += 1
    if alone:
        for b in range(group.size):
            if group[b] == group[s]:
                counts[b] -= 1
    return change


@compiled
def _same(above, row, at, counts, place):
    if row[at] != place:
        return False
    for b in range(counts.size):  # noqa: SIM110 - numba has no all()
        if above[at, b] != counts[b]:
            return False
    return True
