"""cp-sat: tasks that may change places, against brute force on identical tasks."""

import pytest

from experiments._shared.brute_force import best
from experiments._shared.drawn import alexnets
from offbench.model.instance import Instance
from offbench.model.placement import Placement
from offbench.model.problem import P1, P2
from offbench.runs.solve import solve
from offbench.solvers.cp_sat.symmetry import interchangeable


def without_balance(instance: Instance) -> Instance:
    weights = instance.weights.model_copy(update={"score": 0.7, "coordination": 0.3, "balance": 0.0})
    return instance.model_copy(update={"weights": weights})


@pytest.mark.parametrize("given", [[1, 1] * 3, [1, 2, 1, 1, 1, 2], [2, 2, 2, 2, 0, 0]])
def test_identical_tasks_on_given_servers(given: list[int]) -> None:
    instance = alexnets(tasks=3, layers=2, servers=3)
    found = solve(instance, "cp-sat", placement=Placement(given), time_limit=600)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(best(P2(instance, given))[0], abs=1e-9)


def test_identical_tasks_without_balance() -> None:
    instance = without_balance(alexnets(tasks=3, layers=2, servers=3))
    found = solve(instance, "cp-sat", time_limit=600)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(best(P1(instance))[0], abs=1e-9)


def test_who_may_change_places() -> None:
    instance = alexnets(tasks=3, layers=2, servers=5)
    assert interchangeable(P1(instance)) == []  # Z counts tasks in their order
    assert interchangeable(P1(without_balance(instance))) == [(0, 1), (1, 2)]
    assert interchangeable(P2(instance, [1, 2, 1, 1, 1, 2])) == [(0, 2)]
    late = instance.tasks[1].model_copy(update={"arrival_s": 0.1})
    assert interchangeable(P2(instance.model_copy(update={"tasks": (instance.tasks[0], late)}), [1, 1, 1, 1])) == []
