"""Runs in processes of their own: what they answer, how they are ended, what they leave."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from bench.stand_ins import job
from offbench import load, solve, solve_two_step
from offbench.bench.process import ONE_THREAD, Died, SolverProcess, request_of, run_job
from offbench.bench.row import Row, row_of

Write = Callable[[str, Any], Path]
INSTANCE = load("tiny-chains").model_dump(mode="json")

SOLVERS = """
import os, signal, sys, time
from offbench import Solver
from offbench.search.budget import SearchEnded

class Stubborn(Solver):
    "Doesn't stop."
    def solve(self, problem, search):
        search.propose(problem.everything_on(0))
        while True:
            try:
                time.sleep(60)
            except SearchEnded:
                pass

class Chatty(Solver):
    "Prints, then fails."
    def solve(self, problem, search):
        print("{}")
        os.write(1, b"nonsense\\n")
        raise ZeroDivisionError("by chance")

class Threads(Solver):
    "Tells how many threads it may have, by the server that it takes."
    def solve(self, problem, search):
        search.propose(problem.everything_on(int(os.environ["OMP_NUM_THREADS"]) - 1))

class Compiled(Solver):
    "Takes longer to compile than it may run, the first time."
    def warm_up(self):
        known = os.path.join(os.path.dirname(__file__), "compiled")
        if not os.path.exists(known):
            time.sleep(3)
            open(known, "w").close()
    def solve(self, problem, search):
        search.propose(problem.everything_on(0))

class Wrong(Solver):
    "Proposes a server that there isn't."
    def solve(self, problem, search):
        search.propose([99] * problem.n_subtasks)

class Crash(Solver):
    "Its process is killed, as the system does where memory runs out; a child of it lives on."
    def solve(self, problem, search):
        import subprocess
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        print("child", child.pid, file=sys.stderr, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def solver(write: Write) -> Callable[[str], str]:
    path = write("mine.py", SOLVERS)
    return lambda name: f"{path}:{name}"


def test_what_a_solver_compiles_once_ends_no_run(solver: Callable[[str], str]) -> None:
    row = run_job(job(solver=solver("Compiled"), time_limit_s=1.0), INSTANCE)
    assert row.status == "feasible"
    assert row.seconds is not None and row.seconds < 1


def test_one_process_answers_what_it_is_asked(solver: Callable[[str], str]) -> None:
    rows: list[Row] = []
    with SolverProcess() as process:
        for name in ("greedy", solver("Chatty"), solver("Threads"), "chain-exact", solver("Wrong")):
            one = job(solver=name)
            rows.append(row_of(one, process.facts | process.ask(request_of(one, INSTANCE), 60), jobs=3))
        two_steps = job(solver="greedy", two_step=True)
        graphs = load("tiny-graphs").model_dump(mode="json")
        rows.append(row_of(two_steps, process.facts | process.ask(request_of(two_steps, graphs), 60), jobs=1))
    greedy, chatty, threads, refused, wrong, two = rows
    assert two.objective == solve_two_step("tiny-graphs", "greedy").objective
    expected = solve("tiny-chains", "greedy")
    assert (greedy.status, greedy.objective, greedy.evaluations) == ("feasible", expected.objective, 1)
    assert greedy.placement is not None and expected.placement is not None
    assert greedy.placement.model_dump(mode="json") == expected.placement.to_file(expected.instance, layers=True)
    assert greedy.client_only == expected.client_only.objective
    assert greedy.machine is not None and greedy.machine.versions["python"]
    assert greedy.cpu_s is not None and greedy.cpu_s >= 0 and greedy.overshoot_s == 0
    assert greedy.crowded == (greedy.machine.physical_cores < 3)
    assert (chatty.status, chatty.message) == ("error", "ZeroDivisionError: by chance")
    assert "by chance" in chatty.traceback and "Chatty" not in chatty.message
    assert threads.placement is not None
    assert {name for task in threads.placement.servers for name in task} == {"client"}
    assert set(ONE_THREAD.values()) == {"1"}
    assert refused.status == "refused" and "one task" in refused.message
    assert wrong.status == "error" and "server 99, but there are" in wrong.message  # the solver's fault, no refusal


def test_solver_that_does_not_stop_is_ended_and_its_overshoot_recorded(solver: Callable[[str], str]) -> None:
    one = job(solver=solver("Stubborn"), time_limit_s=1.0)
    row = run_job(one, INSTANCE)
    assert (row.status, row.objective) == ("killed", None)
    assert row.seconds is not None and row.overshoot_s is not None
    assert row.seconds >= one.hard_limit_s == 2.0
    assert row.overshoot_s == pytest.approx(row.seconds - 1.0)
    assert "didn't stop at its limit of 1 s" in row.message
    assert row.machine is not None


def test_process_that_is_killed_leaves_a_row_and_no_children(solver: Callable[[str], str]) -> None:
    row = run_job(job(solver=solver("Crash")), INSTANCE)
    assert row.status == "killed"
    assert "SIGKILL" in row.message
    pid = int(row.traceback.split("child")[1].split()[0])
    deadline = time.monotonic() + 30
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_process_ends_with_the_one_that_asked(solver: Callable[[str], str]) -> None:
    code = (
        "import sys\nfrom bench.stand_ins import job\nfrom offbench.bench.process import run_job\n"
        "from offbench import load\n"
        "run_job(job(solver=sys.argv[1], time_limit_s=600.0), load('tiny-chains').model_dump(mode='json'))\n"
    )
    asker = subprocess.Popen(
        [sys.executable, "-c", code, solver("Stubborn")], env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    )
    try:
        (child,) = _children(asker)
    finally:
        asker.kill()
        asker.wait()
    assert not child.is_running() or child.wait(timeout=30) is None


def _children(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """Wait for a process's children."""
    deadline = time.monotonic() + 120
    while not (found := psutil.Process(process.pid).children()):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.05)
    return found


def test_process_that_dies_before_it_answers_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Died, match="exit code 1"), SolverProcess():
        pass
    row = run_job(job(), INSTANCE)
    assert row.status == "error" and "exit code 1" in row.message


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test leaves a process."""
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    yield
    left = [child for child in psutil.Process().children(recursive=True) if child.pid not in before]
    assert not [child for child in left if child.status() != psutil.STATUS_ZOMBIE]
