"""What each command prints and returns."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import plain
import pytest
from typer.testing import CliRunner, Result

from offbench import load
from offbench.cli import app

Run = Callable[..., Result]
CASES = sorted((Path(__file__).parent.parent / "conformance").glob("case-*.json"))


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs offbench in an empty folder, as an installed program would be run."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


@pytest.mark.parametrize("case", CASES, ids=lambda path: path.stem)
def test_evaluate_prints_what_the_conformance_case_expects(case: Path, run: Run, tmp_path: Path) -> None:
    data = json.loads(case.read_text(encoding="utf-8"))
    (tmp_path / "instance.json").write_text(json.dumps(data["instance"]), encoding="utf-8")
    (tmp_path / "placement.json").write_text(json.dumps(data["placement"]), encoding="utf-8")
    got = printed(run("evaluate", "instance.json", "placement.json", "--json"))
    for name, expected in data["expected"].items():
        if name == "subtasks":
            for row, wanted in zip(got[name], expected, strict=True):
                assert {key: row[key] for key in wanted} == pytest.approx(wanted, rel=1e-9, abs=1e-12)
        else:
            assert got[name] == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_solve_json_is_one_object_with_all_that_a_machine_wants(run: Run) -> None:
    got = printed(run("solve", "--solver", "greedy", "--json", "--seed", 3, "alexnet"))
    assert {
        "instance", "solver", "parameters", "seed", "status", "objective", "lower_bound", "gap", "seconds",
        "evaluations", "evaluation", "placement", "versions",
    } <= set(got)  # fmt: skip
    assert (got["instance"], got["solver"], got["seed"], got["status"]) == ("alexnet", "greedy", 3, "feasible")
    assert got["evaluation"]["objective"] == got["objective"]
    instance = json.loads(load("alexnet").to_text())
    independent = plain.evaluate(plain.prepare(instance), got["placement"]["servers"])
    assert got["objective"] == pytest.approx(independent["objective"], rel=1e-9)


def test_written_placement_evaluates_to_the_objective_that_was_found(run: Run) -> None:
    found = printed(
        run("solve", "--solver", "random", "--max-evaluations", 50, "--output", "p.json", "--json", "vgg19")
    )
    scored = printed(run("evaluate", "vgg19", "p.json", "--json"))
    assert scored["objective"] == found["objective"]


def test_output_that_replaces_a_file_says_so(run: Run) -> None:
    assert "wrote p.json" in run("solve", "--solver", "greedy", "--output", "p.json", "alexnet").stderr
    assert "replaced p.json" in run("solve", "--solver", "greedy", "--output", "p.json", "alexnet").stderr


def test_table_stands_beside_the_client_and_says_where_layers_went(run: Run) -> None:
    result = run("solve", "--solver", "greedy", "alexnet")
    assert result.exit_code == 0
    for words in ("client-only", "delay", "energy", "cost", "coordination", "balance", "objective", "edge-5"):
        assert words in result.stdout


def test_solver_of_p2_takes_the_servers_of_a_placement(run: Run) -> None:
    run("solve", "--solver", "greedy", "--output", "p.json", "tiny-chains")
    servers = json.loads(Path("p.json").read_text(encoding="utf-8"))["servers"]
    got = printed(run("solve", "--solver", "srpt", "--placement", "p.json", "--json", "tiny-chains"))
    assert got["placement"]["servers"] == servers
    assert sorted(map(tuple, got["placement"]["order"])) == [(i, j) for i in range(2) for j in range(3)]


def test_solver_of_both_problems_is_told_as_such(run: Run) -> None:
    Path("both.py").write_text(
        "from typing import ClassVar\nfrom offbench import Solver\nclass Both(Solver):\n    '''Both.'''\n"
        "    solves: ClassVar[str] = 'P1 and P2'\n"
        "    def solve(self, problem, search):\n        search.propose(problem.allowed.argmax(axis=1))\n",
        encoding="utf-8",
    )
    assert "--placement P2" in run("solvers", "./both.py").stdout
    assert printed(run("solvers", "--json", "./both.py"))["solves"] == "P1 and P2"
    written = run("solve", "--solver", "./both.py", "--output", "p.json", "alexnet")
    assert "(P1)" in written.stdout
    assert "(P2)" in run("solve", "--solver", "./both.py", "--placement", "p.json", "alexnet").stdout


def test_solvers_lists_all_and_tells_parameters(run: Run) -> None:
    listed = run("solvers").stdout
    for name in ("client-only", "best-edge", "best-cloud", "random", "greedy", "ddpqn", "fcfs", "srpt"):
        assert name in listed
    told = run("solvers", "ddpqn").stdout
    assert "lr" in told
    assert "0.001" in told
    assert all(entry["name"] for entry in printed(run("solvers", "--json")))


def test_instance_edit_changes_the_objective_alone(run: Run) -> None:
    result = run("instance", "edit", "phones", "--objective", "latency", "--output", "mine.json")
    assert result.exit_code == 0 and "objective latency" in result.stderr
    made, own = load("mine.json"), load("phones")
    assert (made.weights.delay, made.weights.score, made.weights.balance) == (1, 1, 0)
    assert made.model_copy(update={"weights": own.weights}) == own
    again = run("instance", "edit", "mine.json", "--weights", "score=0.8,coordination=0.2", "--indicators", "benefits")
    edited = json.loads(again.stdout)
    assert edited["weights"]["coordination"] == 0.2 and edited["coordination"]["indicators"] == "benefits"
    assert run("instance", "edit", "phones").exit_code == 2
    assert run("instance", "edit", "phones", "--indicators", "both").exit_code == 2


def test_instance_make_composes_what_it_was_asked_for(run: Run) -> None:
    result = run(
        "instance", "make", "alexnet", "vgg19", "--tasks", 5, "--poisson", 2, "--seed", 1, "--edges", 3,
        "--clouds", 0, "--indicators", "benefits", "--root", 3, "--weights", "delay=0.2,energy=0.3,cost=0.5",
        "--output", "mine.json",
    )  # fmt: skip
    assert result.exit_code == 0, result.stderr
    made = load("mine.json")
    assert [len(task.layers) for task in made.tasks] == [11, 24, 11, 24, 11]
    assert [server.kind for server in made.servers] == ["client", "edge", "edge", "edge"]
    assert (made.coordination.indicators, made.coordination.root) == ("benefits", 3)
    assert (made.weights.delay, made.weights.energy, made.weights.cost) == (0.2, 0.3, 0.5)
    arrivals = [task.arrival_s for task in made.tasks]
    assert arrivals == sorted(arrivals)
    assert len(set(arrivals)) == 5
    assert run("instance", "check", "mine.json").exit_code == 0
    again = run("instance", "make", "alexnet", "--interval", 0.5, "--tasks", 3)
    assert [task["arrival_s"] for task in json.loads(again.stdout)["tasks"]] == [0, 0.5, 1.0]


def test_instance_show_describes_graph_and_constant_placements(run: Run) -> None:
    shown = run("instance", "show", "googlenet").stdout
    for words in ("83", "109", "critical path", "best edge", "best cloud", "graph"):
        assert words in shown
    assert "chain" in run("instance", "show", "vgg19").stdout


def test_instance_check_goes_through_all_files(run: Run) -> None:
    Path("bad.json").write_text('{"format": "offbench/2"}', encoding="utf-8")
    result = run("instance", "check", "alexnet", "bad.json")
    assert result.exit_code == 2
    assert "alexnet" in result.stdout + result.stderr
    assert "bad.json" in result.stdout + result.stderr


@pytest.mark.parametrize("option", [(), ("--placement",)])
def test_schema_is_a_json_schema(option: tuple[str, ...], run: Run) -> None:
    schema = printed(run("schema", *option))
    assert schema["type"] == "object"
    assert "servers" in schema["properties"]


def test_schema_knows_both_formats(run: Run) -> None:
    schema = printed(run("schema"))
    assert schema["properties"]["format"]["enum"] == ["offbench/1", "offbench/2"]
    assert {"memory_mb", "idle_power_w"} <= set(schema["$defs"]["Server"]["properties"])


def test_run_without_a_placement_has_exit_code_1(run: Run) -> None:
    run("instance", "make", "alexnet", "--edges", 0, "--output", "cloudy.json")
    result = run("solve", "--solver", "best-edge", "cloudy.json")
    assert result.exit_code == 1
    assert "no edge server" in result.stderr
