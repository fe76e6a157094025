"""What one run came to: the row that every planned run leaves."""

import datetime
from typing import Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, ValidationError, model_validator

from offbench.bench.answer import LINE, Answer, Curves, Found, Machine, NonNegative, Number, Point
from offbench.bench.job import Job
from offbench.evaluation.gaps import contradict
from offbench.files.json import one_line
from offbench.files.plain import plain
from offbench.model.instance import Fact
from offbench.model.placement import PlacementFile
from offbench.model.problem import FEASIBLE

FORMAT: Literal["offbench-run/1"] = "offbench-run/1"

Status = Literal[
    "optimal", "feasible", "timeout", "infeasible", "refused", "error", "killed", "not-installed"
]  # fmt: skip
MEANING: dict[str, str] = {
    "optimal": "a placement that meets the run's lower bound",
    "feasible": "a placement",
    "timeout": "the run ended before a feasible placement was found",
    "infeasible": "proven, says the solver: no placement keeps all constraints",
    "refused": "the solver isn't for this instance, or can't work with these settings here",
    "error": "the solver failed",
    "killed": "ended from outside, for it didn't stop in time or its process was killed",
    "not-installed": "there is no such solver here, or a library of it is missing",
}
FAILED = ("error", "killed")
"""what ``--rerun failed`` runs again"""

_CLOCK_S = 0.1  # by which two clocks may differ


class Row(Fact):
    """A run's outcome.

    A run without a feasible placement has no objective, and says why in *message*.
    """

    model_config = ConfigDict(extra="ignore")  # a newer version's rows are no damaged ones

    format: Literal["offbench-run/1"] = FORMAT
    job: Job
    status: Status
    message: str = ""
    """why there is no feasible placement, and what breaks most"""
    traceback: str = ""
    stopped: str = ""
    """what ended the search (`Solution.stopped`)"""
    objective: Number | None = None
    lower_bound: Number | None = None
    violation: NonNegative | None = None
    """by how much *placement* breaks constraints; null without one, and in rows of older versions, where none did"""
    client_only: Number | None = None
    indicators: dict[str, Number] = Field(default_factory=dict)
    """the placement's totals: delay_s, energy_j, cost_usd, ... (`Evaluation`)"""
    seconds: Number | None = None
    """on the run's clock; of a killed one, until it was ended"""
    overshoot_s: Number | None = None
    """beyond the time limit"""
    cpu_s: Number | None = None
    """processor time; well above *seconds*, the solver used several threads"""
    memory_mb: Number | None = None
    """the most that its process had"""
    evaluations: int | None = None
    trace: tuple[Point, ...] = ()
    """(seconds, evaluations, objective, bound, violation) at each improvement"""
    placement: PlacementFile | None = None
    """the best feasible one, or where none was found the one that breaks constraints least"""
    curves: Curves = Field(default_factory=dict)
    """of a solver that learns: loss over updates, reward over episodes (`Solution.to_dict`)"""
    not_finite: dict[str, int] = Field(default_factory=dict)
    """how many values of a curve were infinite or no number, and are in no point of it"""
    policy: dict[str, JsonValue] | None = None
    """what a solver that learns tells of its policy"""
    machine: Machine | None = None
    jobs: int = 1
    """how many runs were made at once on one machine"""
    started: datetime.datetime | None = None

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if (self.objective is None) != (self.status not in ("optimal", "feasible")):
            raise ValueError(
                f"objective: a run that is {self.status} {'has one' if self.objective is None else 'has none'}"
            )
        if self.violation is not None and (self.violation <= FEASIBLE) != (self.objective is not None):
            raise ValueError(f"violation: a run that is {self.status} has one of {self.violation!r}")
        if (
            self.objective is not None
            and self.lower_bound is not None
            and contradict(self.objective, self.lower_bound, client_only=self.client_only or 0.0)
        ):
            raise ValueError(f"lower_bound: {self.lower_bound!r} lies above the objective {self.objective!r}")
        return self

    @property
    def feasible(self) -> bool:
        """Whether it found a feasible placement."""
        return self.objective is not None

    @property
    def crowded(self) -> bool:
        """Whether more runs shared the machine than it has cores, so that its seconds mean less."""
        return self.machine is not None and self.jobs > self.machine.physical_cores

    @property
    def threads(self) -> float:
        """How many threads were busy on average; a second is left out, for imports may take several."""
        return 1.0 if self.cpu_s is None or self.seconds is None else (self.cpu_s - 1.0) / max(self.seconds, 0.1)

    @property
    def failed(self) -> bool:
        """Whether ``--rerun failed`` runs it again."""
        return self.status in FAILED


def not_installed(job: Job, message: str) -> Row:
    """Return the row of a solver that isn't there."""
    return Row(job=job, status="not-installed", message=message)


def row_of(job: Job, answer: dict[str, Any], jobs: int, waited_s: float | None = None) -> Row:
    """Return the row of a job, whatever its process answered; one that a file can't keep is no row.

    Parameters
    ----------
    job
        What was to be run.
    answer
        What its process answered (`child`), or what `process` says of its end.
    jobs
        How many runs are made at once.
    waited_s
        How long the answer took to come; no run is longer.
    """
    try:
        row = _row(job, Answer.model_validate(answer), jobs)
        if row.status in ("optimal", "feasible", "timeout", "infeasible"):
            _require_possible_time(row, waited_s)
        if Row.model_validate_json(row.model_dump_json()) != row:
            raise ValueError("it can't be written down")
        return row
    except (ValueError, RecursionError) as error:  # also what pydantic raises
        why = one_line(error) if isinstance(error, ValidationError) else str(error)
        return Row(job=job, status="error", message=f"what its process answered is no result: {plain(why)}", jobs=jobs)


def _row(job: Job, answer: Answer, jobs: int) -> Row:
    facts: dict[str, Any] = {"status": answer.status, "message": answer.message, "seconds": answer.seconds}
    if answer.solution is not None:
        facts = _facts(answer.solution)
    seconds = facts["seconds"]
    return Row(
        job=job,
        **facts,
        traceback=answer.traceback,
        overshoot_s=None if seconds is None else max(0.0, seconds - job.time_limit_s),
        cpu_s=answer.cpu_s,
        memory_mb=answer.memory_mb,
        machine=answer.machine,
        jobs=jobs,
        started=answer.started,
    )


def _facts(found: Found) -> dict[str, Any]:
    """Return what a solution adds to a row."""
    same = ("stopped", "objective", "violation", "lower_bound", "seconds", "evaluations", "trace", "placement",
            "curves", "not_finite", "policy")  # fmt: skip
    return {name: getattr(found, name) for name in same} | {
        "status": "timeout" if found.status == "no-placement" else found.status,
        "message": _message(found),
        "client_only": found.client_only.objective,
        "indicators": _numbers(found.evaluation or {}),
    }


def _require_possible_time(row: Row, waited_s: float | None) -> None:
    if waited_s is not None and row.seconds is not None and row.seconds > waited_s + _CLOCK_S:
        raise ValueError(f"its clock was changed: it shows {row.seconds:.6g} s, when {waited_s:.6g} s had passed")


def _message(found: Found) -> str:
    """Tell why a run has no feasible placement, and what the best of the others breaks most."""
    ending = f"the run ended ({found.stopped}) before one was found" if found.status == "no-placement" else ""
    parts = [found.reason or ending]
    if found.violation is not None and not found.feasible:
        parts.append(f"least violation {found.violation:.4g}")
        parts += [f"most: {worst.kind} of '{worst.name}', {worst.share:.0%} of it" for worst in found.breaches[:1]]
    return plain("; ".join(filter(None, parts)), LINE)


def _numbers(evaluation: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in evaluation.items() if isinstance(value, int | float) and name != "objective"}
