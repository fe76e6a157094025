"""A linear program's lower bound of a segment: paths and the places' work together, where branches are long.

Each node is at places in shares, each input goes between them in shares, and ends are averages. An end is not before
that of a source, the transfer and the execution. The last one is not before all the work at a place over its slots,
and where it is a gate, its own execution comes behind that, for a gate runs when all else has. Shares that are whole,
with the ends of a placement, keep all of that. So the optimum is a lower bound. `bounds` sees less: it counts the work
at a place only where nodes are put.

Rounding: no number of the solver's counts but its multipliers. With any multipliers, those of inequalities made
non-negative, the least of the Lagrangian over all values between the variables' bounds is a lower bound: a sum over
variables of what their reduced cost is worth at least. Ends have a bound as well, all executions and transfers one
after another. The sum is lowered by what its terms can be off by.
"""

from typing import Any

import numpy as np
from scipy.sparse import coo_array, vstack

from offbench.model.arrays import Floats
from offbench.solvers.graph_exact.bounds import Shape

_EPS = float(np.finfo(float).eps)
# Beyond as many shares it takes too long: nobody looks at the clock meanwhile.
_MOST = 60_000
_TIME_LIMIT_S = 5.0


def least(c: Shape, start: int, gate: bool) -> float:
    """Return a lower bound of a segment, its first node at the place *start*; 0 where it is too large for that.

    Parameters
    ----------
    c
        The segment, its last node where it is to be.
    start
        Where its first node is.
    gate
        Whether the last node is a gate.
    """
    nodes, m = c.execution_s.shape
    if len(c.source) * m * m > _MOST:
        return 0.0
    from scipy.optimize import linprog  # takes long, and most networks need no linear program

    longest_s = _longest_s(c)
    if longest_s <= 0:
        return 0.0
    costs, upper = _variables(c, start, longest_s)
    rows, equal = _inequalities(c, gate, longest_s, len(costs)), _equalities(c, len(costs))
    wanted = np.concatenate((np.ones(nodes), np.zeros(equal.shape[0] - nodes)))
    unit = float(np.abs(costs).max())
    if unit <= 0:
        return 0.0
    found = linprog(
        costs / unit, rows, np.zeros(rows.shape[0]), equal, wanted, [(0.0, most) for most in upper.tolist()],
        options={"time_limit": _TIME_LIMIT_S},
    )  # fmt: skip
    if found.status != 0:  # out of time, or of digits
        return 0.0
    held, must = np.maximum(-found.ineqlin.marginals, 0.0), found.eqlin.marginals
    reduced = costs / unit + rows.T @ held - equal.T @ must
    value = float(must[:nodes].sum()) + float(upper @ np.minimum(reduced, 0.0))
    size = float(np.abs(must[:nodes]).sum())
    size += float(upper @ (np.abs(costs / unit) + abs(rows).T @ held + abs(equal).T @ np.abs(must)))
    terms = nodes + len(costs) + len(held) + len(must)
    return float(max(0.0, unit * (value - 4 * terms * _EPS * size)))


def _longest_s(c: Shape) -> float:
    """Return what no end is beyond: everything one after another, each where it takes longest."""
    allowed = np.isfinite(c.added)
    run_s = float(np.where(allowed, c.execution_s, 0.0).max(axis=1).sum())
    return run_s + float(c.transfer_s.max(axis=(1, 2)).sum())


def _variables(c: Shape, start: int, longest_s: float) -> tuple[Floats, Floats]:
    """Return what each adds, and how large it is at most: ends and the last of them, over the longest; shares.

    Ends of nodes, the end of all, nodes at places, inputs from place to place.
    """
    nodes, m = c.execution_s.shape
    at = np.isfinite(c.added)
    at[0] = np.arange(m) == start
    ends = np.ones(nodes + 1)
    ends[0] = 0.0
    costs = np.concatenate((
        np.zeros(nodes), [c.delay * longest_s], np.where(at, c.added, 0.0).ravel(), c.transferred.ravel()
    ))  # fmt: skip
    between = at[c.source][:, :, None] & at[_readers(c)][:, None, :]
    return costs, np.concatenate((ends, at.ravel().astype(float), between.ravel().astype(float)))


def _readers(c: Shape) -> Any:
    return np.repeat(np.arange(len(c.execution_s)), np.diff(c.input_start))


def _inequalities(c: Shape, gate: bool, longest_s: float, width: int) -> Any:
    """Return rows whose sums are at most 0: an input and its reader, an end and that of all, a place and its work."""
    nodes, m = c.execution_s.shape
    inputs, reader = np.arange(len(c.source)), _readers(c)
    at, over = _numbers(c)
    run, sent = c.execution_s / longest_s, c.transfer_s / longest_s
    timely = _rows(
        (inputs, c.source, 1.0), (inputs, reader, -1.0), (inputs[:, None], at[reader], run[reader]),
        (inputs[:, None, None], over, sent), shape=(len(inputs), width),
    )  # fmt: skip
    last = _rows((np.arange(nodes), np.arange(nodes), 1.0), (np.arange(nodes), nodes, -1.0), shape=(nodes, width))
    places = np.arange(m)
    inner = np.arange(1, nodes - 1 if gate else nodes)
    parts = [(places[None], at[inner], run[inner] / c.slots), (places, nodes, -1.0)]
    if gate:
        parts.append((places[:, None], at[-1][None], run[-1][None]))
    return vstack((timely, last, _rows(*parts, shape=(m, width)))).tocsr()


def _equalities(c: Shape, width: int) -> Any:
    """Return rows: a node's shares, which sum to 1; an input's by its source and by its reader, less theirs."""
    nodes, m = c.execution_s.shape
    at, over = _numbers(c)
    inputs = len(c.source)
    row = np.arange(inputs * m).reshape(inputs, m)
    whole = _rows((np.arange(nodes)[:, None], at, 1.0), shape=(nodes, width))
    before = _rows((row[:, :, None], over, 1.0), (row, at[c.source], -1.0), shape=(row.size, width))
    behind = _rows((row[:, None, :], over, 1.0), (row, at[_readers(c)], -1.0), shape=(row.size, width))
    return vstack((whole, before, behind)).tocsr()


def _numbers(c: Shape) -> tuple[Any, Any]:
    """Return the variables' numbers: of nodes at places, of inputs from place to place."""
    nodes, m = c.execution_s.shape
    first = nodes + 1
    at = first + np.arange(nodes * m).reshape(nodes, m)
    return at, first + nodes * m + np.arange(c.source.size * m * m).reshape(-1, m, m)


def _rows(*parts: tuple[Any, Any, Any], shape: tuple[int, int]) -> Any:
    """Return a matrix from rows, columns and values of its parts, which fit by broadcasting."""
    laid = [[np.ravel(each) for each in np.broadcast_arrays(*part)] for part in parts]
    row, column, value = (np.concatenate([part[i] for part in laid]) for i in range(3))
    return coo_array((value, (row, column)), shape=shape)
