"""Exact arithmetic against the numbers of MODEL.md that others computed, and against brute force in doubles."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from experiments._shared.brute_force import best
from experiments._shared.exact_arithmetic import ExactArithmetic
from experiments._shared.tiny import tiny_instance, tiny_servers
from offbench.evaluation.evaluator import evaluate
from offbench.model.placement import Placement
from offbench.model.problem import P1, P2

TESTS = Path(__file__).parents[1]
CASES = [*sorted((TESTS / "conformance").glob("*.json")), *sorted((TESTS / "conformance2").glob("*.json"))]
TINY = sorted((TESTS / "conformance2-tiny").glob("*.json"))


def near(expected: float) -> Any:
    return pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_cases_are_there() -> None:
    assert (len(CASES), len(TINY)) == (36, 12)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_numbers_of_the_model(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    exact = ExactArithmetic(case["instance"])
    servers = exact.facts.server_numbers(case["placement"]["servers"])
    order = exact.facts.subtask_numbers(case["placement"]["order"])
    found, expected = exact.evaluate(servers, order), case["expected"]
    assert {name: float(scale) for name, scale in exact.scales.items()} == near(expected.pop("scales"))
    rows = [{name: float(getattr(row, name)) for name in expected["subtasks"][0]} for row in found.subtasks]
    assert len(rows) == len(expected["subtasks"])
    for row, wanted in zip(rows, expected.pop("subtasks"), strict=True):
        assert row == near(wanted)
    assert expected == {name: near(float(getattr(found, name))) for name in expected}
    assert found.objective == exact.objective(servers, order)
    named = {field.name for field in fields(found)} - {"subtasks"}
    if path.stem.startswith("case2"):
        assert set(expected) == named


@pytest.mark.parametrize("path", TINY, ids=lambda path: path.stem)
def test_optimum_of_the_model(path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    exact = ExactArithmetic(case["instance"])
    found = exact.optimum()
    assert found.feasible == (case["optimum"] is not None)
    again = exact.evaluate(found.servers, found.order)
    assert (again.objective, again.violation) == (found.objective, found.violation)
    assert min(each.rank for each in exact.placements()) == found.rank  # nothing better is passed over
    if found.feasible:
        assert float(found.objective) == near(case["optimum"])


@pytest.mark.parametrize("seed", [0, 7, 12, 21, 35])
def test_exact_optimum_is_that_of_brute_force(seed: int) -> None:
    # Numbers of one magnitude; brute force tries every order, exact arithmetic one of those that book alike.
    instance, servers = tiny_instance(seed), tiny_servers(seed)
    exact = ExactArithmetic(instance)
    for found, problem in (
        (exact.optimum(servers.servers.tolist()), P2(instance, servers)),
        (exact.optimum(), P1(instance)),
    ):
        assert float(found.objective) == near(best(problem)[0])
        placement = Placement(found.servers, found.order)
        assert evaluate(problem, placement).objective == near(float(found.objective))
