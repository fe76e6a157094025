"""One run: from an instance and a solver to a solution."""

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace
from numbers import Integral
from pathlib import Path
from typing import Any

from offbench.errors import InvalidPlacement, OffbenchError
from offbench.evaluation import infeasibility
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import Evaluation, evaluate, warm_up
from offbench.evaluation.given import InstanceLike, PlacementLike, instance_of, placement_of
from offbench.evaluation.references import Reference, lookup
from offbench.learning.checkpoint import Checkpoint
from offbench.learning.policy_check import look_at
from offbench.learning.trainable import Policy
from offbench.model.instance import Instance
from offbench.model.placement import Placement
from offbench.model.problem import P1, P2, Problem
from offbench.runs.blame import blaming, text_of
from offbench.runs.chosen import Chosen, SolverLike, chosen
from offbench.runs.solution import Solution
from offbench.runs.solution_facts import Finish, Trained
from offbench.runs.suggested import suggested
from offbench.search.budget import Budget, Clock, GaveUp, Infeasible, SearchEnded, SolverError
from offbench.search.search import Search
from offbench.search.solver import Solver
from offbench.search.watchdog import signal_behind, watchdog
from offbench.versions import versions

DEFAULT_TIME_LIMIT_S = 60.0
# Placements that a policy makes before the clock is looked at.
_ROLLOUTS = 100
# Of the budget, for P2 where it follows P1.
P2_SHARE = 0.1


def solve(
    instance: InstanceLike,
    solver: SolverLike | None = None,
    *,
    objective: str | None = None,
    weights: str | Mapping[str, float] | None = None,
    policy: Path | str | None = None,
    rollouts: int = 1,
    parameters: Mapping[str, Any] | None = None,
    seed: int = 0,
    time_limit: float | None = None,
    max_evaluations: int | None = None,
    target: float | None = None,
    placement: PlacementLike | None = None,
    p2: SolverLike | None = None,
    on_start: Callable[[Search], None] | None = None,
) -> Solution:
    """Run one solver on one instance.

    Parameters
    ----------
    instance
        An instance, or a file or shipped name to load.
    solver
        A solver's name, the path of a file with one, a subclass of `Solver`, or one made with its parameters; of P1 one
        that suits the instance (`suggested`) without.
    objective, weights
        Instead of the instance's own: ``"latency"``, ``{"delay": 0.7, "energy": 0.3}`` (`with_objective`).
    policy
        In place of a solver: the folder of a trained policy (`offbench.learning.train`). Nothing is learnt any more.
        Where its solver is a file, that must be named too: no file is run that a policy alone names.
    rollouts
        Placements that the policy makes: the greedy one, then sampled ones.
    parameters
        The solver's parameters by name; of one that is made they are its own.
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
        For P2: the placement whose servers are given, or what `evaluate` takes for one. A solver of both problems
        solves P1 without.
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
    SolverError
        If the solver calls `sys.exit`, raises what is no `Exception`, or changes the run's clock, the problem or what
        its search keeps. What else it raises bears a note with its name.
    """
    if isinstance(solver, Instance):
        raise OffbenchError("solve: the instance comes first, then the solver")
    instance = instance_of(instance, objective, weights)
    if isinstance(seed, bool) or not isinstance(seed, Integral) or seed < 0:
        raise OffbenchError(f"seed: must be a whole number from 0 on, not {seed!r}")
    if solver is None and policy is None and placement is None:
        pick = suggested(instance)
        solver, parameters = pick.solver, pick.parameters | dict(parameters or {})
    trained = _trained(solver, policy, rollouts, parameters)
    if p2 is not None and placement is not None:
        raise OffbenchError("p2: improves what P1 finds; with a placement given, name the solver of P2 alone")
    budget = budget_of(time_limit, max_evaluations, target)
    if p2 is not None:
        first_alone = {"policy": policy, "rollouts": rollouts, "parameters": parameters}
        return _solve_both(instance, solver, p2, budget, first_alone, seed=seed, on_start=on_start)
    which = _chosen(solver, parameters, trained)
    reference = lookup(instance) if placement is None else None
    warm_up(instance)
    infeasibility.warm_up(instance)
    given = None if placement is None else placement_of(placement, instance)
    run = _Run(instance, given, which, trained, budget, seed)
    run.go(on_start)
    return run.solution(reference)


def budget_of(time_limit: float | None, max_evaluations: int | None, target: float | None) -> Budget:
    """Return a run's budget: 60 s if there is neither a time limit nor one of evaluations."""
    if time_limit is None and max_evaluations is None:
        time_limit = DEFAULT_TIME_LIMIT_S
    return Budget(time_limit, max_evaluations, target)


class _Run:
    """One run as it goes: what was made for it, and how it ended."""

    def __init__(
        self, instance: Instance, placement: Placement | None, chosen: Chosen, trained: Trained | None, budget: Budget,
        seed: int,
    ) -> None:  # fmt: skip
        self._instance, self._placement, self._chosen = instance, placement, chosen
        self._trained, self._budget, self._seed = trained, budget, seed
        # The solver's import and the model's building count: that is what a user waits for.
        self._clock = Clock()
        self._solver: Solver | None = None
        self._search: Search | None = None
        self._stopped = self._reason = ""
        self._infeasible = False
        self._loaded_s = self._seconds = 0.0

    @property
    def _name(self) -> str:
        return self._chosen.name if self._solver is None else self._solver.name

    def go(self, on_start: Callable[[Search], None] | None) -> None:
        """Run until the solver ends, or is ended; what it has proposed until then is kept."""
        try:
            self._solver = self._chosen.made_within(self._clock, self._budget.time_limit, self._instance.name)
            self._solve(self._solver, on_start)
        except SearchEnded:
            pass
        except Infeasible as error:
            if self._search is not None and self._search.violation == 0:
                raise SolverError(
                    f"solver '{self._name}' says that no placement is feasible ({text_of(error)}), but found one"
                ) from None
            self._reason, self._stopped, self._infeasible = text_of(error), "finished", True
        except GaveUp as error:
            self._reason, self._stopped = text_of(error), "finished"
        except KeyboardInterrupt:
            if self._search is None:
                raise
            self._stopped = "interrupted"
        except SystemError as error:
            # The alarm, or Ctrl-C, in the middle of a C function; numba turns what it raises into this.
            if self._search is None or not (cause := signal_behind(error)):
                raise
            self._stopped = "interrupted" if isinstance(cause, KeyboardInterrupt) else ""
        self._seconds = self._clock.seconds
        if self._search is not None:
            shown = self._search.seconds
            if not self._seconds <= shown <= self._clock.seconds:
                raise SolverError(
                    f"solver '{self._name}' changed the run's clock: it shows {shown:.6g} s, when "
                    f"{self._seconds:.6g} s have passed"
                )

    def _solve(self, solver: Solver, on_start: Callable[[Search], None] | None) -> None:
        with watchdog(self._clock, self._budget.time_limit):
            problem = _problem(self._instance, solver, self._placement)
            # A copy of the clock: what a solver does to it shows.
            self._search = Search(problem, self._budget, self._seed, copy(self._clock))
            if on_start is not None:
                on_start(self._search)
            if problem.constrained and (why := infeasibility.why_infeasible(problem)):
                raise Infeasible(why)
            with blaming(solver.name, self._instance.name):
                if self._trained is None:
                    solver.solve(problem, self._search)
                else:
                    checkpoint = self._trained.checkpoint
                    policy = checkpoint.open_policy(self._trained.folder, checkpoint.made())
                    self._loaded_s = self._clock.seconds
                    _roll_out(policy, self._trained, self._search)

    def solution(self, reference: Reference | None) -> Solution:
        """Return what came out."""
        solver, trained = self._solver, self._trained
        search = self._search or Search(P1(self._instance), self._budget, self._seed, self._clock)
        # One that no solver has had.
        problem = P1(self._instance) if self._placement is None else P2(self._instance, self._placement)
        if trained is not None:
            met = trained.checkpoint.met(self._instance)
            trained = replace(trained, met=met, inference_s=self._seconds - self._loaded_s)
        return Solution(
            instance=self._instance,
            problem="P1" if self._placement is None else "P2",
            solver=self._name,
            parameters=solver.model_dump(mode="json") if solver is not None else self._chosen.parameters,
            seed=int(self._seed),
            stopped=self._stopped or search.ended_by or search.returned_by,
            reason=self._reason,
            infeasible=self._infeasible,
            placement=search.incumbent,
            evaluation=_confirmed(search, problem, self._name),
            client_only=client_only(problem),
            lower_bound=search.lower_bound,
            seconds=self._seconds,
            evaluations=search.evaluations,
            trace=search.trace,
            versions=versions(),
            reference=reference,
            curves=search.diary.points(),
            not_finite=search.diary.not_finite(),
            trained=trained,
            learnt=look_at(problem, search.policy) if search.policy is not None else None,
        )


def _chosen(solver: SolverLike | None, parameters: Mapping[str, Any] | None, trained: Trained | None) -> Chosen:
    if trained is not None:
        return Chosen(trained.checkpoint.solver, trained.checkpoint.made)
    assert solver is not None
    return chosen(solver, parameters)


def _trained(
    solver: SolverLike | None, policy: Path | str | None, rollouts: int, parameters: Mapping[str, Any] | None
) -> Trained | None:
    if not isinstance(policy, str | Path | None):
        raise OffbenchError(f"policy: must be a folder, not {type(policy).__name__}")
    if policy is None:
        if solver is None:
            raise OffbenchError("solve: name a solver, or the folder of a policy")
        if rollouts != 1:
            raise OffbenchError("rollouts: of a policy only; name its folder")
        return None
    if parameters or not isinstance(solver, str | Path | None):
        raise OffbenchError("policy: its solver and parameters are those that it was trained with; name none")
    if rollouts < 1:
        raise OffbenchError(f"rollouts: must be at least 1, not {rollouts}")
    folder = Path(policy)
    return Trained(folder, Checkpoint.of_policy(folder, None if solver is None else str(solver)), int(rollouts))


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
    instance: Instance,
    solver: SolverLike | None,
    p2: SolverLike,
    budget: Budget,
    first_alone: dict[str, Any],
    **how: Any,
) -> Solution:
    """Solve P1, then P2 for the servers found, within one budget."""
    last = chosen(p2, role="p2")
    with blaming(last.name, instance.name):
        finisher = last.make()
    if "P2" not in finisher.solves:
        raise OffbenchError(f"p2: solver '{finisher.name}' solves P1 and chooses the servers; it must be one of P2")
    time_limit, most = budget.time_limit, budget.max_evaluations
    first = solve(
        instance, solver, target=budget.target, **first_alone, **how,
        time_limit=None if time_limit is None else time_limit * (1 - P2_SHARE),
        max_evaluations=None if most is None else max(1, int(most * (1 - P2_SHARE))),
    )  # fmt: skip
    left_s = None if time_limit is None else time_limit - first.seconds
    left = None if most is None else most - first.evaluations
    nothing_left = (left_s is not None and left_s <= 0) or left == 0
    over = first.infeasible or first.stopped in ("interrupted", "target", "optimal")
    if first.placement is None or over or nothing_left:
        return first
    second = solve(
        instance, p2, target=budget.target, placement=first.placement, time_limit=left_s, max_evaluations=left, **how
    )
    better = second if _is_better(second, first) else first
    before = first.objective if first.feasible else None
    later = [
        point._replace(
            seconds=first.seconds + point.seconds,
            evaluations=first.evaluations + point.evaluations,
            bound=first.lower_bound,  # one of P2 bounds nothing else
        )
        for point in second.trace
        if point.objective < first.objective
        or (not first.feasible and first.violation is not None and point.violation < first.violation)
    ]
    return replace(
        first,
        placement=better.placement,
        evaluation=better.evaluation,
        seconds=first.seconds + second.seconds,
        evaluations=first.evaluations + second.evaluations,
        trace=(*first.trace, *later),
        stopped="finished" if second.stopped == "optimal" else second.stopped,
        p2=Finish(
            second.solver, second.parameters, before, None if before is None else before - better.objective,
            second.seconds, second.evaluations,
        ),
    )  # fmt: skip


def _is_better(one: Solution, other: Solution) -> bool:
    """Tell whether a solution is better than one that has a placement (MODEL.md section 4)."""
    if one.violation is None or other.violation is None:
        return False
    if one.feasible or other.feasible:
        return one.objective < other.objective
    return one.violation < other.violation


def _problem(instance: Instance, solver: Solver, placement: Placement | None) -> Problem:
    if placement is not None:
        if solver.solves == "P1":
            raise OffbenchError(f"solver '{solver.name}' solves P1 and chooses the servers; a placement is for P2")
        return P2(instance, placement)
    if solver.solves == "P2":
        raise OffbenchError(f"solver '{solver.name}' solves P2, the order for given servers: give a placement")
    return P1(instance)


def _confirmed(search: Search, problem: Problem, solver: str) -> Evaluation | None:
    """Score the incumbent once more; it must have the objective that the search kept.

    Raises
    ------
    SolverError
        If it has another: the solver changed the placement, the problem or the record.
    """
    if search.incumbent is None:
        return None
    try:
        evaluation = evaluate(problem, search.incumbent)
    except InvalidPlacement as error:
        raise SolverError(f"solver '{solver}' changed its problem, or what its search keeps: {error}") from None
    if not evaluation.feasible and evaluation.violation == search.violation:
        return evaluation
    if evaluation.objective != search.objective:
        raise SolverError(
            f"solver '{solver}' changed its problem, or what its search keeps: the incumbent's objective is "
            f"{evaluation.objective!r}, not {search.objective!r}"
        )
    return evaluation
