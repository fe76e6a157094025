"""The solver that is taken where none is named."""

import json

import pytest
from typer.testing import CliRunner

from offbench import load, solve, with_objective
from offbench.cli import app
from offbench.model.composition import arrivals, compose
from offbench.runs.suggested import suggested


@pytest.mark.parametrize(
    ("name", "objective", "solver"),
    [
        ("alexnet", None, "chain-exact"),
        ("vgg19", "score", "chain-exact"),
        ("resnet", "latency", "graph-exact"),
        ("resnet", None, "genetic"),
        ("mixed-4", "score", "genetic"),
    ],
)
def test_shape_and_objective_decide(name: str, objective: str | None, solver: str) -> None:
    assert suggested(with_objective(name, objective)).solver == solver


def test_constraints_on_a_graph_are_for_cp_sat() -> None:
    instance = with_objective("resnet", "latency")
    task = instance.tasks[0].model_copy(update={"deadline_s": 1.0})
    assert suggested(instance.model_copy(update={"tasks": (task,)})).solver == "cp-sat"


def test_a_large_instance_has_a_solver_of_its_own() -> None:
    assert suggested(compose("many", [load("alexnet")], arrivals(500))).solver == "local-search"


def test_it_is_run_and_told() -> None:
    found = solve("alexnet")
    assert (found.solver, found.status) == ("chain-exact", "optimal")
    result = CliRunner().invoke(app, ["solve", "tiny-graphs", "--max-evaluations", "500"])
    assert result.exit_code == 0
    assert "no solver is named, so genetic --set local_search=true is taken" in result.stderr
    assert "genetic on tiny-graphs" in result.stdout
    quiet = CliRunner().invoke(app, ["solve", "tiny-graphs", "--max-evaluations", "500", "--json", "--quiet"])
    assert quiet.stderr == ""


def test_a_placement_for_p2_needs_a_solver(tmp_path: object) -> None:
    result = CliRunner().invoke(app, ["solve", "tiny-graphs", "--placement", "p.json"])
    assert result.exit_code == 2


def test_genetic_says_that_it_is_better_as_a_memetic_one() -> None:
    line = ["solve", "tiny-graphs", "--solver", "genetic", "--max-evaluations", "50"]
    first = CliRunner().invoke(app, line).stderr.splitlines()[0]
    assert first.startswith("offbench: 'genetic': with --set local_search=true, which makes it memetic, it misses")
    for chosen in ("true", "false"):
        assert CliRunner().invoke(app, [*line, "--set", f"local_search={chosen}"]).stderr == ""
    assert CliRunner().invoke(app, [*line, "--quiet"]).stderr == ""
    assert CliRunner().invoke(app, [*line[:3], "greedy"]).stderr == ""
    listed = json.loads(CliRunner().invoke(app, ["solvers", "--json"]).stdout)
    assert "memetic" in next(entry["description"] for entry in listed if entry["name"] == "genetic")
