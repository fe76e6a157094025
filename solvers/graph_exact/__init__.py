"""Exact solving of one network without H and Z: shortest paths over its gates, branch and bound between them."""

import numpy as np

from offbench import P1, OffbenchError, Placement, Search, Solver, load, with_objective
from offbench.model.arrays import WEIGHT, Floats
from offbench.search.greedy import greedy
from offbench.solvers._shared.heft import heft

from .bounds import Shape, ToGo, shape, to_go
from .branching import Branching
from .segments import Segment, segments

# Additions for each layer and each input; generously.
_UNITS = 64


class GraphExact(Solver):
    """Proven optimum of one network without H and Z, dispatch orders included.

    A layer that every path goes through is a gate (`segments`). Between two gates what a placement adds to Q depends on
    the servers there alone, so an optimum is a shortest path over the servers of the gates. The lengths are lower
    bounds at first (`bounds`). Those on the shortest path are made exact, by branch and bound over servers and, where
    layers wait, over orders (`branching`), those of many layers by a linear program before (`linear_program`), until
    the shortest path is of exact lengths alone. Its length is a bound at any time.

    A network without gates is one segment, whose branch and bound grows with a power of its layers.

    Rounding: what is left out is not below the least value that is known, or below what proves the incumbent, and that
    counts as a bound then; sums alone are rounded. Their terms are 0 or more, but for two kinds: what a bound had for a
    node before its place was chosen, taken off again, and the least of a node beside a path. Both are part of the sum
    that they are taken off. So on the way to a bound below the incumbent no number is above it, and each addition is
    off by a last digit of the incumbent at most. There are a few for each layer and each input: bounds are lowered by
    64 last digits of the incumbent that it begins with for each of these.
    """

    def warm_up(self) -> None:
        problem = P1(with_objective(load("tiny-graphs"), "score"))
        problem = P1(problem.instance.model_copy(update={"tasks": problem.instance.tasks[:1]}))
        greedy(Search(problem))
        heft(problem, lambda: None)
        for ends in map(_Ends, segments(problem)):
            for start in ends.segment.starts:
                for end in ends.segment.ends:
                    ends.branching(int(start), int(end)).advance(np.inf)

    def solve(self, problem: P1, search: Search) -> None:
        _refuse(problem)
        search.propose(problem.everything_on(problem.arrays.client))
        search.propose(greedy(search))
        search.propose(heft(problem, search.check))
        parts = []
        for segment in segments(problem):
            parts.append(_Ends(segment))
            search.check()
        additions = _UNITS * (problem.n_subtasks + len(problem.arrays.input_of))
        rounding = additions * np.finfo(float).eps * abs(search.objective)
        while True:
            tables = [part.refreshed() for part in parts]
            before, behind = _before(tables), _behind(tables)
            length = float(behind[0].min())
            search.bound(length - rounding)  # as it is: one above an objective must be seen
            enough = search.objective - 0.5 * search.tolerance
            if length >= enough:
                return
            path = _shortest(tables, behind)
            branchings = [part.between(*pair) for part, pair in zip(parts, path, strict=True)]
            _propose(problem, search, parts, branchings)
            if all(each.found.closed for each in branchings):  # the best there is; rounding, or orders left open
                return
            unbounded = [each for each in branchings if each.unbounded]
            for each in unbounded:
                search.check()
                each.tighten()
            if unbounded:  # the shortest path may be another one by now
                continue
            for i, (each, (row, column)) in enumerate(zip(branchings, path, strict=True)):
                if not each.found.closed:
                    search.check()
                    # Of all paths through it, not of this one alone: a stretch that is over is over for each of them.
                    each.advance(enough - float(before[i][row] + behind[i + 1][column]))


class _Ends:
    """A segment with what is known of it, between each two places."""

    def __init__(self, segment: Segment) -> None:
        self.segment = segment
        self._row = {int(place): row for row, place in enumerate(segment.starts)}
        self._column = {int(place): column for column, place in enumerate(segment.ends)}
        self._shapes: dict[int, tuple[Shape, ToGo]] = {}
        self._branchings: dict[tuple[int, int], Branching] = {}
        self.least: Floats = np.array(
            [[self.branching(start, end).found.bound for end in self._column] for start in self._row]
        )

    def branching(self, start: int, end: int) -> Branching:
        """Return the search between two places."""
        if end not in self._shapes:
            made = shape(self.segment, end)
            self._shapes[end] = made, to_go(made)
        if (start, end) not in self._branchings:
            self._branchings[start, end] = Branching(*self._shapes[end], start, self.segment.gate)
        return self._branchings[start, end]

    def between(self, row: int, column: int) -> Branching:
        """Return the search of a row and a column of *least*."""
        return self.branching(int(self.segment.starts[row]), int(self.segment.ends[column]))

    def refreshed(self) -> Floats:
        """Return the lower bounds as they are by now."""
        for (start, end), branching in self._branchings.items():
            self.least[self._row[start], self._column[end]] = branching.found.bound
        return self.least


def _refuse(problem: P1) -> None:
    name, weights = problem.instance.name, problem.arrays.weights
    if problem.n_tasks != 1:
        raise OffbenchError(
            f"solver 'graph-exact' solves one network; instance '{name}' has {problem.n_tasks}: use cp-sat"
        )
    if weights[WEIGHT.coordination] > 0 or weights[WEIGHT.balance] > 0:
        raise OffbenchError(
            f"solver 'graph-exact' knows no coordination H and no balance Z; the objective of instance '{name}' has: "
            "use cp-sat, or --objective score"
        )
    if problem.constrained:
        raise OffbenchError(f"solver 'graph-exact' knows no constraints; instance '{name}' has some: use cp-sat")


def _before(tables: list[Floats]) -> list[Floats]:
    """Return the shortest length up to each row of each table."""
    lengths = [np.zeros(tables[0].shape[0])]
    for table in tables[:-1]:
        lengths.append((lengths[-1][:, None] + table).min(axis=0))
    return lengths


def _behind(tables: list[Floats]) -> list[Floats]:
    """Return the shortest length from each row of each table on, and a 0 for each column of the last."""
    lengths = [np.zeros(tables[-1].shape[1])]
    for table in reversed(tables):
        lengths.append((table + lengths[-1]).min(axis=1))
    return lengths[::-1]


def _shortest(tables: list[Floats], behind: list[Floats]) -> list[tuple[int, int]]:
    """Return rows and columns of the shortest path through the tables."""
    path, row = [], int(behind[0].argmin())
    for table, left in zip(tables, behind[1:], strict=True):
        column = int((table[row] + left).argmin())
        path.append((row, column))
        row = column
    return path


def _propose(problem: P1, search: Search, parts: list[_Ends], path: list[Branching]) -> None:
    """Propose the placement that a path stands for, where every part of it has one."""
    servers, order = np.zeros(problem.n_subtasks, dtype=np.int64), []
    for part, branching in zip(parts, path, strict=True):
        found, first = branching.found, part.segment.first
        if found.place is None or found.order is None:
            return
        servers[first : first + part.segment.nodes - 1] = found.place[1:]
        order += [first - 1 + int(node) for node in found.order[1:]]
    search.propose(servers)
    search.propose(Placement(servers, order))
