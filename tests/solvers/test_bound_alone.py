"""The bound alone."""

import pytest

from offbench import solve
from offbench.bounds import RELAXATIONS, tightest
from offbench.evaluation.references import lookup
from offbench.model.instance import load
from offbench.model.problem import P1


@pytest.mark.parametrize("name", ["tiny-chains", "tiny-graphs"])
def test_bound_is_that_of_all_relaxations_and_below_the_proven_optimum(name: str) -> None:
    solution = solve(name, "relaxations", time_limit=60)
    reference = lookup(load(name))
    assert reference is not None and reference.proven and reference.best_objective is not None
    assert solution.lower_bound == tightest(P1(load(name)), RELAXATIONS).bound
    assert solution.lower_bound <= reference.best_objective + 1e-9
    assert solution.objective == solution.client_only.objective


def test_time_limit_keeps_the_bounds_found_so_far() -> None:
    solution = solve("googlenet", "relaxations", time_limit=0.5)
    assert solution.stopped in ("time-limit", "finished")
    assert solution.lower_bound <= -0.5331  # the best placement known
