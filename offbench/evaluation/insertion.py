"""Subtasks put on slots one after another, each into the first gap that is long enough: nothing that is there moves.

*p* is the problem, *made* the schedule in the making. Times count from 0, not from a task's arrival.
"""

from typing import NamedTuple

import numpy as np

from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import inlined
from offbench.evaluation.held_weights import Cells, HeldWeights, carry, cells_of
from offbench.model.arrays import LINK, Floats, Ints
from offbench.model.placement import Placement
from offbench.model.problem import Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

# Gaps that stand together; where many of these are too short, all are passed over at once.
_TOGETHER = 32


class Gaps(NamedTuple):
    """When slots are free: their gaps in blocks, which are chained."""

    first: Ints
    """the first block of each slot; -1 where it is free for all time"""
    recent: Ints
    """the block of each slot that was looked at last; -1 before any"""
    following: Ints
    """the block behind each; -1 behind the last"""
    filled: Ints
    """how many gaps each block has"""
    longest_s: Floats
    """the longest of them, or a little more"""
    start_s: Floats
    """shape ``(blocks, _TOGETHER)``"""
    end_s: Floats
    """likewise"""
    used: Ints
    """one number: how many blocks there are"""
    least_s: Floats
    """the shortest execution at each place; shorter gaps are of no use"""


class Schedule(NamedTuple):
    """A schedule in the making."""

    servers: Ints
    """place of each source: the subtasks, then the tasks' inputs"""
    start_s: Floats
    """of each subtask"""
    end_s: Floats
    """of each source"""
    gaps: Gaps
    cells: Cells
    held: HeldWeights


def empty(problem: Problem) -> Schedule:
    """Return a schedule without subtasks."""
    a, n = problem.arrays, problem.n_subtasks
    slots = int(a.slot_start[-1])
    blocks = min(slots, n) + 2 * n // _TOGETHER + 2
    gaps = Gaps(
        first=np.full(slots, -1),
        recent=np.full(slots, -1),
        following=np.full(blocks, -1),
        filled=np.zeros(blocks, np.int64),
        longest_s=np.empty(blocks),
        start_s=np.empty((blocks, _TOGETHER)),
        end_s=np.empty((blocks, _TOGETHER)),
        used=np.zeros(1, np.int64),
        least_s=np.where(problem.allowed, a.execution_s, np.inf).min(axis=0),
    )
    servers = np.full(n + problem.n_tasks, a.client)
    cells = cells_of(problem)
    held = HeldWeights(np.zeros(int(cells.number[0]), np.int32), np.zeros(problem.n_stations))
    return Schedule(servers, np.zeros(n), np.concatenate((np.zeros(n), a.arrival_s)), gaps, cells, held)


def placement_of(made: Schedule, booked: Ints) -> Placement:
    """Return a schedule as servers and dispatch order: by start, then by end, then as *booked*.

    Booked in that order, no subtask starts later than meant.
    """
    n = len(booked)
    rank = np.empty(n, dtype=np.int64)
    rank[booked] = np.arange(n)
    return Placement(made.servers[:n], np.lexsort((rank, made.end_s[:n], made.start_s)))


@inlined
def arrive_at(p, made, k, s):
    """Return when the inputs of subtask *k* would be at place *s*."""
    ready = -np.inf
    for i in range(p.input_start[k], p.input_start[k + 1]):
        source = p.input_of[i]
        at = made.servers[source]
        sent = p.input_mb[i] * (1 / p.link[p.links_of[k], at, s, LINK.rate_mb_per_s])
        ready = max(ready, made.end_s[source] + (sent + p.link[p.links_of[k], at, s, LINK.latency_s]))
    return ready


@inlined
def find_slot(p, made, k, s, ready_s):
    """Return the slot at place *s* where subtask *k* could start first, and when."""
    station = station_of(p, k, s)
    found, found_s = np.int64(p.slot_start[station]), np.inf
    for slot in range(p.slot_start[station], p.slot_start[station + 1]):
        start_s = first_gap(made.gaps, slot, ready_s, p.execution_s[k, s])
        if start_s < found_s:
            found, found_s = np.int64(slot), start_s
        if start_s == ready_s:
            break
    return found, found_s


@inlined
def put(p, made, k, s, slot, start_s):
    """Let subtask *k* run at place *s*, on a slot and from a second on that `find_slot` returned."""
    end_s = start_s + p.execution_s[k, s]
    made.servers[k], made.start_s[k], made.end_s[k] = s, start_s, end_s
    take(made.gaps, slot, start_s, end_s, made.gaps.least_s[s])
    if p.weighed.size > 0:
        carry(p, made.cells, made.held, k, p.kind.size, s)


@inlined
def first_gap(gaps, slot, ready_s, execution_s):
    """Return the first start from *ready_s* on at which a slot is free for so long."""
    block = _block_before(gaps, slot, ready_s)
    while block >= 0:
        last = gaps.filled[block] - 1
        if last >= 0 and gaps.end_s[block, last] >= ready_s and gaps.longest_s[block] >= execution_s:
            for g in range(last + 1):
                start = max(ready_s, gaps.start_s[block, g])
                if start + execution_s <= gaps.end_s[block, g]:
                    gaps.recent[slot] = block
                    return start
        block = gaps.following[block]
    return ready_s


@inlined
def _block_before(gaps, slot, second):
    """Return a block before which no gap ends later than a second: that of the last look, where it is one."""
    block = gaps.recent[slot]
    if block >= 0 and gaps.filled[block] > 0 and gaps.start_s[block, 0] <= second:
        return block
    return gaps.first[slot]


@inlined
def take(gaps, slot, start_s, end_s, least_s):
    """Let a slot be busy from *start_s* to *end_s*, in one of its gaps; what is left of that is one or two, or none."""
    block = _block_before(gaps, slot, start_s)
    if block < 0:
        block = _add_block(gaps)
        gaps.first[slot] = block
        gaps.start_s[block, 0], gaps.end_s[block, 0], gaps.filled[block] = -np.inf, np.inf, 1
    g = 0
    while True:  # the gap that was found: the first from the start on that is long enough
        while g < gaps.filled[block] and not (gaps.start_s[block, g] <= start_s and end_s <= gaps.end_s[block, g]):
            g += 1
        if g < gaps.filled[block]:
            break
        block, g = gaps.following[block], 0
    before, after = gaps.start_s[block, g], gaps.end_s[block, g]
    left, right = before + least_s <= start_s, end_s + least_s <= after
    count = gaps.filled[block]
    if not (left or right):
        for j in range(g, count - 1):
            gaps.start_s[block, j], gaps.end_s[block, j] = gaps.start_s[block, j + 1], gaps.end_s[block, j + 1]
        gaps.filled[block] = count - 1
    elif not (left and right):
        gaps.start_s[block, g] = before if left else end_s
        gaps.end_s[block, g] = start_s if left else after
    else:
        if count == _TOGETHER:
            half = _TOGETHER // 2
            new = _add_block(gaps)
            gaps.following[new], gaps.following[block] = gaps.following[block], new
            for j in range(half):
                gaps.start_s[new, j], gaps.end_s[new, j] = gaps.start_s[block, half + j], gaps.end_s[block, half + j]
            gaps.filled[new], gaps.filled[block] = half, half
            _measure(gaps, new)
            if g >= half:
                _measure(gaps, block)
                block, g = new, g - half
            count = half
        for j in range(count, g + 1, -1):
            gaps.start_s[block, j], gaps.end_s[block, j] = gaps.start_s[block, j - 1], gaps.end_s[block, j - 1]
        gaps.end_s[block, g] = start_s
        gaps.start_s[block, g + 1], gaps.end_s[block, g + 1] = end_s, after
        gaps.filled[block] = count + 1
    _measure(gaps, block)


@inlined
def _add_block(gaps):
    block = gaps.used[0]
    gaps.used[0] = block + 1
    return block


@inlined
def _measure(gaps, block):
    """Find the longest gap of a block, and add what rounding may take from it."""
    longest = -np.inf
    for g in range(gaps.filled[block]):
        start, end = gaps.start_s[block, g], gaps.end_s[block, g]
        longest = max(longest, end - start + 1e-15 * abs(end))
    gaps.longest_s[block] = longest
