"""What one run came to: the row that every planned run leaves."""

import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, model_validator

from offbench.bench.job import Job
from offbench.evaluation.gaps import contradict
from offbench.model.instance import Fact
from offbench.model.placement import PlacementFile

FORMAT: Literal["offbench-run/1"] = "offbench-run/1"

Status = Literal[
    "optimal", "feasible", "timeout", "infeasible", "refused", "error", "killed", "not-installed"
]  # fmt: skip
MEANING: dict[str, str] = {
    "optimal": "a placement that meets the run's lower bound",
    "feasible": "a placement",
    "timeout": "the run ended before a placement was found",
    "infeasible": "the solver says that there is no placement",
    "refused": "the solver isn't for this instance, or can't work with these settings here",
    "error": "the solver failed",
    "killed": "ended from outside, for it didn't stop in time or its process was killed",
    "not-installed": "there is no such solver here, or a library of it is missing",
}
FAILED = ("error", "killed")
"""what ``--rerun failed`` runs again"""

Number = Annotated[float, Field(allow_inf_nan=False)]


class Machine(Fact):
    """Where and with what a run ran."""

    host: str
    system: str
    cpu: str
    physical_cores: int
    logical_cores: int
    memory_gb: float
    load: float | None
    """average over the minute before the run, where the system tells it"""
    commit: str | None
    """of the source tree, with a + where it was changed; null outside one"""
    versions: dict[str, str]


class Row(Fact):
    """A run's outcome.

    A run without placement has no objective, and says why in *message*.
    """

    model_config = ConfigDict(extra="ignore")  # a newer version's rows are no damaged ones

    format: Literal["offbench-run/1"] = FORMAT
    job: Job
    status: Status
    message: str = ""
    """why there is no placement"""
    traceback: str = ""
    stopped: str = ""
    """what ended the search (`Solution.stopped`)"""
    objective: Number | None = None
    lower_bound: Number | None = None
    client_only: Number | None = None
    indicators: dict[str, float] = Field(default_factory=dict)
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
    trace: tuple[tuple[float, int, float | None, float | None], ...] = ()
    """(seconds, evaluations, objective, bound) at each improvement"""
    placement: PlacementFile | None = None
    curves: dict[str, tuple[tuple[float, float], ...]] = Field(default_factory=dict)
    """of a solver that learns: loss over updates, reward over episodes (`Solution.to_dict`)"""
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
        if (
            self.objective is not None
            and self.lower_bound is not None
            and contradict(self.objective, self.lower_bound, client_only=self.client_only or 0.0)
        ):
            raise ValueError(f"lower_bound: {self.lower_bound!r} lies above the objective {self.objective!r}")
        return self

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


def row_of(job: Job, answer: dict[str, Any], jobs: int) -> Row:
    """Return the row of a job from what its process answered (`child`), or what `process` says of its end."""
    facts: dict[str, Any] = answer.get("solution") or {}
    status = {"no-placement": "timeout"}.get(facts.get("status", ""), facts.get("status", ""))
    seconds = facts.get("seconds", answer.get("seconds"))
    return Row(
        job=job,
        status=answer.get("status") or status,
        message=answer.get("message") or facts.get("reason") or _ending(facts),
        traceback=answer.get("traceback", ""),
        stopped=facts.get("stopped", ""),
        objective=facts.get("objective"),
        lower_bound=facts.get("lower_bound"),
        client_only=facts["client_only"]["objective"] if facts else None,
        indicators=_numbers(facts.get("evaluation") or {}),
        seconds=seconds,
        overshoot_s=None if seconds is None else max(0.0, seconds - job.time_limit_s),
        cpu_s=answer.get("cpu_s"),
        memory_mb=answer.get("memory_mb"),
        evaluations=facts.get("evaluations"),
        trace=facts.get("trace", ()),
        placement=facts.get("placement"),
        curves=facts.get("curves") or {},
        policy=facts.get("policy"),
        machine=answer.get("machine"),
        jobs=jobs,
        started=answer.get("started"),
    )


def _ending(facts: dict[str, Any]) -> str:
    """Tell why a run that ended by its budget has no placement."""
    return f"the run ended ({facts['stopped']}) before one was found" if facts.get("status") == "no-placement" else ""


def _numbers(evaluation: dict[str, Any]) -> dict[str, float]:
    return {name: value for name, value in evaluation.items() if isinstance(value, int | float) and name != "objective"}
