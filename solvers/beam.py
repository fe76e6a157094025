"""Beam search over the exact counts, guided by the window relaxation; then local search, over orders too."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from offbench import P1, Placement, Search, Solver, bounds
from offbench.bounds import Guide, Program, SubtaskCosts, Window, flows, sweep, widest
from offbench.solvers._shared.heat_bath import HeatBath, warm_up
from offbench.solvers._shared.moves import move, swap
from offbench.solvers._shared.repair import repair
from offbench.solvers._shared.windows import by_windows, is_large

Servers = NDArray[np.int64]

# Widths before the last one, so that a good placement is there early.
_NARROW = (30, 1_000)
# A guide's tables have at most this many entries.
_LARGEST_TABLES = 60_000_000
_STATES = (250, 7_000)
# After a kick, subtasks at most this far away in index order move too; pinned ones don't count.
_NEAR = 12
# Share of the budget after which dispatch orders are searched, if subtasks wait.
_SERVERS_ONLY = 2 / 3
# First and last temperature then, in median differences; and subtasks moved together at most.
_HOT, _COLD = 0.01, 0.001
_LONGEST_RUN = 9


class Beam(Solver):
    """Beam search with the relaxation's bound on what is to come; then kicks and descents until time is up.

    The bound is the window relaxation's (`offbench.bounds`), in which nothing queues and each task's
    delay is spread over its paths. The end of each beam is evaluated, and improved by moving one
    subtask or swapping two as long as that helps. Then a few neighbours are placed at random and the
    same is done around them, again and again. If subtasks wait in the best placement by then, the last
    third of the budget goes to its dispatch order together with its servers (`annealing`). The bound knows nothing of
    memories, deadlines and limits: a placement that keeps them comes from repair and from the descents.
    """

    width: int = Field(default=1_000, ge=1)
    """partial placements kept after each subtask"""
    kick: int = Field(default=5, ge=1)
    """subtasks placed at random at most"""

    def warm_up(self) -> None:
        warm_up()
        bounds.warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        if is_large(problem):
            by_windows(self, problem, search)
        best = problem.everything_on(problem.arrays.client)
        objective = search.propose(best)
        if problem.constrained:
            best = repair(search, Placement(best)).servers
            objective = search.propose(best)
        for servers in self._ends_of_beams(problem, search):
            improved, value = _descend(problem, search, servers, problem.free)
            if value < objective:
                best, objective = improved, value
        servers_only = True
        while search.running:
            if servers_only and search.progress >= _SERVERS_ONLY:
                servers_only = False
                assert search.incumbent is not None
                bath = HeatBath(problem, search, search.incumbent.servers, _LONGEST_RUN, search.incumbent.order)
                if bath.ordered:
                    typical = bath.typical_difference()
                    bath.cool(_HOT * typical, _COLD * typical)
            first = int(search.rng.integers(len(problem.free)))
            kicked = slice(first, first + int(search.rng.integers(1, self.kick + 1)))
            servers = best.copy()
            for k in problem.free[kicked]:
                servers[k] = search.rng.choice(np.flatnonzero(problem.allowed[k]))
            around = problem.free[max(0, kicked.start - _NEAR) : kicked.stop + _NEAR]
            improved, value = _descend(problem, search, servers, around)
            if value <= objective:
                best, objective = improved, value

    def _ends_of_beams(self, problem: P1, search: Search) -> Iterator[Servers]:
        steps = SubtaskCosts(problem, queueing=False)
        for width in (*(width for width in _NARROW if width < self.width), self.width):
            for flow in flows(problem):
                program = Program(problem, [[[step]] for step in steps.under(flow)], problem.n_servers**2)
                for guide in _guides(problem, program, search):
                    found = sweep(program, [guide], search.check, np.inf, width)
                    if found.servers is not None:
                        yield found.servers


def _guides(problem: P1, program: Program, search: Search) -> Iterator[Guide]:
    rows = sum(len(stage.cost) for stage in program.stages)
    for states in _STATES:
        groups = widest(problem.arrays, min(states, max(1, _LARGEST_TABLES // rows)))
        window = Window(problem.arrays, groups[min(1, len(groups) - 1)])
        yield Guide(window, program.to_go(window, search.check))


def _descend(problem: P1, search: Search, servers: Servers, among: Servers) -> tuple[Servers, float]:
    """Move one subtask, or swap two near each other, as long as that helps; in random order, the best for each."""
    objective = search.propose(servers)
    order = search.rng.permutation(among)
    failed = 0
    while True:
        for k in order:
            if failed == len(order):
                return servers, objective
            others = np.concatenate([move(problem, servers, int(k)), swap(problem, servers, int(k))])
            values = search.propose_many(others)
            best = int(values.argmin())
            if values[best] < objective - 1e-12 * abs(objective):
                servers, objective, failed = others[best], float(values[best]), 0
            else:
                failed += 1
