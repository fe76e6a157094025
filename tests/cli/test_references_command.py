"""`offbench references`: show, check and update."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

import offbench.bounds
import offbench.evaluation.references
from offbench import P1, evaluate, load, solve
from offbench.bounds.relaxation import Relaxation
from offbench.cli import app
from offbench.evaluation.references import references, shipped_path
from offbench.model.instance import shipped
from offbench.runs.update_references import begin

Run = Callable[..., Result]
Json = dict[str, Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs `offbench references` in an empty folder, on a copy of the shipped file.

    Its one relaxation says -9.
    """
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / "shipped.json"
    copy.write_text(shipped_path().read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(offbench.evaluation.references, "shipped_path", lambda: copy)
    made = (Relaxation("relaxed", "everything", lambda problem: iter([-9.0])),)
    monkeypatch.setattr(offbench.bounds, "RELAXATIONS", made)

    def run(*arguments: object) -> Result:
        return CliRunner().invoke(app, ["references", *map(str, arguments)])

    return run


def printed(result: Result) -> Any:
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def file(changes: Json | None = None, name: str = "r.json") -> Path:
    """Write a file that begins tiny-graphs with everything on the client, after changes."""
    reference = begin(load("tiny-graphs")).model_dump(mode="json")
    data = {"format": "offbench-references/1", "instances": {"tiny-graphs": reference | (changes or {})}}
    path = Path(name)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def entry(path: Path | str = "r.json", name: str = "tiny-graphs") -> Json:
    found: Json = json.loads(Path(path).read_text(encoding="utf-8"))["instances"][name]
    return found


def test_shipped_references_are_checked(run: Run) -> None:
    result = run("check")
    assert result.exit_code == 0, result.stderr
    assert f"{len(references().instances)} references, all as they should be." in result.stdout
    for name in shipped():
        assert name in result.stdout
    checked = printed(run("check", "--json"))
    assert {name.partition("@")[0] for name in checked["instances"]} == set(shipped()) and checked["missing"] == []


def test_show_tells_what_is_asked(run: Run) -> None:
    assert "alexnet-x10" in run("show").stdout
    shown = printed(run("show", "--json", "alexnet", "vgg19"))
    expected = [name + end for name in ("alexnet", "vgg19") for end in ("", "@latency", "@score")]
    assert list(shown) == expected
    assert list(printed(run("show", "--json", "alexnet@score"))) == ["alexnet@score"]
    known = references().instances["alexnet"]
    assert shown["alexnet"]["best_objective"] == known.best_objective
    assert {"relative_gap", "certified", "proven", "hash", "placement", "objective_from"} <= shown["alexnet"].keys()


def test_fault_has_a_line_and_exit_code_1(run: Run) -> None:
    file({"best_objective": -3.5, "proven": True})
    result = run("check", "--file", "r.json")
    assert result.exit_code == 1
    lines = [line for line in result.stderr.splitlines() if "tiny-graphs" in line]
    assert lines[0].startswith("offbench: references: tiny-graphs: best_objective: is -3.5, but the placement's is")
    assert lines[1] == "offbench: references: tiny-graphs: proven: is true, but there is no bound"
    assert "offbench: references: alexnet: has no reference" in result.stderr
    assert len(result.stderr.splitlines()) == 2 + len(shipped()) - 1
    checked = json.loads(run("check", "--file", "r.json", "--json").stdout)
    assert len(checked["instances"]["tiny-graphs"]["faults"]) == 2
    assert "alexnet" in checked["missing"]


def test_update_takes_what_is_better_and_says_so(run: Run) -> None:
    path = file()
    client_only = entry()["best_objective"]
    result = run("update", "tiny-graphs", "--solver", "greedy", "--output", path)
    assert result.exit_code == 0, result.stderr
    found = solve("tiny-graphs", "greedy").objective
    assert result.stdout == (
        f"tiny-graphs: best objective {client_only:.9g} -> {found:.9g} by greedy, best bound -9 by relaxed\n"
    )
    assert (entry()["best_objective"], entry()["best_bound"], entry()["proven"]) == (found, -9, False)
    again = path.read_text(encoding="utf-8")
    result = run("update", "tiny-graphs", "--solver", "client-only", "--output", path)
    assert (result.exit_code, result.stdout) == (0, "tiny-graphs: no change\n")
    assert path.read_text(encoding="utf-8") == again


def test_update_elsewhere_begins_with_what_is_shipped(run: Run) -> None:
    before = Path("shipped.json").read_text(encoding="utf-8")
    assert run("update", "alexnet", "--solver", "client-only", "--output", "new.json").exit_code == 0
    assert entry("new.json", "alexnet")["best_objective"] <= references().instances["alexnet"].best_objective
    assert set(json.loads(Path("new.json").read_text(encoding="utf-8"))["instances"]) == set(references().instances)
    assert Path("shipped.json").read_text(encoding="utf-8") == before
    # Without --output the shipped file itself is improved.
    assert run("update", "alexnet", "--solver", "client-only").exit_code == 0
    assert Path("shipped.json").read_text(encoding="utf-8") == Path("new.json").read_text(encoding="utf-8")


def test_update_takes_a_placement_found_elsewhere(run: Run) -> None:
    path = file()
    solution = solve("tiny-graphs", "greedy")
    assert solution.placement is not None
    Path("p.json").write_text(json.dumps(solution.placement.to_file(solution.instance)), encoding="utf-8")
    result = run("update", "tiny-graphs", "--placement", "p.json", "--by", "pencil and paper", "--output", path)
    assert result.exit_code == 0, result.stderr
    assert entry()["best_objective"] == solution.objective
    assert (entry()["objective_from"]["by"], entry()["objective_from"]["kind"]) == ("pencil and paper", "elsewhere")
    assert entry()["best_bound"] is None  # nothing was run


def test_contradiction_stops_the_update_and_nothing_is_written(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    made = (Relaxation("wrong", "everything", lambda problem: iter([99.0])),)
    monkeypatch.setattr(offbench.bounds, "RELAXATIONS", made)
    path = file()
    before = path.read_text(encoding="utf-8")
    result = run("update", "tiny-graphs", "--solver", "greedy", "--output", path)
    assert result.exit_code == 1
    assert "tiny-graphs: the bound 99.0 by wrong" in result.stderr
    assert result.stderr.endswith("one of them is wrong; nothing is written\n")
    assert path.read_text(encoding="utf-8") == before


def test_interrupted_update_keeps_what_was_found(run: Run) -> None:
    path = file()
    Path("mine.py").write_text(
        "from offbench import Solver\nclass Mine(Solver):\n    'Mine.'\n    def solve(self, problem, search):\n"
        "        search.propose(problem.everything_on(1))\n        raise KeyboardInterrupt\n",
        encoding="utf-8",
    )
    result = run("update", "tiny-graphs", "--solver", "./mine.py", "--output", path)
    assert result.exit_code == 130
    problem = P1(load("tiny-graphs"))
    on_edge, on_client = (evaluate(problem, problem.everything_on(server)).objective for server in (1, 0))
    assert entry()["best_objective"] == on_edge < on_client


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("show", "alexnett"), "did you mean 'alexnet'?"),
        (("show", "--file", "none.json"), "none.json: no such file"),
        (("check", "--file", "none.json"), "none.json: no such file"),
        (("update", "mine.json"), "'mine.json' has no reference"),
        (("update", "alexnet", "--placement", "p.json"), "--placement: needs one INSTANCE, --by TEXT"),
        (("update", "--placement", "p.json", "--by", "me"), "--placement: needs one INSTANCE"),
        (("update", "--by", "me"), "--placement"),
        (("update", "--solver", "gredy"), "unknown solver 'gredy'"),
        (("update", "--set", "a=1"), "--set: needs exactly one --solver"),
        (("update", "--solver", "greedy", "--set", "a=1"), "no parameter 'a'"),
        (("update", "--time-limit", "0"), "time limit"),
        (("update", "--seed", "-1"), "seed"),
        (("update", "--output", "shipped.json/r.json"), "shipped.json is no folder"),
    ],
)
def test_mistake_is_told_in_one_line(arguments: tuple[str, ...], fragment: str, run: Run) -> None:
    before = Path("shipped.json").read_text(encoding="utf-8")
    result = run(*arguments)
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.stderr
    assert fragment in result.stderr
    assert Path("shipped.json").read_text(encoding="utf-8") == before
