"""When a search ends: the clock, the budget, and the exceptions that end a solver."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from numbers import Integral, Real
from time import perf_counter
from typing import Any

from offbench.errors import OffbenchError


class SearchEnded(BaseException):
    """Ends the solver: the budget is used up, the target is reached or optimality is proven.

    Not an `Exception`, so that a solver's ``except Exception`` lets it pass. A solver need not catch
    it; what it proposed is kept.
    """


class Infeasible(Exception):  # noqa: N818 - a finding, not a fault
    """Raised by a solver that has proven that no placement is feasible, with the reason."""


class GaveUp(Exception):  # noqa: N818 - a finding, not a fault
    """Raised by a solver that can't go on or has nothing to offer, with the reason; it proves nothing."""


class BoundError(Exception):
    """A lower bound above a feasible objective: somebody's arithmetic is wrong, the run is void."""


class SolverError(Exception):
    """A solver did what would end the whole program: called `sys.exit`, or raised what is no `Exception`."""


@dataclass(frozen=True)
class Budget:
    """When a search ends, whichever comes first.

    Parameters
    ----------
    time_limit
        Seconds since the clock started, before the solver was imported.
    max_evaluations
        Complete placements scored. Partial ones (`Search.next_objectives`) don't count.
    target
        An objective that is good enough.

    Raises
    ------
    OffbenchError
        If a limit is not positive, or isn't a number of its kind, or a number isn't finite.
    """

    time_limit: float | None = None
    max_evaluations: int | None = None
    target: float | None = None

    def __post_init__(self) -> None:
        _require(Real, "a number", **{"time limit": self.time_limit, "target": self.target})
        _require(Integral, "a whole number", **{"max evaluations": self.max_evaluations})
        if self.time_limit is not None and not 0 < self.time_limit < math.inf:
            raise OffbenchError(f"time limit: must be a positive number of seconds, not {self.time_limit}")
        if self.max_evaluations is not None and self.max_evaluations < 1:
            raise OffbenchError(f"max evaluations: must be at least 1, not {self.max_evaluations}")
        if self.target is not None and not math.isfinite(self.target):
            raise OffbenchError(f"target: must be a finite number, not {self.target}")
        # Numbers of numpy, say, of which results must have none.
        for name, kind in (("time_limit", float), ("max_evaluations", int), ("target", float)):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, kind(value))


def _require(kind: type, what: str, **values: Any) -> None:
    for name, value in values.items():
        if value is not None and (isinstance(value, bool) or not isinstance(value, kind)):
            raise OffbenchError(f"{name}: must be {what}, not {value!r}")


class Clock:
    """Seconds since it was made, but for those when it stood."""

    def __init__(self) -> None:
        self._start = perf_counter()

    @contextmanager
    def standing(self) -> Iterator[None]:
        """Let the clock stand during the body."""
        begun = perf_counter()
        try:
            yield
        finally:
            self._start += perf_counter() - begun

    @property
    def seconds(self) -> float:
        """How long ago the clock started."""
        return perf_counter() - self._start
