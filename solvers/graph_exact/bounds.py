"""Lower bounds on what is still to come in a segment: nothing waits, and paths are looked at one by one.

Three of them, of which the largest counts. All take away waiting, so each is below what a placement amounts to.

- *tree*: energy and cost along a tree in which each node hangs on one of its sources, and the longest path by itself.
- *path*: delay, energy and cost together along the dearest path, the least energy and cost of all nodes beside it.
- *line*: the tree with the delay of one path through the segment, which a delay is never below.
"""

from typing import Any, NamedTuple

import numpy as np

from offbench.evaluation.compiled import compiled
from offbench.solvers.graph_exact.segments import Segment

# The type checker sees Python here; numba has its own types.
# mypy: disable-error-code="no-untyped-def, no-untyped-call"


class Shape(NamedTuple):
    """A segment's fields for compiled functions, and what is chosen in it."""

    delay: Any
    execution_s: Any
    added: Any
    """with the last node where it is to be"""
    input_start: Any
    source: Any
    transfer_s: Any
    transferred: Any
    slots: Any
    hangs_on: Any
    """of each node the input by which it hangs in the tree"""
    line: Any
    """of each node the input by which the line comes to it, or -1"""


class ToGo(NamedTuple):
    """What is to come behind a node at a place, at least."""

    tail_s: Any
    """until the last node ends, shape ``(nodes, places)``"""
    least: Any
    """energy and cost of a node wherever it and its sources are, shape ``(nodes,)``"""
    by_input: Any
    """*path* through an input whose source is at a place, shape ``(inputs, places)``"""
    hanging: Any
    """*tree*: what hangs by a node's input, by the place of its source, shape ``(nodes, places)``"""
    carried: Any
    """*tree*: what hangs on a node, by its place"""
    line_hanging: Any
    line_carried: Any
    """the same for *line*"""


def shape(segment: Segment, end: int) -> Shape:
    """Return a segment whose last node is at the place *end*, where it is a gate."""
    added = segment.added
    if segment.gate:
        added = added.copy()
        added[-1] = np.where(np.arange(added.shape[1]) == end, added[-1], np.inf)
    line = _line(segment)
    hangs_on = segment.input_start[:-1].copy()
    hangs_on[line >= 0] = line[line >= 0]
    return Shape(
        segment.delay, segment.execution_s, added, segment.input_start, segment.source, segment.transfer_s,
        segment.transferred, segment.slots, hangs_on, line,
    )  # fmt: skip


def _line(segment: Segment) -> Any:
    """Return the inputs of the longest path, each node where it runs fastest and each input by its fastest link."""
    least = np.where(np.isfinite(segment.added), segment.execution_s, np.inf).min(axis=1)
    mean = segment.transfer_s.mean(axis=(1, 2)) if len(segment.source) else np.zeros(0)
    until, by = np.zeros(segment.nodes), np.full(segment.nodes, -1)
    for v in range(1, segment.nodes):
        inputs = range(segment.input_start[v], segment.input_start[v + 1])
        by[v] = max(inputs, key=lambda e: until[segment.source[e]] + mean[e])
        until[v] = until[segment.source[by[v]]] + mean[by[v]] + least[v]
    line = np.full(segment.nodes, -1)
    v = segment.nodes - 1 if segment.gate else int(until.argmax())
    while v > 0:
        line[v] = by[v]
        v = int(segment.source[by[v]])
    return line


@compiled
def to_go(c):
    """Return the `ToGo` of a `Shape`."""
    nodes, m = c.execution_s.shape
    inputs = c.source.size
    tail_s = np.zeros((nodes, m))
    least = np.zeros(nodes)
    by_input = np.full((inputs, m), -np.inf)
    hanging, carried = np.zeros((nodes, m)), np.zeros((nodes, m))
    line_hanging, line_carried = np.zeros((nodes, m)), np.zeros((nodes, m))
    path = np.zeros((nodes, m))
    cheapest, beside = np.empty((inputs, m)), np.empty(m)
    for e in range(inputs):
        for q in range(m):
            cheapest[e, q] = c.transferred[e, :, q].min()
    for v in range(nodes - 1, 0, -1):
        begin, stop = c.input_start[v], c.input_start[v + 1]
        least[v] = np.inf
        for q in range(m):
            if c.added[v, q] < np.inf:
                least[v] = min(least[v], c.added[v, q] + cheapest[begin:stop, q].sum())
        for e in range(begin, stop):
            u = c.source[e]
            for q in range(m):
                beside[q] = c.added[v, q]
                for other in range(begin, stop):
                    if other != e:
                        beside[q] += cheapest[other, q]
            for p in range(m):
                best_s, best_path = np.inf, np.inf
                best_tree, best_line = np.inf, np.inf
                for q in range(m):
                    if c.added[v, q] == np.inf:
                        continue
                    time = c.transfer_s[e, p, q] + c.execution_s[v, q]
                    own = beside[q] + c.transferred[e, p, q]
                    best_s = min(best_s, time + tail_s[v, q])
                    best_path = min(best_path, c.delay * time + own - least[v] + path[v, q])
                    best_tree = min(best_tree, own + carried[v, q])
                    along = c.delay * time if c.line[v] == e else 0.0
                    best_line = min(best_line, own + along + line_carried[v, q])
                tail_s[u, p] = max(tail_s[u, p], best_s)
                by_input[e, p] = best_path
                path[u, p] = max(path[u, p], best_path)
                if e == c.hangs_on[v]:
                    hanging[v, p] = best_tree
                    line_hanging[v, p] = best_line
        e = c.hangs_on[v]
        u = c.source[e]
        for p in range(m):
            carried[u, p] += hanging[v, p]
            line_carried[u, p] += line_hanging[v, p]
    return ToGo(tail_s, least, by_input, hanging, carried, line_hanging, line_carried)


@compiled
def least_of(c, g, start):
    """Return a lower bound of a segment whose first node is at the place *start*."""
    along = 0.0
    for e in range(c.source.size):
        if c.source[e] == 0:
            along = max(along, g.by_input[e, start])
    tree = g.carried[0, start] + c.delay * g.tail_s[0, start]
    return max(tree, g.least.sum() + along, g.line_carried[0, start])
