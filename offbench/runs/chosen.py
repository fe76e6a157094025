"""Which solver runs: one by its name or file, or a class or a made one that is handed over."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from offbench.errors import OffbenchError
from offbench.runs.blame import blaming
from offbench.search.budget import Clock
from offbench.search.entries import PACKAGE
from offbench.search.parameters import configure
from offbench.search.registry import find
from offbench.search.solver import Solver
from offbench.search.watchdog import watchdog

SolverLike = str | Path | type[Solver] | Solver
"""a solver's name, the path of a file with one, a class, or one with its parameters"""


@dataclass(frozen=True)
class Chosen:
    """A solver that is yet to be made; making it imports what it needs."""

    name: str
    """what it is called until it is made"""
    make: Callable[[], Solver]
    parameters: dict[str, Any] = field(default_factory=dict)
    """those that it was to have"""

    def made_within(self, clock: Clock, time_limit: float | None, instance: str) -> Solver:
        """Return the solver, imported and made on a run's clock, and with all compiled while it stands.

        Raises
        ------
        SearchEnded
            If that takes more than *time_limit*.
        OffbenchError
            If there is no such solver, or its parameters are wrong.
        SolverError
            As `blaming`.
        """
        with watchdog(clock, time_limit), blaming(self.name, instance):
            solver = self.make()
        with clock.standing(), blaming(solver.name, instance):
            solver.warm_up()
        return solver


def chosen(solver: SolverLike, parameters: Mapping[str, Any] | None = None, role: str = "solver") -> Chosen:
    """Return what makes a solver.

    Parameters
    ----------
    solver
        As `SolverLike`.
    parameters
        Of a solver that isn't made yet.
    role
        What errors call it.

    Raises
    ------
    OffbenchError
        If it is none of these, or parameters are given for one that has some.
    """
    if not isinstance(parameters, Mapping | None):
        raise OffbenchError(f"parameters: must be names with values, not {type(parameters).__name__}")
    given = dict(parameters or {})
    if isinstance(solver, str | Path):
        name = str(solver)
        return Chosen(name, lambda: configure(find(name), name, given), given)
    if isinstance(solver, Solver):
        made = solver
        kind = _named(type(solver))
        if given:
            raise OffbenchError(
                f"parameters: {role} '{kind.name}' is made and has its own; hand over the class, or set them there"
            )
        return Chosen(kind.name, lambda: made, made.model_dump(mode="json"))
    if isinstance(solver, type) and issubclass(solver, Solver):
        if inspect.isabstract(solver):
            raise OffbenchError(f"{role}: class {solver.__name__} is abstract; it needs a solve method")
        kind = _named(solver)
        return Chosen(kind.name, lambda: configure(kind, kind.name, given), given)
    what = f"class {solver.__name__}" if isinstance(solver, type) else type(solver).__name__
    raise OffbenchError(f"{role}: must be a name, a file, a subclass of offbench.Solver or a made one, not {what}")


def _named(kind: type[Solver]) -> type[Solver]:
    """Give a class that states no name the one that it is found by, or else its own."""
    if "name" not in vars(kind):
        if kind.__module__.startswith(f"{PACKAGE}."):
            kind.name = kind.__module__.removeprefix(f"{PACKAGE}.").split(".")[0].replace("_", "-")
        else:
            kind.name = kind.__name__
    return kind
