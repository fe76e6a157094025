"""`offbench pareto`: table, plot and placements say the same."""

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from offbench import evaluate, load, load_placement
from offbench.cli import app
from offbench.model.problem import P1
from offbench.runs.pareto import pareto


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["pareto", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_every_point_has_its_placement_file(tmp_path: Path) -> None:
    folder = tmp_path / "front"
    code, out, err = run(
        "tiny-graphs", "--output", folder, "--time-limit", 1, "--solver", "greedy", "--solver", "best-cloud",
        "--solver", "client-only", "--points", 5, "--json",
    )  # fmt: skip
    assert code == 0
    assert "no cloud server" in err  # best-cloud's reason
    with (folder / "front.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [row["by"] for row in rows] == ["nsga2"] * 5 + ["greedy", "client-only"]
    instance = load("tiny-graphs")
    for row in rows:
        evaluation = evaluate(P1(instance), load_placement(folder / row["placement"], instance))
        for name in ("delay_s", "energy_j", "cost_usd", "objective"):
            assert float(row[name]) == getattr(evaluation, name)
    front = [tuple(float(row[name]) for name in ("delay_s", "energy_j", "cost_usd")) for row in rows[:5]]
    assert all(row["dominated_by"] == "0" for row in rows[:5])
    assert front == sorted(front)
    told = json.loads(out)
    assert 0 < told["hypervolume"] < 1
    assert told["size"] >= 5
    assert [point["objective"] for point in told["points"]] == [float(row["objective"]) for row in rows]
    page = (folder / "front.html").read_text(encoding="utf-8")
    assert "greedy" in page and "everything on the device" in page and "everything on one server" in page
    assert page.count('class="panel"') == 3
    assert 'src="http' not in page  # whole without a network


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("alexnt",), "alexnet"),
        (("alexnet", "--solver", "gredy"), "greedy"),
        (("alexnet", "--points", 0), "points"),
        (("alexnet", "--time-limit", 0), "time limit"),
    ],
)
def test_mistakes_leave_no_folder(arguments: tuple[object, ...], fragment: str, tmp_path: Path) -> None:
    code, out, err = run(*arguments, "--output", tmp_path / "front")
    assert (code, out) == (2, "")
    assert fragment in err
    assert not (tmp_path / "front").exists()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    code, _, err = run("alexnet", "--output", tmp_path)
    assert code == 2
    assert "isn't empty" in err


def test_knee_is_nearest_to_the_least_of_all_three() -> None:
    found = pareto(load("tiny-graphs"), ["greedy"], time_limit=1, time_limit_each=1, most=50)
    values = np.array([point.values for point in found.front])
    low, high = values.min(axis=0), values.max(axis=0)
    distances = [math.dist((v - low) / np.where(high > low, high - low, 1), [0, 0, 0]) for v in values]
    assert found.knee is found.front[int(np.argmin(distances))]
    problem = P1(load("tiny-graphs"))
    assert found.singles[0].by == "device"
    for point in found.singles:
        evaluation = evaluate(problem, point.placement)
        assert point.values.tolist() == [evaluation.delay_s, evaluation.energy_j, evaluation.cost_usd]
