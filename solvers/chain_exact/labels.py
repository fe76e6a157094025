"""Label setting with resources (as `offbench.bounds.label_setting`, which knows of none).

Of two labels after the same subtasks, with the same counts and the same places of those that matter, the one stays that
is cheaper and has used no more of any resource; otherwise both do. Where no rest of the way can break a limit any
more, not even by as much as a feasible placement may, what is used counts as the most with which that is so: then it
tells no labels apart.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offbench.bounds import Window
from offbench.bounds.label_setting import count_one
from offbench.bounds.state_space import balanced_groups
from offbench.evaluation.compiled import compiled
from offbench.model.arrays import Floats, Ints

from .resources import Layout

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

# What can't break a limit is left so far below that, as a share of the numbers.
_BELOW = 1e-12


class PricedGuide(NamedTuple):
    """A bound on what is to come."""

    window: Window
    tables: list[Floats]
    """least cost from each subtask on at these prices, by row and state"""
    prices: Floats
    """of each resource"""


class Labels(NamedTuple):
    """The labels after some subtasks."""

    above: NDArray[np.uint32]
    """counts above the smallest of their group, shape (labels, servers)"""
    row: NDArray[np.int32]
    server: NDArray[np.int32]
    imbalance: Ints
    cost: Floats
    value: Floats
    """cost plus the bound on what is to come"""
    parent: NDArray[np.int32]
    used: Floats
    """of each resource, shape (labels, resources)"""


class Found(NamedTuple):
    """What one pass over the subtasks found."""

    cheapest_first: Iterator[tuple[float, Ints]]
    """cost and servers of the labels at the end"""
    dropped: float
    """no feasible placement that none of them stands for is cheaper"""


def sweep_within(
    layout: Layout,
    guides: Sequence[PricedGuide],
    check: Callable[[], None],
    incumbent: float,
    room: int,
    margin: float = 0.0,
) -> Found:
    """Set labels from the first subtask to the last.

    Parameters
    ----------
    layout
        Program and resources.
    guides
        The bounds.
    check
        Called between subtasks; may raise to end it.
    incumbent
        Labels from this value on are dropped.
    room
        Labels to keep for each subtask; those of least value stay.
    margin
        Only what has used less by this share of what is admitted, or can't break a limit, displaces another label.
    """
    program = layout.program
    arrays = program.problem.arrays
    m, resources = len(arrays.kind), len(layout.most)
    group = np.full(m, -1)
    if program.unit > 0:
        for g, members in enumerate(balanced_groups(arrays)):
            group[list(members)] = g
    # End to end, for compiled code is made anew for every number of arrays.
    widths = np.array([guide.window.width for guide in guides])
    radixes = np.array([guide.window.radix for guide in guides])
    state_of = np.concatenate([guide.window.state_of for guide in guides])
    first_code = np.cumsum([0, *(len(guide.window.state_of) for guide in guides)])
    states = np.array([guide.window.n_states for guide in guides])
    prices = np.array([guide.prices for guide in guides])
    labels = Labels(
        np.zeros((1, m), np.uint32), np.zeros(1, np.int32), np.zeros(1, np.int32), np.zeros(1, np.int64),
        np.zeros(1), np.zeros(1), np.zeros(1, np.int32), np.zeros((1, resources)),
    )  # fmt: skip
    trail: list[tuple[NDArray[np.int32], NDArray[np.int32]]] = []
    dropped = incumbent
    for k, stage in enumerate(program.stages):
        check()
        tables = [guide.tables[k + 1].ravel() for guide in guides]
        ahead = np.concatenate(tables)
        first_row = np.cumsum([0, *(table.size for table in tables)])
        expanded = _expand(
            labels.above, labels.row, labels.imbalance, labels.cost, labels.used, stage.cost, stage.into,
            layout.needed[k], *layout.ahead[k + 1], layout.most, layout.surely, margin * layout.most,
            program.unit, group, widths, radixes, state_of, first_code, states, ahead, first_row, prices, incumbent,
        )  # fmt: skip
        labels = Labels(*expanded[:-1])
        dropped = min(dropped, expanded[-1])
        if len(labels.cost) > room:
            threshold = np.partition(labels.value, room)[room]
            kept = np.flatnonzero(labels.value < threshold)
            if not len(kept):
                kept = np.arange(room)
            dropped = min(dropped, float(threshold))
            labels = Labels(*(field[kept] for field in labels))  # type: ignore[arg-type]
        trail.append((labels.parent, labels.server))
    return Found(_cheapest_first(labels.cost, trail), dropped)


def _cheapest_first(
    cost: Floats, trail: Sequence[tuple[NDArray[np.int32], NDArray[np.int32]]]
) -> Iterator[tuple[float, Ints]]:
    for label in np.argsort(cost, kind="stable").tolist():
        servers, at = np.empty(len(trail), np.int64), label
        for k in range(len(trail) - 1, -1, -1):
            parent, server = trail[k]
            servers[k], at = server[at], int(parent[at])
        yield float(cost[label]), servers


@compiled
def _expand(
    above, row, imbalance, cost, used, step, into, needed, least_ahead, most_ahead, most, surely, margin, unit, group,
    widths, radixes, state_of, first_code, states, ahead, first_row, prices, incumbent,
):  # fmt: skip
    """Place one more subtask behind each label; what another is no worse than in anything goes."""
    n, m = above.shape
    resources = most.size
    capacity = 16
    while capacity < 2 * n * m:
        capacity *= 2
    slots = np.full(capacity, -1, np.int64)
    room = n * m
    new_above = np.empty((room, m), above.dtype)
    new_row = np.empty(room, np.int32)
    new_server = np.empty(room, np.int32)
    new_imbalance = np.empty(room, np.int64)
    new_cost = np.empty(room)
    new_value = np.empty(room)
    new_parent = np.empty(room, np.int32)
    new_used = np.empty((room, resources))
    following = np.empty(room, np.int64)
    """the next label of the same counts and places"""
    stays = np.empty(room, np.bool_)
    size = 0
    dropped = np.inf
    counts = np.empty(m, above.dtype)
    uses, harmless = np.empty(resources), np.empty(resources)
    for label in range(n):
        for s in range(m):
            added = step[row[label], s]
            if added == np.inf:
                continue
            place = into[row[label], s]
            fits = True
            for r in range(resources):
                uses[r] = used[label, r] + needed[row[label], s, r]
                fits = fits and uses[r] + least_ahead[place, r] <= most[r]
                harmless[r] = surely[r] - most_ahead[place, r] - _BELOW * (most[r] + abs(most_ahead[place, r]))
                uses[r] = max(uses[r], harmless[r])
            if not fits:
                continue
            counts[:] = above[label]
            z = imbalance[label] + count_one(counts, s, group)
            total = cost[label] + added + unit * z
            bound = -np.inf
            for w in range(widths.shape[0]):
                code = np.int64(0)
                for b in range(m):
                    code += min(np.int64(counts[b]), widths[w, b]) * radixes[w, b]
                known = ahead[first_row[w] + place * states[w] + state_of[first_code[w] + code]]
                for r in range(resources):
                    known += prices[w, r] * (uses[r] - most[r])
                bound = max(bound, known)
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
            dominated = False
            while at >= 0 and not dominated:
                if stays[at]:
                    no_worse, no_better = new_cost[at] <= total, total <= new_cost[at]
                    for r in range(resources):
                        one, other = new_used[at, r], uses[r]
                        no_worse = no_worse and (one <= harmless[r] or one + margin[r] <= other)
                        no_better = no_better and (other <= harmless[r] or other + margin[r] <= one)
                    dominated = no_worse
                    if no_better and not no_worse:
                        stays[at] = False
                at = following[at]
            if dominated:
                continue
            new_above[size] = counts
            new_row[size] = place
            new_server[size] = s
            new_imbalance[size] = z
            new_cost[size] = total
            new_value[size] = value
            new_parent[size] = label
            new_used[size] = uses
            stays[size] = True
            following[size] = slots[slot]
            slots[slot] = size
            size += 1
    kept = np.flatnonzero(stays[:size])
    return (
        new_above[kept], new_row[kept], new_server[kept], new_imbalance[kept], new_cost[kept], new_value[kept],
        new_parent[kept], new_used[kept], dropped,
    )  # fmt: skip


@compiled
def _same(above, row, at, counts, place):
    if row[at] != place:
        return False
    for b in range(counts.size):  # noqa: SIM110 - numba has no all()
        if above[at, b] != counts[b]:
            return False
    return True
