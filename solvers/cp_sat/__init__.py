"""Exact solving by constraint programming: OR-Tools' CP-SAT."""

import math
from functools import partial
from importlib import import_module
from itertools import chain
from typing import ClassVar, Literal

from pydantic import Field

from offbench import Infeasible, Search, Solver
from offbench.model.problem import Problem


class CpSat(Solver):
    """CP-SAT on servers, dispatch order, queues and constraints: proven optima of several tasks, and of graphs."""

    name: ClassVar[str] = "cp-sat"
    solves: ClassVar[Literal["P1", "P2", "P1 and P2"]] = "P1 and P2"

    workers: int = Field(default=1, ge=1)
    """threads of CP-SAT; with several, runs are not repeatable"""
    precision: float = Field(default=1e-7, gt=0, lt=1)
    """how much of the objective rounding to whole numbers may weaken bounds by, roughly"""
    log: bool = False
    """whether CP-SAT's log is printed"""

    def warm_up(self) -> None:
        from offbench import P1, load
        from offbench.bounds import SubtaskCosts

        from .pruning import Relaxed
        from .start import construct

        import_module(f"{__name__}.engine")  # OR-Tools takes longer to import than a small problem to solve
        problem = P1(load("tiny-chains"))
        construct(problem, Search(problem))
        Relaxed(problem, SubtaskCosts(problem), lambda: None)

    def solve(self, problem: Problem, search: Search) -> None:
        from offbench.bounds import SubtaskCosts, area_bounds, stretch_bounds
        from offbench.solvers._shared.own_time import in_own_time

        from .engine import Settings, run
        from .exclusion import exclusion
        from .model import Detail, Model, horizon_s
        from .pruning import Relaxed
        from .start import construct, improve
        from .units import Units

        settings = Settings(self.workers, int(search.rng.integers(2**31 - 1)), self.log)
        first = construct(problem, search)
        own = in_own_time(problem)
        steps = SubtaskCosts(own)
        for bound in chain(area_bounds(own, steps), stretch_bounds(own, steps)):
            _bound(search, math.inf, bound)
        improve(problem, search, first)
        problem = own
        relaxed = Relaxed(problem, steps, search.check)
        _bound(search, math.inf, relaxed.bound)
        detail = Detail()
        precision = self.precision
        latest_s = horizon_s(problem)
        while True:
            target, size = math.inf, abs(search.client_only)
            if search.objective < math.inf:
                target, size = search.objective - 0.4 * search.tolerance, search.tolerance / 1e-6
            units = Units.of(problem, size, precision, latest_s)
            model = Model(problem, units, relaxed, target, detail, latest_s, search.check)
            if model.empty:
                _bound(search, target, math.inf)
                return
            outcome = run(model, search, settings, search.remaining_s, partial(_bound, search, target))
            _bound(search, target, outcome.bound)
            if outcome.ended == "stopped":
                return
            broken = [exclusion(problem, decision, model.booked) for decision in outcome.broken]
            detail.excluded += [each for each in broken if each is not None]
            if not detail.refine(outcome.met, units.tick_s) or outcome.broken:
                # What the model took for better than it is has been evaluated: it is left out.
                if model.booked and outcome.decision is not None:
                    detail.excluded.append(outcome.decision)
                elif precision < 1e-10:
                    return
                precision = max(precision / 8, 1e-11)


def _bound(search: Search, target: float, bound: float) -> None:
    """Report a bound of a model, or relaxation, that holds all that is better than *target*, and feasible."""
    least = min(bound, target)
    if least == math.inf:
        raise Infeasible("cp-sat's model of it has no solution")
    search.bound(least)
