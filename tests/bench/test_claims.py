"""Claims: one process has a run, until it gives it up or is gone."""

import os
import platform
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offbench.bench import claims
from offbench.bench.claims import STALE_S, Claimant, Claims, began, here

MAKER = """
import sys, time
from pathlib import Path
from offbench.bench.claims import Claims
claims = Claims(Path(sys.argv[1]))
print(claims.take("run"), flush=True)
if sys.argv[2:] == ["beat"]:
    with claims.beating():
        time.sleep(1000)
time.sleep(1000)
"""


@pytest.fixture
def start() -> Iterator[Any]:
    """Return a function that starts a process, which tells what it does, and is ended in the end."""
    begun: list[subprocess.Popen[str]] = []

    def start(code: str, *arguments: object) -> subprocess.Popen[str]:
        begun.append(
            subprocess.Popen(
                [sys.executable, "-c", code, *map(str, arguments)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            )
        )  # fmt: skip
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()


def line_of(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def age(folder: Path, seconds: float) -> None:
    """Let the claim's last beat be so long ago."""
    then = time.time() - seconds
    os.utime(folder / "run", (then, then))


def leave(folder: Path, **facts: object) -> None:
    """Leave a claim of another machine, with the facts that are other."""
    other = {"host": "elsewhere", "place": "elsewhere", "pid": os.getpid(), "started": began(os.getpid())}
    folder.mkdir(exist_ok=True)
    (folder / "run").write_text(Claimant.model_validate(other | facts).model_dump_json(), encoding="utf-8")


def test_own_claim_is_ones_own_until_it_is_given_up(tmp_path: Path) -> None:
    mine = Claims(tmp_path / "claims")
    assert mine.take("run") and mine.take("run")
    assert mine.held() == {"run"}
    mine.drop("run")
    assert mine.held() == set()
    assert not list((tmp_path / "claims").iterdir())


def test_claim_of_a_process_that_lives_holds_and_of_one_killed_is_taken_over_at_once(
    start: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = start(MAKER, tmp_path)
    assert line_of(theirs) == "True"
    mine = Claims(tmp_path)
    assert not mine.take("run")
    age(tmp_path, 10 * STALE_S)
    assert not mine.take("run") and mine.holds("run")  # it can be seen to live, whatever its heart does
    age(tmp_path, 0)
    theirs.send_signal(signal.SIGKILL)
    theirs.wait()
    monkeypatch.setattr(platform, "node", lambda: "another-name")  # as a container has after a restart
    assert not mine.holds("run")
    assert mine.take("run")
    assert Claimant.model_validate_json((tmp_path / "run").read_bytes()).host == "another-name"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_process_that_nobody_has_waited_for_is_gone(start: Any, tmp_path: Path) -> None:
    theirs = start(MAKER, tmp_path)
    assert line_of(theirs) == "True"
    theirs.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, theirs.pid, os.WEXITED | os.WNOWAIT)  # dead, and still in the table of processes
    assert Claims(tmp_path).take("run")


def test_number_that_another_process_has_by_now_is_no_sign_of_life(tmp_path: Path) -> None:
    mine = Claims(tmp_path)
    leave(tmp_path, place=here(), started=(began(os.getpid()) or 0) - 99)
    assert not mine.holds("run") and mine.take("run")


def test_claim_from_elsewhere_holds_while_its_heart_beats(tmp_path: Path) -> None:
    mine = Claims(tmp_path)
    leave(tmp_path)
    assert mine.holds("run") and not mine.take("run") and not mine.shows_life("run")
    age(tmp_path, STALE_S / 2)
    assert mine.holds("run") and not mine.take("run") and mine.shows_life("run")  # a beat, of whatever clock
    mine.drop("run")
    assert mine.holds("run")  # not mine to give up
    age(tmp_path, STALE_S + 5)
    assert not mine.holds("run") and mine.take("run")


def test_claim_from_a_time_to_come_holds_no_longer_than_a_clock_may_be_off(tmp_path: Path) -> None:
    """Else a clock that was put back would have everybody wait for hours."""
    leave(tmp_path)
    age(tmp_path, -STALE_S / 2)
    assert not Claims(tmp_path).take("run")
    age(tmp_path, -2 * 3600)
    assert not Claims(tmp_path).holds("run")
    assert Claims(tmp_path).take("run")


@pytest.mark.parametrize("content", ["", "{", '{"host": "old", "pid": 1, "process_started": 1.0, "until": 1e12}'])
def test_claim_that_says_nothing_holds_as_long_as_it_is_fresh(content: str, tmp_path: Path) -> None:
    mine = Claims(tmp_path)
    (tmp_path / "run").write_text(content, encoding="utf-8")
    assert not mine.take("run")
    age(tmp_path, STALE_S + 5)
    assert mine.take("run")


def test_heart_beats(start: Any, tmp_path: Path) -> None:
    theirs = start(
        MAKER.replace("claims = ", "import offbench.bench.claims as of\nof.BEAT_S = 0.1\nclaims = "), tmp_path, "beat"
    )
    assert line_of(theirs) == "True"
    age(tmp_path, 10 * STALE_S)
    deadline = time.monotonic() + 60
    while time.time() - (tmp_path / "run").stat().st_mtime > STALE_S:
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("error", [PermissionError(1, "no links"), OSError(95, "not supported")])
def test_file_system_without_links_has_claims(error: OSError, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*arguments: object) -> None:
        raise error

    monkeypatch.setattr(os, "link", none)
    mine = Claims(tmp_path)
    assert mine.take("run") and mine.held() == {"run"}
    leave(tmp_path)
    assert not mine.take("run")
    age(tmp_path, STALE_S + 5)
    assert mine.take("run")


RACER = """
import sys
from pathlib import Path
from offbench.bench.claims import Claims
claims = Claims(Path(sys.argv[1]))
print("ready", flush=True)
input()
print(" ".join(name for name in sys.argv[2:] if claims.take(name)), flush=True)
input()
"""


def raced(start: Any, folder: Path, names: list[str]) -> Counter[str]:
    """Have three processes claim at once; return how many got each."""
    racers = [start(RACER, folder, *names) for _ in range(3)]
    for racer in racers:
        assert line_of(racer) == "ready"
    for racer in racers:
        racer.stdin.write("\n")
        racer.stdin.flush()
    return Counter(name for racer in racers for name in line_of(racer).split())


@pytest.mark.parametrize("trial", range(5))
def test_one_of_three_gets_each_run_free_or_stale(trial: int, start: Any, tmp_path: Path) -> None:
    names = [f"run-{number}" for number in range(40)]
    for name in names[::2]:
        leave(tmp_path, nonce=name)
        (tmp_path / "run").rename(tmp_path / name)
        os.utime(tmp_path / name, (1, 1))
    assert raced(start, tmp_path, names) == Counter(names)
    assert {path.name for path in tmp_path.iterdir()} == set(names)


def test_right_to_succeed_a_claim_is_taken_over_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed while it takes over a stale claim leaves its right to do so behind."""
    mine = Claims(tmp_path)
    leave(tmp_path)
    age(tmp_path, STALE_S + 5)

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        with pytest.raises(KeyboardInterrupt):
            mine.take("run")
    (left,) = tmp_path.glob("run~*")
    left.write_text(
        Claimant(host="gone", place=here(), pid=os.getpid(), started=0.0).model_dump_json(), encoding="utf-8"
    )
    assert mine.take("run")
    assert mine.held() == {"run"}
    assert not list(tmp_path.glob("run~*"))


def test_stale_claim_that_comes_back_to_life_is_not_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Claims(tmp_path)
    leave(tmp_path)
    age(tmp_path, STALE_S + 5)
    make = Claims._make

    def beats_meanwhile(self: Claims, name: str) -> bool:
        age(tmp_path, 0)
        return make(self, name)

    monkeypatch.setattr(Claims, "_make", beats_meanwhile)
    assert not mine.take("run")
    assert {path.name for path in tmp_path.iterdir()} == {"run"}


def test_where_this_is_no_linux_the_host_and_its_start_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(self: Path, **how: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr(Path, "read_text", none)
    assert platform.node() in claims.here.__wrapped__()
