"""`offbench pareto`: table, plot and placements say the same."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from offbench import evaluate, load, load_placement
from offbench.cli import app
from offbench.model.problem import P1


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
    assert "greedy" in page
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
