"""Better references: what solvers and relaxations find, merged so that no entry gets worse."""

import datetime
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from offbench.bounds.relaxation import Relaxation, tightest
from offbench.errors import InvalidPlacement, OffbenchError
from offbench.evaluation.client_only import elsewhere
from offbench.evaluation.evaluator import evaluate
from offbench.evaluation.gaps import contradict
from offbench.evaluation.references import Origin, Reference, References, faults_of, meets, placement_of
from offbench.model.instance import Instance
from offbench.model.placement import Placement, PlacementFile
from offbench.model.problem import P1
from offbench.runs.solve import solve
from offbench.search.budget import BoundError, Budget
from offbench.search.parameters import configure
from offbench.search.registry import find
from offbench.search.search import Search
from offbench.versions import versions

# A number must be better by more than rounding to replace one, or entries would change for nothing.
_ROUNDING = 1e-12


def begin(instance: Instance, reference: Reference | None = None) -> Reference:
    """Return where an update begins: the reference, or everything on the client without a usable one, if feasible.

    A reference whose hash is another than the instance's is of no use: the instance has changed.

    Raises
    ------
    OffbenchError
        If the reference isn't what it says.
    """
    if reference is not None and reference.hash == instance.hash:
        fault = next(faults_of(reference, instance), None)
        if fault is not None:
            raise OffbenchError(f"references: {instance.name}: {fault}; remove the entry to begin it anew")
        return reference
    problem = P1(instance)
    placement = Placement(problem.everything_on(problem.arrays.client))
    evaluation = evaluate(problem, placement)
    words = f"everything on the client{', as far as allowed' * (elsewhere(instance) > 0)}"
    feasible = evaluation.feasible
    return Reference(
        hash=instance.hash,
        best_objective=evaluation.objective if feasible else None,
        best_bound=None,
        proven=False,
        client_only=evaluation.objective,
        objective_from=origin(words, "elsewhere") if feasible else None,
        bound_from=None,
        placement=_as_file(placement, instance) if feasible else None,
    )


def origin(
    by: str,
    kind: Literal["solver", "relaxation", "elsewhere"] = "solver",
    parameters: Mapping[str, Any] | None = None,
    seed: int | None = None,
) -> Origin:
    """Return where a number found now, by this version, comes from."""
    today = datetime.datetime.now(datetime.UTC).date()
    return Origin(
        by=by, kind=kind, parameters=dict(parameters or {}), seed=seed, version=versions()["offbench"], date=today
    )


def _as_file(placement: Placement, instance: Instance) -> PlacementFile:
    return PlacementFile.model_validate(placement.to_file(instance))


def with_placement(reference: Reference, instance: Instance, placement: Placement, by: Origin) -> Reference:
    """Return the reference with *placement* if that is feasible and better, by the shared evaluator; else as it was.

    Raises
    ------
    BoundError
        If it lies below the best bound, or there is a proof that none is feasible.
    """
    evaluation = evaluate(P1(instance), placement)
    objective, known = evaluation.objective, reference.best_objective
    if not evaluation.feasible or (known is not None and not objective < known - _rounding(reference, objective)):
        return reference
    return _agreeing(reference, best_objective=objective, objective_from=by, placement=_as_file(placement, instance))


def with_bound(reference: Reference, bound: float, by: Origin) -> Reference:
    """Return the reference with *bound* if that is higher; else as it was.

    Raises
    ------
    BoundError
        If it lies above the best objective.
    """
    if reference.best_bound is not None and not bound > reference.best_bound + _rounding(reference, bound):
        return reference
    return _agreeing(reference, best_bound=bound, bound_from=by)


def with_proof(reference: Reference, by: Origin) -> Reference:
    """Return the reference with the proof that no placement is feasible.

    Raises
    ------
    BoundError
        If it has one that is.
    """
    return _agreeing(reference, infeasible_from=reference.infeasible_from or by)


def _rounding(reference: Reference, value: float) -> float:
    return _ROUNDING * max(abs(reference.client_only), abs(value))


def _agreeing(reference: Reference, **changes: Any) -> Reference:
    changed = reference.model_copy(update=changes)
    objective, bound = changed.best_objective, changed.best_bound
    if objective is not None and changed.infeasible_from is not None:
        raise BoundError(
            f"{changed.infeasible_from} has proven that no placement is feasible, but {changed.objective_from} found "
            f"one: one of them is wrong"
        )
    if objective is not None and bound is not None and contradict(objective, bound, client_only=changed.client_only):
        raise BoundError(
            f"the bound {bound!r} by {changed.bound_from} lies above the objective {objective!r} by "
            f"{changed.objective_from}: one of them is wrong"
        )
    if bound is not None and objective is not None:
        bound = min(bound, objective)
    return changed.model_copy(update={"best_bound": bound, "proven": meets(objective, bound, changed.client_only)})


def merge(old: Reference | None, new: Reference) -> Reference:
    """Return the better objective and the better bound of two references of one instance.

    Where the hashes differ, *old* is of an instance that has changed, and *new* stands.

    Raises
    ------
    BoundError
        If they contradict one another.
    """
    if old is None or old.hash != new.hash:
        return new
    merged = old
    if new.best_objective is not None and (old.best_objective is None or new.best_objective < old.best_objective):
        merged = _agreeing(
            merged, best_objective=new.best_objective, objective_from=new.objective_from, placement=new.placement
        )
    if new.best_bound is not None and new.bound_from is not None:
        merged = with_bound(merged, new.best_bound, new.bound_from)
    if new.infeasible_from is not None:
        merged = with_proof(merged, new.infeasible_from)
    return merged


def merge_all(old: References, new: Mapping[str, Reference]) -> References:
    """Return *old* with each of *new* merged in."""
    merged = {name: merge(old.instances.get(name), reference) for name, reference in new.items()}
    return References(instances={**old.instances, **merged})


@dataclass(frozen=True)
class Effort:
    """What is done to improve a reference.

    Raises
    ------
    OffbenchError
        If time limit or seed is out of range.
    """

    solvers: Sequence[str]
    relaxations: Sequence[Relaxation] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """of each solver"""
    seed: int = 0
    time_limit: float = 60.0
    """seconds for each solver, and for all relaxations together"""

    def __post_init__(self) -> None:
        Budget(self.time_limit)
        if self.seed < 0:
            raise OffbenchError(f"seed: must be 0 or more, not {self.seed}")


@dataclass(frozen=True)
class Improved:
    """What an effort came to."""

    reference: Reference
    refusals: tuple[str, ...] = ()
    """solvers that aren't for this instance, and why"""
    failures: tuple[str, ...] = ()
    """solvers that ended in an error, and in which"""
    interrupted: bool = False
    """whether Ctrl-C ended it"""


def improve(
    instance: Instance,
    reference: Reference,
    effort: Effort,
    on_run: Callable[[str], None] = lambda title: None,
    on_search: Callable[[Search], None] | None = None,
) -> Improved:
    """Run solvers on P1, then those of P2 on the best servers found, then the relaxations, until it is proven.

    Parameters
    ----------
    instance, reference
        The instance, and what `begin` gave for it.
    effort
        What to run.
    on_run
        Called with what runs next, in words.
    on_search
        Called with each solver's search, to watch it.

    Raises
    ------
    OffbenchError
        If there is no such solver, or it has no such parameter, before anything runs.
    BoundError
        If a bound lies above an objective.
    """
    refusals: list[str] = []
    failures: list[str] = []
    solves = {name: configure(find(name), name, effort.parameters).solves for name in effort.solvers}
    for problem in ("P1", "P2"):
        for name in effort.solvers:
            if _is_settled(reference) or problem not in solves[name]:
                continue
            if problem == "P2" and reference.placement is None:  # no servers to find an order for
                continue
            run = f"{instance.name}: {name} ({problem})"
            on_run(run)
            try:
                reference, interrupted = _with_run(reference, instance, name, problem, effort, on_search)
            except BoundError as error:
                raise BoundError(f"{instance.name}: {name}: {error}") from None
            except KeyboardInterrupt:  # before the search began
                interrupted = True
            except InvalidPlacement as error:
                failures.append(f"{run}: {type(error).__name__}: {error}")
                continue
            except OffbenchError as error:
                refusals.append(f"{run}: {error}")
                continue
            except Exception as error:  # a solver's own; the others go on
                failures.append(f"{run}: {type(error).__name__}: {error}")
                continue
            if interrupted:
                return Improved(reference, tuple(refusals), tuple(failures), interrupted=True)
    if _is_settled(reference) or not effort.relaxations:
        return Improved(reference, tuple(refusals), tuple(failures))
    on_run(f"{instance.name}: bounds")
    bounds = tightest(P1(instance), effort.relaxations, effort.time_limit)
    if bounds.best is not None:
        by = origin(bounds.best.relaxation.name, "relaxation")
        try:
            reference = with_bound(reference, bounds.bound, by)
        except BoundError as error:
            raise BoundError(f"{instance.name}: {error}") from None
    return Improved(reference, tuple(refusals), tuple(failures), bounds.interrupted)


def _is_settled(reference: Reference) -> bool:
    """Tell whether nothing can be better: the optimum is known, or that there is none."""
    return reference.proven or reference.infeasible_from is not None


def _with_run(
    reference: Reference,
    instance: Instance,
    solver: str,
    problem: str,
    effort: Effort,
    on_search: Callable[[Search], None] | None,
) -> tuple[Reference, bool]:
    """Return the reference after one run, and whether Ctrl-C ended that."""
    solution = solve(
        instance,
        solver,
        parameters=effort.parameters,
        seed=effort.seed,
        time_limit=effort.time_limit,
        placement=placement_of(reference, instance) if problem == "P2" else None,
        on_start=on_search,
    )
    words = solution.solver
    if problem == "P2" and reference.objective_from is not None:
        words = f"{solution.solver} on the servers of {reference.objective_from.by}"
    by = origin(words, "solver", solution.parameters, solution.seed)
    if solution.infeasible and problem == "P1":
        return with_proof(reference, by), False
    if solution.placement is not None:
        reference = with_placement(reference, instance, solution.placement, by)
    if problem == "P1" and solution.lower_bound > -math.inf:  # a bound for given servers bounds nothing else
        reference = with_bound(reference, solution.lower_bound, by)
    return reference, solution.stopped == "interrupted"


def changes(old: Reference | None, new: Reference) -> list[str]:
    """Tell in words what is better."""
    told = []
    if old is not None and old.hash != new.hash:
        told.append("begun anew, for the instance has changed")
        old = None
    before = old.best_objective if old is not None else None
    if new.best_objective is not None and new.objective_from is not None and new.best_objective != before:
        told.append(f"best objective {_change(before, new.best_objective)} by {new.objective_from.by}")
    before = old.best_bound if old is not None else None
    if new.best_bound is not None and new.bound_from is not None and new.best_bound != before:
        told.append(f"best bound {_change(before, new.best_bound)} by {new.bound_from.by}")
    if new.proven and not (old is not None and old.proven):
        told.append("proven")
    if new.infeasible_from is not None and (old is None or old.infeasible_from is None):
        told.append(f"no placement is feasible, proven by {new.infeasible_from.by}")
    return told


def _change(before: float | None, after: float) -> str:
    return f"{after:.9g}" if before is None else f"{before:.9g} -> {after:.9g}"
