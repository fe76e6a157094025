"""A suite whose processes are killed at random moments, and that is gone on with.

Killed are the command alone, a process that makes a run, the command's group as a terminal sees it, any one of its
processes, and all at once as where the machine loses power. What a killed run leaves is a row that says so; all else is
as if nothing had happened.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from attacks.attack import Attack
from attacks.target import PATIENCE_S, Command, Target, children

GOOD = Path(__file__).parent / "solvers" / "good.py"
HITS = ("command", "run", "group", "any", "all")


@pytest.mark.parametrize("jobs", [1, 2])
def test_killed_suite_goes_on(jobs: int, tmp_path: Path, attack: Attack) -> None:
    if attack.rounds == 1:  # the short suite has tests/bench/test_kill.py
        pytest.skip("in the long attack")
    for round_ in range(attack.rounds):
        _round(Target(tmp_path / str(round_), attack), jobs, attack)


def _round(target: Target, jobs: int, attack: Attack) -> None:
    entrants = [
        {"name": str(GOOD), "label": "good", "parameters": {"pause_s": 0.3}, "seeds": 5},
        {"name": "greedy", "label": "greedy", "seeds": 1},
    ]
    line = (target.suite("killed", entrants, time_limit_s=30), "--jobs", str(jobs))
    runs_hit = 0
    before: dict[str, bytes] = {}
    command = target.bench(*line)
    for hit in map(str, attack.rng.permutation(HITS)):
        if not command.running:  # only runs were hit, and it has come to its end
            assert command.wait(attack) in (0, 1), command.err
            command = target.bench(*line, "--rerun", "failed")
        _await(target, command, more=int(attack.rng.integers(0, 3)))
        time.sleep(attack.rng.uniform(0, 0.8))
        if not command.running:
            continue
        attack.count("kills")
        if hit in ("run", "any"):
            runs_hit += _kill_one(target, command, hit, attack)
            time.sleep(0.5)
            if command.running:  # it was another one
                continue
        _kill(target, command, hit)
        assert not target.orphans(), hit
        assert not target.lost(before), hit
        before = {name: row for name, row in target.written().items() if b'"killed"' not in row}
        command = target.bench(*line)
    assert command.wait(attack) in (0, 1), command.err
    assert not target.orphans()
    assert not target.lost(before)
    failed = [row for row in target.rows().values() if row.status != "feasible"]
    assert len(failed) <= runs_hit, [row.message for row in failed]
    assert {row.status for row in failed} <= {"killed", "error"}
    last = target.bench(*line, "--rerun", "failed")
    assert last.wait(attack) == 0, last.err
    rows = target.rows()
    assert {row.status for row in rows.values()} == {"feasible"}
    assert len({row.objective for (_, solver, _), row in rows.items() if solver == "good"}) == 1
    assert not target.lost(before)
    assert not target.orphans()
    assert not target.strays()


def _await(target: Target, command: Command, more: int) -> None:
    """Wait for so many more rows, or the end."""
    wanted, deadline = len(target.written()) + more, time.monotonic() + PATIENCE_S
    while len(target.written()) < wanted and command.running:
        assert time.monotonic() < deadline, command.err
        time.sleep(0.02)


def _kill(target: Target, command: Command, hit: str) -> None:
    """Kill the command, and with it what the hit says."""
    if hit == "group":
        os.killpg(command.process.pid, signal.SIGKILL)
    elif hit == "all":
        for process in target.alive():
            with suppress(psutil.Error):
                process.kill()
    else:
        command.process.kill()
    command.process.wait()


def _kill_one(target: Target, command: Command, hit: str, attack: Attack) -> int:
    """Kill one process of the command; return how many runs may be hit by that."""
    deadline = time.monotonic() + 5
    while command.running and time.monotonic() < deadline:
        alive = target.alive()
        found = children(alive) if hit == "run" else alive
        if found:
            with suppress(psutil.Error):
                found[attack.rng.integers(len(found))].kill()
            return 1
        time.sleep(0.02)
    return 0
