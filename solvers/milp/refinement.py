"""Solve, look at what the estimators promised too much, tighten them, solve again.

Why the bounds are valid. The model's solutions contain every placement with every dispatch order, each at
an objective no greater than the evaluator's: constants are the evaluator's own numbers, H while waiting
is over-estimated, and what the model leaves open (which input is critical in a tie) it decides to its
own advantage. Limits that hold only for placements better than the incumbent, and cuts that exclude a
placement already scored, can raise the model's optimum above the incumbent's objective, so that the
lesser of the two is the bound.

HiGHS's bound is a bound of the model up to its tolerances: `tolerances` tells what is assumed of it, how the model
keeps placements out of their reach, and what `margin` is taken off every bound. So a bound holds whatever the numbers.
Whether it meets the incumbent is another matter: where times are wide apart, what tolerances are worth to the model
exceeds what a proof allows. A solution that estimators were refined for and that comes again is therefore excluded. All
placements with its servers and its order on them have the one objective that the evaluator gave it, so none is lost.
What the evaluator finds infeasible is excluded as well, all orders of it at once where none would be feasible. Where
nothing feasible was found and the model, with no more than infeasible placements excluded, is infeasible, so is the
problem. The run ends without a proof where the margin alone is too large, or where an excluded placement comes again.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyomo.environ as pyo
from pyomo.common.log import LoggingIntercept
from pyomo.contrib.solver.common.results import TerminationCondition

from offbench import Evaluation, GaveUp, Infeasible, Placement, Search, evaluate
from offbench.bounds import tightened
from offbench.model.arrays import INDICATOR, SCALE, WEIGHT
from offbench.model.problem import FEASIBLE, Problem
from offbench.search.greedy import greedy
from offbench.solvers.milp.choices import ROUNDING, choices
from offbench.solvers.milp.constraints import Constraints
from offbench.solvers.milp.data import ModelData
from offbench.solvers.milp.estimators import Estimators
from offbench.solvers.milp.highs import Floats, StreamingHighs
from offbench.solvers.milp.horizon import latest_s, least
from offbench.solvers.milp.model import Decision, build
from offbench.solvers.milp.times import times
from offbench.solvers.milp.tolerances import OPTIONS, SIZE
from offbench.solvers.milp.translate import booked_first, choices_of, placement_of
from offbench.solvers.milp.writing import write_model

# A pair takes about 10 kB.
_MOST_RIVALS = 500_000


def prove(problem: Problem, search: Search, path: Path | None) -> None:
    """Search until the incumbent is proven optimal."""
    Proof(problem, search).run(path)


@dataclass
class Proof:
    """A run: what is known of the problem, and what was learnt from the solutions of models before."""

    problem: Problem
    search: Search
    excluded: list[Decision] = field(default_factory=list)
    """servers and rivals in order of placements that models need not find again"""
    refined: list[Decision] = field(default_factory=list)
    """the same of placements that estimators were already refined for"""
    start: float = math.inf
    """Q of the placement to begin with, feasible or not"""

    def run(self, path: Path | None) -> None:
        search = self.search
        start, _ = search.propose_violations(greedy(search)[None])
        self.start = float(start[0])
        self.problem = tightened(self.problem)
        a = self.problem.arrays
        who = times(self.problem)
        if not math.isfinite(who.horizon_s / float(a.scale[SCALE.delay])):
            raise GaveUp("times are beyond what numbers can hold")
        constraints = Constraints(self.problem, who)
        coordinated = a.weights[WEIGHT.coordination] > 0
        rows = []
        for k in range(self.problem.n_subtasks if coordinated else 0):
            search.check()
            rows.append(choices(self.problem, k, who.horizon_s))
        estimators = Estimators(a, ROUNDING * who.horizon_s / float(a.scale[SCALE.delay]))
        search.bound(least(who, rows))
        seed = int(search.rng.integers(2**31 - 1))
        while True:
            latest = latest_s(who, rows, search.objective, 1e-3 * search.tolerance, constraints.due_s)
            facts = ModelData(self.problem, who, constraints, rows, latest)
            if facts.clock and who.fewest_rivals > _MOST_RIVALS:
                raise GaveUp(f"{who.fewest_rivals:,} pairs of subtasks can wait for one another, too many for a model")
            search.check()
            with LoggingIntercept(module="pyomo.core"):  # it would print where the search's end met it
                model = build(facts, estimators, self.excluded)
            search.check()
            if path is not None:
                write_model(model, path)
                path = None
            self._round(facts, model, estimators, seed)

    def _round(self, facts: ModelData, model: pyo.ConcreteModel, estimators: Estimators, seed: int) -> None:
        search = self.search
        q = self._size
        highs = StreamingHighs()
        found: list[Placement] = []

        def on_solution(values: Floats) -> None:
            first = highs.values_of(model.first, values) if hasattr(model, "first") else None
            found.append(placement_of(self.problem, highs.values_of(model.x, values), first))
            search.propose(found[-1])

        def on_bound(value: float) -> None:
            search.bound(min(value, search.objective) - highs.margin)

        highs.on_solution, highs.on_bound, highs.on_wait = on_solution, on_bound, search.check
        highs.factor = SIZE / q
        plain = not facts.clock and not facts.constraints.bind
        try:
            results = highs.solve(
                model,
                threads=1,
                time_limit=search.remaining_s if math.isfinite(search.remaining_s) else None,
                load_solutions=False,
                raise_exception_on_nonoptimal_result=False,
                solver_options=OPTIONS | {"presolve": "choose" if plain else "off", "random_seed": seed},
            )
        except RuntimeError:
            search.check()  # Pyomo wraps what ends a search just when it restores its streams
            raise
        search.check()
        condition = results.termination_condition
        if condition == TerminationCondition.provenInfeasible:
            if search.objective == math.inf:
                raise Infeasible("no placement keeps all memories, deadlines and limits")
            on_bound(math.inf)
        elif condition != TerminationCondition.convergenceCriteriaSatisfied:
            raise GaveUp(f"HiGHS gave up: {condition.name}")
        else:
            on_bound(highs.bound)
        if not found or (highs.margin >= search.tolerance and self._size == q):
            raise GaveUp("the numbers are too wide apart for a proof with HiGHS's tolerances")
        self._learn(facts, estimators, found)

    def _learn(self, facts: ModelData, estimators: Estimators, found: list[Placement]) -> None:
        """Tighten estimators where the solutions were; exclude infeasible ones, and the last one if that is done."""
        weight = float(self.problem.arrays.weights[WEIGHT.coordination])
        n = self.problem.n_subtasks
        tolerance = 1e-7 * self._size / (weight * n) if weight > 0 else math.inf
        before = list(self.excluded)
        for placement in found[-10:]:
            evaluation = evaluate(self.problem, placement)
            waits_s = [row["queueing_s"] for row in evaluation.subtasks]
            loose = False
            for k, c in enumerate(choices_of(facts, placement, evaluation)):
                if waits_s[k] > 0:
                    loose |= estimators.refine(
                        (k, c), facts.choices[k], facts.longest_s(k), float(waits_s[k]), tolerance
                    )
            if not evaluation.feasible or placement is found[-1]:
                decision = self._decision(facts, placement, evaluation)
                if decision in before:
                    raise GaveUp("HiGHS's tolerances let a placement through that was excluded")
                again = not loose or not evaluation.feasible or decision in self.refined
                (self.excluded if again else self.refined).append(decision)

    def _decision(self, facts: ModelData, placement: Placement, evaluation: Evaluation) -> Decision:
        """Return the servers and the order on them; without the order where none would be feasible."""
        a, servers = self.problem.arrays, placement.servers.tolist()
        spent = np.array([evaluation.energy_j, evaluation.cost_usd]) / a.limit[INDICATOR.energy :] - 1
        if evaluation.memory_violation + np.maximum(0, spent).sum() > FEASIBLE:
            return servers, []
        return servers, booked_first(facts, placement, evaluation)

    @property
    def _size(self) -> float:
        """How large Q is, or what counts for as large where it is close to 0: a proof's tolerance is 1e-6 of it."""
        search = self.search
        if search.objective == math.inf:
            return max(abs(self.start), 1e-3 * abs(search.client_only)) or 1.0
        return search.tolerance / 1e-6 or 1.0
