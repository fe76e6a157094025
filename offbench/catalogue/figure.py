"""A number with its range and its source."""

from typing import Any, Self

from pydantic import model_validator

from offbench.model.facts import Fact, Name, NonNegative

OWN = "own"
"""source of a number that a user's file states alone"""


class Source(Fact):
    """Where figures come from."""

    what: Name
    """who measured or states what"""
    url: Name
    licence: str | None = None
    """as the source states it; absent where it doesn't"""


class Figure(Fact):
    """A number that holds within a range; in a file a number alone is one without spread, of one's own."""

    value: NonNegative
    low: NonNegative
    high: NonNegative
    source: Name
    """a name in the table ``sources``"""
    note: str = ""
    """how it follows from the source, and what its range is of"""

    @model_validator(mode="before")
    @classmethod
    def _of_a_number(cls, value: Any) -> Any:
        if isinstance(value, int | float) and not isinstance(value, bool):
            return {"value": value, "low": value, "high": value, "source": OWN}
        if not isinstance(value, dict | Figure):
            raise ValueError("must be a number, or a table of value, low, high and source")
        return value

    @model_validator(mode="after")
    def _within(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"the range {self.low:g} to {self.high:g} doesn't contain the value {self.value:g}")
        return self
