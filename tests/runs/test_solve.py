"""One run, from names to a solution."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import handmade
import pytest

from offbench import P1, OffbenchError, Placement, Search, evaluate, load, solve
from offbench.model.instance import parse

Write = Callable[[str, Any], Path]


def test_instance_by_name_path_and_object(write: Write) -> None:
    path = write("alexnet.json", load("alexnet").to_text())
    objectives = {solve(instance, "greedy").objective for instance in ("alexnet", str(path), path, load("alexnet"))}
    assert len(objectives) == 1


def test_solver_by_path_is_named_after_its_file(write: Write) -> None:
    text = """
from offbench import Solver

class Mine(Solver):
    '''Everything on one server.'''
    server: int = 0
    def solve(self, problem, search):
        search.propose(problem.everything_on(self.server))
"""
    solution = solve("alexnet", str(write("all_on.py", text)), parameters={"server": "3"})
    assert (solution.solver, solution.parameters) == ("all-on", {"server": 3})
    assert solution.placement is not None
    assert set(solution.placement.servers.tolist()) == {3}


def test_same_seed_gives_the_same_placement() -> None:
    first, again, other = (solve("vgg19", "random", seed=seed, max_evaluations=500) for seed in (3, 3, 4))
    assert first.placement is not None and again.placement is not None
    assert first.placement.servers.tolist() == again.placement.servers.tolist()
    assert [point[1:] for point in first.trace] == [point[1:] for point in again.trace]
    assert first.objective != other.objective


def test_evaluations_are_counted_and_limited() -> None:
    solution = solve("alexnet", "random", max_evaluations=1234)
    assert (solution.evaluations, solution.stopped, solution.status) == (1234, "max-evaluations", "feasible")


def test_target_ends_a_run() -> None:
    goal = solve("alexnet", "client-only").objective
    solution = solve("alexnet", "random", target=goal, time_limit=20)
    assert solution.stopped == "target"
    assert solution.objective <= goal


def test_solver_that_ends_by_itself_is_finished() -> None:
    solution = solve("alexnet", "greedy")
    assert (solution.stopped, solution.evaluations, solution.seed) == ("finished", 1, 0)


def test_evaluation_is_that_of_the_placement() -> None:
    solution = solve("googlenet", "greedy")
    assert solution.placement is not None and solution.evaluation is not None
    again = evaluate(P1(load("googlenet")), solution.placement)
    assert again.to_dict(subtasks=True) == solution.evaluation.to_dict(subtasks=True)
    assert solution.objective == again.objective


def test_client_only_is_told_for_comparison() -> None:
    solution = solve("alexnet", "best-edge")
    assert solution.client_only.objective == solve("alexnet", "client-only").objective


def test_p2_takes_the_servers_of_a_placement() -> None:
    instance = parse(handmade.phone())
    placement = Placement([0, 1, 3, 2, 2, 0, 3], [3, 0, 5, 4, 1, 6, 2])
    solution = solve(instance, "fcfs", placement=placement)
    assert solution.placement is not None
    assert solution.placement.servers.tolist() == placement.servers.tolist()
    assert solution.placement.order is None
    assert solution.client_only.objective == evaluate(P1(instance), [0] * 7).objective


BOTH = """
from typing import ClassVar
from offbench import P1, P2, Placement, Solver

class Both(Solver):
    '''Tells which problem it was given by the server that it takes.'''
    solves: ClassVar[str] = "P1 and P2"
    def solve(self, problem, search):
        search.propose(Placement(problem.servers) if isinstance(problem, P2) else problem.everything_on(0))
"""


def test_solver_of_both_problems_solves_p2_where_a_placement_is_given(write: Write) -> None:
    both = str(write("both.py", BOTH))
    free, given = solve("alexnet", both), solve("alexnet", both, placement=Placement([3] * 11))
    assert (free.problem, given.problem) == ("P1", "P2")
    assert free.placement is not None and given.placement is not None
    assert free.placement.servers.tolist() == [0] * 11
    assert given.placement.servers.tolist() == [3] * 11


def test_on_start_sees_the_search_before_the_solver() -> None:
    seen: list[tuple[Search, int]] = []
    solution = solve("alexnet", "client-only", on_start=lambda search: seen.append((search, search.evaluations)))
    ((search, evaluations),) = seen
    assert evaluations == 0
    assert search.objective == solution.objective


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        ({"instance": "alexnett"}, "did you mean 'alexnet'?"),
        ({"solver": "greddy"}, "did you mean 'greedy'?"),
        ({"solver": "random", "parameters": {"batch": 0}}, "batch"),
        ({"seed": -1}, "seed: must be a whole number from 0 on, not -1"),
        ({"time_limit": 0}, "time limit"),
        ({"max_evaluations": 0}, "max evaluations"),
        ({"target": float("nan")}, "target"),
        ({"solver": "fcfs"}, "give a placement"),
        ({"placement": Placement([0] * 11)}, "P1"),
        ({"solver": "srpt", "placement": Placement([0] * 12)}, "11 subtasks"),
    ],
    ids=str,
)
def test_wrong_argument_is_told_in_one_line(arguments: dict[str, Any], fragment: str) -> None:
    with pytest.raises(OffbenchError) as caught:
        solve(**({"instance": "alexnet", "solver": "greedy"} | arguments))
    assert fragment in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_proof_makes_a_run_optimal(write: Write) -> None:
    text = """
from offbench import Solver

class Proven(Solver):
    '''Claims that the client is best.'''
    def solve(self, problem, search):
        search.bound(search.propose(problem.everything_on(0)))
"""
    solution = solve("alexnet", str(write("proven.py", text)))
    assert (solution.status, solution.stopped) == ("optimal", "optimal")
    assert solution.gap == 0
    assert solution.lower_bound == solution.objective


@pytest.mark.parametrize(("signal", "stopped"), [("KeyboardInterrupt", "interrupted"), ("SearchEnded", "finished")])
def test_signal_that_compiled_code_disguises_is_recognised(tmp_path: Path, signal: str, stopped: str) -> None:
    source = f"""
from offbench import Solver
from offbench.search.budget import SearchEnded

class Disguised(Solver):
    "Raises what CPython makes of a signal within a C function."
    def solve(self, problem, search):
        search.propose(problem.everything_on(0))
        try:
            raise {signal}
        except BaseException as error:
            raise SystemError("returned a result with an exception set") from error
"""
    path = tmp_path / "disguised.py"
    path.write_text(source)
    found = solve("alexnet", str(path))
    assert found.placement is not None
    assert found.stopped == stopped


def test_system_error_of_another_origin_is_raised(tmp_path: Path) -> None:
    path = tmp_path / "broken.py"
    path.write_text(
        "from offbench import Solver\nclass Broken(Solver):\n    'x'\n"
        "    def solve(self, problem, search):\n        raise SystemError('a bug')\n"
    )
    with pytest.raises(SystemError, match="a bug"):
        solve("alexnet", str(path))


def test_a_placement_for_p2_is_whatever_evaluate_takes(tmp_path: Path) -> None:
    first = solve("alexnet", "greedy")
    assert first.placement is not None
    file = tmp_path / "placement.json"
    file.write_text(json.dumps(first.placement.to_file(first.instance, layers=True)), encoding="utf-8")
    for given in (first.placement, first, file, str(file), first.placement.servers):
        assert solve("alexnet", "spt", placement=given).objective == pytest.approx(first.objective)
    with pytest.raises(OffbenchError, match="placement: must be a Placement"):
        solve("alexnet", "spt", placement=3)


def test_swapped_arguments_are_told() -> None:
    wrong: Any = load("alexnet")
    with pytest.raises(OffbenchError, match="the instance comes first"):
        solve("greedy", wrong)
