"""Placements scored again only where they change.

Where a layer is on every path, what comes after it waits for nothing that came before and sees no more of it
than that layer's server. So a task falls into blocks that each end in such a layer: delay, energy, cost and
coordination are sums over them, and a block is booked by itself, from time 0. The balance alone is
counted over all subtasks. Several tasks wait for one another and are one block. The arithmetic is the
evaluator's but for the order of sums: differences of 1e-16 or so, which can break a tie of ready times another
way. So these values guide a search, and the evaluator confirms what it finds.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from offbench.evaluation.kernel import arrive, book, coordinate
from offbench.model.problem import Ints, Problem

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call, assignment"

inlined = njit(forceinline=True, error_model="numpy")


class Blocks(NamedTuple):
    """The blocks of an instance. Subtasks of a block are consecutive, in index order and in every dispatch order."""

    of: Ints
    """the block of each subtask"""
    start: Ints
    """subtasks of block b are ``start[b]:start[b + 1]``"""
    in_turn: NDArray[np.bool_]
    """of each block: whether each subtask reads the one before it, so that none can wait for a slot"""
    waits_for: Ints
    """how many subtasks of its own block each subtask reads"""


def blocks_of(problem: Problem) -> Blocks:
    """Return the blocks of an instance; several tasks, which wait for one another, are one."""
    a, n = problem.arrays, problem.n_subtasks
    if len(a.arrival_s) > 1:
        inputs = np.searchsorted(a.input_start, np.arange(len(a.input_of)), side="right") - 1
        return Blocks(
            np.zeros(n, np.int64), np.array([0, n]), np.zeros(1, np.bool_),
            np.bincount(inputs[a.input_of < n], minlength=n),
        )  # fmt: skip
    readers = np.diff(a.reader_start.astype(np.int64))
    reads = a.waits_for.astype(np.int64)
    last_reader = np.arange(n)
    np.maximum.at(last_reader, a.input_of[a.input_of < n], np.repeat(np.arange(n), reads))
    # A layer k is on every path if all before it are read, by none behind k, and all behind it read something.
    read_up_to = np.maximum.accumulate(np.where(readers > 0, last_reader, n))
    first_without_inputs = np.flatnonzero(reads == 0)[-1]
    k = np.arange(n)
    cut = (np.concatenate(([0], read_up_to[:-1])) <= k) & (k >= first_without_inputs)
    cut[-1] = True  # the last block ends where the task does
    start = np.concatenate(([0], np.flatnonzero(cut) + 1))
    of = np.repeat(np.arange(len(start) - 1), np.diff(start))
    inputs = np.searchsorted(a.input_start, np.arange(len(a.input_of)), side="right") - 1
    inside = (a.input_of < n) & (a.input_of >= start[of[inputs]])
    follows = np.isin(k, inputs[a.input_of == inputs - 1]) | np.isin(k, start)
    in_turn = np.logical_and.reduceat(follows, start[:-1])
    return Blocks(of, start, in_turn, np.bincount(inputs[inside], minlength=n))


@inlined
def block_value(
    b, task_start, arrival, block_start, in_turn, waits_in_block, ordered, order, root, benefits, input_start, input_of,
    reader_start, reader_of, slot_start, gcycles, input_mb, input_gb, ghz, usd_per_s, client_power, link, scale,
    weights, lambdas, at, end, execution, ready, sent, start, delay, energy, cost, coordination, waits_for, slot_free,
):  # fmt: skip
    """Return what block *b* adds to Q, the balance aside."""
    n = gcycles.size
    first, stop = block_start[b], block_start[b + 1]
    if first > 0:
        end[first - 1] = 0.0
    else:
        end[n:] = arrival
    for k in range(first, stop):
        execution[k] = gcycles[k] / ghz[at[k]]
    if in_turn[b]:
        for k in range(first, stop):
            time = arrive(k, input_start, input_of, input_mb, input_gb, link, at, end, ready, sent, energy, cost)
            start[k] = time
            end[k] = time + execution[k]
    elif ordered:
        slot_free[:] = -np.inf
        for position in range(first, stop):
            k = order[position]
            time = arrive(k, input_start, input_of, input_mb, input_gb, link, at, end, ready, sent, energy, cost)
            book(k, time, False, slot_start, at, execution, start, end, slot_free)
    else:
        slot_free[:] = -np.inf
        for k in range(first, stop):
            waits_for[k] = waits_in_block[k]
            if waits_for[k] == 0:
                arrive(k, input_start, input_of, input_mb, input_gb, link, at, end, ready, sent, energy, cost)
        for _ in range(first, stop):
            k, earliest = first, np.inf
            for j in range(first, stop):
                if waits_for[j] == 0 and ready[j] < earliest:
                    earliest, k = ready[j], j
            waits_for[k] = -1
            book(k, earliest, True, slot_start, at, execution, start, end, slot_free)
            for i in range(reader_start[k], reader_start[k + 1]):
                j = np.int64(reader_of[i])
                if j < stop:
                    waits_for[j] -= 1
                    if waits_for[j] == 0:
                        arrive(j, input_start, input_of, input_mb, input_gb, link, at, end, ready, sent, energy, cost)
    delay_sum = energy_sum = cost_sum = coordination_sum = 0.0
    for i in range(arrival.size):
        latest = 0.0
        for k in range(max(first, task_start[i]), min(stop, task_start[i + 1])):
            latest = max(latest, end[k])
        delay_sum += latest - (arrival[i] if first == 0 else 0.0)
    for k in range(first, stop):
        delay[k] = execution[k] + (ready[k] - sent[k]) + (start[k] - ready[k])
        energy[k] += client_power[at[k]] * execution[k]
        cost[k] += usd_per_s[at[k]] * execution[k]
        energy_sum += energy[k]
        cost_sum += cost[k]
    part = slice(first, stop)
    coordinate(stop - first, delay[part], energy[part], cost[part], coordination[part], scale, lambdas, root, benefits)
    for k in range(first, stop):
        coordination_sum += coordination[k]
    score = weights[0] * delay_sum / scale[0] + weights[1] * energy_sum / scale[1] + weights[2] * cost_sum / scale[2]
    return weights[3] * score - weights[4] * coordination_sum


@inlined
def changed_value(
    low, high, held, held_order, parts, keep, task_start, arrival, block_of, block_start, in_turn, waits_in_block,
    ordered, order, root, benefits, input_start, input_of, reader_start, reader_of, slot_start, gcycles, input_mb,
    input_gb, ghz, usd_per_s, client_power, link, scale, weights, lambdas, at, end, execution, ready, sent, start,
    delay, energy, cost, coordination, waits_for, slot_free,
):  # fmt: skip
    """Return what all blocks add to Q after a change of some of the subtasks *low* to *high*.

    Parameters
    ----------
    low, high
        The first and last index, or place in the order, that may have changed.
    held, held_order
        Servers and order before.
    parts
        What each block added then; the new values are kept there if *keep* says so.
    """
    last = block_of[high]
    if high + 1 == block_start[last + 1] and last + 2 < block_start.size:
        last += 1  # it reads the last layer of the block before
    total = 0.0
    for b in range(parts.size):
        total += parts[b]
    for b in range(block_of[low], last + 1):
        for k in range(max(0, block_start[b] - 1), block_start[b + 1]):
            if at[k] != held[k] or (ordered and order[k] != held_order[k]):
                value = block_value(
                    b, task_start, arrival, block_start, in_turn, waits_in_block, ordered, order, root, benefits,
                    input_start, input_of, reader_start, reader_of, slot_start, gcycles, input_mb, input_gb, ghz,
                    usd_per_s, client_power, link, scale, weights, lambdas, at, end, execution, ready, sent, start,
                    delay, energy, cost, coordination, waits_for, slot_free,
                )  # fmt: skip
                total += value - parts[b]
                if keep:
                    parts[b] = value
                break
    return total
