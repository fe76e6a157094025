"""Beam search, and descents from its ends."""

from functools import cache
from pathlib import Path
from typing import Any

import handmade
import plain
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import instances

import offbench.instances
from experiments._shared.brute_force import assignments, best, placements
from offbench import P1, solve
from offbench.errors import OffbenchError
from offbench.evaluation.evaluator import evaluate_many
from offbench.files.json import read_json
from offbench.model.instance import parse, shipped

Json = dict[str, Any]

FOLDER = Path(next(iter(offbench.instances.__path__)))
TINY = [name for name in shipped() if name.startswith("tiny")]


@cache
def optimum(name: str) -> float:
    """Return the best Q of all servers, first come first served, in plain Python."""
    return plain.brute_force(read_json(FOLDER / f"{name}.json"))[0]


@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("name", TINY)
def test_tiny_optimum_is_reached(name: str, seed: int) -> None:
    solution = solve(name, "beam", seed=seed, max_evaluations=500)
    assert solution.objective == pytest.approx(optimum(name), abs=1e-12)
    assert solution.stopped == "max-evaluations"
    assert solution.evaluations == 500


@settings(max_examples=25)
@given(instances(max_tasks=2, max_layers=3, max_edges=2, max_clouds=2), st.integers(0, 9))
def test_drawn_optimum_is_reached(made: Json, seed: int) -> None:
    instance = parse(made)
    problem = P1(instance)
    assume(placements(problem) <= 100_000)
    first_come = float(evaluate_many(problem, list(assignments(problem))).min())
    solution = solve(instance, "beam", seed=seed, max_evaluations=20_000, target=first_come + 1e-12, time_limit=20)
    assert best(problem)[0] - 1e-12 <= solution.objective <= first_come + 1e-9


@settings(max_examples=20)
@given(instances(), st.integers(0, 100))
def test_only_allowed_servers_are_used(made: Json, seed: int) -> None:
    instance = parse(made)
    solution = solve(instance, "beam", seed=seed, max_evaluations=200)  # to propose others would be an error
    assert solution.placement is not None
    for allowed, server in zip(P1(instance).allowed, solution.placement.servers, strict=True):
        assert allowed[server]
    assert solution.evaluations == 200


def test_pinned_layers_stay_where_they_are() -> None:
    made = handmade.phone()
    for layer, server in zip(made["tasks"][1]["layers"], ("cloud-1", "phone", "edge-2", "phone"), strict=True):
        layer["allowed"] = [server]
    solution = solve(parse(made), "beam", max_evaluations=300)
    assert solution.placement is not None
    assert solution.placement.to_file(solution.instance)["servers"][1] == ["cloud-1", "phone", "edge-2", "phone"]


@pytest.mark.parametrize("name", [*TINY, "alexnet"])
def test_same_seed_gives_the_same_run(name: str) -> None:
    first, again = (solve(name, "beam", seed=5, max_evaluations=400) for _ in range(2))
    assert first.placement is not None
    assert again.placement is not None
    assert first.placement.servers.tolist() == again.placement.servers.tolist()
    assert [point[1:] for point in first.trace] == [point[1:] for point in again.trace]


@pytest.mark.parametrize("evaluations", [1, 2, 10])
def test_few_evaluations_are_enough_for_a_placement(evaluations: int) -> None:
    solution = solve("tiny-graphs", "beam", max_evaluations=evaluations)
    assert solution.placement is not None
    assert solution.evaluations == evaluations


def test_it_claims_no_bound() -> None:
    assert solve("tiny-chains", "beam", max_evaluations=300).lower_bound == float("-inf")


def test_one_subtask_on_one_server() -> None:
    made = handmade.instance(
        [handmade.server("client", "client", power=1)], [], [handmade.task("t", handmade.layer("a", 1))]
    )
    solution = solve(parse(made), "beam", max_evaluations=50)
    assert solution.placement is not None
    assert solution.placement.servers.tolist() == [0]
    assert solution.objective == pytest.approx(plain.brute_force(made)[0])


def test_one_subtask_goes_where_it_is_best() -> None:
    made = handmade.instance(
        [handmade.server("client", "client", ghz=1), handmade.server("edge", "edge", ghz=4)],
        [handmade.link("client", "edge", rate=10)],
        [handmade.task("t", handmade.layer("a", 4), input_mb=1)],
        weights=handmade.DELAY_ALONE,
    )
    solution = solve(parse(made), "beam", max_evaluations=50)
    assert solution.placement is not None
    assert solution.placement.servers.tolist() == [1]


@pytest.mark.parametrize("parameters", [{"width": 1}, {"width": 31, "kick": 1}, {"kick": 100}])
def test_parameters(parameters: Json) -> None:
    solution = solve("tiny-chains", "beam", max_evaluations=500, parameters=parameters)
    assert solution.objective == pytest.approx(optimum("tiny-chains"), abs=1e-12)


@pytest.mark.parametrize("parameters", [{"width": 0}, {"kick": 0}])
def test_parameters_without_sense_are_refused(parameters: Json) -> None:
    with pytest.raises(OffbenchError):
        solve("tiny-chains", "beam", max_evaluations=1, parameters=parameters)
