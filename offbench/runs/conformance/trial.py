"""One run of a solver, held against what is true of every run."""

import json
import math
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from time import monotonic
from typing import Literal

import numpy as np

from offbench.errors import OffbenchError
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import Evaluation, evaluate
from offbench.evaluation.gaps import contradict, is_optimal
from offbench.evaluation.references import lookup
from offbench.model.instance import Instance, parse
from offbench.model.placement import Placement
from offbench.model.problem import P1, P2, Problem
from offbench.runs.conformance import limits
from offbench.runs.conformance.answer import Ran
from offbench.runs.conformance.optimum import optimum
from offbench.runs.conformance.verdict import Fault, Refused
from offbench.runs.conformance.worker import Worker

Kind = Literal["P1", "P2"]

# What the process itself takes to hand over an instance and a placement; seconds on a solver's clock can't be more.
_ROUNDING_S = 0.1


@dataclass(frozen=True, eq=False)
class Trial:
    """What is run."""

    kind: Kind
    instance: Instance
    max_evaluations: int | None = limits.EVALUATIONS
    time_limit: float | None = None
    alarm: bool = False
    """whether the watchdog may end it; without, it must stop by itself"""
    press: bool = False
    """whether Ctrl-C is pressed"""

    @property
    def hard_s(self) -> float:
        """When it is ended from outside."""
        return limits.hard_s(self.time_limit)

    @property
    def allowed(self) -> str:
        """Its budget in words."""
        parts = [f"{self.time_limit:g} s"] if self.time_limit is not None else []
        parts += [f"{self.max_evaluations} evaluations"] if self.max_evaluations is not None else []
        return f"at its limit ({' or '.join(parts)}), nor within {self.hard_s:g} s"

    @property
    def given(self) -> Placement | None:
        """For P2: servers, drawn among those that are allowed."""
        if self.kind == "P1":
            return None
        rng = np.random.default_rng(1)
        return Placement([rng.choice(np.flatnonzero(row)) for row in P1(self.instance).allowed])


@dataclass(frozen=True, eq=False)
class Run:
    """What a run found, as the solver's process tells it."""

    stopped: str
    reason: str
    infeasible: bool
    """whether it says that no placement is feasible"""
    placement: Placement | None
    """the best feasible one, or as long as none is the one that breaks least"""
    objective: float
    """infinite without a feasible one"""
    lower_bound: float
    seconds: float
    evaluations: int
    trace: list[tuple[float, int, float, float, float]]
    """seconds, evaluations, objective, bound, violation"""
    waited_s: float
    """from its start to its answer, by our own clock"""

    @property
    def feasible(self) -> bool:
        """Whether it found a feasible placement."""
        return math.isfinite(self.objective)


def attempt(worker: Worker, solver: str, trial: Trial) -> Run | None:
    """Make a run, and hold it against what is true of every run.

    Returns
    -------
    Run or None
        None where Ctrl-C came when it was over.

    Raises
    ------
    Fault
        What it did wrong.
    Refused
        Why the solver has no placement, where it said so by an error.
    """
    given = trial.given
    request = {
        "instance": trial.instance.model_dump(mode="json"), "seed": 1, "time_limit": trial.time_limit,
        "max_evaluations": trial.max_evaluations, "alarm": trial.alarm, "press": trial.press,
        "servers": None if given is None else given.servers.tolist(),
    }  # fmt: skip
    worker.rehearse(solver, given is not None)
    begun = monotonic()
    answer = worker.run(solver, request, trial.hard_s, trial.allowed)
    if "over" in answer:
        return None
    found = Ran.read(answer)
    placement = None if found.servers is None else Placement(found.servers, found.order)
    run = Run(
        placement=placement, waited_s=monotonic() - begun, **found.model_dump(exclude={"servers", "order"})
    )  # fmt: skip
    _keeps_its_budget(trial, run)
    _is_sound(run)
    problem = P1(trial.instance) if given is None else P2(trial.instance, given)
    _is_what_it_says(problem, given, run)
    _claims_nothing_false(problem, run)
    return run


def required(run: Run | None) -> Run | None:
    """Return the run.

    Raises
    ------
    Refused
        If it has no feasible placement, and says why, or tried in vain.
    Fault
        If it has proposed none, without a reason.
    """
    if run is not None and run.placement is None and not run.infeasible:
        if not run.reason and run.stopped == "finished":
            raise Fault("ended without a placement and without a reason; raise offbench.GaveUp with one")
        raise Refused(run.reason or f"no placement within its {run.stopped}")
    if run is not None and not run.feasible and not run.infeasible:
        raise Refused(run.reason or f"proposed no placement that keeps all constraints, and ended ({run.stopped})")
    return run


def _keeps_its_budget(trial: Trial, run: Run) -> None:
    if run.stopped == "interrupted" and not trial.press:
        raise Fault("raised KeyboardInterrupt, but nobody pressed Ctrl-C")
    most, limit = trial.max_evaluations, trial.time_limit
    if most is not None and run.evaluations > most:
        raise Fault("made more evaluations than were allowed", f"{run.evaluations} instead of {most}")
    if limit is not None and run.waited_s > limit + limits.GRACE_S:
        raise Fault("took longer than was allowed", f"{run.waited_s:.1f} s instead of {limit:g} s")
    if not 0 <= run.seconds <= run.waited_s + _ROUNDING_S or run.waited_s - run.seconds > limits.GRACE_S:
        raise Fault("its clock doesn't show the time", f"{run.seconds:.3g} s, when {run.waited_s:.3g} s had passed")


def _is_sound(run: Run) -> None:
    """Check that the trace only gets better, and ends in what was found."""
    for before, after in pairwise(run.trace):
        forwards = before[0] <= after[0] and before[1] <= after[1]
        falls = before[2] >= after[2] and before[4] >= after[4]
        if not forwards or not falls or not before[3] <= after[3]:
            raise Fault("its trace isn't one: time and evaluations only rise, objective and violation only fall")
    if run.trace:
        seconds, evaluations, objective, bound, _ = run.trace[-1]
        late = seconds > run.seconds or evaluations > run.evaluations
        if late or objective != run.objective or math.isnan(bound):
            raise Fault("its trace ends in something else than what it found")


def _is_what_it_says(problem: Problem, given: Placement | None, run: Run) -> None:
    """Score the placement once more, which also checks servers and order."""
    if run.placement is None:
        return
    if given is not None and not np.array_equal(run.placement.servers, given.servers):
        raise Fault("changed the servers that were given")
    try:
        evaluation = evaluate(problem, run.placement)
    except OffbenchError as error:
        raise Fault(str(error)) from None
    objective = evaluation.objective if evaluation.feasible else math.inf
    if objective != run.objective:
        raise Fault("reported an objective that isn't its placement's", f"{run.objective!r} for {objective!r}")


def _claims_nothing_false(problem: Problem, run: Run) -> None:
    least, best, client = _proven(problem), _feasible(problem), client_only(problem).objective
    if run.infeasible and math.isfinite(best):
        raise Fault("said that no placement is feasible, but one is", f"Q = {best:.6g} is possible")
    if least is not None and contradict(run.objective, least, client_only=client):
        raise Fault(
            "found an objective below the proven optimum; an evaluator is wrong", f"{run.objective} for {least}"
        )
    claimed = run.feasible and is_optimal(run.objective, run.lower_bound, client_only=client)
    if claimed and not is_optimal(run.objective, best, client_only=client):
        raise Fault("called a placement optimal that isn't", f"Q = {run.objective:.6g}, but {best:.6g} is possible")
    if math.isnan(run.lower_bound) or contradict(best, run.lower_bound, client_only=client):
        raise Fault(
            "reported a lower bound above a feasible objective",
            f"{run.lower_bound:.6g}, but Q = {best:.6g} is possible",
        )


def _proven(problem: Problem) -> float | None:
    """Return the proven optimum of a small problem, infinite where none is feasible; None of a larger one."""
    return _optimum(problem.instance.to_text(), tuple(problem.servers.tolist()) if isinstance(problem, P2) else None)


@cache
def _optimum(text: str, servers: tuple[int, ...] | None) -> float | None:
    instance = parse(json.loads(text))
    return optimum(P1(instance) if servers is None else P2(instance, servers))


def _feasible(problem: Problem) -> float:
    """Return the lowest objective that is known to be possible; infinite where none is."""
    least = _proven(problem)
    if least is not None:
        return least
    if isinstance(problem, P2):
        return _objective(evaluate(problem, problem.servers))
    reference = lookup(problem.instance)
    alone = _objective(client_only(problem))
    known = None if reference is None else reference.best_objective
    return alone if known is None else min(alone, known)


def _objective(evaluation: Evaluation) -> float:
    return evaluation.objective if evaluation.feasible else math.inf
