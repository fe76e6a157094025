"""What a solver's process may answer: read with suspicion, for the solver's code runs in it."""

from typing import Any, Self

from pydantic import BaseModel, ValidationError

from offbench.files.json import one_line
from offbench.runs.conformance.verdict import Fault
from offbench.search.solver import Solves


class Answer(BaseModel):
    """What is answered."""

    @classmethod
    def read(cls, answer: dict[str, Any]) -> Self:
        """Return an answer, as far as it is one.

        Raises
        ------
        Fault
            If it isn't.
        """
        try:
            return cls.model_validate(answer)
        except ValidationError as error:
            raise Fault(f"what its process answered is none of ours: {one_line(error)}") from None


class Imported(Answer):
    """Of a solver that was imported."""

    solves: Solves
    own: list[str]
    """its own files"""


class Ran(Answer):
    """What a run found."""

    stopped: str
    reason: str
    infeasible: bool
    servers: list[int] | None
    order: list[int] | None
    objective: float
    lower_bound: float
    seconds: float
    evaluations: int
    trace: list[tuple[float, int, float, float, float]]
    """seconds, evaluations, objective, bound, violation"""
