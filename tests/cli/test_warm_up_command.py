"""`offbench warm-up`."""

import json
from pathlib import Path

from typer.testing import CliRunner

from offbench.cli import app

OWN = """
from offbench import Solver

class Own(Solver):
    def warm_up(self):
        {does}

    def solve(self, problem, search):
        search.propose(problem.everything_on(problem.arrays.client))
"""


def test_what_a_solver_raises_is_told_in_one_line_and_keeps_no_other_from_being_compiled(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    for does, told in (("raise ValueError('boom')", "ValueError: boom"), ("raise SystemExit(0)", "SystemExit: 0")):
        own.write_text(OWN.format(does=does))
        result = CliRunner().invoke(app, ["warm-up", str(own), "fcfs", "--json", "--quiet"])
        assert result.exit_code == 1
        assert result.stderr == f"offbench: solver '{own}' can't be warmed up: {told}\n"
        rows = json.loads(result.stdout)
        assert [(row["name"], "error" in row) for row in rows] == [
            ("evaluator", False), (str(own), True), ("fcfs", False),
        ]  # fmt: skip


def test_a_solver_that_is_not_there_is_named_before_anything_is_compiled() -> None:
    result = CliRunner().invoke(app, ["warm-up", "fcfs", "nosuch", "--json"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "unknown solver 'nosuch'" in result.stderr
