"""The compiled walk of a heat bath through placements, scored block by block."""

import numpy as np
from numba import njit

from offbench.evaluation.delta import changed_value
from offbench.evaluation.kernel import balance_of, unpack

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

compiled = njit(cache=True, error_model="numpy")
inlined = njit(forceinline=True, error_model="numpy")

# How far away, in index order or in the dispatch order, a partner is looked for.
NEAR = 12
# Kinds of a move, drawn alike but for the last, of which the caller says how often; orders as often as two.
_NONE, _MOVE, _RUN, _SWAP, _ORDER, _DEAL = -1, 0, 1, 2, 3, 5
# A stretch dealt out again is so many times as long as a run at most.
_LONGER = 2


@compiled
def walk(
    ints, floats, allowed, block_of, block_start, in_turn, waits_in_block, free, choices, n_choices, servers, order,
    ordered, chance, gumbel, temperature, left, longest_run, deal, best, best_order, value,
):  # fmt: skip
    """Make steps from *servers* and *order*, changed in place; returns how many placements were scored.

    A stretch is dealt out *deal* times as often as a subtask is moved.

    *best* and *best_order* become the best met, *value* the last one's Q. No step is begun that could
    score more than *left*.
    """
    (
        client, root, benefits, task_start, _, input_start, input_of, reader_start, reader_of,
        slot_start, kind_of, peers, gcycles, arrival, input_mb, input_gb, ghz, usd_per_s, client_power, link, scale,
        weights, lambdas,
    ) = unpack(ints, floats)  # fmt: skip
    n, m = allowed.shape
    at = np.empty(n + arrival.size, np.uint32)
    at[n:] = client
    at[:n] = servers
    end = np.empty(n + arrival.size)
    execution, ready, sent, start, delay = np.empty(n), np.empty(n), np.empty(n), np.empty(n), np.empty(n)
    energy, cost, coordination = np.empty(n), np.empty(n), np.empty(n)
    waits_for = np.empty(n, np.int64)
    slot_free = np.empty(slot_start[-1])
    count, more_than, no_parts = np.empty(m, np.uint32), np.empty((3, n), np.uint32), np.empty((0, 0))
    held, held_order = servers, order.copy()
    held[:] = m  # no server, so that the first step, which changes nothing, scores every block
    parts = np.zeros(block_start.size - 1)
    here = balance = best_value = np.inf
    most = max(m + 1, 2 * NEAR + 1)
    hands = np.arange(m)  # servers as they are dealt out
    new = np.empty(m, np.int64)
    pinned = n_choices.max() == 1
    scored = used = 0
    for step in range(len(chance) + 1):
        if step > 0 and scored + most > left:
            break
        k, kind, options = 0, _NONE, 0
        place, low, high = 0, 0, n - 1  # what may change: subtasks, or places in the order
        if step > 0:
            kind = _kind(chance[step - 1, 1], ordered, deal)
            if pinned and ordered:
                kind = _ORDER
            k = int(n * chance[step - 1, 0]) if kind == _ORDER else free[int(free.size * chance[step - 1, 0])]
            low = high = k
            if kind == _MOVE:
                options = n_choices[k]
            elif kind == _RUN:
                high = min(n - 1, k + 1 + int((longest_run - 1) * chance[step - 1, 2]))
                options = m + 1
            elif kind == _SWAP:
                low, high = max(0, k - NEAR), min(n - 1, k + NEAR)
                options = high - low + 1
            elif kind == _DEAL:
                high = min(n - 1, k + 1 + int((_LONGER * longest_run - 1) * chance[step - 1, 2]))
                options = m + 1
                _shuffle(hands, gumbel, used)
            else:
                place, low, high = _places(
                    k, order, block_of, block_start, input_start, input_of, reader_start, reader_of
                )
                options = high - low + 1
        chosen, drawn, chosen_value, chosen_balance = 0, -np.inf, here, balance
        for trial in range(options + 1):
            keep = trial == options  # all are tried, now the drawn one is made
            option = chosen if keep else trial
            if not _apply(kind, k, place, low, high, option, choices, allowed, kind_of, hands, new, at, order):
                continue
            value_balance = balance
            if kind != _ORDER and not (keep and step > 0):
                value_balance = weights[5] / scale[3] * balance_of(n, at, kind_of, peers, count, more_than, no_parts)[0]
            total = value_balance + changed_value(
                low, high, held, held_order, parts, keep, task_start, arrival, block_of, block_start, in_turn,
                waits_in_block, ordered, order, root, benefits, input_start, input_of, reader_start, reader_of,
                slot_start, gcycles, input_mb, input_gb, ghz, usd_per_s, client_power, link, scale, weights, lambdas,
                at, end, execution, ready, sent, start, delay, energy, cost, coordination, waits_for, slot_free,
            )  # fmt: skip
            if keep:
                if step == 0:
                    chosen_value, chosen_balance = total, value_balance
                continue
            scored += 1
            for j in range(low, high + 1):
                at[j] = held[j]
                if kind == _ORDER:
                    order[j] = held_order[j]
            used += 1
            draw = gumbel[used % gumbel.size] - total / temperature
            if draw > drawn:
                chosen, drawn, chosen_value, chosen_balance = option, draw, total, value_balance
        for j in range(low, high + 1):
            held[j] = at[j]
            if ordered:
                held_order[j] = order[j]
        here, balance = chosen_value, chosen_balance
        if here < best_value - 1e-12 * abs(here):
            best_value = here
            best[:] = held
            best_order[:] = held_order
    value[0] = here
    return scored


@inlined
def _kind(chance, ordered, deal):
    """Return a move's kind by a number from 0 to 1."""
    others = _DEAL if ordered else _ORDER
    drawn = (others + deal) * chance
    if drawn >= others:
        return _DEAL
    return min(int(drawn), _ORDER)


@inlined
def _apply(kind, k, place, low, high, option, choices, allowed, kind_of, hands, new, at, order):
    """Make one of the changes; returns whether it is one."""
    if kind == _MOVE:
        at[k] = choices[k, option]
    elif kind == _RUN:
        if option < allowed.shape[1]:
            for j in range(low, high + 1):
                if allowed[j, option]:
                    at[j] = option
    elif kind == _SWAP:
        j = low + option
        if not (allowed[k, at[j]] and allowed[j, at[k]]):
            return False
        at[k], at[j] = at[j], at[k]
    elif kind == _DEAL:
        if option < allowed.shape[1]:
            return _deal(low, high, option, allowed, kind_of, hands, new, at)
    elif kind == _ORDER:
        to = low + option
        step = 1 if to > place else -1
        for p in range(place, to, step):
            order[p] = order[p + step]
        order[to] = k
    return True


@inlined
def _deal(low, high, first, allowed, kind_of, hands, new, at):
    """Put other servers in the place of a stretch's edges and clouds, the first of them by that at hand *first*.

    All of them are of its kind. So a stretch that uses each edge once goes to the clouds, each used once, in one move:
    no part of it alone would, for what it would pay for balance and transfers.
    """
    m = hands.size
    if kind_of[hands[first]] == 0:
        return False
    new[:] = -1
    hand, changed = first, False
    for j in range(low, high + 1):
        old = np.int64(at[j])
        if kind_of[old] == 0:
            continue
        if new[old] < 0:
            new[old] = hands[hand]
            hand = (hand + 1) % m
            while kind_of[hands[hand]] != kind_of[hands[first]]:
                hand = (hand + 1) % m
        if allowed[j, new[old]]:
            at[j] = new[old]
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
def _places(k, order, block_of, block_start, input_start, input_of, reader_start, reader_of):
    """Return the place of *k* in the order, and the first and last near it that it can have in its block."""
    b = block_of[k]
    place = block_start[b]
    while order[place] != k:
        place += 1
    low, high = place, place
    while low > max(block_start[b], place - NEAR) and not _among(order[low - 1], k, input_start, input_of):
        low -= 1
    while high < min(block_start[b + 1] - 1, place + NEAR) and not _among(order[high + 1], k, reader_start, reader_of):
        high += 1
    return place, low, high


@inlined
def _among(j, k, start, of):
    found = False
    for i in range(start[k], start[k + 1]):
        found = found or of[i] == j
    return found
