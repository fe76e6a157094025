"""Branch and bound over the places of a segment's layers; where layers would wait, over the order that they run in."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from offbench.evaluation.compiled import compiled, copy_to
from offbench.model.arrays import Ints
from offbench.solvers.graph_exact.bounds import Shape, ToGo, least_of
from offbench.solvers.graph_exact.linear_program import least

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"

_WORK = 20_000_000  # simple operations between two looks at the clock: a tenth of a second
# Of the orders of one set of places; fewer where they are more work. What is left open is gone through again with the
# next number.
_ORDER_STEPS = 20_000, 200_000, 2_000_000
# A segment of more nodes is bounded by a linear program before it is branched on.
_WIDE = 16
_ORDER_WORK = 100_000_000  # of one set of places, in simple operations: nobody looks at the clock meanwhile


class Tree(NamedTuple):
    """Where the search for places is: a path from the root, and what is best."""

    depth: Any
    place: Any
    end_s: Any
    """when each node ends if nothing waits"""
    tree: Any
    line: Any
    paid: Any
    """what energy and cost come to at least: by the tree, with the line's delay, and one by one"""
    choices: Any
    """places of each node, those of the lowest bound first"""
    bounds: Any
    count: Any
    next: Any
    best: Any
    """the least value, the least bound of what was left open, and whether a placement of the least value is there"""
    best_place: Any
    best_order: Any


@dataclass
class Found:
    """What is known of a segment between two places."""

    bound: float
    """no placement of its layers adds less"""
    place: Ints | None = None
    """of each node, those of the best placement that is known"""
    order: Ints | None = None
    """the nodes in the order in which they are booked then"""
    closed: bool = False
    """whether the search is over"""


class Branching:
    """The search of one segment between two places, which can be broken off and gone on with."""

    def __init__(self, shape: Shape, to_go: ToGo, start: int, gate: bool) -> None:
        nodes, m = shape.execution_s.shape
        self._gate = gate
        self.unbounded = nodes > _WIDE
        """whether `tighten` may yet raise the bound"""
        self._shape, self._to_go, self._start = shape, to_go, start
        self._tree: Tree | None = None
        self._tries, self._best = 0, math.inf
        self._size = nodes, m
        self.found = Found(float(least_of(shape, to_go, start)))

    def tighten(self) -> None:
        """Raise the bound by a linear program, once; a tenth of a second, or some where there are hundreds of nodes."""
        self.unbounded = False
        self.found.bound = max(self.found.bound, least(self._shape, self._start, self._gate))

    def advance(self, threshold: float) -> bool:
        """Go on for a tenth of a second, or where orders are many for some tenths; return whether it is over.

        Parameters
        ----------
        threshold
            Placements of this value or more aren't looked for. It may fall from call to call.
        """
        if self._tree is None:
            self._tree = _tree(*self._size, self._start, min(threshold, self._best))
            _expand(self._shape, self._to_go, self._tree)
        tree = self._tree
        if threshold < self._best:
            self._best = math.inf
            self.found.place = self.found.order = None
        if threshold < tree.best[0]:
            tree.best[0], tree.best[2] = threshold, 0.0
        over = bool(_branch(self._shape, self._to_go, tree, _WORK, _ORDER_WORK, _ORDER_STEPS[self._tries]))
        if tree.best[2]:
            self._best = float(tree.best[0])
            self.found.place, self.found.order = tree.best_place.copy(), tree.best_order.copy()
        self.found.bound = max(self.found.bound, _least_open(tree))
        if over and tree.best[1] < tree.best[0] and self._tries + 1 < len(_ORDER_STEPS):
            self._tries += 1
            self._tree, over = None, False
        self.found.closed = over
        return over


def _least_open(tree: Tree) -> float:
    """Return what no placement is below, of those looked at and those to come."""
    heads = [
        float(tree.bounds[v, tree.next[v]]) for v in range(1, int(tree.depth[0]) + 1) if tree.next[v] < tree.count[v]
    ]
    return min(float(tree.best[0]), float(tree.best[1]), *heads)


def _tree(nodes: int, m: int, start: int, threshold: float) -> Tree:
    def integers() -> Ints:
        return np.zeros(nodes, dtype=np.int64)

    place = integers()
    place[0] = start
    return Tree(
        depth=np.ones(1, dtype=np.int64), place=place, end_s=np.zeros(nodes),
        tree=np.zeros(nodes), line=np.zeros(nodes), paid=np.zeros(nodes),
        choices=np.zeros((nodes, m), dtype=np.int64), bounds=np.zeros((nodes, m)), count=integers(), next=integers(),
        best=np.array([threshold, math.inf, 0.0]), best_place=integers(), best_order=integers(),
    )  # fmt: skip


@compiled
def _step(c, g, t, v, q):
    """Put node *v* at place *q* behind the path so far; return the lower bound of what comes of it."""
    end = 0.0
    paid = c.added[v, q]
    along = 0.0
    for e in range(c.input_start[v], c.input_start[v + 1]):
        p = t.place[c.source[e]]
        end = max(end, t.end_s[c.source[e]] + c.transfer_s[e, p, q])
        paid += c.transferred[e, p, q]
        if c.line[v] == e:
            along = c.delay * (c.transfer_s[e, p, q] + c.execution_s[v, q])
    end += c.execution_s[v, q]
    hung = t.place[c.source[c.hangs_on[v]]]
    t.place[v] = q
    t.end_s[v] = end
    t.tree[v] = t.tree[v - 1] - g.hanging[v, hung] + paid + g.carried[v, q]
    t.line[v] = t.line[v - 1] - g.line_hanging[v, hung] + paid + along + g.line_carried[v, q]
    t.paid[v] = t.paid[v - 1] - g.least[v] + paid
    total_s = 0.0
    for u in range(v + 1):
        total_s = max(total_s, t.end_s[u] + g.tail_s[u, t.place[u]])
    total_s = max(total_s, _queue_s(c, g, t, v, q))
    beside = c.delay * total_s
    for w in range(v + 1, c.execution_s.shape[0]):
        for e in range(c.input_start[w], c.input_start[w + 1]):
            u = c.source[e]
            if u <= v:
                beside = max(beside, c.delay * t.end_s[u] + g.by_input[e, t.place[u]])
    above = t.bounds[v - 1, t.next[v - 1] - 1] if v > 1 else 0.0
    return max(t.tree[v] + c.delay * total_s, t.paid[v] + beside, t.line[v], above)


@compiled
def _queue_s(c, g, t, v, q):
    """Return when all ends at the earliest, by the work at one place: its slots can't do more at a time."""
    ready = np.inf
    work, tail, count = 0.0, np.inf, 0
    for u in range(1, v + 1):
        if t.place[u] == q:
            ready = min(ready, t.end_s[u] - c.execution_s[u, q])
            tail = min(tail, g.tail_s[u, q])
            work += c.execution_s[u, q]
            count += 1
    return ready + work / c.slots[q] + tail if count > c.slots[q] else 0.0


@compiled
def _expand(c, g, t):
    """Sort the places of the next node by their bounds."""
    v = t.depth[0]
    count = 0
    if v == 1:
        start = t.place[0]
        t.tree[0], t.line[0], t.paid[0] = g.carried[0, start], g.line_carried[0, start], g.least.sum()
    for q in range(c.added.shape[1]):
        if c.added[v, q] == np.inf:
            continue
        bound = _step(c, g, t, v, q)
        at = count
        while at > 0 and t.bounds[v, at - 1] > bound:
            t.bounds[v, at] = t.bounds[v, at - 1]
            t.choices[v, at] = t.choices[v, at - 1]
            at -= 1
        t.bounds[v, at] = bound
        t.choices[v, at] = q
        count += 1
    t.count[v] = count
    t.next[v] = 0


@compiled
def _branch(c, g, t, work, order_work, order_steps):
    """Go on with the search; return whether it is over."""
    nodes, m = c.execution_s.shape
    looked_at = 2 * (nodes + c.source.size)
    booking = looked_at + c.slots.size * c.slots.max()  # one order step
    order_steps = max(1, min(order_steps, order_work // booking))
    while t.depth[0] > 0:
        v = t.depth[0]
        if t.next[v] == t.count[v] or t.bounds[v, t.next[v]] >= t.best[0]:
            t.depth[0] -= 1
            continue
        if work <= 0:
            return False
        work -= m * looked_at
        q = t.choices[v, t.next[v]]
        t.next[v] += 1
        _step(c, g, t, v, q)
        if v < nodes - 1:
            t.depth[0] += 1
            _expand(c, g, t)
        else:
            work -= booking * _close(c, t, order_steps)
    return True


@compiled
def _close(c, t, most):
    """All places are chosen: find the order in which least is waited; return how many steps it took, at most so many.

    Orders are gone through as Giffler and Thompson (1960) do. Of the layers that can be booked take the one that would
    end first: only what shares its place, and could begin before that end, need be tried next.
    """
    nodes = c.execution_s.shape[0]
    paid = t.paid[nodes - 1]
    tail_s = _tails(c, t)
    free_s = np.zeros((nodes + 1, c.slots.size, c.slots.max()))
    end_s, until_s = np.zeros(nodes), np.zeros(nodes + 1)
    booked, order = np.zeros(nodes, dtype=np.bool_), np.zeros(nodes, dtype=np.int64)
    tried = np.zeros((nodes + 1, nodes), dtype=np.bool_)
    ready_s = np.zeros(nodes)
    booked[0] = True
    until_s[1] = tail_s[0]
    depth, steps = 1, 0
    while depth > 0:
        if depth == nodes and paid + c.delay * until_s[depth] < t.best[0]:
            t.best[0], t.best[2] = paid + c.delay * until_s[depth], 1.0
            copy_to(t.best_place, t.place)
            copy_to(t.best_order, order)
        v = -1
        if depth < nodes and paid + c.delay * until_s[depth] < t.best[0]:
            v = _next(c, t, booked, end_s, free_s[depth], tried[depth], ready_s)
        if v < 0:
            tried[depth] = False
            depth -= 1
            booked[order[depth]] = depth == 0
            continue
        if steps == most:
            t.best[1] = min(t.best[1], paid + c.delay * tail_s[0])
            return steps
        steps += 1
        tried[depth, v] = True
        q = t.place[v]
        slot = free_s[depth, q, : c.slots[q]].argmin()
        end_s[v] = max(ready_s[v], free_s[depth, q, slot]) + c.execution_s[v, q]
        copy_to(free_s[depth + 1].ravel(), free_s[depth].ravel())
        free_s[depth + 1, q, slot] = end_s[v]
        booked[v] = True
        order[depth] = v
        left_s = _left_s(c, t, booked, free_s[depth + 1], q, tail_s)
        until_s[depth + 1] = max(until_s[depth], end_s[v] + tail_s[v], left_s)
        depth += 1
    return steps


@compiled
def _tails(c, t):
    """Return what is behind each node at its place until the last one ends, if nothing waits."""
    tail_s = np.zeros(c.execution_s.shape[0])
    for v in range(tail_s.size - 1, 0, -1):
        for e in range(c.input_start[v], c.input_start[v + 1]):
            u = c.source[e]
            behind = c.transfer_s[e, t.place[u], t.place[v]] + c.execution_s[v, t.place[v]] + tail_s[v]
            tail_s[u] = max(tail_s[u], behind)
    return tail_s


@compiled
def _next(c, t, booked, end_s, free_s, tried, ready_s):
    """Return the node to be booked next, or -1 if all were tried that need be; fill *ready_s* of those that can be."""
    first, first_end_s = -1, np.inf
    for w in range(1, booked.size):
        ready_s[w] = np.inf
        if booked[w]:
            continue
        ready = 0.0
        for e in range(c.input_start[w], c.input_start[w + 1]):
            u = c.source[e]
            ready = max(ready, end_s[u] + c.transfer_s[e, t.place[u], t.place[w]]) if booked[u] else np.inf
        if ready == np.inf:
            continue
        q = t.place[w]
        ready_s[w] = ready
        end = max(ready, free_s[q, : c.slots[q]].min()) + c.execution_s[w, q]
        if end < first_end_s:
            first, first_end_s = w, end
    chosen = -1
    for w in range(1, booked.size):
        if t.place[w] != t.place[first] or ready_s[w] == np.inf or tried[w]:
            continue
        if (w == first or ready_s[w] < first_end_s) and (chosen < 0 or ready_s[w] < ready_s[chosen]):
            chosen = w
    return chosen


@compiled
def _left_s(c, t, booked, free_s, q, tail_s):
    """Return when all ends at the earliest, by the work that is left at a place."""
    ready, tail, work = np.inf, np.inf, 0.0
    for w in range(1, booked.size):
        if t.place[w] == q and not booked[w]:
            ready = min(ready, t.end_s[w] - c.execution_s[w, q])
            tail = min(tail, tail_s[w])
            work += c.execution_s[w, q]
    if work == 0.0:
        return 0.0
    # A slot that is free late may get nothing more: the work fills the others up to the same second.
    best = np.inf
    slots = np.sort(free_s[q, : c.slots[q]])
    for count in range(slots.size):
        work += max(ready, slots[count])
        best = min(best, work / (count + 1))
    return best + tail
