"""`--json` prints one JSON value and nothing else, whoever else prints what."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

CHATTY = """
import os
from offbench import Solver

class Chatty(Solver):
    "Prints, as Python does and as compiled libraries do."
    def solve(self, problem, search):
        print("from Python")
        os.write(1, b"from C\\n")
        search.propose(problem.everything_on(0))
"""


@pytest.mark.parametrize(
    "line",
    [
        ("solve", "--solver", "./chatty.py", "--json", "tiny-chains"),
        ("solve", "--solver", "./chatty.py", "--two-step", "--json", "tiny-graphs"),
        ("solve", "--solver", "./chatty.py", "--p2", "spt", "--max-evaluations", "50", "--json", "tiny-graphs"),
        ("pareto", "--solver", "./chatty.py", "--time-limit", "3", "--output", "front", "--json", "tiny-chains"),
    ],
    ids=lambda line: " ".join(line[:4]),
)
def test_what_a_solver_prints_stays_out_of_the_json(line: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "chatty.py").write_text(CHATTY, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "offbench", *line],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["instance"] == line[-1]
    assert "from Python" in done.stderr and "from C" in done.stderr


def test_log_of_cp_sat_stays_out_of_the_json(tmp_path: Path) -> None:
    line = ["solve", "--solver", "cp-sat", "--set", "log=true", "--json", "tiny-chains"]
    done = subprocess.run(
        [sys.executable, "-m", "offbench", *line],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=120,
        check=False,
    )
    assert json.loads(done.stdout)["solver"] == "cp-sat"
    assert "CpSolverResponse" in done.stderr
