"""What a run found: the facts, and their shapes for machines and data frames."""

import math
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from offbench.evaluation.breaches import Use, breaches
from offbench.evaluation.client_only import elsewhere
from offbench.evaluation.evaluator import Evaluation
from offbench.evaluation.gaps import certified, contradict, is_optimal, missed_improvement, relative_gap
from offbench.evaluation.references import Reference
from offbench.evaluation.single_server import Single, best_single_server
from offbench.learning.checkpoint import Checkpoint
from offbench.learning.policy_check import Learnt, shares
from offbench.model.instance import Instance
from offbench.model.objectives import objective_of
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.runs.cuts import Stretch, cuts
from offbench.runs.in_words import addends, bought, in_words
from offbench.search.metrics import diverged
from offbench.search.search import TracePoint

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trained:
    """The policy that a run went by instead of learning."""

    folder: Path
    checkpoint: Checkpoint
    rollouts: int
    """placements that it was to make"""
    met: bool = False
    """whether the instance was one that it was trained on"""
    inference_s: float = 0.0
    """seconds that the placements took, without loading the policy"""


@dataclass(frozen=True)
class Finish:
    """What improving the dispatch order of a placement (P2) came to."""

    solver: str
    parameters: dict[str, Any]
    objective_before: float | None
    """None where the placement was not feasible"""
    gain: float | None
    """by how much the objective fell; 0 where nothing better was found, None where it was not feasible before"""
    seconds: float
    evaluations: int


@dataclass(frozen=True, eq=False, repr=False)
class SolutionFacts:
    """The outcome of one run, as facts; what shows it to people is a `Solution`.

    Raises
    ------
    ValueError
        If placement and evaluation don't come together, or the bound lies above the objective.
    """

    instance: Instance
    problem: Literal["P1", "P2"]
    """P1: servers and dispatch order were chosen; P2: the order, for given servers"""
    solver: str
    parameters: dict[str, Any]
    seed: int
    stopped: str
    """what ended the run: finished, optimal, target, max-evaluations, time-limit, interrupted"""
    reason: str
    """why the solver has no placement, or none is feasible, if it said so"""
    placement: Placement | None
    """the best placement found: the best feasible one, or where none was the one that breaks constraints least"""
    evaluation: Evaluation | None
    """of that placement, by the shared evaluator"""
    client_only: Evaluation
    """of everything on the client, for comparison; what may not run there stands elsewhere"""
    lower_bound: float
    """on every placement's objective; minus infinity if none is known"""
    seconds: float
    """from before the solver's import to its end"""
    evaluations: int
    """complete placements scored"""
    trace: tuple[TracePoint, ...]
    """a point for each improvement"""
    versions: dict[str, str]
    reference: Reference | None = None
    """what is known of the instance, if it is a shipped one and P1 was solved"""
    stages: "tuple[Stage, ...]" = ()
    """of two-step offloading: what was solved one after the other"""
    curves: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """of a solver that learns: points of loss over updates, reward over episodes"""
    not_finite: dict[str, int] = field(default_factory=dict)
    """how many values of a curve were infinite or no number, and are in no point of it"""
    trained: Trained | None = None
    """the policy that was trained before, if one was"""
    learnt: Learnt | None = None
    """what the policy chooses, of a solver that has one"""
    p2: Finish | None = None
    """the improvement of the dispatch order that followed P1, if one was wanted and there was something to improve"""
    infeasible: bool = False
    """whether it is proven that no placement is feasible"""

    def __post_init__(self) -> None:
        if (self.placement is None) != (self.evaluation is None):
            raise ValueError("a placement comes with its evaluation")
        if contradict(self.objective, self.lower_bound, client_only=self.client_only.objective):
            raise ValueError(f"lower bound {self.lower_bound} above objective {self.objective}")

    @property
    def objective(self) -> float:
        """Q of the placement; infinite without one that is feasible."""
        return self.evaluation.objective if self.evaluation is not None and self.feasible else math.inf

    @property
    def feasible(self) -> bool:
        """Whether the run found a feasible placement."""
        return self.evaluation is not None and self.evaluation.feasible

    @property
    def violation(self) -> float | None:
        """By how much the placement breaks constraints, the least of this run: 0 if feasible, None without one."""
        return None if self.evaluation is None else self.evaluation.violation

    @cached_property
    def breaches(self) -> list[Use]:
        """What the placement breaks, the worst first; nothing if it is feasible, or without one."""
        if self.placement is None or self.evaluation is None:
            return []
        return breaches(self.instance, self.placement, self.evaluation)

    @cached_property
    def free_problem(self) -> P1:
        """P1 of the instance, which takes a while to be made of ten thousand clients."""
        return P1(self.instance)

    @cached_property
    def best_single(self) -> Single | None:
        """Everything on the best remote server; None without one."""
        return best_single_server(self.free_problem)

    @property
    def in_words(self) -> str:
        """How the placement compares with the device and the best single server, and what bought its Q."""
        if self.evaluation is None:
            return ""
        return in_words(self.instance, self.evaluation, self.client_only, self.best_single)

    @property
    def bought(self) -> str:
        """What makes Q lower than the device's although delay or score got worse; empty where neither did."""
        return "" if self.evaluation is None else bought(self.instance, self.evaluation, self.client_only)

    @cached_property
    def cuts(self) -> list[tuple[str, list[Stretch]]]:
        """Each task's name, and its stretches of layers on one server; nothing without a placement."""
        if self.placement is None or self.evaluation is None:
            return []
        return list(cuts(self.free_problem, self.placement))

    @property
    def gap(self) -> float | None:
        """Relative gap between objective and lower bound; None if one of them is missing, or both are next to 0."""
        if not self.feasible or self.lower_bound == -math.inf:
            return None
        gap = relative_gap(self.objective, self.lower_bound, client_only=self.client_only.objective)
        return gap if gap is None else max(0.0, gap)

    @property
    def best_known(self) -> float | None:
        """The lowest objective known, this run's included; None where there is no reference, or none is feasible."""
        if self.reference is None:
            return None
        known = math.inf if self.reference.best_objective is None else self.reference.best_objective
        best = min(known, self.objective)
        return best if math.isfinite(best) else None

    @property
    def missed_improvement(self) -> float | None:
        """Share of the known improvement over everything on the client that is missed (MODEL.md section 9).

        None where nothing is known, or not offloading is optimal.
        """
        if not self.feasible or self.best_known is None:
            return None
        return missed_improvement(self.objective, self.client_only.objective, self.best_known)

    @property
    def certified(self) -> float | None:
        """The same against the best bound known, this run's included: what is missed is at most that.

        None where no bound is known, not offloading is optimal, or P2 was solved, whose bounds are
        not about everything on the client.
        """
        bound = self.lower_bound
        if self.reference is not None and self.reference.best_bound is not None:
            bound = max(bound, self.reference.best_bound)
        if not self.feasible or self.problem == "P2" or bound == -math.inf:
            return None
        return certified(self.objective, self.client_only.objective, bound)

    @property
    def status(self) -> str:
        """One of optimal (proven), feasible, infeasible (proven), no-placement (none that is feasible)."""
        if not self.feasible:
            return "infeasible" if self.infeasible else "no-placement"
        proven = is_optimal(self.objective, self.lower_bound, client_only=self.client_only.objective)
        return "optimal" if proven else "feasible"

    @property
    def warnings(self) -> list[str]:
        """Return what a reader should know before trusting the result."""
        found = [
            f"{stage.solution.solver} found no placement of the {stage.name} problem in {stage.solution.seconds:.3g} s "
            f"and {stage.solution.evaluations:,} evaluations; that of {stage.stand_in} stands in"
            for stage in self.stages
            if stage.stand_in
        ]
        found += diverged(self.not_finite)
        return found + (self.learnt.warnings if self.learnt is not None else [])

    def to_dict(self) -> dict[str, Any]:
        """Return everything as one JSON object."""
        found, single = self.feasible, self.best_single
        return {
            "instance": self.instance.name,
            "problem": self.problem,
            "solver": self.solver,
            "parameters": self.parameters,
            "seed": self.seed,
            "status": self.status,
            "stopped": self.stopped,
            "reason": self.reason or None,
            "feasible": found,
            "violation": self.violation,
            "in_words": self.in_words or None,
            "bought": self.bought or None,
            "breaches": [use.to_dict() for use in self.breaches],
            "objective": self.objective if found else None,
            "lower_bound": self.lower_bound if math.isfinite(self.lower_bound) else None,
            "gap": self.gap,
            "best_known": self.best_known,
            "missed_improvement": self.missed_improvement,
            "certified": self.certified,
            "seconds": self.seconds,
            "evaluations": self.evaluations,
            "evaluation": self.evaluation.to_dict() if self.evaluation is not None else None,
            "addends": addends(self.instance, self.evaluation) if self.evaluation is not None else None,
            "objective_name": objective_of(self.instance),
            "best_single_server": {"server": single.server, **single.evaluation.to_dict()} if single else None,
            "client_only": {**self.client_only.to_dict(), "elsewhere": elsewhere(self.instance)},
            "shares": shares(self.instance, self.placement.servers) if self.placement is not None else None,
            "policy": self._policy(),
            "warnings": self.warnings,
            "curves": {name: [list(point) for point in points] for name, points in self.curves.items()},
            "not_finite": self.not_finite,
            "p2": asdict(self.p2) if self.p2 is not None else None,
            "placement": self.placement.to_file(self.instance, layers=True) if self.placement is not None else None,
            "cuts": [{"task": task, "stretches": [one.to_dict() for one in row]} for task, row in self.cuts],
            "stages": [stage.to_dict() for stage in self.stages],
            "trace": [[value if math.isfinite(value) else None for value in point] for point in self.trace],
            "versions": self.versions,
        }

    def _policy(self) -> dict[str, Any] | None:
        facts: dict[str, Any] = {}
        if self.learnt is not None:
            facts |= {
                "objective": self.learnt.objective if math.isfinite(self.learnt.objective) else None,
                "shares": shares(self.instance, self.learnt.servers),
                "baselines": self.learnt.baselines,
            }
        if self.trained is not None:
            checkpoint = self.trained.checkpoint
            facts |= {
                "folder": str(self.trained.folder),
                "rollouts": self.trained.rollouts,
                "met_in_training": self.trained.met,
                "trained_on": [seen.name for seen in checkpoint.instances],
                "training_steps": checkpoint.steps,
                "training_seconds": checkpoint.seconds,
                "inference_seconds": self.trained.inference_s,
            }
        return facts or None

    def to_frame(self) -> "pd.DataFrame":
        """Return a row for each subtask: task, layer, server, and what it amounts to.

        Raises
        ------
        ValueError
            If the run found no placement.
        """
        import pandas as pd

        if self.placement is None or self.evaluation is None:
            raise ValueError(f"the run found no placement ({self.status})")
        names = [{"task": task.name, "layer": layer.name} for task in self.instance.tasks for layer in task.layers]
        rows_of = self.placement.to_file(self.instance)["servers"]
        servers = [name for row in rows_of for name in row]
        rows = zip(names, servers, self.evaluation.subtasks, strict=True)
        return pd.DataFrame([{**name, "server": server, **parts} for name, server, parts in rows])

    def __repr__(self) -> str:
        found = f"Q = {self.objective:.6g}"
        if not self.feasible:
            found = "no placement" if self.violation is None else f"violation = {self.violation:.6g}"
        return f"<Solution of '{self.instance.name}' by {self.solver}: {self.status}, {found}>"


@dataclass(frozen=True)
class Stage:
    """One stage of two-step offloading (MODEL.md section 5)."""

    name: str
    """initial, secondary, and secondary-2 and so on for modules inside modules"""
    solution: SolutionFacts
    """of the stage's own problem: contracted as far as need be, the rest pinned"""
    free: int
    """subtasks that it placed"""
    time_limit: float | None
    """its share of the budget, s"""
    max_evaluations: int | None
    """the same in evaluations"""
    objective: float
    """Q of the full graph, with modules still to come where the stage put them; infinite where that isn't feasible"""
    tries: int = 1
    """how often it was begun, with more each time, because its budget ended without a placement"""
    stand_in: str = ""
    """whose placement was taken where it had none in the end: that of greedy, or client-only"""

    def to_dict(self) -> dict[str, Any]:
        """Return everything as one JSON object."""
        return {
            "name": self.name,
            "free": self.free,
            "time_limit": self.time_limit,
            "max_evaluations": self.max_evaluations,
            "tries": self.tries,
            "stand_in": self.stand_in or None,
            "full_objective": self.objective if math.isfinite(self.objective) else None,
            "solution": self.solution.to_dict(),
        }
