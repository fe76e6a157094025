"""Watches for the known failure of agents that learn to offload: they collapse to one server."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from offbench.evaluation.evaluator import evaluate
from offbench.model.arrays import Ints
from offbench.model.instance import Instance
from offbench.model.problem import FEASIBLE, P1, Problem
from offbench.search.budget import GaveUp, Infeasible, SearchEnded
from offbench.search.registry import find, names_with
from offbench.search.search import Search


@dataclass(frozen=True)
class Learnt:
    """What a policy does when it explores nothing."""

    servers: Ints
    """what it chooses, shape ``(n_subtasks,)``"""
    objective: float
    """of that"""
    baselines: dict[str, float]
    """objectives of the solvers that call themselves one (`Solver.is_baseline`), of feasible placements alone"""
    constant: bool
    """whether it chooses one server wherever that is allowed"""
    violation: float = 0.0
    """by how much what it chooses breaks constraints"""

    @property
    def warnings(self) -> list[str]:
        """Return what went wrong, in words."""
        found = ["the policy is one constant action"] if self.constant else []
        feasible = self.violation <= FEASIBLE
        better = [f"{name} ({q:.6g})" for name, q in self.baselines.items() if q < self.objective or not feasible]
        if not feasible:
            found.append(
                f"the policy, explored no further, breaks constraints (violation {self.violation:.3g})"
                + (f", unlike {', '.join(better)}" if better else "")
            )
        elif better:
            found.append(
                f"the policy, explored no further, has Q = {self.objective:.6g} and is beaten by {', '.join(better)}"
            )
        return found


def look_at(problem: Problem, servers: Ints) -> Learnt:
    """Return what a policy's choice is worth beside what needs no learning."""
    constant = problem.n_servers > 1 and any(
        np.array_equal(servers, problem.everything_on(s)) for s in range(problem.n_servers)
    )
    found = evaluate(problem, servers)
    return Learnt(servers, found.objective, _baselines(P1(problem.instance)), constant, found.violation)


def _baselines(problem: P1) -> dict[str, float]:
    found = {}
    for name in names_with("is_baseline"):
        search = Search(problem)
        with suppress(GaveUp, Infeasible, SearchEnded):
            find(name)().solve(problem, search)
        if search.violation == 0:
            found[name] = search.objective
    return found


def shares(instance: Instance, servers: Ints) -> dict[str, float]:
    """Return which share of the subtasks is at each place (`Instance.place_names`)."""
    names = instance.place_names
    counts = np.bincount(servers, minlength=len(names)) / len(servers)
    return dict(zip(names, counts.tolist(), strict=True))
