"""A folder with a suite, in which `offbench bench` runs as a process that can be killed; what is left is counted."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

from attacks.attack import Attack
from offbench.bench.row import Row
from offbench.runs.process import TOKEN

MARK = "OFFBENCH_ATTACK"
"""the variable that all processes of one folder inherit"""

PATIENCE_S = 240.0
"""how long a command may take on a busy machine before it counts as hanging"""
GOODBYE_S = 15.0
"""until what a command started must be gone after its end"""
GRACE_S = 3.0
"""by which a run that is killed may outlast its hard limit on a busy machine"""

Cell = tuple[str, str, int]


class Target:
    """A folder, what is to be run in it, and the processes that run there.

    Parameters
    ----------
    folder
        Made.
    attack
        Where findings are counted.
    """

    def __init__(self, folder: Path, attack: Attack) -> None:
        self.folder = folder
        self.attack = attack
        self.planned: set[Cell] = set()
        self._mark = secrets.token_hex(16)
        self._begun = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def results(self) -> Path:
        """Where rows go."""
        return self.folder / "results"

    def suite(self, name: str, solvers: Sequence[Mapping[str, Any]], **more: Any) -> str:
        """Write a suite file whose solvers have labels; return its name."""
        told = {"name": name, "instances": ["tiny-chains"], "seeds": 1, **more}
        self.planned |= {
            (instance, entrant["label"], seed)
            for instance in told["instances"]
            for entrant in solvers
            for seed in range(entrant.get("seeds", told["seeds"]))
        }
        lines = [f"{key} = {_toml(value)}" for key, value in {**told, "solvers": list(solvers)}.items()]
        (self.folder / f"{name}.toml").write_text("\n".join(lines), encoding="utf-8")
        return f"{name}.toml"

    def begin(self, *line: str) -> "Command":
        """Begin `offbench` in the folder, in a group of its own."""
        self._begun += 1
        return Command(line, self.folder, self._mark, self.folder / f"told-{self._begun}")

    def bench(self, suite: str, *line: str) -> "Command":
        """Begin a suite."""
        return self.begin("bench", suite, "--json", "--output", "results", *line)

    def alive(self) -> list[psutil.Process]:
        """Return the processes of the folder's commands, and of all that these started."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if process.environ().get(MARK) == self._mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def orphans(self) -> list[str]:
        """Wait until nothing of the folder's commands runs; end, count and name what stays."""
        deadline = time.monotonic() + GOODBYE_S
        while (left := self.alive()) and time.monotonic() < deadline:
            time.sleep(0.1)
        told = []
        for process in left:
            with suppress(psutil.Error):
                told.append(f"{process.pid} {' '.join(process.cmdline())}")
                process.kill()
        self.attack.count("orphans", len(told))
        return told

    def written(self) -> dict[str, bytes]:
        """Return the rows that are there, as files."""
        return {path.name: path.read_bytes() for path in sorted((self.results / "runs").glob("*.json"))}

    def lost(self, before: Mapping[str, bytes]) -> list[str]:
        """Count and name the rows that were there before and aren't now, or are others."""
        now = self.written()
        gone = [name for name, content in before.items() if now.get(name) != content]
        self.attack.count("rows lost", len(gone))
        return gone

    def rows(self) -> dict[Cell, Row]:
        """Return the rows by cell; each must be readable, true, and alone in its cell, and no cell may be without."""
        found: dict[Cell, Row] = {}
        faults: list[str] = []
        twice: Counter[Cell] = Counter()
        for name, content in self.written().items():
            try:
                row = read(name, content)
                twice[row.job.cell] += 1
                found[row.job.cell] = row
            except (ValueError, AssertionError) as error:
                faults.append(f"{name}: {error}")
        odd = [*(self.planned ^ set(found)), *(cell for cell, times in twice.items() if times > 1)]
        self.attack.count("rows untrue", len(faults))
        self.attack.count("rows missing", len(odd))
        assert not faults, "\n".join(faults)
        assert not odd, odd
        return found

    def strays(self) -> list[str]:
        """Return what only lies in the folder of results while something is done or wrong."""
        return sorted(
            str(path.relative_to(self.results))
            for path in self.results.rglob("*")
            if path.is_file()
            and (path.name.startswith(".") or path.suffix == ".tmp" or path.parent.name in ("claims", "damaged"))
        )


class Command:
    """An `offbench` that runs."""

    def __init__(self, line: Sequence[str], folder: Path, mark: str, told: Path) -> None:
        self._told = told
        with told.with_suffix(".out").open("wb") as out, told.with_suffix(".err").open("wb") as err:
            # Files, for whoever waits for a pipe waits for all that hold it.
            self.process = subprocess.Popen(
                [sys.executable, "-m", "offbench", *line], cwd=folder, env={**os.environ, MARK: mark},
                stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip

    @property
    def out(self) -> str:
        """What it printed so far."""
        return self._told.with_suffix(".out").read_text(encoding="utf-8", errors="backslashreplace")

    @property
    def err(self) -> str:
        """What it said beside so far."""
        return self._told.with_suffix(".err").read_text(encoding="utf-8", errors="backslashreplace")

    @property
    def running(self) -> bool:
        """Whether it hasn't ended."""
        return self.process.poll() is None

    def wait(self, attack: Attack, at_most_s: float = PATIENCE_S) -> int:
        """Return its exit code; one that hangs is killed and counted."""
        try:
            return self.process.wait(at_most_s)
        except subprocess.TimeoutExpired:
            attack.count("suites ended early")
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            pytest.fail(f"still running after {at_most_s:g} s: {self.out[-1000:]} {self.err[-3000:]}")


def children(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Return those that make a run."""
    found = []
    for process in processes:
        with suppress(psutil.Error, OSError):
            if TOKEN in process.environ():
                found.append(process)
    return found


def read(name: str, content: bytes) -> Row:
    """Read a row, and hold it against itself, the evaluator and its limit.

    Raises
    ------
    ValueError, AssertionError
        If it isn't JSON, no row, or not true.
    """
    json.loads(content, parse_constant=_refuse)
    row = Row.model_validate_json(content)
    assert name == f"{row.job.key}.json", "stands under another key"
    assert len(content) < 1_000_000, "is longer than a run's facts are"
    assert row.seconds is None or 0 <= row.seconds <= row.job.hard_limit_s + GRACE_S, f"took {row.seconds} s"
    if row.placement is None:
        assert row.objective is None, "has an objective without a placement"
        assert row.message, f"is {row.status} without a reason"
        return row
    assert row.objective is not None
    objective = _objective(row.job.instance, row.placement.model_dump_json())
    assert row.objective == pytest.approx(objective, rel=1e-9, abs=1e-12), f"{row.objective} isn't {objective}"
    for _, _, trace_objective, *_ in row.trace:
        assert trace_objective is None or trace_objective >= objective - 1e-9, "its trace is below its objective"
    return row


@cache
def _objective(instance: str, placement: str) -> float:
    from offbench import evaluate

    return evaluate(instance, json.loads(placement)).objective


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
