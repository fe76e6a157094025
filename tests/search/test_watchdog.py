"""The watchdog: ends a body that doesn't look at the clock, and leaves no trace of itself."""

import importlib
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from offbench import SearchEnded
from offbench.search.budget import Clock
from offbench.search.watchdog import watchdog


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


def test_thread_gets_no_alarm() -> None:
    ended: list[bool] = []

    def body() -> None:
        with watchdog(Clock(), 0.01):
            time.sleep(0.5)
        ended.append(True)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    assert ended == [True]
