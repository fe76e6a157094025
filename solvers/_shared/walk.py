"""The compiled walk of a heat bath through placements, scored segment by segment.

Where there are constraints the walk goes by Q and what breaking them costs, at prices for memory, deadlines and limits
that rise while they are broken often and fall while they are kept. So it crosses what isn't feasible on ways between
feasible placements and doesn't stay there (Glover and Hao, 2011, strategic oscillation; Vidal et al., 2012, penalties
that adapt). The best that it met goes by MODEL.md section 4.
"""

from typing import Any, NamedTuple

import numpy as np

from offbench.evaluation.compiled import borrowed, compiled, copy_to, inlined, keep
from offbench.evaluation.delta import Held, changed_sums
from offbench.evaluation.held_weights import carry, excess_of, hold_nothing
from offbench.evaluation.kernel import balance_of
from offbench.evaluation.workspace import room, unpack
from offbench.model.arrays import SCALE, WEIGHT
from offbench.model.problem import FEASIBLE

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

# How far away, in index order or in the dispatch order, a partner is looked for.
NEAR = 12
# Kinds of a move, drawn alike but for the last, of which the caller says how often; orders as often as two.
_NONE, _MOVE, _RUN, _SWAP, _ORDER, _DEAL = -1, 0, 1, 2, 3, 5
# What the numbers decide that a step is drawn by.
_BY_SUBTASK, _BY_KIND, _BY_LENGTH = 0, 1, 2
# A stretch dealt out again is so many times as long as a run at most.
_LONGER = 2
# Kinds of constraints.
_MEMORY, _DEADLINE, _LIMIT = 0, 1, 2
# After so many steps prices change, by that factor; they rise where more than that share of the steps broke something.
_ROUND, _FACTOR, _BROKEN = 20, 1.05, 0.05


class Choices(NamedTuple):
    """What can be chosen; fixed for a problem."""

    allowed: Any
    """which servers each subtask may run on, shape ``(subtasks, servers)``"""
    servers: Any
    """the servers that each subtask may run on first, the others behind them; same shape"""
    number: Any
    """how many servers each subtask may run on"""
    free: Any
    """the subtasks that are moved"""


class Prices(NamedTuple):
    """What breaking constraints costs; changes in place."""

    per_violation: Any
    """how much Q the violation of memory, deadlines and limits is worth, one number each"""
    broken: Any
    """of the steps of this round, how many broke each"""
    steps: Any
    """how many steps this round has had, one number"""


class Moves(NamedTuple):
    """What moves are made."""

    longest_run: Any
    """subtasks moved together at most"""
    deal: Any
    """how often a stretch is dealt out, for each time that a subtask is moved"""
    temperature: Any
    chance: Any
    """numbers from 0 to 1 that decide a step's move, shape ``(steps, 3)``"""
    gumbel: Any
    """noise of the draws"""


class Walker(NamedTuple):
    """Where the walk is; its fields change in place."""

    servers: Any
    """of each subtask"""
    order: Any
    """the dispatch order, if the walk is ordered"""
    best: Any
    """servers of the best placement met"""
    best_order: Any
    """and its dispatch order"""
    value: Any
    """Q here, one number"""
    violation: Any
    """of memory, deadlines and limits here"""


class _Score(NamedTuple):
    """What a placement amounts to."""

    total: Any
    """what the walk goes by: Q, and what breaking constraints costs"""
    objective: Any
    """Q"""
    balance: Any
    """what the balance has in it"""
    memory: Any
    deadlines: Any
    limits: Any


@compiled
def walk(ints, floats, segments, cells, choices, moves, prices, walker, ordered, left):
    """Make steps, one for each row of ``moves.chance``; returns how many placements were scored.

    Parameters
    ----------
    ints, floats
        The problem, packed.
    segments
        Its segments (`delta.segments_of`).
    cells
        Where its weights are counted (`held_weights.cells_of`).
    choices, moves
        What can be chosen, and how.
    prices
        What breaking constraints costs.
    walker
        Where the walk begins, and then where it ended and the best that it met.
    ordered
        Whether dispatch orders move too.
    left
        No step is begun that could score more than that many placements.
    """
    p = borrowed(unpack(ints, floats))
    n, m = choices.allowed.shape
    hands, new = np.arange(m), np.empty(m, np.int64)  # servers as they are dealt out, and in whose place
    sums = np.zeros((segments.start.size - 1, 4))
    held = Held(walker.servers, walker.order.copy(), np.zeros(segments.start.size - 1), sums)
    own = room(p), held, hold_nothing(p, cells), hands, new
    w, held, weights, hands, new = borrowed(own)
    segments, choices, moves, walker = borrowed(segments), borrowed(choices), borrowed(moves), borrowed(walker)
    cells, prices = borrowed(cells), borrowed(prices)
    order, no_parts = walker.order, np.empty((0, 0))
    copy_to(w.at[:n], held.servers)
    held.servers[:] = m  # no server, so that the first step, which changes nothing, scores every segment
    here = _Score(np.inf, np.inf, np.inf, 0.0, 0.0, 0.0)
    best_value = best_violation = np.inf
    most = max(m + 1, 2 * NEAR + 1)
    pinned = choices.number.max() == 1
    scored = used = 0
    for step in range(len(moves.chance) + 1):
        if step > 0 and scored + most > left:
            break
        move = _no_move(n)
        if step > 0:
            move = _move(p, segments, choices, moves, moves.chance[step - 1], order, ordered, pinned)
        if move.kind == _DEAL:
            _shuffle(hands, moves.gumbel, used)
        chosen, drawn, chosen_score = 0, -np.inf, here
        for trial in range(move.options + 1):
            made = trial == move.options  # all are tried, now the drawn one is made
            option = chosen if made else trial
            if not _apply(p, w, choices, move, option, hands, new, order):
                continue
            value_balance = here.balance
            if move.kind != _ORDER and not (made and step > 0):
                per_imbalance = p.weights[WEIGHT.balance] / p.scale[SCALE.balance]
                value_balance = per_imbalance * balance_of(p, w, n, no_parts)[0]
            changed = changed_sums(p, w, segments, held, move.low, move.high, order, ordered, made)
            objective = total = value_balance + changed.value
            memory, deadlines, limits = here.memory, 0.0, 0.0
            if p.constrained:
                if p.weighed.size > 0 and move.kind != _ORDER:
                    for j in range(move.low, move.high + 1):
                        memory += carry(p, cells, weights, j, held.servers[j], w.at[j])
                    if made:  # without what rounding has added up
                        memory = 0.0
                        for station in range(p.memory_mb.size):
                            memory += excess_of(p, weights, station)
                deadlines = changed.late
                limits += max(0.0, changed.delay_s / p.limit[0] - 1)
                limits += max(0.0, changed.energy_j / p.limit[1] - 1)
                limits += max(0.0, changed.cost_usd / p.limit[2] - 1)
                total += prices.per_violation[_MEMORY] * memory
                total += prices.per_violation[_DEADLINE] * deadlines
                total += prices.per_violation[_LIMIT] * limits
                violation = memory + deadlines + limits
                if violation <= FEASIBLE:
                    violation = 0.0
                nearer = violation < best_violation
                if nearer or (violation == best_violation == 0 and objective < best_value - 1e-12 * abs(objective)):
                    best_value, best_violation = objective, violation
                    copy_to(walker.best, w.at[:n])
                    copy_to(walker.best_order, order)
            score = _Score(total, objective, value_balance, memory, deadlines, limits)
            if made:
                if step == 0:
                    chosen_score = score
                continue
            scored += 1
            if p.weighed.size > 0 and move.kind != _ORDER:
                for j in range(move.low, move.high + 1):
                    carry(p, cells, weights, j, w.at[j], held.servers[j])
            for j in range(move.low, move.high + 1):
                w.at[j] = held.servers[j]
                if move.kind == _ORDER:
                    order[j] = held.order[j]
            used += 1
            draw = moves.gumbel[used % moves.gumbel.size] - total / moves.temperature
            if draw > drawn:
                chosen, drawn, chosen_score = option, draw, score
        for j in range(move.low, move.high + 1):
            held.servers[j] = w.at[j]
            if ordered:
                held.order[j] = order[j]
        here = chosen_score
        if p.constrained:
            _bargain(prices, here)
        elif here.objective < best_value - 1e-12 * abs(here.objective):
            best_value = here.objective
            copy_to(walker.best, held.servers)
            copy_to(walker.best_order, held.order)
    walker.value[0] = here.objective
    walker.violation[0] = here.memory
    walker.violation[1] = here.deadlines
    walker.violation[2] = here.limits
    keep(own)
    return scored


@inlined
def _bargain(prices, here):
    """Count a step, and at the end of a round change the prices."""
    prices.steps[0] += 1
    prices.broken[_MEMORY] += here.memory > FEASIBLE
    prices.broken[_DEADLINE] += here.deadlines > FEASIBLE
    prices.broken[_LIMIT] += here.limits > FEASIBLE
    if prices.steps[0] < _ROUND:
        return
    for kind in range(3):
        if prices.broken[kind] > _BROKEN * _ROUND:
            prices.per_violation[kind] *= _FACTOR
        else:
            prices.per_violation[kind] /= _FACTOR
        prices.broken[kind] = 0
    prices.steps[0] = 0


class _Move(NamedTuple):
    """A step's move, which has several *options*."""

    kind: Any
    k: Any
    """the subtask it is about"""
    place: Any
    """where that stands in the order, if the order changes"""
    low: Any
    """first and last of what may change: subtasks, or places in the order"""
    high: Any
    options: Any


@inlined
def _no_move(n):
    return _Move(np.int64(_NONE), np.int64(0), np.int64(0), np.int64(0), np.int64(n - 1), np.int64(0))


@inlined
def _move(p, segments, choices, moves, chance, order, ordered, pinned):
    """Return a step's move by three numbers from 0 to 1."""
    n, m = choices.allowed.shape
    kind = _kind(chance[_BY_KIND], ordered, moves.deal)
    if pinned and ordered:
        kind = _ORDER
    k = int(n * chance[_BY_SUBTASK]) if kind == _ORDER else choices.free[int(choices.free.size * chance[_BY_SUBTASK])]
    place, low, high = 0, k, k
    if kind == _MOVE:
        options = choices.number[k]
    elif kind == _SWAP:
        low, high = max(0, k - NEAR), min(n - 1, k + NEAR)
        options = high - low + 1
    elif kind == _ORDER:
        place, low, high = _places(p, segments, k, order)
        options = high - low + 1
    else:
        longest = moves.longest_run if kind == _RUN else _LONGER * moves.longest_run
        high = min(n - 1, k + 1 + int((longest - 1) * chance[_BY_LENGTH]))
        options = m + 1
    return _Move(np.int64(kind), np.int64(k), np.int64(place), np.int64(low), np.int64(high), np.int64(options))


@inlined
def _kind(chance, ordered, deal):
    """Return a move's kind by a number from 0 to 1."""
    others = _DEAL if ordered else _ORDER
    drawn = (others + deal) * chance
    if drawn >= others:
        return _DEAL
    return min(int(drawn), _ORDER)


@inlined
def _apply(p, w, choices, move, option, hands, new, order):
    """Make one of a move's changes; returns whether it is one."""
    k, low, high, servers = move.k, move.low, move.high, choices.allowed.shape[1]
    if move.kind == _MOVE:
        w.at[k] = choices.servers[k, option]
    elif move.kind == _RUN:
        if option < servers:
            for j in range(low, high + 1):
                if choices.allowed[j, option]:
                    w.at[j] = option
    elif move.kind == _SWAP:
        j = low + option
        if not (choices.allowed[k, w.at[j]] and choices.allowed[j, w.at[k]]):
            return False
        w.at[k], w.at[j] = w.at[j], w.at[k]
    elif move.kind == _DEAL:
        if option < servers:
            return _deal(p, w, choices, low, high, option, hands, new)
    elif move.kind == _ORDER:
        to = low + option
        step = 1 if to > move.place else -1
        for position in range(move.place, to, step):
            order[position] = order[position + step]
        order[to] = k
    return True


@inlined
def _deal(p, w, choices, low, high, first, hands, new):
    """Put other servers in the place of a stretch's edges and clouds, the first of them by that at hand *first*.

    All of them are of its kind. So a stretch that uses each edge once goes to the clouds, each used once, in one move:
    no part of it alone would, for what it would pay for balance and transfers.
    """
    m = hands.size
    if p.kind[hands[first]] == 0:
        return False
    new[:] = -1
    hand, changed = first, False
    for j in range(low, high + 1):
        old = np.int64(w.at[j])
        if p.kind[old] == 0:
            continue
        if new[old] < 0:
            new[old] = hands[hand]
            hand = (hand + 1) % m
            while p.kind[hands[hand]] != p.kind[hands[first]]:
                hand = (hand + 1) % m
        if choices.allowed[j, new[old]]:
            w.at[j] = new[old]
            changed = True
    return changed


@inlined
def _shuffle(hands, gumbel, used):
    """Order them anew by numbers that are drawn already."""
    for i in range(hands.size - 1, 0, -1):
        draw = gumbel[(used + i) % gumbel.size]
        j = int((draw - np.floor(draw)) * (i + 1))
        hands[i], hands[j] = hands[j], hands[i]


@inlined
def _places(p, segments, k, order):
    """Return the place of *k* in the order, and the first and last near it that it can have in its segment."""
    b = segments.of[k]
    place = segments.start[b]
    while order[place] != k:
        place += 1
    low, high = place, place
    first, last = max(segments.start[b], place - NEAR), min(segments.start[b + 1] - 1, place + NEAR)
    while low > first and not _among(order[low - 1], k, p.input_start, p.input_of):
        low -= 1
    while high < last and not _among(order[high + 1], k, p.reader_start, p.reader_of):
        high += 1
    return place, low, high


@inlined
def _among(j, k, start, of):
    found = False
    for i in range(start[k], start[k + 1]):
        found = found or of[i] == j
    return found
