"""Where `allowed` keeps layers off the client, nothing says "everything on the client" without telling so."""

import json
from collections.abc import Callable
from pathlib import Path

import handmade
import pytest
from bench.stand_ins import here
from typer.testing import CliRunner

from offbench import evaluate, load, solve
from offbench.bench import runner
from offbench.cli import app
from offbench.evaluation.client_only import client_only, elsewhere, elsewhere_note, marked
from offbench.model.instance import parse
from offbench.model.problem import P1, P2

Told = Callable[..., str]
NOTE = "not everything on phone: 3 layers may not run there ('allowed') and stand elsewhere"
SUITE = 'name = "some"\ninstances = ["kept-off.json", "free.json"]\nsolvers = ["greedy"]\ntime_limit_s = 20\n'


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    """Return a function that runs offbench beside two instances, of which one keeps three layers off the client."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "workers", here)
    for name, kept_off in (("kept-off", 3), ("free", 0)):
        data = handmade.phone() | {"name": name}
        for layer in (*data["tasks"][1]["layers"], *data["tasks"][0]["layers"])[:kept_off]:
            layer["allowed"] = ["edge-1", "cloud-1"]
        Path(f"{name}.json").write_text(json.dumps(data), encoding="utf-8")
    Path("some.toml").write_text(SUITE, encoding="utf-8")

    def told(*line: object) -> str:
        result = CliRunner().invoke(app, [str(part) for part in line])
        assert result.exit_code == 0, result.stderr
        return " ".join(result.stdout.split())  # lines are broken as the terminal is wide

    return told


def test_every_command_says_what_instance_show_says(told: Told) -> None:
    told("solve", "--solver", "greedy", "--quiet", "--output", "kept-off-p.json", "kept-off.json")
    told("solve", "--solver", "greedy", "--quiet", "--output", "free-p.json", "free.json")
    for line in (
        ("instance", "show", "{}.json"),
        ("solve", "--solver", "greedy", "{}.json"),
        ("bound", "--time-limit", "2", "{}.json"),
        ("evaluate", "{}.json", "{}-p.json"),
    ):
        assert NOTE in told(*(part.format("kept-off") for part in line)), line
        assert "not everything on phone" not in (free := told(*(part.format("free") for part in line))), line
        assert "client-only*" not in free and "the client*" not in free
    assert "client-only*" in told("solve", "--solver", "greedy", "kept-off.json")
    assert "everything on the client*" in told("bound", "--time-limit", "2", "kept-off.json")


def test_tables_and_report_name_the_instance(told: Told) -> None:
    told("bench", "some.toml", "--quiet")
    for line in (("table", "results/some"), ("table", "results/some", "--format", "markdown", "--only", "gaps")):
        text = told(*line)
        assert f"kept-off: {NOTE}" in text and "free: not everything" not in text
    told("report", "results/some")
    page = Path("results/some/report.html").read_text(encoding="utf-8")
    assert "kept-off: not everything on phone: 3 layers may not run there" in page


def test_json_has_how_many(told: Told) -> None:
    for name, count in (("kept-off", 3), ("free", 0)):
        found = json.loads(told("solve", "--solver", "greedy", "--json", f"{name}.json"))
        assert found["client_only"]["elsewhere"] == count
        found = json.loads(told("bound", "--time-limit", "2", "--json", f"{name}.json"))
        assert found["client_only"]["elsewhere"] == count
        assert found["placements"][0]["what"] == "everything on the client"


def test_client_only_stands_on_the_client_as_far_as_may_be() -> None:
    data = handmade.phone()
    data["tasks"][0]["layers"][0]["allowed"] = ["edge-2"]
    instance = parse(data)
    assert (elsewhere(instance), marked("client-only", instance)) == (1, "client-only*")
    assert elsewhere_note(instance).startswith("not everything on phone: 1 layer may not run there")
    servers = [2, 0, 0, 0, 0, 0, 0]
    for problem in (P1(instance), P2(instance, [2, 1, 3, 3, 3, 3, 3])):
        assert client_only(problem).objective == evaluate(P1(instance), servers).objective
    assert (elsewhere(load("alexnet")), elsewhere_note(load("alexnet"))) == (0, "")
    assert solve("alexnet", "greedy").to_dict()["client_only"]["elsewhere"] == 0
