"""The solver interface: what one who adds a solver writes."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict

Solves = Literal["P1", "P2", "P1 and P2"]


class Solver(BaseModel, ABC):
    """An idea for solving P1 or P2. Its fields are its parameters, with types and defaults.

    A subclass's docstring begins with its one-line description. Fields are set by ``--set
    name=value`` and checked by pydantic; a docstring under a field tells what it is. What it states of
    itself (*name*, *solves*, *presets*, ...) is read off the file's text, so it must be a literal.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False, validate_default=True, use_attribute_docstrings=True
    )

    name: ClassVar[str]
    """what users type; the file's name, with hyphens, if absent. An entry point's name goes before it"""
    solves: ClassVar[Solves] = "P1"
    """P1 chooses servers and order, P2 the order for given servers; a solver of both gets the one that is asked"""
    presets: ClassVar[dict[str, tuple[str, dict[str, Any]]]] = {}
    """other names that it is found by, each with a one-line description and other defaults"""
    is_baseline: ClassVar[bool] = False
    """whether it is what a policy has to beat to be worth learning; not inherited"""
    finds_front: ClassVar[bool] = False
    """whether it seeks the Pareto front of delay, energy and cost, and `offbench pareto` runs it; not inherited"""

    def warm_up(self) -> None:
        """Compile what is compiled once on a machine and kept on disk (numba); no run's clock pays for it."""

    @abstractmethod
    def solve(self, problem: Any, search: Any) -> None:
        """Propose placements to *search* until it ends, or there is nothing more to propose.

        Parameters
        ----------
        problem
            A `P1` or a `P2`, as `solves` says; of both, a `P2` where a placement is given.
        search
            The run's `Search`: scores proposals, watches the budget, holds the random generator.

        Raises
        ------
        Infeasible
            If this solver has no placement for the problem.
        """
