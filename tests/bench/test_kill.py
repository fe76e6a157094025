"""A suite that is killed, for real, and gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from offbench.bench.store import Store
from offbench.bench.suite import read_suite

SUITE = """
name = "killed"
instances = ["tiny-chains"]
solvers = ["./slow.py"]
seeds = 4
time_limit_s = 60
"""
SLOW = """
import time
from offbench import Solver

class Slow(Solver):
    "Takes a while."
    def solve(self, problem, search):
        time.sleep(0.3)
        search.propose(problem.everything_on(0))
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM])
def test_suite_goes_on_where_it_was_ended(ending: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "killed.toml").write_text(SUITE, encoding="utf-8")
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    command = [sys.executable, "-m", "offbench", "bench", "killed.toml", "--jobs", "1", "--json"]
    first = subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background have it ignored
    )  # fmt: skip
    runs = tmp_path / "results" / "killed" / "runs"
    deadline = time.monotonic() + 240
    while len(list(runs.glob("*.json"))) < 1:
        assert time.monotonic() < deadline and first.poll() is None, first.communicate()
        time.sleep(0.02)
    if ending == signal.SIGKILL:
        os.killpg(first.pid, signal.SIGKILL)  # workers as well, as where the machine loses power
        first.wait()
    else:
        os.killpg(first.pid, ending)  # as a terminal or a scheduler does
        out, err = first.communicate(timeout=60)
        assert first.returncode == 128 + ending
        assert "goes on from here" in err and "Traceback" not in err
        assert json.loads(out)["interrupted"] is True
    done = {path.name: path.stat().st_mtime_ns for path in runs.glob("*.json")}
    assert 1 <= len(done) < 4
    assert not Store(tmp_path / "results" / "killed").claimed()
    then = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=True)
    told = json.loads(then.stdout)
    assert (told["done"], told["skipped"], told["failed"]) == (4 - len(done), len(done), 0)
    assert {name: (runs / name).stat().st_mtime_ns for name in done} == done
    store = Store(tmp_path / "results" / "killed")
    assert {row.status for row in store.rows()} == {"feasible"}
    assert len(store.rows()) == 4 and not store.damaged
    kept = read_suite(store.folder / "suite.toml")
    assert [entrant.name for entrant in kept.solvers] == ["../../slow.py"]


def busy(process: psutil.Process) -> bool:
    """Tell whether it is one of a run, and past its start."""
    try:
        return "offbench.bench.child" in process.cmdline() and process.cpu_times().user > 2
    except psutil.Error:  # it has ended
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what the system does for us")
@pytest.mark.parametrize("jobs", ["2"])
def test_nothing_goes_on_when_the_suite_alone_is_killed(jobs: str, tmp_path: Path) -> None:
    (tmp_path / "killed.toml").write_text(SUITE, encoding="utf-8")
    (tmp_path / "slow.py").write_text(SLOW.replace("time.sleep(0.3)", "any(iter(int, 1))"), encoding="utf-8")
    command = [sys.executable, "-m", "offbench", "bench", "killed.toml", "--jobs", jobs, "--quiet"]
    first = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    bench, deadline = psutil.Process(first.pid), time.monotonic() + 240
    running: list[psutil.Process] = []
    while not any(busy(process) for process in running):
        assert time.monotonic() < deadline and first.poll() is None
        time.sleep(0.2)
        running = [process for process in bench.children(recursive=True) if process.is_running()]
    first.kill()
    first.communicate(timeout=60)  # ends when no process holds the pipe any more
    _, left = psutil.wait_procs(running, timeout=60)
    assert not [process for process in left if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]
