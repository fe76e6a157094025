"""Watches for the known failure of agents that learn to offload: they collapse to one server."""

import math
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import Instance
from offbench.model.problem import P1, Ints, Problem
from offbench.search.budget import GaveUp, Infeasible, SearchEnded
from offbench.search.registry import find, names_with
from offbench.search.search import Search


@dataclass(frozen=True)
class Learnt:
    """What a policy does when it explores nothing."""

    servers: Ints
    """what it chooses, shape ``(n_subtasks,)``"""
    objective: float
    """of that; infinite where it isn't feasible"""
    baselines: dict[str, float]
    """objectives of the solvers that call themselves one (`Solver.is_baseline`) and are feasible"""
    constant: bool
    """whether it chooses one server wherever that is allowed"""

    @property
    def warnings(self) -> list[str]:
        """Return what went wrong, in words."""
        found = ["the policy is one constant action"] if self.constant else []
        better = [f"{name} ({q:.6g})" for name, q in self.baselines.items() if q < self.objective]
        has = f"has Q = {self.objective:.6g}" if self.objective < math.inf else "breaks constraints"
        if better:
            found.append(f"the policy, explored no further, {has} and is beaten by {', '.join(better)}")
        elif self.objective == math.inf:
            found.append(f"the policy, explored no further, {has}")
        return found


def look_at(problem: Problem, servers: Ints) -> Learnt:
    """Return what a policy's choice is worth beside what needs no learning."""
    constant = problem.n_servers > 1 and any(
        np.array_equal(servers, problem.everything_on(s)) for s in range(problem.n_servers)
    )
    evaluation = evaluate(problem, servers)
    objective = evaluation.objective if evaluation.feasible else math.inf
    return Learnt(servers, objective, _baselines(P1(problem.instance)), constant)


def _baselines(problem: P1) -> dict[str, float]:
    found = {}
    for name in names_with("is_baseline"):
        search = Search(problem)
        with suppress(GaveUp, Infeasible, SearchEnded):
            find(name)().solve(problem, search)
        if search.objective < math.inf:
            found[name] = search.objective
    return found


def shares(instance: Instance, servers: Ints) -> dict[str, float]:
    """Return which share of the subtasks is at each place (`Instance.place_names`)."""
    names = instance.place_names
    counts = np.bincount(servers, minlength=len(names)) / len(servers)
    return dict(zip(names, counts.tolist(), strict=True))
