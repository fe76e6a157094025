"""Ctrl-C while HiGHS works: nothing goes on, nothing is left, nothing is printed."""

import os
import signal
import tempfile
import threading
import time
from pathlib import Path

import psutil
import pytest

import offbench as ob


@pytest.mark.parametrize("name", ["alexnet", "vgg19"])
def test_ctrl_c_leaves_nothing_behind(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    seen, over = threading.Event(), threading.Event()

    def press() -> None:
        while not over.is_set() and not any(thread.name == "HiGHS" for thread in threading.enumerate()):
            time.sleep(0.01)
        time.sleep(0.5)
        seen.set()
        while not over.is_set():  # again, as Python loses what comes while it destroys an object
            os.kill(os.getpid(), signal.SIGINT)
            over.wait(4)

    handler = signal.signal(signal.SIGINT, signal.default_int_handler)  # tests in the background have it ignored
    try:
        pressing = threading.Thread(target=press, daemon=True)
        pressing.start()
        solution = ob.solve(name, "milp", time_limit=60)
        over.set()
        pressing.join()
    finally:
        over.set()
        signal.signal(signal.SIGINT, handler)
    assert seen.is_set() and solution.stopped == "interrupted"
    assert not any(thread.name == "HiGHS" for thread in threading.enumerate())
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= before
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr() == ("", "")
