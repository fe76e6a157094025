"""One run: from an instance and a solver's name to a solution."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from offbench.errors import OffbenchError
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import Evaluation, evaluate, warm_up
from offbench.evaluation.references import lookup
from offbench.learning.checkpoint import Checkpoint
from offbench.learning.policy_check import look_at
from offbench.learning.trainable import Policy
from offbench.model.instance import Instance, load
from offbench.model.placement import Placement
from offbench.model.problem import P1, P2, Problem
from offbench.runs.solution import Finish, Solution, Trained
from offbench.search.budget import Budget, Clock, Infeasible, SearchEnded
from offbench.search.registry import configure, find
from offbench.search.search import Search, TracePoint
from offbench.search.solver import Solver
from offbench.search.watchdog import watchdog
from offbench.versions import versions

DEFAULT_TIME_LIMIT_S = 60.0
# Placements that a policy makes before the clock is looked at.
_ROLLOUTS = 100
# Of the budget, for P2 where it follows P1.
P2_SHARE = 0.1


def solve(
    instance: Instance | str | Path,
    solver: str | None = None,
    *,
    policy: Path | str | None = None,
    rollouts: int = 1,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    max_evaluations: int | None = None,
    target: float | None = None,
    placement: Placement | None = None,
    p2: str | None = None,
    on_start: Callable[[Search], None] | None = None,
) -> Solution:
    """Run one solver on one instance.

    Parameters
    ----------
    instance
        An instance, or a file or shipped name to load.
    solver
        A solver's name, or the path of a file with one.
    policy
        In place of a solver: the folder of a trained policy (`offbench.learning.train`). Nothing is learnt any more.
    rollouts
        Placements that the policy makes: the greedy one, then sampled ones.
    parameters
        The solver's parameters by name.
    seed
        Of the run. The same seed gives the same placement where the solver doesn't go by time.
    time_limit
        Seconds, counted from before the solver is imported. 60 if neither this nor
        *max_evaluations* is given.
    max_evaluations
        Complete placements scored at most.
    target
        Stop at an objective as low as this.
    placement
        For P2: the placement whose servers are given. A solver of both problems solves P1 without.
    p2
        A solver of P2 that then improves the dispatch order of what P1 gave: in what is left of the budget,
        a tenth of it at least.
    on_start
        Called with the search before the solver starts, to watch it.

    Returns
    -------
    Solution
        What was found, also if the budget ran out or Ctrl-C ended the run.

    Raises
    ------
    OffbenchError
        If instance, solver, parameters or budget are wrong.
    BoundError
        If the solver reports a lower bound above a feasible objective.
    """
    if not isinstance(instance, Instance):
        instance = load(instance)
    if seed < 0:
        raise OffbenchError(f"seed: must be 0 or more, not {seed}")
    trained = _trained(solver, policy, rollouts, parameters)
    name = trained.checkpoint.solver if trained is not None else str(solver)
    if time_limit is None and max_evaluations is None:
        time_limit = DEFAULT_TIME_LIMIT_S
    if p2 is not None:
        if placement is not None:
            raise OffbenchError("p2: improves what P1 finds; with a placement given, name the solver of P2 alone")
        return _solve_both(
            instance, solver, p2, Budget(time_limit, max_evaluations, target),
            {"policy": policy, "rollouts": rollouts, "parameters": parameters}, seed=seed, on_start=on_start,
        )  # fmt: skip
    budget = Budget(time_limit, max_evaluations, target)
    reference = lookup(instance) if placement is None else None
    warm_up()

    # The solver's import and the model's building count: that is what a user waits for.
    clock = Clock()
    made: Solver | None = None
    search: Search | None = None
    reason = stopped = ""
    loaded_s = 0.0
    try:
        with watchdog(clock, time_limit):
            made = trained.checkpoint.made() if trained is not None else configure(find(name), name, parameters or {})
        with clock.standing():
            made.warm_up()
        with watchdog(clock, time_limit):
            search = Search(_problem(instance, made, placement), budget, seed, clock)
            if on_start is not None:
                on_start(search)
            if trained is None:
                made.solve(search.problem, search)
            else:
                loaded = trained.checkpoint.open_policy(trained.folder, trained.checkpoint.made())
                loaded_s = clock.seconds
                _roll_out(loaded, trained, search)
    except SearchEnded:
        pass
    except Infeasible as error:
        reason, stopped = str(error), "finished"
    except KeyboardInterrupt:
        if search is None:
            raise
        stopped = "interrupted"
    except SystemError as error:
        # The alarm, or Ctrl-C, in the middle of a C function; numba turns what it raises into this.
        if search is None or not (cause := _signal_behind(error)):
            raise
        stopped = "interrupted" if isinstance(cause, KeyboardInterrupt) else ""
    seconds = clock.seconds
    if search is None:
        search = Search(P1(instance), budget, seed, clock)
    return Solution(
        instance=instance,
        problem="P1" if placement is None else "P2",
        solver=made.name if made is not None else name,
        parameters=made.model_dump(mode="json") if made is not None else dict(parameters or {}),
        seed=seed,
        stopped=stopped or search.ended_by or search.returned_by,
        reason=reason,
        placement=search.incumbent,
        evaluation=_confirmed(search),
        client_only=client_only(search.problem),
        lower_bound=search.lower_bound,
        seconds=seconds,
        evaluations=search.evaluations,
        trace=tuple(search.trace),
        versions=versions(),
        reference=reference,
        curves=search.diary.points(),
        trained=trained and replace(trained, met=trained.checkpoint.met(instance), inference_s=seconds - loaded_s),
        learnt=look_at(search.problem, search.policy) if search.policy is not None else None,
    )


def _trained(
    solver: str | None, policy: Path | str | None, rollouts: int, parameters: Mapping[str, Any] | None
) -> Trained | None:
    if policy is None:
        if solver is None:
            raise OffbenchError("solve: name a solver, or the folder of a policy")
        if rollouts != 1:
            raise OffbenchError("rollouts: of a policy only; name its folder")
        return None
    if solver is not None or parameters:
        raise OffbenchError("policy: its solver and parameters are those that it was trained with; name none")
    if rollouts < 1:
        raise OffbenchError(f"rollouts: must be at least 1, not {rollouts}")
    folder = Path(policy)
    return Trained(folder, Checkpoint.read(folder), rollouts)


def _roll_out(policy: Policy, trained: Trained, search: Search) -> None:
    """Propose what a policy makes of the problem."""
    assert isinstance(search.problem, P1)
    proposed = 0
    while proposed < trained.rollouts:
        count = min(_ROLLOUTS, trained.rollouts - proposed)
        again = proposed > 0  # the first row is the greedy one each time
        try:
            servers = policy.place(search.problem, count + again, search.rng)
        except OffbenchError as error:
            raise OffbenchError(f"{trained.folder}: doesn't fit '{search.problem.instance.name}': {error}") from None
        if not again:
            search.policy = servers[0]
        search.propose_many(servers[again:])
        proposed += count


def _solve_both(
    instance: Instance, solver: str | None, p2: str, budget: Budget, first_alone: dict[str, Any], **how: Any
) -> Solution:
    """Solve P1, then P2 for the servers found, within one budget."""
    if "P2" not in find(p2).solves:
        raise OffbenchError(f"p2: solver '{p2}' solves P1 and chooses the servers; it must be one of P2")
    time_limit, most = budget.time_limit, budget.max_evaluations
    first = solve(
        instance, solver, target=budget.target, **first_alone, **how,
        time_limit=None if time_limit is None else time_limit * (1 - P2_SHARE),
        max_evaluations=None if most is None else max(1, int(most * (1 - P2_SHARE))),
    )  # fmt: skip
    left_s = None if time_limit is None else time_limit - first.seconds
    left = None if most is None else most - first.evaluations
    nothing_left = (left_s is not None and left_s <= 0) or left == 0
    if first.placement is None or first.stopped in ("interrupted", "target", "optimal") or nothing_left:
        return first
    second = solve(
        instance, p2, target=budget.target, placement=first.placement, time_limit=left_s, max_evaluations=left, **how
    )
    better = second if second.objective < first.objective else first
    gain = first.objective - better.objective
    later = [
        TracePoint(first.seconds + point.seconds, first.evaluations + point.evaluations, point.objective, bound)
        for point in second.trace
        if point.objective < first.objective
        for bound in [first.lower_bound]  # one of P2 bounds nothing else
    ]
    return replace(
        first,
        placement=better.placement,
        evaluation=better.evaluation,
        seconds=first.seconds + second.seconds,
        evaluations=first.evaluations + second.evaluations,
        trace=(*first.trace, *later),
        stopped="finished" if second.stopped == "optimal" else second.stopped,
        p2=Finish(second.solver, second.parameters, first.objective, gain, second.seconds, second.evaluations),
    )


def _problem(instance: Instance, solver: Solver, placement: Placement | None) -> Problem:
    if placement is not None:
        if solver.solves == "P1":
            raise OffbenchError(f"solver '{solver.name}' solves P1 and chooses the servers; a placement is for P2")
        return P2(instance, placement)
    if solver.solves == "P2":
        raise OffbenchError(f"solver '{solver.name}' solves P2, the order for given servers: give a placement")
    return P1(instance)


def _signal_behind(error: BaseException) -> BaseException | None:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, SearchEnded | KeyboardInterrupt):
        cause = cause.__cause__ or cause.__context__
    return cause


def _confirmed(search: Search) -> Evaluation | None:
    """Score the incumbent once more; it must have the objective that the search kept."""
    if search.incumbent is None:
        return None
    evaluation = evaluate(search.problem, search.incumbent)
    if evaluation.objective != search.objective:
        raise RuntimeError(
            f"the incumbent's objective is {evaluation.objective!r}, but the search kept {search.objective!r}"
        )
    return evaluation
