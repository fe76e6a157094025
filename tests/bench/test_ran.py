"""Rows are filed under the code that ran, whatever happens to the files meanwhile: with real processes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from offbench import load
from offbench.bench.imported import Imported, stamp
from offbench.bench.job import Code, Job, code_of
from offbench.bench.process import run_job
from offbench.bench.ran import CHANGED, Expected
from offbench.bench.store import Store

Write = Callable[[str, Any], Path]
INSTANCE = load("tiny-chains")

SOLVER = """
from pathlib import Path
from offbench import Solver

class Mine(Solver):
    "Mine."
    def solve(self, problem, search):
        {what}
        search.propose(problem.everything_on(0))
"""
EDIT = "Path(__file__).write_text(Path(__file__).read_text() + '\\nMORE = 1\\n')"


def job_of(solver: str, **more: Any) -> Job:
    facts = {"instance_hash": INSTANCE.hash, "parameters": {}, "time_limit_s": 20.0, "max_evaluations": 50, "seed": 0}
    code = code_of(solver, more.get("two_step", False))
    return Job.model_validate({"instance": "tiny-chains", "solver": "x", "name": solver, "code": code} | facts | more)


def ran(job: Job) -> tuple[str, str]:
    """Return how a job ended, and the code that its row is filed under."""
    row = run_job(job, INSTANCE.model_dump(mode="json"))
    assert row.job.model_copy(update={"code": job.code}) == job
    return row.status, row.job.code


@pytest.mark.parametrize("more", [{}, {"two_step": True}])
def test_what_is_left_alone_ran_as_planned(more: dict[str, Any]) -> None:
    job = job_of("greedy", **more)
    assert ran(job) == ("feasible", job.code)


def test_solver_in_a_file(write: Write) -> None:
    path = write("mine.py", SOLVER.format(what="pass"))
    job = job_of(str(path))
    assert ran(job) == ("feasible", job.code)
    path.write_text(SOLVER.format(what="search.propose(problem.everything_on(1))"), encoding="utf-8")
    edited = code_of(str(path))
    assert edited != job.code
    assert ran(job) == ("feasible", edited)


def test_edit_after_the_import_did_not_run(write: Write) -> None:
    job = job_of(str(write("mine.py", SOLVER.format(what=EDIT))))
    assert ran(job) == ("feasible", job.code)
    assert code_of(job.name) != job.code


@pytest.mark.parametrize("tail", ["", "; import late_help"])
def test_what_is_imported_while_it_runs_counts_as_it_was_then(
    tail: str, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    write("late_help.py", "x = 1\n")
    edit = "Path(__file__).with_name('late_help.py').write_text('x = 200')"
    job = job_of(str(write("mine.py", SOLVER.format(what=f"0 and __import__('x'); {edit}{tail}"))))
    assert ran(job) == ("feasible", CHANGED if tail else job.code)


@pytest.mark.parametrize(("edit", "code"), [("pass", None), (EDIT, CHANGED)])
def test_of_a_process_that_died_its_files_tell(edit: str, code: str | None, write: Write) -> None:
    job = job_of(str(write("mine.py", SOLVER.format(what=f"{edit}; import os; os._exit(3)"))))
    assert ran(job) == ("error", code or job.code)


def test_solver_that_is_gone_is_not_installed(write: Write) -> None:
    path = write("mine.py", SOLVER.format(what="pass"))
    job = job_of(str(path))
    path.unlink()
    assert ran(job) == ("refused", "not installed")


def test_module_from_another_place_is_not_as_told(
    tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("told_module.py", "x = 1\n")
    given = stamp(str(path))
    assert given is not None
    monkeypatch.syspath_prepend(tmp_path)
    unknown = Imported({"told_module": given}, {})
    unknown.look_once_more()
    assert unknown.as_told is None  # it never began
    __import__("told_module")
    for told, right in ((given, True), ((given[0] + 1, given[1]), False)):
        imported = Imported({"told_module": told, "not_imported": (0, 0)}, {})
        imported.look()
        assert imported.as_told is right


def test_policy_counts_until_the_end(write: Write) -> None:
    path = write("policy.bin", "1")
    given = stamp(str(path))
    assert given is not None
    imported = Imported({}, {str(path): given})
    imported.look()
    imported.look_once_more()
    assert imported.as_told is True
    path.write_text("22", encoding="utf-8")  # the training goes on
    imported.look_once_more()
    assert imported.as_told is False


def test_policy_is_run_as_planned_and_counts_in_the_code(tmp_path: Path) -> None:
    from offbench.cli import app

    folder = tmp_path / "policy"
    line = ["train", "tiny-chains", "--solver", "ddpqn", "--steps", "50", "--quiet", "--output", str(folder)]
    app(line, standalone_mode=False)
    code = code_of("", policy=folder)
    job = job_of("").model_copy(update={"policy": str(folder), "name": "policy", "code": code})
    assert ran(job) == ("feasible", code)
    (learnt,) = folder.glob("policy-*.bin")
    assert set(Code("", policy=folder).others) == {str(folder / "checkpoint.json"), str(learnt)}
    expected = Expected(job)
    learnt.write_bytes(learnt.read_bytes() + b"x")
    assert code_of("", policy=folder) != code
    assert expected.ran(None).code == CHANGED
    assert expected.ran(True).code == code


SUITE = """
name = "edited"
instances = ["tiny-chains"]
solvers = ["./mine.py"]
seeds = 3
max_evaluations = 9
"""


def test_solver_that_is_edited_during_a_suite(tmp_path: Path) -> None:
    """The first run does so: it is the old code's, the others are the new code's, and only the first is made again."""
    (tmp_path / "edited.toml").write_text(SUITE, encoding="utf-8")
    once = "mark = Path(__file__).with_name('mark'); mark.exists() or (mark.touch(), EDIT)".replace("EDIT", EDIT)
    (tmp_path / "mine.py").write_text(SOLVER.format(what=once), encoding="utf-8")
    old = code_of(str(tmp_path / "mine.py"))

    def bench() -> tuple[int, dict[str, Any], str]:
        done = subprocess.run(
            [sys.executable, "-m", "offbench", "bench", "edited.toml", "--jobs", "1", "--json"], cwd=tmp_path,
            capture_output=True, text=True, timeout=240, check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )  # fmt: skip
        return done.returncode, json.loads(done.stdout), done.stderr

    returncode, told, said = bench()
    assert (returncode, told["done"], told["missing"], told["changed"]) == (1, 3, 2, ["mine.py"]), said
    assert "mine.py: its code changed during the suite" in said and "2 planned runs without a row" in said
    new = code_of(str(tmp_path / "mine.py"))
    store = Store(tmp_path / "results" / "edited")
    assert sorted(row.job.code for row in store.rows()) == sorted([old, new, new])
    returncode, told, said = bench()
    assert (returncode, told["done"], told["skipped"], told["missing"], told["changed"]) == (0, 1, 2, 0, []), said
    assert len([row for row in store.rows() if row.job.code == new]) == 3
