"""Solve, look at what the estimators promised too much, tighten them, solve again.

Why the bounds are valid. The model's solutions contain every placement with every dispatch order, each at
an objective no greater than the evaluator's: constants are the evaluator's own numbers, H while waiting
is over-estimated, and what the model leaves open (which input is critical in a tie) it decides to its
own advantage. Limits that hold only for placements better than the incumbent, and cuts that exclude a
placement already scored, can raise the model's optimum above the incumbent's objective, so that the
lesser of the two is the bound.

HiGHS's bound is a bound of the model up to its tolerances. It is solved with the objective scaled to about
`_SIZE`, with reduced costs right to 1e-9: even 1e4 variables of range 1, all wrong by that much, make
1e-5 of `_SIZE`, a relative 1e-7 of the objective. `_MARGIN` is taken off each bound, five times that
much where Q isn't close to 0, and leaves proofs within their tolerance of 1e-6.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import pyomo.environ as pyo
from pyomo.contrib.solver.common.results import TerminationCondition

from offbench import Infeasible, Placement, Search, evaluate
from offbench.model.problem import WEIGHT, Problem
from offbench.search.greedy import greedy
from offbench.solvers.milp.choices import choices
from offbench.solvers.milp.estimators import Estimators
from offbench.solvers.milp.highs import Floats, StreamingHighs
from offbench.solvers.milp.horizon import latest_s
from offbench.solvers.milp.model import ModelData, build
from offbench.solvers.milp.times import times
from offbench.solvers.milp.translate import Pairs, booked_first, choices_of, placement_of, set_start
from offbench.solvers.milp.writing import write_model

_SIZE = 100.0
_MARGIN = 5e-7
_OPTIONS = {
    "mip_rel_gap": 1e-7,
    "mip_abs_gap": 1e-7,
    "primal_feasibility_tolerance": 1e-9,
    "dual_feasibility_tolerance": 1e-9,
    "mip_feasibility_tolerance": 1e-8,
}


def prove(problem: Problem, search: Search, path: Path | None) -> None:
    """Search until the incumbent is proven optimal."""
    Proof(problem, search).run(path)


@dataclass
class Proof:
    """A run: what is known of the problem, and what was learnt from the solutions of models before."""

    problem: Problem
    search: Search
    excluded: list[tuple[list[int], Pairs]] = field(default_factory=list)
    """servers and rivals in order of placements that models need not find again"""

    def run(self, path: Path | None) -> None:
        search = self.search
        search.propose(greedy(search))
        who = times(self.problem)
        coordinated = self.problem.arrays.weights[WEIGHT.coordination] > 0
        rows = []
        for k in range(self.problem.n_subtasks if coordinated else 0):
            search.check()
            rows.append(choices(self.problem, k, who.horizon_s))
        estimators = Estimators(self.problem.arrays)
        seed = int(search.rng.integers(2**31 - 1))
        while True:
            facts = ModelData(self.problem, who, rows, latest_s(who, rows, search.objective, 1e-3 * search.tolerance))
            search.check()
            model = build(facts, estimators, self.excluded)
            search.check()
            if path is not None:
                write_model(model, path)
                path = None
            self._round(facts, model, estimators, seed)

    def _round(self, facts: ModelData, model: pyo.ConcreteModel, estimators: Estimators, seed: int) -> None:
        search = self.search
        q = _size(search)
        highs = StreamingHighs()
        found: list[Placement] = []

        def on_solution(values: Floats) -> None:
            first = highs.values_of(model.first, values) if hasattr(model, "first") else None
            found.append(placement_of(self.problem, highs.values_of(model.x, values), first))
            search.propose(found[-1])

        def on_bound(value: float) -> None:
            search.bound(min(value, search.objective) - _MARGIN * q)

        highs.on_solution, highs.on_bound, highs.on_wait = on_solution, on_bound, search.check
        highs.factor = _SIZE / q
        if search.incumbent is not None:
            set_start(model, facts, search.incumbent, evaluate(self.problem, search.incumbent))
        results = highs.solve(
            model,
            threads=1,
            time_limit=search.remaining_s if math.isfinite(search.remaining_s) else None,
            load_solutions=False,
            raise_exception_on_nonoptimal_result=False,
            solver_options=_OPTIONS | {"random_seed": seed},
        )
        search.check()
        condition = results.termination_condition
        if condition == TerminationCondition.provenInfeasible:
            if search.incumbent is None:
                raise Infeasible("HiGHS finds that the model has no solution")
            on_bound(math.inf)
            raise RuntimeError("the model has no solution, not even the incumbent")
        if condition != TerminationCondition.convergenceCriteriaSatisfied:
            raise Infeasible(f"HiGHS gave up: {condition.name}")
        on_bound(highs.bound)
        self._learn(facts, estimators, found)

    def _learn(self, facts: ModelData, estimators: Estimators, found: list[Placement]) -> None:
        """Tighten estimators where the solutions were; if the last one needs no tightening, exclude it."""
        weight = float(self.problem.arrays.weights[WEIGHT.coordination])
        n = self.problem.n_subtasks
        tolerance = 1e-7 * _size(self.search) / (weight * n) if weight > 0 else math.inf
        loose = False
        for placement in found[-10:]:
            evaluation = evaluate(self.problem, placement)
            waits_s = [row["queueing_s"] for row in evaluation.subtasks]
            loose = False
            for k, c in enumerate(choices_of(facts, placement, evaluation)):
                if waits_s[k] > 0:
                    loose |= estimators.refine(
                        (k, c), facts.choices[k], facts.longest_s(k), float(waits_s[k]), tolerance
                    )
        if not loose:
            last = found[-1]
            pairs = booked_first(facts, last, evaluate(self.problem, last))
            self.excluded.append((last.servers.tolist(), pairs))


def _size(search: Search) -> float:
    """Return how large Q is, or what counts for as large where it is close to 0: a proof's tolerance is 1e-6 of it."""
    return search.tolerance / 1e-6 or 1.0
