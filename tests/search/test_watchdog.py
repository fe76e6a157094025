"""The watchdog: ends a body that doesn't look at the clock, and leaves no trace of itself."""

import importlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import FrameType

import pytest

from offbench import SearchEnded
from offbench.search.budget import Clock
from offbench.search.watchdog import SIGNAL, signal_behind, watchdog


def test_body_without_a_limit_is_left_alone() -> None:
    with watchdog(Clock(), None):
        assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_body_that_ends_in_time_is_left_alone() -> None:
    clock = Clock()
    with watchdog(clock, 0.1):
        pass
    time.sleep(0.5)
    assert clock.seconds > 0.5


def test_body_that_swallows_the_end_once_is_ended_again() -> None:
    clock = Clock()
    swallowed = 0
    with pytest.raises(SearchEnded), watchdog(clock, 0.1):
        for _ in range(4):
            try:
                time.sleep(1)
            except BaseException:
                swallowed += 1
                if swallowed == 2:
                    raise
    assert clock.seconds < 2


def test_limit_already_passed_ends_the_body_at_once() -> None:
    clock = Clock()
    time.sleep(0.3)
    with pytest.raises(SearchEnded), watchdog(clock, 0.01):
        time.sleep(5)
    assert clock.seconds < 2


def test_import_that_has_begun_is_let_finish(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slowly_imported.py").write_text("import time\ntime.sleep(0.8)\nwhole = True\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SearchEnded), watchdog(Clock(), 0.05):
        importlib.import_module("slowly_imported")
        time.sleep(5)
    assert sys.modules["slowly_imported"].whole


def test_error_of_the_body_passes_and_disarms() -> None:
    with pytest.raises(KeyError), watchdog(Clock(), 5):
        raise KeyError
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_inner_one_ends_first_and_leaves_the_outer_one_armed() -> None:
    clock = Clock()
    inner_s = None
    with pytest.raises(SearchEnded), watchdog(clock, 0.6):
        try:
            with watchdog(Clock(), 0.05):
                time.sleep(5)
        except SearchEnded:
            inner_s = clock.seconds
        time.sleep(5)
    assert inner_s is not None and inner_s < 0.85 <= clock.seconds < 3
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_outer_one_that_is_due_sooner_ends_the_inner_body() -> None:
    clock = Clock()
    with pytest.raises(SearchEnded), watchdog(clock, 0.05), watchdog(Clock(), 60):
        time.sleep(5)
    assert clock.seconds < 3


def test_body_in_another_thread_is_ended_too() -> None:
    ended: list[float] = []

    def body() -> None:
        clock = Clock()
        try:
            with watchdog(clock, 0.1):
                while True:
                    time.sleep(0.01)
        except SearchEnded:
            ended.append(clock.seconds)
        for _ in range(50):  # nothing comes later
            time.sleep(0.01)
        ended.append(clock.seconds)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(60)
    assert len(ended) == 2 and ended[0] < 10


def test_body_in_another_thread_that_ends_just_in_time_is_left_alone() -> None:
    faults: list[BaseException] = []

    def body(wait_s: float) -> None:
        try:
            with suppress(SearchEnded), watchdog(Clock(), 0.01):
                while clock.seconds < wait_s:
                    pass
            for _ in range(200_000):
                pass
        except BaseException as error:
            faults.append(error)

    for k in range(20):
        clock = Clock()
        thread = threading.Thread(target=body, args=(0.25 + k / 1000,))
        thread.start()
        thread.join(60)
    assert not faults


def test_limit_without_end_is_one() -> None:
    with watchdog(Clock(), 1e300):
        time.sleep(0.01)


ALARM = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="signals")


@pytest.fixture
def alarms() -> Iterator[list[int]]:
    """Have alarms noted."""
    came: list[int] = []
    before = signal.signal(signal.SIGALRM, lambda number, frame: came.append(number))
    yield came
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@ALARM
def test_alarm_of_the_caller_reaches_the_caller_and_ends_no_run(alarms: list[int]) -> None:
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    clock = Clock()
    with watchdog(clock, 60):
        while clock.seconds < 0.5:
            time.sleep(0.01)
    assert alarms == [signal.SIGALRM]


@ALARM
def test_alarm_of_the_caller_is_still_due_after_a_run(alarms: list[int]) -> None:
    handler = signal.getsignal(signal.SIGALRM)
    signal.setitimer(signal.ITIMER_REAL, 60, 7)
    with pytest.raises(SearchEnded), watchdog(Clock(), 0.05):
        time.sleep(5)
    left_s, again_s = signal.getitimer(signal.ITIMER_REAL)
    assert 30 < left_s < 60 and again_s == 7
    assert signal.getsignal(signal.SIGALRM) == handler and not alarms


@ALARM
def test_alarm_that_the_body_takes_away_is_not_the_watchdogs(alarms: list[int]) -> None:
    clock = Clock()
    with pytest.raises(SearchEnded), watchdog(clock, 0.1):
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        while clock.seconds < 20:
            pass


@pytest.mark.skipif(SIGNAL is None, reason="signals")
def test_body_that_blocks_all_signals_is_ended() -> None:
    clock = Clock()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with pytest.raises(SearchEnded), watchdog(clock, 0.1):
            while clock.seconds < 20:
                pass
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    assert clock.seconds < 20


@pytest.mark.skipif(SIGNAL is None, reason="signals")
def test_the_callers_own_handler_of_its_signal_is_called_and_restored() -> None:
    assert SIGNAL is not None
    came: list[int] = []

    def handler(number: int, frame: FrameType | None) -> None:
        came.append(number)

    before = signal.signal(SIGNAL, handler)
    try:
        with watchdog(Clock(), 60):
            signal.raise_signal(SIGNAL)
        assert came == [SIGNAL] and signal.getsignal(SIGNAL) is handler
    finally:
        signal.signal(SIGNAL, before)


def test_signal_behind_an_error_is_found() -> None:
    def wrapped(signal_like: BaseException) -> SystemError:
        try:
            try:
                raise signal_like
            except BaseException as inner:
                raise SystemError("returned a result with an exception set") from inner
        except SystemError as error:
            return error

    for each in (SearchEnded(), KeyboardInterrupt()):
        assert signal_behind(wrapped(each)) is each
    assert signal_behind(wrapped(ValueError())) is None


_TRACED = """
import sys, threading
from offbench.search.budget import Clock, SearchEnded
from offbench.search.watchdog import watchdog

def ended():
    try:
        with watchdog(Clock(), 0.1):
            while True:
                pass
    except SearchEnded:
        pass

def called():
    pass

with watchdog(Clock(), 60):
    pass
thread = threading.Thread(target=ended)
thread.start()
thread.join()
sys.settrace(lambda *event: None)
called()
sys.settrace(None)
print("over")
"""


def test_what_is_traced_afterwards_goes_on() -> None:
    # An exception that is announced to a thread and never arrives has Python 3.11 turn in circles there.
    ended = subprocess.run([sys.executable, "-c", _TRACED], capture_output=True, text=True, timeout=60, check=False)
    assert (ended.stdout, ended.stderr) == ("over\n", "")
