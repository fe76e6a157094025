"""A user's mistake is told in one line that names file, place and rule; exit code 2, no traceback."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from offbench import load
from offbench.cli import app

Json = dict[str, Any]


def fail(*arguments: object) -> str:
    """Run offbench, which must fail as for a user's mistake; return the line that it tells."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1
    return result.stderr


def broken(change: Callable[[Json], object]) -> Json:
    """Return a tiny instance after a change for the worse."""
    data: Json = copy.deepcopy(json.loads(load("tiny-graphs").to_text()))
    change(data)
    return data


def test_instance_and_placement_in_each_others_place(tmp_path: Path) -> None:
    instance, placement = tmp_path / "i.json", tmp_path / "p.json"
    instance.write_text(load("tiny-graphs").to_text(), encoding="utf-8")
    placement.write_text(json.dumps({"servers": [["client"] * 3] * 2, "order": None}), encoding="utf-8")
    assert f"{placement}: is a placement" in fail("evaluate", placement, instance)
    assert f"{placement}: is a placement" in fail("show", placement, placement)
    assert f"{placement}: is a placement" in fail("show", placement, "alexnet")
    assert f"{instance}: is an instance" in fail("evaluate", instance, instance)
    assert f"{instance}: is an instance" in fail("show", instance)


def test_networks_and_models_in_the_place_of_an_instance(tmp_path: Path) -> None:
    network, model = tmp_path / "n.json", tmp_path / "m.onnx"
    layer = {"name": "a", "operator": "other", "read_mb": 1, "written_mb": 1, "output_mb": 1, "inputs": []}
    facts = {"format": "offbench-network/1", "name": "n", "input_mb": 1, "layers": [layer]}
    network.write_text(json.dumps(facts), encoding="utf-8")
    model.write_bytes(b"\x08\x07\xff")
    for file, what in ((network, "a network"), (model, "a model")):
        for command in (("advise",), ("solve", "--solver", "greedy"), ("instance", "show")):
            told = fail(*command, file)
            assert f"{file}: is {what}, where an instance is asked for" in told
            assert f"`offbench instance make --network {file}" in told


def test_text_that_is_not_json(tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text('{"format": "offbench/1",\n  oops}', encoding="utf-8")
    assert f"{file}: line 2 column 3" in fail("solve", "--solver", "greedy", file)


@pytest.mark.parametrize(
    ("change", "place", "rule"),
    [
        (lambda d: d.update(colour="red"), "colour", "unknown field"),
        (lambda d: d["links"][1].update(between=["edge-1", "edge-9"]), "links[1].between", "'edge-9' is neither"),
        (lambda d: d["links"].pop(0), "links", "none joins 'client' and 'edge-1'"),
        (lambda d: d["tasks"][0]["layers"][0].update(inputs=["left"]), "tasks[0].layers[0].inputs[0]", "cycle"),
        (lambda d: d["tasks"][1]["layers"][2].update(inputs=["lfet"]), "tasks[1].layers[2].inputs[0]", "'left'"),
        (lambda d: d["servers"][2].update(name="edge-1"), "servers[2].name", "already the name of servers[1]"),
        (lambda d: d["tasks"][1].update(name="fork"), "tasks[1].name", "already"),
        (lambda d: d["tasks"][0]["layers"][1].update(gcycles=-1), "tasks[0].layers[1].gcycles", "must be"),
        (lambda d: d["tasks"][0].update(input_mb=float("inf")), "tasks[0].input_mb", "finite"),
        (lambda d: d["servers"][0].update(kind="edge"), "servers", "exactly one must be of kind 'client', found none"),
        (lambda d: d["servers"][1].update(kind="client"), "servers", "found 2 (client, edge-1)"),
        (lambda d: d["weights"].update(delay=0.6), "weights", "delay + energy + cost must be 1"),
    ],
)  # fmt: skip
def test_instance_that_breaks_a_rule(change: Callable[[Json], object], place: str, rule: str, tmp_path: Path) -> None:
    file = tmp_path / "bad.json"
    file.write_text(json.dumps(broken(change)), encoding="utf-8")
    for command in (("solve", "--solver", "greedy"), ("instance", "show")):
        line = fail(*command, file)
        assert f"{file}: {place}" in line
        assert rule in line


@pytest.mark.parametrize(
    ("servers", "fragments"),
    [
        ([["client"] * 3], ["servers", "1 row,", "2 tasks"]),
        ([["client"] * 3, ["client"] * 2], ["servers[1]", "2 servers", "3 layers"]),
        ([["client"] * 3, ["client", "client", "egde-1"]], ["servers[1][2]", "'egde-1'", "'edge-1'"]),
        ([["edge-2", "client", "client"], ["client"] * 3], ["servers[0][0]", "may not run on 'edge-2'"]),
    ],
)  # fmt: skip
def test_placement_that_does_not_fit(servers: list[list[str]], fragments: list[str], tmp_path: Path) -> None:
    file = tmp_path / "p.json"
    file.write_text(json.dumps({"servers": servers, "order": None}), encoding="utf-8")
    line = fail("evaluate", "tiny-graphs", file)
    for fragment in (str(file), *fragments):
        assert fragment in line


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("solve", "--solver", "greedy", "nowhere.json"), ["nowhere.json", "no such file"]),
        (("solve", "--solver", "greedy", "alexnt"), ["alexnt", "'alexnet'"]),
        (("solve", "--solver", "gredy", "alexnet"), ["unknown solver 'gredy'", "did you mean 'greedy'"]),
        (("solve", "--solver", "missing.py", "alexnet"), ["missing.py", "no such file"]),
        (("solve", "alexnet", "--placement", "instances/alexnet.json"), ["--solver"]),
        (("solve", "--solver", "ddpqn", "--set", "lrr=1", "alexnet"), ["no parameter 'lrr'", "'lr'"]),
        (("solve", "--solver", "ddpqn", "--set", "lr=fast", "alexnet"), ["ddpqn", "lr", "number"]),
        (("solve", "--solver", "ddpqn", "--set", "lr", "alexnet"), ["--set lr"]),
        (("solve", "--solver", "greedy", "--time-limit", "0", "alexnet"), ["time limit", "positive"]),
        (("solve", "--solver", "greedy", "--time-limit", "nan", "alexnet"), ["time limit"]),
        (("solve", "--solver", "greedy", "--seed", "-1", "alexnet"), ["seed"]),
        (("solve", "--solver", "fcfs", "alexnet"), ["fcfs", "P2", "placement"]),
        (("evaluate", "alexnet", "nowhere.json"), ["nowhere.json", "no such file"]),
        (("instance", "make", "alexnet", "--poisson", "0"), ["oisson"]),
        (("instance", "make", "alexnet", "--weights", "delay=0.5,energy=0.6"), ["must be 1"]),
        (("instance", "make", "mixed-4"), ["mixed-4", "4 tasks"]),
        (("solvers", "gredy"), ["gredy", "greedy"]),
    ],
)
def test_command_that_cannot_work(arguments: tuple[str, ...], fragments: list[str]) -> None:
    line = fail(*arguments)
    for fragment in fragments:
        assert fragment in line


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("solve --tme-limit 5 alexnet", "no such option '--tme-limit' (did you mean '--time-limit'?)"),
        ("reproduce fig9 --job 2", "no such option '--job' (did you mean '--jobs'?)"),
        ("slove alexnet", "no such command 'slove' (did you mean 'solve'?)"),
        ("instance shw alexnet", "no such command 'shw' (did you mean 'show'?)"),
        ("references updat", "no such command 'updat' (did you mean 'update'?)"),
        ("solve alexnett", "(did you mean 'alexnet'?)"),
        ("solve --solver gredy alexnet", "unknown solver 'gredy' (did you mean 'greedy'?)"),
        ("solve --solver ddpqn --set lrr=0.1 alexnet", "no parameter 'lrr' (did you mean 'lr'?)"),
        ("solve --objective latancy alexnet", "not 'latancy' (did you mean 'latency'?)"),
        ("bound --weights delai=1 alexnet", "'delai' is none"),
        ("bench smok", "(did you mean 'smoke'?)"),
        ("bench smoke --backend daks", "not 'daks' (did you mean 'dask'?)"),
        ("table results --format latx", "not 'latx' (did you mean 'latex'?)"),
        ("reproduce fig33", "not 'fig33' (did you mean 'fig3'?)"),
        ("references show alexnt", "(did you mean 'alexnet'?)"),
        ("instance make alexnet --clients shard", "not 'shard' (did you mean 'shared'?)"),
    ],
    ids=lambda value: value.partition("(")[0],
)
def test_misspelt_word_is_told_with_the_nearest(line: str, told: str) -> None:
    assert told in fail(*line.split())


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["nope"], "no such command 'nope'; 'offbench --help' tells what there is"),
        (["solve", "--nope", "alexnet"], "no such option '--nope'; 'offbench solve --help' tells what there is"),
        (["solve", "--solver", "greedy", "alexnet", "further"], "unexpected extra argument"),
        (["solve", "alexnet", "greedy"], "did you mean --solver greedy?"),
        (["solve"], "Missing argument 'INSTANCE'"),
    ],
    ids=["command", "option", "argument", "solver", "missing"],
)
def test_usage_is_told_in_one_line(arguments: list[str], told: str) -> None:
    assert told in fail(*arguments)
