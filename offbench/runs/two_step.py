"""Two-step offloading: the chain first, then the insides of its modules (MODEL.md section 5)."""

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

import numpy as np

from offbench.errors import OffbenchError
from offbench.evaluation import infeasibility
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import evaluate, warm_up
from offbench.evaluation.given import InstanceLike, instance_of
from offbench.evaluation.references import lookup
from offbench.model.arrays import Ints
from offbench.model.instance import Instance
from offbench.model.modules import Nesting, pin
from offbench.model.placement import Placement
from offbench.model.problem import FEASIBLE, P1
from offbench.runs.chosen import Chosen, SolverLike, chosen
from offbench.runs.solution import Solution
from offbench.runs.solution_facts import Stage
from offbench.runs.solve import budget_of, solve
from offbench.search.budget import BoundError, Budget, Clock, SearchEnded
from offbench.search.greedy import greedy
from offbench.search.search import Search, TracePoint
from offbench.search.solver import Solver
from offbench.versions import versions

# A stage that places next to nothing gets this share of an equal one, for to begin takes every solver some time.
_LEAST = 0.2


def solve_two_step(
    instance: InstanceLike,
    solver: SolverLike,
    *,
    objective: str | None = None,
    weights: str | Mapping[str, float] | None = None,
    secondary: SolverLike | None = None,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    max_evaluations: int | None = None,
    target: float | None = None,
    on_start: Callable[[Search], None] | None = None,
    on_stage: Callable[[str], None] = lambda title: None,
) -> Solution:
    """Solve P1 in two steps: with each module as one layer, then the insides of the modules with the rest pinned.

    Modules inside modules repeat the second step. What a stage finds is a placement of the full graph, with the
    inside of modules still to come where the module is, and is scored as such; the best of these is the result.

    Solvers are imported before the budget is dealt. Of what is then left, each stage gets the share that the
    subtasks it places are of those that it and the stages after it place, but at least a fifth of an equal share. A
    stage whose budget ends without a placement begins again with up to twice as much, as long as that leaves the
    stages to come as much again; if the initial problem's does so in vain, or no placement of it is feasible, the
    greedy's placement stands in for it. Where a stage finds none that is feasible the one that breaks least goes on.

    Parameters
    ----------
    instance, solver, objective, weights, seed, time_limit, max_evaluations, on_start
        As `solve.solve`; *on_start* is called with the search of each stage.
    secondary
        The solver of all stages but the first; *solver* by default.
    parameters
        Of *solver*; another one for the later stages has its defaults.
    target
        An objective of the full graph that ends the run.
    on_stage
        Called with solver and stage in words when a stage begins.

    Returns
    -------
    Solution
        Of the full graph, with the stages in `Solution.stages`. It has a lower bound only where all tasks
        are chains: a stage's own bound is about the problem of that stage.

    Raises
    ------
    OffbenchError
        As `solve.solve`; also if a solver isn't for the problem of its stage.
    BoundError, SolverError
        As `solve.solve`.
    """
    instance = instance_of(instance, objective, weights)
    budget = budget_of(time_limit, max_evaluations, target)
    nesting = Nesting(instance)
    steps = [_StageProblem(nesting, depth) for depth in range(nesting.deepest + 1)]
    # One evaluation in each stage, and one of what it found.
    if max_evaluations is not None and max_evaluations < 2 * len(steps):
        raise OffbenchError(f"max evaluations: {len(steps)} stages need {2 * len(steps)}, not {max_evaluations}")
    first = chosen(solver, parameters)
    later = None
    if secondary is not None:
        later = chosen(secondary, parameters if secondary == solver else None, role="secondary")
    warm_up(instance)
    infeasibility.warm_up(instance)
    run = _Stages(instance, steps, budget, seed, on_start, on_stage)
    run.go(first, later)
    return run.solution(first)


class _Stages:
    """The stages of one run, one after the other: what they found, and what they have used of the budget."""

    def __init__(
        self, instance: Instance, steps: "list[_StageProblem]", budget: Budget, seed: int,
        on_start: Callable[[Search], None] | None, on_stage: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._instance, self._steps, self._budget, self._seed = instance, steps, budget, seed
        self._on_start, self._on_stage = on_start, on_stage
        self._full = Search(P1(instance), seed=seed, clock=Clock())
        self._servers: Ints = np.zeros(instance.subtasks, dtype=np.int64)
        self._used = 0
        """evaluations"""
        self._trace: list[TracePoint] = []
        self._stages: list[Stage] = []
        self._stopped = self._reason = ""
        self._infeasible = False

    def go(self, first: Chosen, later: Chosen | None) -> None:
        """Run the stages until the last one, or what ends the run."""
        clock, limit, name = self._full.clock, self._budget.time_limit, self._instance.name
        try:
            # Here, so that no stage's share pays for the import.
            solver = first.made_within(clock, limit, name)
            secondary = solver if later is None else later.made_within(clock, limit, name)
        except SearchEnded:
            self._stopped = "time-limit"
            return
        why = infeasibility.why_infeasible(self._full.problem)
        if why is not None:
            self._reason, self._stopped, self._infeasible = why, "finished", True
            return
        for step in self._steps:
            self._stage(step, secondary if step.depth else solver)
            if self._stopped or self._full.incumbent is None:
                break

    def _stage(self, step: "_StageProblem", solver: Solver) -> None:
        problem = step.problem(self._servers)
        share = self._share(step)
        if share is None:
            self._stopped = "time-limit"
            return
        self._on_stage(f"{solver.name}, {step.name}")
        try:
            found, given, tries = self._tries(step, solver, problem, share)
        except (OffbenchError, BoundError) as error:
            raise type(error)(f"two-step, {step.name} problem: {error}") from None
        except KeyboardInterrupt:  # before the stage's search began
            if not self._stages:
                raise
            self._stopped = "interrupted"
            return
        placement, stand_in = found.placement, ""
        given_up = _starved(found) or found.infeasible  # the full problem may be feasible all the same
        if placement is None and self._full.incumbent is None and not step.is_last and given_up:
            placement, stand_in = self._stand_in(problem)
        objective = math.inf
        if placement is not None:
            objective = self._take(step, placement)
        self._stages.append(
            Stage(step.name, found, step.free, given.time_limit, given.max_evaluations, objective, tries, stand_in)
        )
        if found.stopped == "interrupted":
            self._stopped = "interrupted"
        elif self._budget.target is not None and self._full.objective <= self._budget.target:
            self._stopped = "target"

    def _tries(
        self, step: "_StageProblem", solver: Solver, problem: Instance, share: Budget
    ) -> tuple[Solution, Budget, int]:
        """Solve a stage's problem, again and with more where the budget ended without a placement.

        Returns what was found and used in all tries, what was given to them, and how many there were.
        """
        found, given, tries = self._solve(step, solver, problem, share), share, 1
        while _starved(found) and (more := self._more(step, share, found.stopped)) is not None:
            share, tries = more, tries + 1
            found = _after(found, self._solve(step, solver, problem, share))
            given = _sum(given, share)
        return found, given, tries

    def _solve(self, step: "_StageProblem", solver: Solver, problem: Instance, share: Budget) -> Solution:
        begun_s = self._full.seconds
        found = solve(
            problem,
            solver,
            seed=self._seed,
            time_limit=share.time_limit,
            max_evaluations=share.max_evaluations,
            target=self._budget.target if step.is_last else None,
            on_start=self._on_start,
        )
        if step.is_last:
            self._trace += _better(found.trace, self._full, begun_s, self._used)
        self._used += found.evaluations
        return found

    def _stand_in(self, problem: Instance) -> tuple[Placement | None, str]:
        """Return a placement of a stage that found none in its share, and whose it is, while there is time left."""
        left_s = self._left_s
        if left_s <= 0:
            return None, ""
        search = Search(P1(problem), Budget(None if math.isinf(left_s) else left_s / 2))
        with suppress(SearchEnded):
            return Placement(greedy(search)), "greedy"
        return Placement(search.problem.everything_on(search.problem.arrays.client)), "client-only"

    def _take(self, step: "_StageProblem", found: Placement) -> float:
        """Score what a stage found as a placement of the full graph; what comes next is pinned to it."""
        placement = step.in_full(found)
        self._servers = placement.servers
        before, full = self._full.incumbent, self._full
        orders = None if placement.order is None else placement.order[None]
        (objective,), (violation,) = full.propose_violations(placement.servers[None], orders)
        self._used += 1
        if not step.is_last and full.incumbent is not before:
            self._trace.append(TracePoint(full.seconds, self._used, full.objective, -math.inf, full.violation))
        return float(objective) if violation <= FEASIBLE else math.inf

    @property
    def _left_s(self) -> float:
        return math.inf if self._budget.time_limit is None else self._budget.time_limit - self._full.seconds

    def _spare(self, step: "_StageProblem") -> int | None:
        """Return how many evaluations are left beyond those that this stage and each one to come must have."""
        most = self._budget.max_evaluations
        return None if most is None else most - self._used - 2 * len(self._steps[step.depth :])

    def _share(self, step: "_StageProblem") -> Budget | None:
        """Return what a stage may use of what is left; None if there is no time left."""
        steps, spare = self._steps[step.depth :], self._spare(step)
        share = max(step.free / sum(each.free for each in steps), _LEAST / len(steps))
        if self._left_s <= 0:
            return None
        return replace(
            self._budget,
            time_limit=None if math.isinf(self._left_s) else self._left_s * share,
            max_evaluations=None if spare is None else 1 + int(spare * share),
        )

    def _more(self, step: "_StageProblem", share: Budget, ended_by: str) -> Budget | None:
        """Return what a stage may use whose share was too small: up to twice as much, and half of what is left.

        None where that is no more than it had, and for the last stage, which had all.
        """
        if step.is_last or self._left_s <= 0:
            return None
        time_limit, most, spare = share.time_limit, share.max_evaluations, self._spare(step)
        if time_limit is not None:
            time_limit = min(2 * time_limit, self._left_s / 2)
        if most is not None and spare is not None:
            most = min(2 * most, 1 + spare // 2)
        grown = (time_limit, share.time_limit) if ended_by == "time-limit" else (most, share.max_evaluations)
        if grown[0] is None or grown[1] is None or grown[0] <= grown[1] or (most is not None and most < 1):
            return None
        return replace(share, time_limit=time_limit, max_evaluations=most)

    def solution(self, first: Chosen) -> Solution:
        """Return what the stages came to."""
        full, stages = self._full, self._stages
        initial = stages[0].solution if stages else None
        chain = self._steps[-1].depth == 0
        stopped = self._stopped or stages[-1].solution.stopped
        return Solution(
            instance=self._instance,
            problem="P1",
            solver=first.name if initial is None else initial.solver,
            parameters=first.parameters if initial is None else initial.parameters,
            seed=self._seed,
            stopped="finished" if stopped == "optimal" and not chain else stopped,
            reason=self._reason or ("" if initial is None else initial.reason),
            placement=full.incumbent,
            evaluation=None if full.incumbent is None else evaluate(full.problem, full.incumbent),
            client_only=client_only(full.problem),
            lower_bound=initial.lower_bound if initial is not None and chain else -math.inf,
            seconds=full.seconds,
            evaluations=self._used,
            trace=tuple(self._trace),
            versions=versions(),
            reference=lookup(self._instance),
            stages=tuple(stages),
            infeasible=self._infeasible or (initial is not None and chain and initial.infeasible),
        )


class _StageProblem:
    """A problem of the sequence: modules at *depth* are one layer each, what lies less deep is pinned."""

    def __init__(self, nesting: Nesting, depth: int) -> None:
        self.depth = depth
        self.is_last = depth == nesting.deepest
        self.name = "initial" if depth == 0 else "secondary" if depth == 1 else f"secondary-{depth}"
        self._nesting = nesting
        self._part_of = nesting.part_of(depth)
        self._first = np.unique(self._part_of, return_index=True)[1]
        self._pinned = nesting.depth[self._first] < depth
        self.free = int((~self._pinned).sum())
        """how many subtasks it places"""

    def problem(self, servers: Ints) -> Instance:
        """Return the problem; *servers* are those of the full graph's subtasks as far as they are pinned."""
        contracted = self._nesting.contract(self.depth)
        renamed = contracted.model_copy(update={"name": f"{contracted.name}-{self.name}"})
        return pin(renamed, servers[self._first], self._pinned)

    def in_full(self, placement: Placement) -> Placement:
        """Return a placement of the problem as one of the full graph, a module's layers booked one after the other."""
        order = None
        if placement.order is not None:
            place = np.empty_like(placement.order)
            place[placement.order] = np.arange(len(place))
            order = np.argsort(place[self._part_of], kind="stable")
        return Placement(placement.servers[self._part_of], order)


def _starved(found: Solution) -> bool:
    """Tell whether the budget ended before a solver had a placement."""
    return found.placement is None and found.stopped in ("time-limit", "max-evaluations")


def _after(before: Solution, found: Solution) -> Solution:
    """Return what a try found, with what those before it have used."""
    return replace(
        found,
        seconds=before.seconds + found.seconds,
        evaluations=before.evaluations + found.evaluations,
        trace=(*before.trace, *_shifted(found.trace, before.seconds, before.evaluations)),
    )


def _sum(one: Budget, other: Budget) -> Budget:
    return replace(
        one,
        time_limit=None if one.time_limit is None else one.time_limit + (other.time_limit or 0.0),
        max_evaluations=None if one.max_evaluations is None else one.max_evaluations + (other.max_evaluations or 0),
    )


def _shifted(trace: tuple[TracePoint, ...], seconds: float, evaluations: int) -> list[TracePoint]:
    """Return a trace on the clock of what it is a part of."""
    return [
        point._replace(seconds=point.seconds + seconds, evaluations=point.evaluations + evaluations) for point in trace
    ]


def _better(trace: tuple[TracePoint, ...], than: Search, begun_s: float, evaluations: int) -> list[TracePoint]:
    """Return the points of a stage's trace that are better than what was there, on the run's clock."""
    better = tuple(
        point._replace(bound=-math.inf)
        for point in trace
        if point.objective < than.objective or point.violation < than.violation
    )
    return _shifted(better, begun_s, evaluations)
