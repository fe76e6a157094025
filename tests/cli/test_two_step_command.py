"""`offbench solve --two-step` and `offbench instance show --modules`."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from offbench.cli import app


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_result_keeps_both_stages(tmp_path: Path) -> None:
    file = tmp_path / "placement.json"
    options = ("--two-step", "--solver", "chain-exact", "--secondary", "greedy", "--output", file, "--json")
    got = printed(run("solve", *options, "googlenet"))
    initial, secondary = got["stages"]
    assert (initial["name"], secondary["name"]) == ("initial", "secondary")
    assert (initial["free"], secondary["free"]) == (29, 63)
    assert initial["solution"]["status"] == "optimal"
    assert secondary["solution"]["solver"] == "greedy"
    assert got["objective"] == min(initial["full_objective"], secondary["full_objective"])
    assert got["lower_bound"] is None
    # The placement is one of the full graph, and worth what is told.
    assert printed(run("evaluate", "--json", "googlenet", file))["objective"] == got["objective"]
    # What the initial solution says of layers outside modules stands.
    chain, full = initial["solution"]["placement"]["servers"][0], secondary["solution"]["placement"]["servers"][0]
    assert (chain[:7], chain[-2:]) == (full[:7], full[-2:])


def test_text_tells_the_stages_and_the_split_budget() -> None:
    told = run("solve", "--two-step", "--solver", "random", "--max-evaluations", 104, "googlenet").stdout
    assert "random in two steps on googlenet (P1)" in told
    assert "29 of 29" in told and "63 of 83" in told
    assert "lower bound: none on the full graph" in told


def test_several_tasks(tmp_path: Path) -> None:
    file = tmp_path / "two.json"
    assert run("instance", "make", "googlenet", "--tasks", 2, "--interval", 0.1, "--output", file).exit_code == 0
    got = printed(run("solve", "--two-step", "--solver", "greedy", "--json", file))
    assert [stage["free"] for stage in got["stages"]] == [58, 126]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--solver", "greedy", "--secondary", "greedy"), "--secondary: names the solver of the second step"),
        (("--two-step", "--solver", "greedy", "--placement", "x.json"), "--two-step and --placement"),
        (("--two-step", "--solver", "greedy", "--secondary", "greddy"), "unknown solver 'greddy' (did you mean"),
        (("--two-step", "--solver", "greedy", "--max-evaluations", "3"), "2 stages need 4, not 3"),
        (("--two-step", "--solver", "fcfs"), "two-step, initial problem: solver 'fcfs' solves P2"),
    ],
)
def test_mistakes(options: tuple[str, ...], message: str) -> None:
    result = run("solve", *options, "googlenet")
    assert result.exit_code == 2
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_modules_as_facts() -> None:
    (task,) = printed(run("instance", "show", "--modules", "--json", "inception-nested"))["modules"]
    *_, last = task["modules"]
    assert (len(task["modules"]), last["fork"], last["join"]) == (19, "c2/concat", "c3/concat")
    assert [branch["layers"][0] for branch in last["branches"]] == ["c3/1/pool", "c3/2/1x1", "c3/3/1x1", "c3/4/1x1"]
    assert [(inner["fork"], inner["join"], inner["layers"]) for inner in last["modules"]] == [
        ("c3/3/1x1", "c3/concat", ["c3/3/1x3", "c3/3/3x1"]),
        ("c3/4/3x1", "c3/concat", ["c3/4/2/3x1", "c3/4/2/1x3"]),
    ]  # fmt: skip
    assert "modules" not in printed(run("instance", "show", "--json", "inception-nested"))


def test_modules_are_listed_and_drawn() -> None:
    told = run("instance", "show", "--modules", "inception-nested").stdout
    assert "│ 19.2   │ c3/4/3x1" in told
    assert "c3/4/1x1 → c3/4/1x3 → c3/4/3x1" in told
    told = run("instance", "show", "--modules", "mixed-4").stdout
    assert "alexnet, vgg19: no modules, a chain" in told
    assert "(direct)" in told  # of a residual block


def test_tasks_of_one_network_are_told_once() -> None:
    told = run("instance", "show", "--modules", "resnet-x10").stdout
    assert told.count("modules of") == 1


def test_branches_that_are_no_chain_have_no_arrows(tmp_path: Path) -> None:
    instance = printed(run("instance", "make", "alexnet"))
    names = ("a", "b", "c", "d", "e")
    inputs: tuple[list[str], ...] = ([], ["a"], ["a"], ["b", "c"], ["c", "d"])
    instance["tasks"][0]["layers"] = [
        {"name": name, "gcycles": 1, "output_mb": 1, "inputs": sources}
        for name, sources in zip(names, inputs, strict=True)
    ]
    file = tmp_path / "ladder.json"
    file.write_text(json.dumps(instance), encoding="utf-8")
    assert "b, c, d" in run("instance", "show", "--modules", file).stdout


@pytest.mark.parametrize("depth", [10, 11, 2000])
def test_modules_inside_one_another_are_counted_where_they_lie_too_deep(depth: int, tmp_path: Path) -> None:
    instance = printed(run("instance", "make", "alexnet"))
    down: list[tuple[str, list[str]]] = [("f0", [])]
    up = [(f"j{depth}", [f"a{depth}", f"b{depth}"])]
    for i in range(1, depth):
        down += [(f"a{i}", [f"f{i - 1}"]), (f"f{i}", [f"f{i - 1}"])]
        up.append((f"j{depth - i}", [f"a{depth - i}", f"j{depth - i + 1}"]))
    down += [(f"{side}{depth}", [f"f{depth - 1}"]) for side in "ab"]
    layers = [{"name": name, "gcycles": 1, "output_mb": 1, "inputs": inputs} for name, inputs in down + up]
    instance["tasks"][0]["layers"] = layers
    file = tmp_path / "deep.json"
    file.write_text(json.dumps(instance), encoding="utf-8")
    told = run("instance", "show", "--modules", file)
    assert told.exit_code == 0, told.exception
    assert "f0 ⇉ j1" in told.stdout and "f9 ⇉ j10" in told.stdout
    assert "a11" not in told.stdout
    if depth == 10:
        assert "inside modules that lie" not in told.stdout
    else:
        assert f"and {depth - 10:,} more, inside modules that lie 10 deep" in told.stdout
    (task,) = printed(run("instance", "show", "--modules", "--json", file))["modules"]
    modules, found = task["modules"], []
    while modules:
        found.append(modules[0])
        modules = modules[0]["modules"]
    assert [module["fork"] for module in found] == [f"f{i}" for i in range(10)]
    assert found[0]["layers"] == [name for name, _ in (down + up)[1:-1]]
    assert [module["deeper"] for module in found] == [0] * 9 + [depth - 10]
