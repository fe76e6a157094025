"""What a run's process may say: read with suspicion, for a solver's code ran in it."""

import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from offbench.evaluation.gaps import contradict, is_optimal
from offbench.files.plain import plain
from offbench.model.instance import Fact
from offbench.model.placement import PlacementFile
from offbench.model.problem import FEASIBLE

LINE, _LINES = 2000, 20_000
"""characters of a message, and of a traceback"""


def _fit(at_most: int, lines: bool) -> BeforeValidator:
    return BeforeValidator(lambda text: plain(text, at_most, lines=lines) if isinstance(text, str) else text)


Line = Annotated[str, _fit(LINE, lines=False)]
"""in one line, fit to be shown"""
Lines = Annotated[str, _fit(_LINES, lines=True)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=0)]
Count = Annotated[int, Field(strict=True, ge=0, lt=2**63)]  # tables have no larger ones


def _with_violation(point: Any) -> Any:
    """Add what the rows of older versions don't say, in which each placement was feasible."""
    return (*point, 0.0) if isinstance(point, list | tuple) and len(point) == 4 else point


Point = Annotated[
    tuple[NonNegative, Count, Number | None, Number | None, NonNegative | None], BeforeValidator(_with_violation)
]
"""of a trace: seconds, evaluations, objective, bound, violation; null before the first"""
Curves = dict[str, tuple[tuple[Number, Number], ...]]


class Said(Fact):
    """What is read of an object; what else is in it doesn't matter."""

    model_config = ConfigDict(extra="ignore")


class Machine(Said):
    """Where and with what a run ran."""

    host: str
    system: str
    cpu: str
    physical_cores: int
    logical_cores: int
    memory_gb: Number
    load: Number | None
    """average over the minute before the run, where the system tells it"""
    commit: str | None
    """of the source tree, with a + where it was changed; null outside one"""
    versions: dict[str, str]


class ClientOnly(Said):
    """Everything on the client."""

    objective: Number


class Breach(Said):
    """A constraint that the placement breaks."""

    kind: Literal["memory", "deadline", "limit"]
    name: Line
    share: Number


class Found(Said):
    """A solution (`Solution.to_dict`), as far as a row keeps it, and whether it agrees with itself."""

    status: Literal["optimal", "feasible", "infeasible", "no-placement"]
    stopped: Line
    reason: Line | None
    feasible: bool
    violation: NonNegative | None
    breaches: tuple[Breach, ...]
    objective: Number | None
    lower_bound: Number | None
    client_only: ClientOnly
    evaluation: dict[str, Any] | None
    seconds: NonNegative
    evaluations: Count
    trace: tuple[Point, ...]
    placement: PlacementFile | None
    curves: Curves
    not_finite: dict[str, Count]
    policy: dict[str, JsonValue] | None

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        there = self.status in ("optimal", "feasible")
        if self.feasible != there or (self.objective is not None) != there:
            raise ValueError(f"status: {self.status}, but the placement {'is missing' if there else 'is there'}")
        if any((each is None) != (self.placement is None) for each in (self.evaluation, self.violation)):
            raise ValueError("placement: comes with its evaluation and violation")
        if there and self.placement is None:
            raise ValueError(f"status: {self.status}, but the placement is missing")
        if self.evaluation is not None and self.evaluation.get("violation") != self.violation:
            raise ValueError("violation: another than the evaluator's")
        if self.violation is not None and (self.violation <= FEASIBLE) != there:
            raise ValueError(f"status: {self.status}, but the violation is {self.violation!r}")
        if self.objective is None or self.evaluation is None:
            return self
        client_only = self.client_only.objective
        if self.evaluation.get("objective") != self.objective:
            raise ValueError("objective: another than the evaluator's")
        proven = self.lower_bound is not None and is_optimal(self.objective, self.lower_bound, client_only=client_only)
        if proven != (self.status == "optimal"):
            raise ValueError(f"status: {self.status}, but the lower bound says otherwise")
        for _, _, objective, bound, _ in self.trace:
            if objective is not None and contradict(objective, self.objective, client_only=client_only):
                raise ValueError(f"trace: has an objective of {objective!r}, below the placement's {self.objective!r}")
            if bound is not None and contradict(self.objective, bound, client_only=client_only):
                raise ValueError(f"trace: has a bound of {bound!r}, above the objective {self.objective!r}")
        return self


class Answer(Said):
    """What came of a job: a solution, or why there is none; and what it took."""

    solution: Found | None = None
    status: Literal["refused", "error", "killed"] | None = None
    """where there is no solution"""
    message: Line = ""
    traceback: Lines = ""
    seconds: NonNegative | None = None
    """of a run that has no clock any more"""
    cpu_s: Number | None = None
    memory_mb: Number | None = None
    machine: Machine | None = None
    started: datetime.datetime | None = None

    @model_validator(mode="after")
    def _one_of_two(self) -> Self:
        if (self.solution is None) == (self.status is None):
            raise ValueError("a run has either a solution or a reason why not")
        return self
