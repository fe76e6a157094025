"""`offbench bound`, with relaxations of the tests' own."""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import offbench.bounds
from offbench import P1, P2, evaluate, load
from offbench.bounds.relaxation import Relaxation
from offbench.cli import app
from offbench.model.problem import Problem

Bound = Callable[..., Result]


def zero(problem: Problem) -> Iterator[float]:
    """Yield a bound of every problem whose objective is the delay alone, and of the tests' instances."""
    yield -9.0
    yield -8.0


def slow(problem: Problem) -> Iterator[float]:
    yield -8.5
    time.sleep(60)


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bound:
    """Return a function that runs `offbench bound` in an empty folder with given relaxations."""
    monkeypatch.chdir(tmp_path)

    def bound(*arguments: object, **relaxations: Callable[[Problem], Iterator[float]]) -> Result:
        made = tuple(Relaxation(name, f"what {name} leaves out", bounds) for name, bounds in relaxations.items())
        monkeypatch.setattr(offbench.bounds, "RELAXATIONS", made)
        return CliRunner().invoke(app, ["bound", *map(str, arguments)])

    return bound


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_table_names_each_relaxation_and_what_it_is_held_against(bound: Bound) -> None:
    result = bound("alexnet", zero=zero, other=lambda problem: iter([-12.5]))
    assert result.exit_code == 0, result.stderr
    for words in (
        "zero", "what zero leaves out", "-8", "other", "-12.5", "finished", "objective Q below -8, by zero",
        "everything on the client", "the best known placement", "certified",
    ):  # fmt: skip
        assert words in result.stdout


def test_json_has_the_gaps_of_known_placements(bound: Bound) -> None:
    got = printed(bound("--json", "alexnet", zero=zero))
    assert (got["instance"], got["problem"], got["bound"], got["by"]) == ("alexnet", "P1", -8, "zero")
    (row,) = got["relaxations"]
    assert (row["name"], row["bound"], row["ended"]) == ("zero", -8, "finished")
    client, known = got["placements"]
    assert client["objective"] == evaluate(P1(load("alexnet")), [0] * 11).objective
    assert client["certified"] == 1
    assert known["objective"] == got["reference"]["best_objective"]
    assert known["absolute_gap"] == known["objective"] + 8
    assert known["relative_gap"] == pytest.approx((known["objective"] + 8) / known["objective"])
    assert known["certified"] == pytest.approx((known["objective"] + 8) / (client["objective"] + 8))


def test_instance_of_ones_own_is_held_against_the_client(bound: Bound) -> None:
    data = json.loads(load("tiny-graphs").to_text())
    data["servers"][0]["compute_ghz"] += 1
    Path("mine.json").write_text(json.dumps(data), encoding="utf-8")
    got = printed(bound("--json", "mine.json", zero=zero))
    assert [row["what"] for row in got["placements"]] == ["everything on the client"]
    assert got["reference"] is None


def test_p2_is_bounded_for_the_servers_given(bound: Bound) -> None:
    servers = [["client"] * 3, ["edge-1", "client", "edge-1"]]
    Path("p.json").write_text(json.dumps({"servers": servers}), encoding="utf-8")
    seen: list[Problem] = []

    def relaxation(problem: Problem) -> Iterator[float]:
        seen.append(problem)
        yield -20.0

    got = printed(bound("--placement", "p.json", "--json", "tiny-graphs", relaxation=relaxation))
    assert isinstance(seen[0], P2)
    assert got["problem"] == "P2"
    assert [row["what"] for row in got["placements"]] == ["the given placement"]
    assert got["reference"] is None
    shown = bound("--placement", "p.json", "tiny-graphs", relaxation=relaxation)
    assert "No dispatch order of these servers" in shown.stdout


def test_time_limit_is_kept(bound: Bound) -> None:
    got = printed(bound("--json", "--time-limit", 0.5, "alexnet", slow=slow))
    assert (got["bound"], got["relaxations"][0]["ended"]) == (-8.5, "time-limit")
    assert got["seconds"] < 30


def test_interrupt_prints_what_was_found(bound: Bound) -> None:
    def interrupted(problem: Problem) -> Iterator[float]:
        yield -8.25
        raise KeyboardInterrupt

    result = bound("--json", "alexnet", interrupted=interrupted, after=lambda problem: iter([-20.0]))
    assert result.exit_code == 130
    got = json.loads(result.stdout)
    assert (got["bound"], [row["ended"] for row in got["relaxations"]]) == (-8.25, ["interrupted", "interrupted"])


def test_no_bound_is_a_failure(bound: Bound) -> None:
    result = bound("alexnet", empty=lambda problem: iter(()))
    assert result.exit_code == 1
    assert result.stderr == "offbench: alexnet: no bound within 60 s\n"


def test_bound_above_a_known_objective_is_told(bound: Bound) -> None:
    result = bound("alexnet", wrong=lambda problem: iter([0.5]))
    assert result.exit_code == 1
    assert result.stderr.startswith("offbench: alexnet: the bound 0.5 by wrong lies above the objective 0.2")


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("alexnett",), "did you mean 'alexnet'?"),
        (("alexnet", "--time-limit", "0"), "time limit: must be a positive number of seconds, not 0"),
        (("alexnet", "--placement", "none.json"), "none.json: no such file"),
    ],
)
def test_mistake_is_told_in_one_line(arguments: tuple[str, ...], fragment: str, bound: Bound) -> None:
    result = bound(*arguments, zero=zero)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1)
    assert fragment in result.stderr
