"""What HEFT and PEFT share: subtasks are put on slots one after another, each where it is done first, into gaps."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from offbench import Placement
from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import borrowed, compiled, inlined, keep
from offbench.evaluation.workspace import unpack
from offbench.model.problem import LINK, Floats, Ints, P1, Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

# Subtasks that are put between two looks at the clock.
_AT_ONCE = 500
# Gaps that stand together; where many of these are too short, all are passed over at once.
_TOGETHER = 32


class Weights(NamedTuple):
    """Who holds which weights, where memory is limited."""

    number: Ints
    """of each subtask; -1 without"""
    own: Ints
    """of each subtask, the number of its weights at its own client"""
    at_servers: NDArray[np.bool_]
    """whether they lie at a place, shape ``(weights, places)``"""
    at_clients: NDArray[np.bool_]
    """whether they lie at a client, by their number there"""
    held_mb: Floats
    """how much each station holds"""


class Gaps(NamedTuple):
    """When slots are free: their gaps in blocks, which are chained."""

    first: Ints
    """the first block of each slot; -1 where it is free for all time"""
    following: Ints
    """the block behind each; -1 behind the last"""
    count: Ints
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
    weights: Weights


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
        Servers and dispatch order: by start, then by end, then by *order*. Booked in that order, no subtask starts
        later than meant. And the schedule that is meant.
    """
    made = empty(problem)
    if to_go_s is None:
        to_go_s = np.zeros((1, problem.n_servers))
    for first in range(0, len(order), _AT_ONCE):
        check()
        _put(*problem.packed, problem.allowed, order[first : first + _AT_ONCE], to_go_s, made)
    n = len(order)
    rank = np.empty(n, dtype=np.int64)
    rank[order] = np.arange(n)
    return Placement(made.servers[:n], np.lexsort((rank, made.end_s[:n], made.start_s))), made


def empty(problem: Problem) -> Schedule:
    """Return a schedule without subtasks."""
    a, n = problem.arrays, problem.n_subtasks
    slots = int(a.slot_start[-1])
    blocks = min(slots, n) + 2 * n // _TOGETHER + 2
    gaps = Gaps(
        first=np.full(slots, -1),
        following=np.full(blocks, -1),
        count=np.zeros(blocks, np.int64),
        longest_s=np.empty(blocks),
        start_s=np.empty((blocks, _TOGETHER)),
        end_s=np.empty((blocks, _TOGETHER)),
        used=np.zeros(1, np.int64),
        least_s=np.where(problem.allowed, a.execution_s, np.inf).min(axis=0),
    )
    servers = np.full(n + problem.n_tasks, a.client)
    return Schedule(servers, np.zeros(n), np.concatenate((np.zeros(n), a.arrival_s)), gaps, weights_of(problem))


def weights_of(problem: Problem) -> Weights:
    """Return the weights of a problem, none of which lie anywhere."""
    a, n = problem.arrays, problem.n_subtasks
    number, own = np.full(n, -1), np.full(n, -1)
    k = a.weighed.astype(np.int64)
    number[k] = a.weights_of
    pairs, own_of = np.unique(np.stack([number[k], a.own_station[k].astype(np.int64)]), axis=1, return_inverse=True)
    own[k] = own_of.reshape(-1)
    return Weights(
        number=number,
        own=own,
        at_servers=np.zeros((int(number.max(initial=-1)) + 1, problem.n_servers), np.bool_),
        at_clients=np.zeros(pairs.shape[1], np.bool_),
        held_mb=np.zeros(problem.n_stations),
    )


def warm_up() -> None:
    """Load the compiled code, or compile it if it never ran here; for `Solver.warm_up`."""
    from offbench import load

    problem = P1(load("tiny-chains"))
    schedule(problem, np.arange(problem.n_subtasks))


@compiled
def _put(ints, floats, allowed, order, to_go_s, made):
    """Put subtasks on slots in *order*."""
    p = unpack(ints, floats)
    places = p.kind.size
    own = np.empty(places), np.empty(places), np.empty(places, np.int64)
    start_s, done_s, slots = borrowed(own)
    made, allowed, order, to_go_s = borrowed(made), borrowed(allowed), borrowed(order), borrowed(to_go_s)
    gaps, weights = made.gaps, made.weights
    for x in range(order.size):
        k = order[x]
        best, best_s, best_fits = -1, np.inf, False
        for s in range(places):
            if not allowed[k, s]:
                continue
            ready = _ready(p, made, k, s)
            station = station_of(p, k, s)
            start_s[s], slots[s] = np.inf, p.slot_start[station]
            for slot in range(p.slot_start[station], p.slot_start[station + 1]):
                start = _first_gap(gaps, slot, ready, p.execution_s[k, s])
                if start < start_s[s]:
                    start_s[s], slots[s] = start, slot
                if start == ready:
                    break
            done_s[s] = start_s[s] + p.execution_s[k, s]
            value = done_s[s] + to_go_s[k % to_go_s.shape[0], s]
            fits = there(p, weights, k, s) or weights.held_mb[station] + p.weights_mb[k] <= p.memory_mb[station]
            if best < 0 or (fits and not best_fits) or (fits == best_fits and value < best_s):
                best, best_s, best_fits = s, value, fits
        made.servers[k], made.start_s[k], made.end_s[k] = best, start_s[best], done_s[best]
        _take(gaps, slots[best], start_s[best], done_s[best], gaps.least_s[best])
        hold(p, weights, k, best)
    keep(own)


@inlined
def there(p, weights, k, s):
    """Tell whether the weights of subtask *k* need no more room at a place: they lie there, or it has none."""
    if weights.number[k] < 0:
        return True
    return weights.at_clients[weights.own[k]] if s == p.client else weights.at_servers[weights.number[k], s]


@inlined
def hold(p, weights, k, s):
    """Let the weights of subtask *k* lie at a place."""
    if not there(p, weights, k, s):
        if s == p.client:
            weights.at_clients[weights.own[k]] = True
        else:
            weights.at_servers[weights.number[k], s] = True
        weights.held_mb[station_of(p, k, s)] += p.weights_mb[k]


@inlined
def _ready(p, made, k, s):
    """Return when the inputs of a subtask would be at a place."""
    ready = -np.inf
    for i in range(p.input_start[k], p.input_start[k + 1]):
        source = p.input_of[i]
        at = made.servers[source]
        sent = p.input_mb[i] * (1 / p.link[p.links_of[k], at, s, LINK.rate_mb_per_s])
        ready = max(ready, made.end_s[source] + (sent + p.link[p.links_of[k], at, s, LINK.latency_s]))
    return ready


@inlined
def _first_gap(gaps, slot, ready_s, execution_s):
    """Return the first start from *ready_s* on at which a slot is free for so long."""
    block = gaps.first[slot]
    while block >= 0:
        last = gaps.count[block] - 1
        if last >= 0 and gaps.end_s[block, last] >= ready_s and gaps.longest_s[block] >= execution_s:
            for g in range(last + 1):
                start = max(ready_s, gaps.start_s[block, g])
                if start + execution_s <= gaps.end_s[block, g]:
                    return start
        block = gaps.following[block]
    return ready_s


@inlined
def _take(gaps, slot, start_s, end_s, least_s):
    """Let a slot be busy from *start_s* to *end_s*, in one of its gaps; what is left of that is one or two, or none."""
    block = gaps.first[slot]
    if block < 0:
        block = _add_block(gaps)
        gaps.first[slot] = block
        gaps.start_s[block, 0], gaps.end_s[block, 0], gaps.count[block] = -np.inf, np.inf, 1
    g = 0
    while True:  # the gap that was found: the first from the start on that is long enough
        while g < gaps.count[block] and not (gaps.start_s[block, g] <= start_s and end_s <= gaps.end_s[block, g]):
            g += 1
        if g < gaps.count[block]:
            break
        block, g = gaps.following[block], 0
    before, after = gaps.start_s[block, g], gaps.end_s[block, g]
    left, right = before + least_s <= start_s, end_s + least_s <= after
    count = gaps.count[block]
    if not (left or right):
        for j in range(g, count - 1):
            gaps.start_s[block, j], gaps.end_s[block, j] = gaps.start_s[block, j + 1], gaps.end_s[block, j + 1]
        gaps.count[block] = count - 1
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
            gaps.count[new], gaps.count[block] = half, half
            _measure(gaps, new)
            if g >= half:
                _measure(gaps, block)
                block, g = new, g - half
            count = half
        for j in range(count, g + 1, -1):
            gaps.start_s[block, j], gaps.end_s[block, j] = gaps.start_s[block, j - 1], gaps.end_s[block, j - 1]
        gaps.end_s[block, g] = start_s
        gaps.start_s[block, g + 1], gaps.end_s[block, g + 1] = end_s, after
        gaps.count[block] = count + 1
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
    for g in range(gaps.count[block]):
        start, end = gaps.start_s[block, g], gaps.end_s[block, g]
        longest = max(longest, end - start + 1e-15 * abs(end))
    gaps.longest_s[block] = longest
