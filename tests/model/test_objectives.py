"""Objectives by name, and weights by name."""

import pytest

from offbench import Instance, OffbenchError, evaluate, load, with_objective
from offbench.model.instance import Coordination
from offbench.model.objectives import MEANINGS, described, named, objective_of, parse_weights


@pytest.mark.parametrize(
    ("objective", "expected"),
    [
        ("latency", (1, 0, 0, 1, 0, 0)),
        ("energy", (0, 1, 0, 1, 0, 0)),
        ("cost", (0, 0, 1, 1, 0, 0)),
        ("score", (0.5, 0.3, 0.2, 1, 0, 0)),
        ("paper", (0.5, 0.3, 0.2, 0.6, 0.2, 0.2)),
        ("benefits", (0.5, 0.3, 0.2, 0.6, 0.2, 0.2)),
    ],
)
def test_what_the_names_mean(objective: str, expected: tuple[float, ...]) -> None:
    made = with_objective("alexnet", objective)
    assert tuple(made.weights.model_dump().values()) == expected
    assert made.coordination == (
        Coordination(indicators="benefits", root=3) if objective == "benefits" else Coordination()
    )
    assert made.tasks == load("alexnet").tasks
    assert objective_of(made) == objective


def test_every_name_has_a_meaning_and_its_own_objective_stays_the_default() -> None:
    assert {objective_of(with_objective("alexnet", name)) for name in MEANINGS} == set(MEANINGS)
    assert with_objective("alexnet") == load("alexnet")
    assert objective_of(load("tiny-graphs")) == "benefits"
    assert objective_of(load("split")) == "latency"


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("delay=0.7,energy=0.3", (0.7, 0.3, 0, 1, 0, 0)),
        ({"cost": 1}, (0, 0, 1, 1, 0, 0)),
        ("score=0.9, balance=0.1", (0.5, 0.3, 0.2, 0.9, 0, 0.1)),
        ("delay=1,score=0.5,coordination=0.5", (1, 0, 0, 0.5, 0.5, 0)),
    ],
)
def test_weights_by_name(weights: str | dict[str, float], expected: tuple[float, ...]) -> None:
    assert tuple(with_objective("alexnet", weights=weights).weights.model_dump().values()) == expected


def test_weights_on_top_of_an_objective() -> None:
    made = with_objective("alexnet", "paper", "delay=1")
    assert tuple(made.weights.model_dump().values()) == (1, 0, 0, 0.6, 0.2, 0.2)
    assert described(with_objective("alexnet", weights="delay=0.7,energy=0.3")) == "score (delay 0.7, energy 0.3)"
    assert described(with_objective("alexnet", weights="score=0.9,balance=0.1")) == (
        "delay 0.5, energy 0.3, cost 0.2, score 0.9, balance 0.1"
    )


@pytest.mark.parametrize(
    ("objective", "weights", "told"),
    [
        ("latancy", None, "did you mean 'latency'"),
        (3, None, "must be one of paper, benefits"),
        (None, "delay", "'delay' is no NAME=NUMBER"),
        (None, "delay=0.5,delay=0.5", "'delay' stands twice"),
        (None, "delai=1", "did you mean 'delay'"),
        (None, {"delay": 0.5}, "delay + energy + cost must be 1"),
        (None, "delay=2,cost=-1", "delay"),
        (None, 3, "must be names with numbers, not int"),
    ],
)
def test_what_is_none(objective: str | None, weights: str | None, told: str) -> None:
    with pytest.raises(OffbenchError, match=r"objective|weights") as error:
        with_objective("alexnet", objective, weights)
    assert told in str(error.value) and "\n" not in str(error.value)


def test_the_evaluator_scores_by_it() -> None:
    instance: Instance = load("alexnet")
    own = evaluate(instance, [0] * 11)
    found = evaluate("alexnet", [0] * 11, objective="latency")
    assert found.objective == found.delay_s / found.scales.delay_s
    assert (found.delay_s, found.energy_j) == (own.delay_s, own.energy_j)
    assert evaluate("alexnet", [0] * 11, weights={"energy": 1}).objective == own.energy_j / own.scales.energy_j


def test_names_with_an_objective() -> None:
    assert named("alexnet@latency") == with_objective("alexnet", "latency").model_copy(
        update={"name": "alexnet@latency"}
    )
    assert named("alexnet") == load("alexnet")
    with pytest.raises(OffbenchError, match="objective"):
        named("alexnet@fast")


def test_weights_are_read_as_they_are_written() -> None:
    assert parse_weights(" delay = .25 ,cost=.75") == {"delay": 0.25, "cost": 0.75}


def test_weights_in_place_of_a_name_are_told() -> None:
    with pytest.raises(OffbenchError, match="say weights="):
        with_objective("alexnet", {"delay": 0.7, "energy": 0.3})  # type: ignore[arg-type]


def test_no_weight_by_name_changes_nothing_in_silence() -> None:
    with pytest.raises(OffbenchError, match="weights: none is named"):
        with_objective("alexnet", weights={})
