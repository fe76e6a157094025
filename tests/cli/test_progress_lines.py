"""What a pipe or a log is told while something runs."""

import json
import re
import subprocess
import sys
import threading
from itertools import takewhile
from pathlib import Path

import pytest

from offbench.cli.shared.progress import Lines, line_times

OFFBENCH = [sys.executable, "-m", "offbench"]

# It takes its whole time limit, and proposes once.
IDLE = """
from time import sleep
from offbench import Solver

class Idle(Solver):
    "Proposes and waits."
    def solve(self, problem, search):
        search.propose(problem.everything_on(0))
        while search.running:
            sleep(0.02)
"""
LINE = re.compile(r"tiny-chains, \./idle\.py: best Q \S+, 1 evaluations, (\d+\.\d) of (\S+) s")


def solve(folder: Path, *options: object) -> "subprocess.CompletedProcess[str]":
    (folder / "idle.py").write_text(IDLE, encoding="utf-8")
    line = [*OFFBENCH, "solve", "tiny-chains", "--solver", "./idle.py", *map(str, options)]
    done = subprocess.run(line, capture_output=True, text=True, cwd=folder, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done


def test_long_run_tells_a_pipe_how_far_it_is(tmp_path: Path) -> None:
    done = solve(tmp_path, "--time-limit", 4, "--json")
    told = LINE.fullmatch(done.stderr.strip())
    assert told and told[2] == "4" and 1 < float(told[1]) < 4
    assert json.loads(done.stdout)["stopped"] == "time-limit"


def test_short_or_quiet_run_tells_nothing(tmp_path: Path) -> None:
    assert solve(tmp_path, "--time-limit", 0.5).stderr == ""
    assert solve(tmp_path, "--time-limit", 4, "--quiet").stderr == ""


def test_log_of_a_day_is_not_flooded() -> None:
    day = list(takewhile(lambda due: due <= 86_400, line_times()))
    assert day[:7] == [2, 5, 10, 20, 40, 60, 120] and day == sorted(set(day))
    assert 140 < len(day) < 170


def test_thread_ends_with_the_body_however_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offbench.cli.shared.progress.line_times", lambda: iter([0.5, 3600.0]))
    with pytest.raises(KeyboardInterrupt), Lines("thing"):
        assert any(thread.name == "progress" for thread in threading.enumerate())
        raise KeyboardInterrupt
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def test_lines_name_what_runs_on_what(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    told = threading.Event()

    def times() -> "list[float]":
        return [0.5]

    def look() -> tuple[float, str]:
        told.set()
        return 0.5, "half\x1b[2Jway\nthere"

    monkeypatch.setattr("offbench.cli.shared.progress.line_times", times)
    for title, line in (("greedy", "net, greedy"), ("net: greedy (P1)", "net: greedy (P1)")):
        told.clear()
        with Lines("first", "net") as lines:
            lines.begin(title)
            lines.follow(look)
            assert told.wait(20)
        assert capsys.readouterr().err == f"{line}: half\\x1b[2Jway there\n"
