"""Which server, and with it which option, each subtask has: literals, one of each kind true."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from ortools.sat.python import cp_model

from offbench.model.problem import Problem

from .options import Ways, ways

Literal = cp_model.LiteralT


class Choices:
    """Literals for servers, for pairs of servers at the ends of each input, and for options.

    Pairs carry the linear relaxation: over a chain they are a flow.

    Parameters
    ----------
    model
        Gets the literals and the constraints.
    problem
        The problem.
    possible
        For each input, by servers of source and reader: what is not ruled out (`consistent`).
    most_options
        As in `ways`.
    horizon_s
        No delay is longer.
    """

    def __init__(
        self,
        model: cp_model.CpModel,
        problem: Problem,
        possible: Sequence[NDArray[np.bool_]],
        most_options: int,
        horizon_s: float,
    ) -> None:
        a = problem.arrays
        n = problem.n_subtasks
        self._model = model
        self.true = model.new_constant(1)
        self.possible = possible
        self.servers: list[dict[int, Literal]] = []
        """for each subtask, the literal of each server that it may be on"""
        self.stations: list[dict[int, Literal]] = []
        """the same literals by what shares slots and memory: tasks of several clients meet on remote servers alone"""
        self.pairs: list[dict[tuple[int, int], Literal]] = []
        """for each input, the literal of each pair of servers of source and reader"""
        self.ways: list[Ways] = []
        self.options: list[list[Literal]] = []
        """for each subtask, the literals of the options of its ways"""
        for k in range(n):
            inputs = problem.inputs_of(k)
            here = np.flatnonzero(self.possible[inputs[0]].any(axis=0)).tolist()
            literals = [self.true] if len(here) == 1 else [model.new_bool_var(f"server {k} {s}") for s in here]
            model.add_exactly_one(literals)
            self.servers.append(dict(zip(here, literals, strict=True)))
            self.stations.append({station(problem, k, s): literal for s, literal in self.servers[k].items()})
            for i in inputs:
                self.pairs.append(self._pairs(int(a.input_of[i]), k, self.possible[i], n))
            chosen = ways(problem, k, [self.possible[i] for i in inputs], most_options, horizon_s)
            self.ways.append(chosen)
            self.options.append(self._options(chosen, inputs))

    def _pairs(self, source: int, k: int, possible: NDArray[np.bool_], n: int) -> dict[tuple[int, int], Literal]:
        model, readers = self._model, self.servers[k]
        ends = [(int(q), int(s)) for q, s in np.argwhere(possible)]
        if source >= n:
            return {(q, s): readers[s] for q, s in ends}
        sources = self.servers[source]
        if len(sources) == 1:
            return {(q, s): readers[s] for q, s in ends}
        if len(readers) == 1:
            return {(q, s): sources[q] for q, s in ends}
        pairs: dict[tuple[int, int], Literal] = {
            (q, s): model.new_bool_var(f"pair {source} {q} {k} {s}") for q, s in ends
        }
        for s, reader in readers.items():
            model.add_exactly_one([~reader, *(pairs[q, s] for q in sources if (q, s) in pairs)])
        for q, literal in sources.items():
            model.add_exactly_one([~literal, *(pairs[q, s] for s in readers if (q, s) in pairs)])
        return pairs

    def _options(self, chosen: Ways, inputs: range) -> list[Literal]:
        model, servers = self._model, self.servers[chosen.subtask]
        if chosen.loose:
            return [servers[option.server] for option in chosen.options]
        if len(inputs) == 1:
            return [
                self._any([self.pairs[inputs[0]][q, o.server] for q in chosen.classes[0][o.server][o.classes[0]]])
                for o in chosen.options
            ]
        literals = [model.new_bool_var(f"option {chosen.subtask}") for _ in chosen.options]
        model.add_exactly_one(literals)
        for axis, i in enumerate(inputs):
            for s, classes in chosen.classes[axis].items():
                for c, members in enumerate(classes):
                    those = [
                        literal
                        for literal, o in zip(literals, chosen.options, strict=True)
                        if o.server == s and o.classes[axis] == c
                    ]
                    model.add(sum(those) == sum(self.pairs[i][q, s] for q in members))
        return literals

    def _any(self, literals: list[Literal]) -> Literal:
        """Return a literal that is true where one of several is, of which no two are."""
        if len(literals) == 1:
            return literals[0]
        either = self._model.new_bool_var("")
        self._model.add_exactly_one([~either, *literals])
        return either


def station(problem: Problem, k: int, s: int) -> int:
    """Return the station that server *s* is to subtask *k*."""
    a = problem.arrays
    return int(a.own_station[k]) if s == a.client else s


def consistent(problem: Problem, possible: Sequence[NDArray[np.bool_]]) -> list[NDArray[np.bool_]]:
    """Rule out what an end of another input of the same subtask rules out."""
    a = problem.arrays
    n = problem.n_subtasks
    tables = [table.copy() for table in possible]
    reader = [k for k in range(n) for _ in problem.inputs_of(k)]
    changed = True
    while changed:
        may = problem.allowed.copy()
        for i, table in enumerate(tables):
            may[reader[i]] &= table.any(axis=0)
            if a.input_of[i] < n:
                may[a.input_of[i]] &= table.any(axis=1)
        before = sum(int(table.sum()) for table in tables)
        for i, table in enumerate(tables):
            table &= may[reader[i]]
            if a.input_of[i] < n:
                table &= may[a.input_of[i], :, None]
        changed = sum(int(table.sum()) for table in tables) < before
    return tables
