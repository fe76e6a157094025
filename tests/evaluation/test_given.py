"""What users hand to `ob.evaluate` and `ob.evaluate_many`: names, files, objects, and what is none of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import offbench as ob

Write = Callable[[str, Any], Path]

# Of alexnet: the first layer on the client, the others on the first edge.
NAMES = ["client"] + 10 * ["edge-1"]
SERVERS = [0] + 10 * [1]
ORDER = list(range(11))


@pytest.fixture(scope="module")
def expected() -> ob.Evaluation:
    return ob.evaluate(ob.P1(ob.load("alexnet")), ob.Placement(SERVERS))


def test_names_say_what_the_indices_do() -> None:
    names = [server.name for server in ob.load("alexnet").servers]
    assert [names[s] for s in SERVERS] == NAMES


@pytest.mark.parametrize("kind", ["name", "file", "path", "instance", "P1", "P2"])
def test_problem_may_be_an_instance_or_its_name_or_file(kind: str, write: Write, expected: ob.Evaluation) -> None:
    instance = ob.load("alexnet")
    path = write("mine.json", instance.to_text())
    problem: Any = {
        "name": "alexnet", "file": str(path), "path": path, "instance": instance, "P1": ob.P1(instance),
        "P2": ob.P2(instance, SERVERS),
    }[kind]  # fmt: skip
    found = ob.evaluate(problem, ob.Placement(SERVERS))
    assert found.to_dict(subtasks=True) == expected.to_dict(subtasks=True)
    assert ob.evaluate_many(problem, [SERVERS, SERVERS]).tolist() == [expected.objective] * 2


@pytest.mark.parametrize(
    "placement",
    [
        ob.Placement(SERVERS), SERVERS, tuple(SERVERS), np.array(SERVERS, dtype=np.int16), NAMES, tuple(NAMES), [NAMES],
        {"servers": [NAMES]}, {"servers": [NAMES], "order": None},
        {"servers": [NAMES], "order": [[0, j] for j in ORDER]},
    ],
)  # fmt: skip
def test_placement_in_any_shape(placement: Any, write: Write, expected: ob.Evaluation) -> None:
    assert ob.evaluate("alexnet", placement).objective == expected.objective
    assert ob.evaluate_many("alexnet", [placement, placement]).tolist() == [expected.objective] * 2
    if isinstance(placement, dict):
        path = write("placement.json", placement)
        assert ob.evaluate("alexnet", path).objective == expected.objective
        assert ob.evaluate("alexnet", str(path)).objective == expected.objective
        assert ob.evaluate_many("alexnet", [path, path]).tolist() == [expected.objective] * 2


def test_names_of_several_tasks_come_in_rows_or_in_one() -> None:
    instance = ob.load("tiny-graphs")
    rows = [[instance.servers[0].name] * len(task.layers) for task in instance.tasks]
    flat = [name for row in rows for name in row]
    value = ob.evaluate(instance, ob.Placement([0] * instance.subtasks)).objective
    assert ob.evaluate(instance, rows).objective == ob.evaluate(instance, flat).objective == value


def test_orders_of_placements_are_kept() -> None:
    instance = ob.load("tiny-graphs")
    servers, order = [0] * 6, [3, 4, 5, 0, 1, 2]
    fcfs, last_first = ob.Placement(servers), ob.Placement(servers, order)
    values = [ob.evaluate(instance, each).objective for each in (fcfs, last_first)]
    assert values[0] != values[1]
    assert ob.evaluate_many(instance, [fcfs, last_first]).tolist() == values
    assert ob.evaluate_many(instance, [servers], [order]).tolist() == values[1:]


@pytest.mark.parametrize(
    ("problem", "placement", "told"),
    [
        (3, SERVERS, "instance: must be an Instance, a file or a shipped name, not int"),
        (None, SERVERS, "not NoneType"),
        (ob.Instance, SERVERS, "not class Instance"),
        ("alexnt", SERVERS, "did you mean 'alexnet'?"),
        (
            "alexnet",
            None,
            "placement: must be a Placement, a Solution, server indices, server names, a file or what it says, not",
        ),
        ("alexnet", object(), "not object"),
        ("alexnet", [0, 1], "shape (2,), but the instance has 11 subtasks"),
        ("alexnet", 3, "placement: must be a Placement, a Solution, server indices, server names"),
        ("alexnet", [0.5] * 11, "whole numbers, not float64"),
        ("alexnet", [[0, 1], [2]], "not list"),
        ("alexnet", ["clint"] + 10 * ["edge-1"], "servers[0][0]: 'clint' is no server of 'alexnet' (did you mean"),
        ("alexnet", ["client"] * 3, "3 servers, but the instance has 11 subtasks"),
        ("alexnet", {"server": []}, "placement: "),
        ("alexnet", "nowhere.json", "nowhere.json: no such file"),
        ("alexnet", ob.load("alexnet"), "not Instance"),
    ],
    ids=lambda value: None if type(value) is object else str(value)[:60],
)
def test_what_is_neither_is_told_in_one_line(problem: Any, placement: Any, told: str) -> None:
    with pytest.raises(ob.OffbenchError) as caught:
        ob.evaluate(problem, placement)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("assignments", "orders", "told"),
    [
        (3, None, "assignments: shape (), expected (rows, 11)"),
        (None, None, "assignments: must be server indices, or a list of placements, not NoneType"),
        ("x", None, "not str"),
        ([SERVERS, SERVERS[1:]], None, "shape (10,), but the instance has 11 subtasks"),
        ([ob.Placement(SERVERS)], [ORDER], "orders: each placement has its own or none"),
        ([None], None, "placement: must be"),
    ],
    ids=str,
)
def test_population_that_is_none_is_told_in_one_line(assignments: Any, orders: Any, told: str) -> None:
    with pytest.raises(ob.OffbenchError) as caught:
        ob.evaluate_many("alexnet", assignments, orders)
    assert told in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_solution_alone_is_evaluated_on_its_own_instance() -> None:
    solution = ob.solve("alexnet", "greedy", objective="score", seed=0)
    assert ob.evaluate(solution).objective == solution.objective
    assert ob.evaluate(solution, objective="latency").objective != solution.objective
    assert solution.placement is not None
    assert ob.P2("alexnet", solution).servers.tolist() == solution.placement.servers.tolist()
    with pytest.raises(ob.OffbenchError, match=r"P2: servers: which subtask is where"):
        ob.P2("alexnet")
    with pytest.raises(ob.OffbenchError, match=r"problem: a solution stands alone"):
        ob.evaluate(solution, solution)


def test_a_solution_stands_for_its_placement(tmp_path: Path) -> None:
    solution = ob.solve("alexnet", "best-edge")
    assert ob.evaluate("alexnet", solution).objective == solution.objective
    assert ob.evaluate_many("alexnet", [solution, solution]).tolist() == [solution.objective] * 2
    path = tmp_path / "idle.py"
    path.write_text("from offbench import Solver\nclass Idle(Solver):\n    'x'\n    def solve(self, *given): pass\n")
    with pytest.raises(ob.OffbenchError, match="the solution has none"):
        ob.evaluate("alexnet", ob.solve("alexnet", str(path)))
