"""The conformance suite finds what solvers do wrong, and lets honest answers pass."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from offbench.cli import app
from offbench.runs.conformance import CHECKS, Verdict, conformance

HEAD = """
import numpy as np
from offbench import Infeasible, Solver

class Mine(Solver):
    "A solver that does something wrong."

    def solve(self, problem, search):
"""
GOOD = "search.propose(problem.everything_on(problem.arrays.client))"
# Its randomness is its own, not the search's.
RANDOM = """rng = np.random.default_rng()
search.propose([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
search.propose([rng.choice(np.flatnonzero(row)) for row in problem.allowed])"""


def judged(tmp_path: Path, body: str) -> dict[str, Verdict]:
    file = tmp_path / "mine.py"
    file.write_text(HEAD + "".join(f"        {line}\n" for line in body.splitlines()), encoding="utf-8")
    return {verdict.check: verdict for verdict in conformance(str(file))}


def failed(tmp_path: Path, body: str) -> set[str]:
    return {title for title, verdict in judged(tmp_path, body).items() if verdict.outcome == "failed"}


def test_an_honest_solver_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offbench.runs.conformance.LARGE_TIME_LIMIT_S", 60.0)  # for machines that are busy
    assert {verdict.outcome for verdict in judged(tmp_path, GOOD).values()} == {"passed"}


@pytest.mark.parametrize(
    ("body", "title"),
    [
        ("search.propose(np.full(problem.n_subtasks, problem.n_servers - 1))", "several tasks, pinned layers"),
        ("search.propose([s for s in problem.allowed.argmax(axis=1)][:-1])", "one subtask"),
        ("search.propose(problem.everything_on(1))", "one server"),
        ("if not problem.instance.servers_of('edge'): raise KeyError('edge')\n" + GOOD, "no edges"),
        ("np.empty((problem.n_subtasks,) * 8); " + GOOD, "5000 subtasks in 1 s"),
        (RANDOM, "same seed, same placement"),
        ("pass", "one chain"),
        (GOOD + "\nsearch.objective -= 1", "one chain"),
        (GOOD + "\nsearch.evaluations = 10**6", "one chain"),
    ],
)  # fmt: skip
def test_a_fault_is_found(body: str, title: str, tmp_path: Path) -> None:
    assert title in CHECKS
    assert title in failed(tmp_path, body)


def test_a_solver_that_outlives_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offbench.runs.conformance.TIME_LIMIT_S", 1.0)
    body = f"{GOOD}\nwhile search.running and search.budget.max_evaluations is None:\n    try:\n        {GOOD}\n"
    assert failed(tmp_path, body + "    except KeyboardInterrupt: pass") == {"Ctrl-C"}


def test_a_reason_and_too_little_time_are_honest_answers(tmp_path: Path) -> None:
    verdicts = judged(tmp_path, "if problem.n_subtasks != 4: raise Infeasible('four, please')\n" + GOOD)
    assert verdicts["one subtask"] == Verdict("one subtask", "refused", "four, please")
    assert verdicts["one chain"].outcome == "passed"
    verdicts = judged(tmp_path, "while problem.n_subtasks > 1000: pass\n" + GOOD)
    assert verdicts["5000 subtasks in 1 s"].outcome == "refused"


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offbench.runs.conformance.LARGE_TIME_LIMIT_S", 60.0)
    file = tmp_path / "mine.py"
    file.write_text(HEAD + f"        {GOOD}\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 0
    assert "conforms" in result.stdout
    file.write_text(HEAD + "        raise ValueError('no')\n", encoding="utf-8")
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 1
    assert "ValueError: no" in result.stdout
    assert CliRunner().invoke(app, ["check", "gredy"]).exit_code == 2
