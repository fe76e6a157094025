"""Two-step offloading: the chain first, then the insides of its modules (MODEL.md section 5)."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from offbench.errors import OffbenchError
from offbench.evaluation.evaluator import evaluate, warm_up
from offbench.evaluation.references import lookup
from offbench.model.instance import Instance, load
from offbench.model.modules import Nesting, pin
from offbench.model.placement import Placement
from offbench.model.problem import P1, Ints
from offbench.runs.solution import Solution, Stage
from offbench.runs.solve import DEFAULT_TIME_LIMIT_S, solve
from offbench.search.budget import BoundError, Budget, Clock
from offbench.search.search import Search, TracePoint
from offbench.versions import versions


def solve_two_step(
    instance: Instance | str | Path,
    solver: str,
    *,
    secondary: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    max_evaluations: int | None = None,
    target: float | None = None,
    on_start: Callable[[Search], None] | None = None,
    on_stage: Callable[[str], None] = lambda title: None,
) -> Solution:
    """Solve P1 in two steps: with each module as one layer, then the insides of the modules with the rest pinned.

    Modules inside modules repeat the second step. Of the budget that is left, each stage gets the
    share that the subtasks it places are of those that it and the stages after it place. What a stage
    finds is a placement of the full graph, with the inside of modules still to come where the module
    is, and is scored as such; the best of these is the result.

    Parameters
    ----------
    instance, solver, seed, time_limit, max_evaluations, on_start
        As `run.solve`; *on_start* is called with the search of each stage.
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
        As `run.solve`; also if a solver isn't for the problem of its stage.
    BoundError
        If a solver reports a lower bound above a feasible objective.
    """
    if not isinstance(instance, Instance):
        instance = load(instance)
    if time_limit is None and max_evaluations is None:
        time_limit = DEFAULT_TIME_LIMIT_S
    budget = Budget(time_limit, max_evaluations, target)
    nesting = Nesting(instance)
    steps = [_StageProblem(nesting, depth) for depth in range(nesting.deepest + 1)]
    # One evaluation in each stage, and one of what it found.
    if max_evaluations is not None and max_evaluations < 2 * len(steps):
        raise OffbenchError(f"max evaluations: {len(steps)} stages need {2 * len(steps)}, not {max_evaluations}")
    warm_up()
    full = Search(P1(instance), seed=seed, clock=Clock())
    used = 0
    trace: list[TracePoint] = []
    stages: list[Stage] = []
    servers: Ints = np.zeros(instance.subtasks, dtype=np.int64)
    stopped = ""
    for step in steps:
        share = _share(budget, full.seconds if stages else 0.0, used, steps[step.depth :])
        if share is None:
            stopped = "time-limit"
            break
        name = secondary if secondary is not None and step.depth else solver
        on_stage(f"{name}, {step.name}")
        begun_s = full.seconds
        try:
            found = solve(
                step.problem(servers),
                name,
                parameters=parameters if name == solver else None,
                seed=seed,
                time_limit=share.time_limit,
                max_evaluations=share.max_evaluations,
                target=target if step.is_last else None,
                on_start=on_start,
            )
        except (OffbenchError, BoundError) as error:
            raise type(error)(f"two-step, {step.name} problem: {error}") from None
        except KeyboardInterrupt:  # before the stage's search began
            if not stages:
                raise
            stopped = "interrupted"
            break
        if step.is_last:
            trace += _better(found.trace, full.objective, begun_s, used)
        used += found.evaluations
        objective = math.inf
        if found.placement is not None:
            placement = step.in_full(found.placement)
            servers = placement.servers
            objective = full.propose(placement)
            used += 1
            if not step.is_last and objective == full.objective:
                trace.append(TracePoint(full.seconds, used, objective, -math.inf))
        stages.append(Stage(step.name, found, step.free, share.time_limit, share.max_evaluations, objective))
        if found.stopped == "interrupted":
            stopped = "interrupted"
        elif target is not None and full.objective <= target:
            stopped = "target"
        if stopped or full.incumbent is None:
            break
    first, last = stages[0].solution, stages[-1].solution
    if not stopped:
        stopped = "finished" if last.stopped == "optimal" and nesting.deepest else last.stopped
    return Solution(
        instance=instance,
        problem="P1",
        solver=first.solver,
        parameters=first.parameters,
        seed=seed,
        stopped=stopped,
        reason=first.reason,
        placement=full.incumbent,
        evaluation=None if full.incumbent is None else evaluate(full.problem, full.incumbent),
        client_only=evaluate(full.problem, full.problem.everything_on(instance.client)),
        lower_bound=-math.inf if nesting.deepest else first.lower_bound,
        seconds=full.seconds,
        evaluations=used,
        trace=tuple(trace),
        versions=versions(),
        reference=lookup(instance),
        stages=tuple(stages),
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


def _share(budget: Budget, seconds: float, evaluations: int, steps: list[_StageProblem]) -> Budget | None:
    """Return what the first of the steps to come may use; None if there is no time left."""
    share = steps[0].free / sum(step.free for step in steps)
    time_limit, most = budget.time_limit, budget.max_evaluations
    if time_limit is not None:
        time_limit = (time_limit - seconds) * share
        if time_limit <= 0:
            return None
    if most is not None:
        spare = most - evaluations - 2 * len(steps)
        most = 1 + int(spare * share)
    return replace(budget, time_limit=time_limit, max_evaluations=most)


def _better(trace: tuple[TracePoint, ...], than: float, begun_s: float, evaluations: int) -> list[TracePoint]:
    """Return the points of a stage's trace that are better than what was there, on the run's clock."""
    return [
        TracePoint(begun_s + point.seconds, evaluations + point.evaluations, point.objective, -math.inf)
        for point in trace
        if point.objective < than
    ]
