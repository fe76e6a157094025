"""Exact solving of one chain, or of small modules between pinned layers: window bounds, then label setting."""

import numpy as np
from pydantic import Field

from offbench import P1, OffbenchError, Search, Solver
from offbench.bounds import Flow, Group, Guide, Program, Split, SubtaskCosts, Window, alone, sweep, warm_up, widest
from offbench.solvers.chain_exact.modules import module_program

# A window's table has at most this many bytes, and a window this many states; small ones come first.
_TABLE_BYTES = 512 << 20
_STATES_PER_SUBTASK = 20
_STATES = (1_500, 50_000)
# Passes of label setting with little room first: they find good placements at once, and short chains need no more.
_ROOM = (1_000, 30_000)
# Between the small windows and the wide ones: each kind's states at first, and what is left to gain when evening
# the costs out no longer pays.
_SPLIT_STATES = 5_000
_GAIN = 0.05


class ChainExact(Solver):
    """Proven optimum of one chain, or of small modules between pinned layers: window bounds, then label setting.

    In a chain nothing queues, so without balance Q is a sum of costs that depend on the servers of a
    subtask and the one before, and with it of these and the differences of the counts. Windows of the
    counts (`offbench.bounds.state_space`) give bounds, and placements that mostly meet them. Where they
    don't, labels are set over all counts, guided by the windows: by small ones of both kinds together,
    then by wide ones of each kind, between which the costs are split (`offbench.bounds.lagrangian`).

    Rounding: steps are lower bounds in exact numbers (`subtask_costs`), and every bound is lowered by what the sums of
    steps can be off by (`Program.rounding`, `Split.rounding`). Of two labels that differ by less the one is dropped
    that seems dearer: the bound is that of the cheaper one, which is off by no more. Where a lowered bound leaves more
    than a proof may, the run ends as feasible.

    The same solves the second of two steps where modules are small and nothing waits, such as residual
    blocks (`modules`).
    """

    labels: int = Field(default=1_000_000, ge=1)
    """labels kept after each subtask; beyond it those of least value stay, and the bound of the rest counts"""

    def warm_up(self) -> None:
        warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        refuse_several_tasks(problem)
        program = chain_program(problem) if problem.is_chain else module_program(problem, search)
        guides: list[Guide] = []
        seen: set[tuple[Group, ...]] = set()
        small = min(_STATES[0], _STATES_PER_SUBTASK * problem.n_subtasks)
        for states, rooms in ((small, _ROOM), (_STATES[1], (*_ROOM, self.labels))):
            if states != small:
                self._split(problem, program, search)
            for groups in widest(problem.arrays, min(states, _fitting(program))):
                if groups not in seen:
                    seen.add(groups)
                    window = Window(problem.arrays, groups)
                    tables = program.to_go(window, search.check)
                    guides.append(Guide(window, tables))
                    search.propose(program.cheapest(window, tables))
                    search.bound(program.bound_of(tables))
            for room in sorted({min(room, self.labels) for room in rooms}):
                _sweep(program, guides, search, room, program.rounding)

    def _split(self, problem: P1, program: Program, search: Search) -> None:
        """Set labels under split costs, with ever wider windows."""
        split = Split(program, alone(problem.arrays, min(_SPLIT_STATES, _fitting(program) // 2)))
        more = True
        while more:
            gain = 1.0
            while gain > _GAIN:
                before = split.lower_bound
                split.improve(_enough(search), search.check)
                search.bound(min(split.lower_bound - split.rounding, _enough(search)))
                left = _enough(search) - before
                gain = (split.lower_bound - before) / left if left > 0 else 0.0
            for room in sorted({min(room, self.labels) for room in _ROOM}):
                _sweep(program, split.guides, search, room, split.rounding)
            more = split.wider(_TABLE_BYTES, search.check)
        _sweep(program, split.guides, search, self.labels, split.rounding)


def _enough(search: Search) -> float:
    """Return what meets the incumbent but for the tolerance of a proof: from there on nothing need be followed."""
    return search.objective - 0.5 * search.tolerance


def _sweep(program: Program, guides: list[Guide], search: Search, room: int, rounding: float) -> None:
    found = sweep(program, guides, search.check, _enough(search), room)
    if found.servers is not None:
        search.propose(found.servers)
    search.bound(min(found.lower_bound - rounding, search.objective))


def _fitting(program: Program) -> int:
    """Return how many states a window may have for its table to fit."""
    return max(1, _TABLE_BYTES // (8 * (1 + sum(len(stage.cost) for stage in program.stages))))


def refuse_several_tasks(problem: P1) -> None:
    """Raise an `OffbenchError` if *problem* has more than one task."""
    tasks = len(problem.arrays.arrival_s)
    if tasks != 1:
        raise OffbenchError(f"solver 'chain-exact' solves one task; instance '{problem.instance.name}' has {tasks}")


def chain_program(problem: P1) -> Program:
    """Return the program of a chain, in which all of the delay passes through every subtask."""
    flow = Flow(np.ones(problem.n_subtasks), np.ones(problem.n_subtasks))
    return Program(problem, [[[step]] for step in SubtaskCosts(problem).under(flow)])
