"""One solver on one tiny instance, held against brute force."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Literal

from experiments._shared.brute_force import best
from experiments._shared.tiny import tiny_instance, tiny_servers
from offbench.model.problem import P1, P2, Problem
from offbench.runs.solve import solve
from offbench.search.registry import find

Kind = Literal["P1", "P2"]

# Solvers that prove optimality, and what each of them solves.
SOLVERS: dict[str, tuple[Kind, ...]] = {"milp": ("P1", "P2"), "cp-sat": ("P1", "P2"), "chain-exact": ("P1",)}

OBJECTIVE_TOLERANCE = 1e-6
BOUND_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Check:
    """What a solver made of one instance, and what is wrong with it."""

    seed: int
    problem: Kind
    solver: str
    optimum: float
    """by brute force; infinite where no placement is feasible"""
    objective: float = math.inf
    bound: float = -math.inf
    status: str = "not run"
    seconds: float = math.nan
    fault: str = ""
    refused: bool = False
    """whether it says that it doesn't solve such an instance, and names a solver that does"""

    @property
    def difference(self) -> float:
        """How far the objective is from the optimum."""
        return 0.0 if self.objective == self.optimum else abs(self.objective - self.optimum)

    @property
    def above(self) -> float:
        """How far the bound lies above the optimum; negative below."""
        return self.bound - self.optimum

    @property
    def proven(self) -> bool:
        """Whether it says that its placement is optimal, or that none is feasible."""
        return self.status in ("optimal", "infeasible")

    @property
    def faults(self) -> list[str]:
        """Every rule that the run broke."""
        if self.refused:
            return []
        expected = "optimal" if self.optimum < math.inf else "infeasible"
        rules = {
            self.fault: bool(self.fault),
            f"status {self.status} in place of {expected}": self.status != expected,
            f"objective {self.objective - self.optimum:+.2e} off": not self.difference <= OBJECTIVE_TOLERANCE,
            f"bound {self.above:.2e} above the optimum": self.above > BOUND_TOLERANCE,
        }
        return [text for text, broken in rules.items() if broken]

    def __str__(self) -> str:
        found = f"Q = {self.objective!r}, bound {self.bound!r}, optimum {self.optimum!r}"
        return (
            f"seed {self.seed}, {self.problem}, {self.solver}: {'; '.join(self.faults) or 'agrees'} ({found}); "
            f"again: python -m experiments.agreement --seed {self.seed} --solver {self.solver}; "
            f"its files: --write {self.seed}"
        )


def applies(solver: str, problem: Kind, seed: int) -> bool:
    """Tell whether a solver is made for the seed's instance."""
    if problem not in SOLVERS.get(solver, ("P1", "P2")):
        return False
    return solver != "chain-exact" or tiny_instance(seed).is_chain


def problem_of(seed: int, problem: Kind) -> Problem:
    """Return the seed's P1 or P2."""
    instance = tiny_instance(seed)
    return P1(instance) if problem == "P1" else P2(instance, tiny_servers(seed))


@cache
def optimum(seed: int, problem: Kind) -> float:
    """Return the seed's optimum by brute force."""
    return best(problem_of(seed, problem))[0]


def check(solver: str, problem: Kind, seed: int, time_limit: float) -> Check:
    """Run a solver and compare; what it raises is a fault as well.

    Raises
    ------
    OffbenchError
        If there is no such solver, or a library of it is not installed.
    """
    find(solver)  # a solver that isn't there is no disagreement
    known = optimum(seed, problem)
    placement = tiny_servers(seed) if problem == "P2" else None
    try:
        solution = solve(tiny_instance(seed), solver, time_limit=time_limit, placement=placement)
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        return Check(seed, problem, solver, known, fault=text, refused=_refuses(solver, text))
    return Check(
        seed, problem, solver, known, solution.objective, solution.lower_bound, solution.status, solution.seconds,
        refused=solution.status == "no-placement" and _refuses(solver, solution.reason),
    )  # fmt: skip


def _refuses(solver: str, text: str) -> bool:
    return solver == "chain-exact" and any(name in text for name in SOLVERS if name != solver)
