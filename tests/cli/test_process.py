"""What only a process of its own can show: signals, streams, imports."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from offbench.cli.shared.interrupt import exit_code_of, one_interrupt

OFFBENCH = [sys.executable, "-m", "offbench"]


CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}


def ended_by(*numbers: signal.Signals) -> pytest.MarkDecorator:
    """Try these signals; all commands take them at one place, so `solve` is told all three and others one each."""
    return pytest.mark.parametrize(("number", "code"), [(number, CODES[number]) for number in numbers or CODES])


def begin(*line: str, cwd: Path | None = None) -> "subprocess.Popen[str]":
    """Begin a command; tests in the background have Ctrl-C ignored, which children inherit."""
    return subprocess.Popen(
        [*OFFBENCH, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=cwd,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until there is a file, or the process has ended without."""
    for _ in range(2400):
        if path.exists():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise TimeoutError(path)


# A solver that proposes, says so, and then goes on without end.
ENDLESS = """
from pathlib import Path
from time import sleep
from offbench import Solver

class Endless(Solver):
    "Never ends."
    def solve(self, problem, search):
        search.bound(search.propose(problem.everything_on(0)) - 1)
        Path("begun").touch()
        while True:
            sleep(0.05)
"""


def endless(folder: Path) -> str:
    """Write that solver, and return how it is named."""
    (folder / "endless.py").write_text(ENDLESS, encoding="utf-8")
    return "./endless.py"


@ended_by()
def test_interrupt_reports_the_incumbent(number: signal.Signals, code: int, tmp_path: Path) -> None:
    output = tmp_path / "p.json"
    line = ("solve", "--solver", endless(tmp_path), "--time-limit", "600", "--json", "--output", str(output), "alexnet")
    process = begin(*line, cwd=tmp_path)
    wait_for(tmp_path / "begun", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    found = json.loads(out)
    assert found["stopped"] == "interrupted"
    assert found["status"] == "feasible"
    assert json.loads(output.read_text(encoding="utf-8")) == found["placement"]


@ended_by(signal.SIGINT)
def test_interrupted_front_keeps_what_was_found(number: signal.Signals, code: int, tmp_path: Path) -> None:
    line = ("pareto", "--output", "front", "--time-limit", "1", "--time-limit-each", "600", "--json")
    process = begin(*line, "--solver", endless(tmp_path), "tiny-chains", cwd=tmp_path)
    wait_for(tmp_path / "begun", process)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (code, False)
    assert len(json.loads(out)["points"]) >= 1
    assert (tmp_path / "front" / "front.csv").is_file()


@ended_by(signal.SIGHUP)
def test_interrupted_update_writes_what_was_found(number: signal.Signals, code: int, tmp_path: Path) -> None:
    line = ("references", "update", "--solver", endless(tmp_path), "--time-limit", "600", "--output", "own.json")
    (tmp_path / "own.json").write_text('{"format": "offbench-references/1", "instances": {}}', encoding="utf-8")
    process = begin(*line, "tiny-chains", cwd=tmp_path)
    wait_for(tmp_path / "begun", process)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (code, False)
    kept = json.loads((tmp_path / "own.json").read_text(encoding="utf-8"))["instances"]["tiny-chains"]
    assert kept["best_bound"] is not None


@ended_by(signal.SIGINT, signal.SIGTERM)
def test_interrupted_bound_prints_what_was_found(number: signal.Signals, code: int) -> None:
    process = begin("bound", "--time-limit", "600", "--json", "googlenet")
    time.sleep(8)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (code, False)
    if out:  # past its start by then
        assert "interrupted" in {row["ended"] for row in json.loads(out)["relaxations"]}
    else:
        assert err.endswith("offbench: interrupted\n")


@ended_by(signal.SIGTERM)
def test_interrupted_reproduction_keeps_its_runs(number: signal.Signals, code: int, tmp_path: Path) -> None:
    process = begin("reproduce", "fig12", "--quick", "--jobs", "1", "--output", "paper", "--json", cwd=tmp_path)
    for _ in range(2400):
        if list(tmp_path.glob("paper/runs/*.json")):
            break
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, "Traceback" in err) == (code, False)
    told = json.loads(out)
    assert told["interrupted"] and told["done"] == len(list(tmp_path.glob("paper/runs/*.json"))) >= 1
    assert err.endswith("offbench: interrupted; the same command goes on from here\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signal_before_there_is_anything_to_stop(number: signal.Signals) -> None:
    """It ends the command, and the exit code tells which it was."""

    def nothing_yet() -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    term = signal.signal(signal.SIGTERM, signal.SIG_DFL)  # ray leaves a handler of its own behind
    try:
        with pytest.raises(KeyboardInterrupt) as raised, one_interrupt(nothing_yet):
            signal.raise_signal(number)
    finally:
        signal.signal(signal.SIGINT, before)
        signal.signal(signal.SIGTERM, term)
    assert exit_code_of(raised.value) == 128 + number


def test_hangup_that_is_ignored_stays_so(tmp_path: Path) -> None:
    """As under nohup."""
    process = subprocess.Popen(
        [*OFFBENCH, "solve", "--solver", endless(tmp_path), "--time-limit", "8", "--json", "alexnet"],
        stdout=subprocess.PIPE, text=True, cwd=tmp_path,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    wait_for(tmp_path / "begun", process)
    process.send_signal(signal.SIGHUP)
    out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["stopped"]) == (0, "time-limit")


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


@pytest.mark.parametrize("servers", ["[99] * problem.n_subtasks", "[0]", "[0.5] * problem.n_subtasks"])
def test_solver_that_proposes_what_is_none_is_no_users_mistake(servers: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        'from offbench import Solver\nclass Mine(Solver):\n    """Mine."""\n'
        f"    def solve(self, problem, search):\n        search.propose({servers})\n",
        encoding="utf-8",
    )
    line = ["solve", "--solver", "./mine.py", "--json", "alexnet"]
    done = subprocess.run([*OFFBENCH, *line], capture_output=True, text=True, cwd=tmp_path, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("offbench: solver './mine.py': ") and done.stderr.endswith("; the run is void\n")
    assert len(done.stderr.splitlines()) == 1


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


# It proposes, says so, and then never comes back to Python.
COMPILED = ENDLESS.replace("while True:\n            sleep(0.05)", "any(iter(int, 1))")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_solver_that_never_comes_back_from_compiled_code_is_killed(
    number: signal.Signals | None, tmp_path: Path
) -> None:
    (tmp_path / "compiled.py").write_text(COMPILED, encoding="utf-8")
    time_limit = "1" if number is None else "600"
    process = begin("solve", "--solver", "./compiled.py", "--time-limit", time_limit, "alexnet", cwd=tmp_path)
    wait_for(tmp_path / "begun", process)
    if number is not None:
        for _ in range(2):  # the second some seconds later: patience has an end
            process.send_signal(number)
            time.sleep(1.5)
    _, err = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    (line,) = err.splitlines()
    assert line.startswith("offbench: doesn't give way: killed")
    assert ("after its time limit" if number is None else "after the second signal") in line


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_nobody_watches_any_more_when_a_command_has_ended(tmp_path: Path) -> None:
    """Not for what a fork of its own is told either."""
    (tmp_path / "forks.py").write_text(
        "import os, signal, time\nfrom offbench import Solver\n\nclass Forks(Solver):\n    'Ends forks of its own.'\n"
        "    def solve(self, problem, search):\n"
        "        search.propose(problem.everything_on(0))\n"
        "        for _ in range(3):\n"
        "            if (pid := os.fork()) == 0:\n"
        "                time.sleep(60)\n"
        "            time.sleep(0.6)\n"
        "            os.kill(pid, signal.SIGTERM)\n"
        "            os.waitpid(pid, 0)\n"
        "        time.sleep(6)\n",
        encoding="utf-8",
    )
    line = ("solve", "--solver", "./forks.py", "--time-limit", "60", "--quiet", "alexnet")
    process = begin(*line, cwd=tmp_path)
    _, err = process.communicate(timeout=120)  # which ends when nobody holds the pipe
    assert (process.returncode, err) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="forks")
def test_command_ends_though_a_fork_of_its_solver_stays(tmp_path: Path) -> None:
    """The fork holds whatever pipes the command has."""
    (tmp_path / "stays.py").write_text(
        "import os, time\nfrom offbench import Solver\n\nclass Stays(Solver):\n    'Leaves a fork.'\n"
        "    def solve(self, problem, search):\n"
        "        search.propose(problem.everything_on(0))\n"
        "        if (pid := os.fork()) == 0:\n"
        "            time.sleep(120)\n"
        "            os._exit(0)\n"
        "        open('fork', 'w').write(str(pid))\n",
        encoding="utf-8",
    )
    line = ("solve", "--solver", "./stays.py", "--time-limit", "60", "--quiet", "alexnet")
    process = begin(*line, cwd=tmp_path)
    try:
        assert process.wait(timeout=60) == 0  # not until the pipes end, which the fork holds
    finally:
        process.kill()
        os.kill(int((tmp_path / "fork").read_text()), signal.SIGKILL)
