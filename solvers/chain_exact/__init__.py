"""Exact solving of one chain: bounds from windows of the counts, then label setting."""

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from offbench import P1, OffbenchError, Search, Solver
from offbench.bounds import Flow, Guide, Program, Steps, Window, sweep, widest

# A window's table has at most this many bytes, and a window this many states; small ones come first.
_TABLE_BYTES = 512 << 20
_STATES = (1_500, 50_000)
# Passes of label setting with little room first: they find good placements at once.
_ROOM = (1_000, 30_000)


class ChainExact(Solver):
    """Proven optimum of one chain of any length: window bounds, then label setting over the counts.

    In a chain nothing queues, so without balance Q is a sum of costs that depend on the servers of a
    subtask and the one before, and with it of these and the differences of the counts. Windows of the
    counts (`offbench.bounds.windows`) give bounds, and placements that mostly meet them. Where they
    don't, labels are set over all counts, guided by the windows.
    """

    labels: int = Field(default=1_000_000, ge=1)
    """labels kept after each subtask; beyond it those of least value stay, and the bound of the rest counts"""

    def solve(self, problem: P1, search: Search) -> None:
        refuse_other_than_chain(problem)
        # In a chain all of the delay passes through every subtask.
        flow = Flow(np.ones(problem.n_subtasks), np.ones(problem.n_subtasks))
        program = Program(problem, [[[step]] for step in Steps(problem).under(flow)])
        bounds: list[Guide] = []
        for window in _windows(problem):
            tables = program.to_go(window, search.check)
            bounds.append(Guide(window, tables))
            search.propose(program.cheapest(window, tables))
            search.bound(program.bound_of(tables))
        for room in (*(room for room in _ROOM if room < self.labels), self.labels):
            # What meets the incumbent but for the tolerance of a proof need not be followed.
            enough = search.objective - 5e-7 * abs(search.objective)
            found = sweep(program, bounds, search.check, enough, room)
            if found.servers is not None:
                search.propose(found.servers)
            search.bound(min(found.lower_bound - program.rounding, search.objective))


def refuse_other_than_chain(problem: P1) -> None:
    """Raise an `OffbenchError` that says why *problem* is no chain."""
    a = problem.arrays
    if len(a.arrival_s) != 1:
        raise OffbenchError(
            f"solver 'chain-exact' solves one task; instance '{problem.instance.name}' has {len(a.arrival_s)}"
        )
    for k in range(1, problem.n_subtasks):
        inputs = a.input_of[a.input_start[k] : a.input_start[k + 1]]
        if list(inputs) != [k - 1]:
            raise OffbenchError(
                f"solver 'chain-exact' solves chains; {problem.subtask_name(k)} of instance "
                f"'{problem.instance.name}' doesn't read exactly the layer before"
            )


def _windows(problem: P1) -> Iterator[Window]:
    fit = _TABLE_BYTES // (8 * problem.n_servers * (problem.n_subtasks + 1))
    seen = set()
    for states in _STATES:
        for groups in widest(problem.arrays, max(1, min(states, fit))):
            if groups not in seen:
                seen.add(groups)
                yield Window(problem.arrays, groups)
