"""The solver that is taken where none is named."""

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
