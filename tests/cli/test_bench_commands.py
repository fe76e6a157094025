"""`offbench bench`, `status`, `table` and `export`, with runs in this process."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from bench.stand_ins import here, row
from typer.testing import CliRunner, Result

from offbench.bench import runner
from offbench.bench.row import Row
from offbench.bench.store import Store
from offbench.cli import app
from offbench.evaluation import references

Run = Callable[..., Result]
SUITE = """
name = "small"
instances = ["tiny-chains"]
solvers = ["greedy", "random"]
seeds = 2
time_limit_s = 20
max_evaluations = 30
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "workers", here)
    Path("small.toml").write_text(SUITE, encoding="utf-8")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_suite_from_start_to_table(run: Run) -> None:
    forecast = json.loads(run("bench", "small.toml", "--dry-run", "--jobs", 1, "--json").stdout)
    assert (forecast["runs"], forecast["to_run"]) == (4, 4)
    assert forecast["at_most_s"] >= 80
    assert not Path("results").exists()
    made = run("bench", "small.toml")
    assert made.exit_code == 0 and "4 runs made" in made.stdout
    again = run("bench", "small.toml", "--json")
    assert json.loads(again.stdout)["skipped"] == 4
    assert Path("results/small/suite.toml").read_text(encoding="utf-8") == SUITE
    status = json.loads(run("status", "results/small", "--json").stdout)
    assert (status["runs"], status["statuses"], status["in_flight"]) == (4, {"feasible": 4}, 0)
    assert "4 of 4 runs done" in run("status", "results/small").stdout
    for form, mark in (("terminal", "┏"), ("markdown", "| --- |"), ("latex", "\\toprule"), ("csv", "instance,solver,")):
        assert mark in run("table", "results/small", "--format", form).stdout
    told = json.loads(run("table", "results/small", "--json").stdout)
    assert {line["solver"] for line in told["gaps"]} == {"greedy", "random"}
    assert run("export", "results/small", "--output", "runs.parquet").exit_code == 0
    assert len(pd.read_parquet("runs.parquet")) == 4


def test_command_line_overrides_and_adds(run: Run) -> None:
    assert run("bench", "small.toml", "--solver", "greedy", "--seeds", 1).exit_code == 0
    more = run("bench", "small.toml", "--solver", "client-only", "--instance", "tiny-graphs", "--seeds", 1)
    assert more.exit_code == 0, more.stderr
    cells = {row.job.cell for row in Store(Path("results/small")).rows()}
    assert cells == {("tiny-chains", "greedy", 0), ("tiny-graphs", "client-only", 0)}
    other = run("bench", "small.toml", "--time-limit", 5)
    assert other.exit_code == 2
    assert "its runs have a budget of 20 s and 30 evaluations, these would have 5 s" in other.stderr
    assert run("bench", "small.toml", "--time-limit", 5, "--output", "quick", "--solver", "greedy").exit_code == 0


def test_budget_that_is_refused_changes_nothing(run: Run) -> None:
    assert run("bench", "small.toml", "--solver", "greedy", "--seeds", 1).exit_code == 0
    folder = Path("results/small")
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (folder, *folder.rglob("*"))}
    Path("small.toml").write_text(SUITE.replace("20", "5"), encoding="utf-8")
    for more in ([], ["--dry-run"]):
        refused = run("bench", "small.toml", *more)
        assert refused.exit_code == 2 and refused.stderr.count("\n") == 1 and "a budget of 20 s" in refused.stderr
        after = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in (folder, *folder.rglob("*"))}
        assert after == before


def test_planned_run_without_a_row_is_told_by_the_exit_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    put = Store.put

    def gone(self: Store, made: Row) -> None:
        put(self, made)
        if made.job.cell == ("tiny-chains", "greedy", 0):
            self.path_of(made.job.key).unlink()

    monkeypatch.setattr(Store, "put", gone)
    told = run("bench", "small.toml", "--json")
    assert (told.exit_code, json.loads(told.stdout)["missing"]) == (1, 1)
    assert "1 planned run without a row; the same command makes them" in told.stderr
    monkeypatch.setattr(Store, "put", put)
    assert run("bench", "small.toml").exit_code == 0


def test_solver_in_a_file_is_seen_from_where_it_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from offbench import Solver\nclass Mine(Solver):\n    'x'\n    def solve(self, problem, search):\n"
        "        search.propose(problem.everything_on(0))\n",
        encoding="utf-8",
    )
    made = run("bench", "smoke", "--solver", "./mine.py", "--instance", "tiny-chains", "--seeds", 1)
    assert made.exit_code == 0, made.stderr
    assert {row.job.solver for row in Store(Path("results/smoke")).rows()} == {"mine.py"}


def test_failure_is_told_and_run_again(run: Run) -> None:
    run("bench", "small.toml")
    store = Store(Path("results/small"))
    broken = next(one for one in store.rows() if one.job.solver == "greedy")
    store.put(row(objective=None, status="error", message="broke").model_copy(update={"job": broken.job}))
    told = run("status", "results/small").stdout
    assert "broke" in told and broken.job.key in told
    assert "error" in run("table", "results/small", "--only", "gaps").stdout
    assert run("bench", "small.toml", "--rerun", "failed").exit_code == 0
    assert store.get(broken.job) is not None
    assert {one.status for one in store.rows()} == {"feasible"}


def test_run_that_a_placement_refutes_is_left_out_and_named(run: Run) -> None:
    run("bench", "small.toml")
    store = Store(Path("results/small"))
    liar = next(one for one in store.rows() if one.job.solver == "greedy")
    store.put(
        liar.model_copy(
            update={"objective": None, "violation": None, "status": "timeout", "placement": None, "lower_bound": 99.0}
        )
    )
    told = run("table", "results/small", "--json")
    assert told.exit_code == 0, told.stderr
    runs = {line["solver"]: line["runs"] for line in json.loads(told.stdout)["runs"]}
    assert runs == {"greedy": 1, "random": 2}
    note = json.loads(told.stdout)["notes"][0]
    assert f"the bound 99.0 by greedy, seed {liar.job.seed} (run {liar.job.key}) lies above the objective" in note
    assert note.endswith(f"this run of greedy is left out, as if by --exclude {liar.job.key}")
    assert note in run("table", "results/small").stderr
    assert run("report", "results/small").exit_code == 0
    assert liar.job.key in Path("results/small/report.html").read_text(encoding="utf-8")


def test_tables_go_on_without_what_is_wrong(run: Run) -> None:
    run("bench", "small.toml")
    store = Store(Path("results/small"))
    liar, honest = sorted((one for one in store.rows() if one.job.solver == "greedy"), key=lambda one: one.job.seed)
    store.put(
        liar.model_copy(
            update={"objective": None, "violation": None, "status": "timeout", "placement": None, "lower_bound": 99.0}
        )
    )
    gone = run("table", "results/small", "--exclude", liar.job.key, "--json")
    assert gone.exit_code == 0, gone.stderr
    told = json.loads(gone.stdout)
    assert {line["solver"]: line["runs"] for line in told["runs"]} == {"greedy": 1, "random": 2}
    assert told["notes"][-1] == f"1 runs are left out as asked: {liar.job.key}"
    assert {line["solver"]: line["objective"] for line in told["gaps"]}["greedy"] == honest.objective
    told = json.loads(run("table", "results/small", "--exclude", "greedy", "--json").stdout)
    assert {line["solver"] for line in told["runs"]} == {"random"}
    assert run("report", "results/small", "--exclude", liar.job.key).exit_code == 0
    # The bound is wrong of whatever else there is.
    told = json.loads(run("table", "results/small", "--exclude", honest.job.key, "--json").stdout)
    assert [line["solver"] for line in told["runs"]] == ["random"]
    unknown = run("table", "results/small", "--exclude", "gredy")
    assert (unknown.exit_code, unknown.stderr.count("\n")) == (2, 1)
    assert "--exclude: 'gredy' is neither a solver nor the key of a run here (did you mean 'greedy'?)" in unknown.stderr


def test_wrong_reference_can_be_left_out(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run("bench", "small.toml")
    known = references.references()
    wrong = known.instances["tiny-chains"].model_copy(update={"best_bound": 99.0})
    found = known.model_copy(update={"instances": {**known.instances, "tiny-chains": wrong}})
    monkeypatch.setattr(references, "references", lambda: found)
    told = run("table", "results/small")
    assert told.exit_code == 0 and "as if by --exclude references.json" in told.stderr
    assert run("table", "results/small", "--exclude", "references.json").exit_code == 0


def test_folder_of_the_reproduction_is_no_suites(run: Run) -> None:
    run("bench", "small.toml")
    Path("results/small/suite.toml").rename("elsewhere.toml")
    refused = run("bench", "small.toml")
    assert refused.exit_code == 2 and "results/small: holds runs of no suite" in refused.stderr
    Path("elsewhere.toml").rename("results/small/suite.toml")
    assert run("bench", "small.toml").exit_code == 0
    # Both defaults are apart.
    assert "into results/paper-networks" in run("bench", "paper", "--dry-run").stdout


@pytest.mark.parametrize(
    ("arguments", "fragments"),
    [
        (("bench", "nosuch"), ["nosuch", "shipped: exact, paper, scale, smoke"]),
        (("bench", "small.toml", "--solver", "gredy"), ["unknown solver 'gredy'", "did you mean 'greedy'"]),
        (("bench", "small.toml", "--instance", "alexnt"), ["alexnt", "'alexnet'"]),
        (("bench", "small.toml", "--seeds", "0"), ["seeds", "at least 1"]),
        (("bench", "small.toml", "--time-limit", "-1"), ["time_limit_s", "greater than 0"]),
        (("bench", "small.toml", "--jobs", "0"), ["--jobs: must be at least 1"]),
        (("bench", "small.toml", "--backend", "slurm"), ["--backend: must be one of loky, dask, ray"]),
        (("bench", "small.toml", "--address", "tcp://x:1"), ["--address", "--backend dask or ray"]),
        (("bench", "small.toml", "--rerun", "all"), ["--rerun: must be 'failed'"]),
        (("bench", "small.toml", "--output", "small.toml"), ["small.toml: can't be written"]),
        (("table", "nowhere"), ["nowhere: no such folder"]),
        (("table", "."), ["has no results"]),
        (("status", "."), ["has no results"]),
        (("report", "."), ["has no results"]),
        (("export", ".", "--output", "x.xls"), [".parquet or .csv"]),
        (("table", ".", "--format", "word"), ["--format: must be one of"]),
        (("table", ".", "--output", "x.md"), ["--output: needs --format"]),
        (("show", "nowhere.json"), ["nowhere.json: no such file"]),
        (("show", "small.toml"), ["small.toml", "not valid JSON"]),
    ],
)
def test_mistake_is_told_in_one_line(arguments: tuple[Any, ...], fragments: list[str], run: Run) -> None:
    result = run(*arguments)
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1 and "Traceback" not in result.stderr
    for fragment in fragments:
        assert fragment in result.stderr


@pytest.mark.parametrize("width", [60, 80, 110])
def test_no_column_is_cut_in_a_narrow_terminal(run: Run, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    run("bench", "small.toml")
    whole = run("table", "results/small").stdout
    assert all("…" not in line for line in whole.splitlines())
    numbers = set(re.findall(r"\d+\.\d+%?", whole))
    monkeypatch.setenv("COLUMNS", str(width))
    narrow = run("table", "results/small").stdout
    assert max(len(line.rstrip()) for line in narrow.splitlines()) <= width
    assert numbers == set(re.findall(r"\d+\.\d+%?", narrow)) and "…" not in narrow


def test_folder_that_git_keeps_is_written_to_only_where_it_is_named(run: Run) -> None:
    run("bench", "small.toml")
    subprocess.run(["git", "init", "-q"], check=True)
    assert run("bench", "small.toml").exit_code == 0  # nothing of it is tracked
    subprocess.run(["git", "add", "-f", "results/small/suite.toml"], check=True)
    refused = run("bench", "small.toml", "--seeds", "3")
    assert (refused.exit_code, refused.stderr.count("\n")) == (2, 1)
    assert "results/small: git keeps 1 files of this folder" in refused.stderr
    assert run("bench", "small.toml", "--seeds", "3", "--output", "results/small").exit_code == 0


def test_as_many_runs_at_once_as_cores_that_may_be_used(run: Run) -> None:
    """In suites and in the paper's experiments alike."""
    from joblib import cpu_count

    cores = cpu_count(only_physical_cores=True)
    for line in (("bench", "small.toml"), ("reproduce", "fig12", "--quick")):
        assert json.loads(run(*line, "--dry-run", "--json").stdout)["jobs"] == cores
        assert json.loads(run(*line, "--dry-run", "--json", "--jobs", 5).stdout)["jobs"] == 5
