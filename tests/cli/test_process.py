"""What only a process of its own can show: signals, streams, imports."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

OFFBENCH = [sys.executable, "-m", "offbench"]


def test_interrupt_reports_the_incumbent(tmp_path: Path) -> None:
    output = tmp_path / "p.json"
    process = subprocess.Popen(
        [*OFFBENCH, "solve", "--solver", "random", "--time-limit", "60", "--json", "--output", str(output), "alexnet"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    time.sleep(6)  # past the start, which compiles the evaluator at worst elsewhere
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    found = json.loads(out)
    assert found["stopped"] == "interrupted"
    assert found["status"] == "feasible"
    assert json.loads(output.read_text(encoding="utf-8")) == found["placement"]


def test_help_and_lists_import_nothing_heavy() -> None:
    code = (
        "import sys; from typer.testing import CliRunner; from offbench.cli import app\n"
        "for line in (['--help'], ['bound', '--help'], ['references', '--help'], ['solvers'], ['solvers', '--json']):\n"
        "    assert CliRunner().invoke(app, line).exit_code == 0, line\n"
        "    heavy = {'torch', 'numba', 'pandas', 'gymnasium', 'networkx', 'pyomo', 'ortools', 'highspy'}\n"
        "    heavy &= set(sys.modules)\n"
        "    assert not heavy, (line, heavy)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_solver_that_crashes_is_no_users_mistake(tmp_path: Path) -> None:
    mine = tmp_path / "mine.py"
    mine.write_text(
        'from offbench import Solver\nclass Mine(Solver):\n    """Mine."""\n'
        "    def solve(self, problem, search):\n        raise ZeroDivisionError('mine')\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [*OFFBENCH, "solve", "--solver", str(mine), "alexnet"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert "ZeroDivisionError: mine" in done.stderr
