"""A process of our own: what it answers, how it ends, what it leaves."""

import os
import signal
import subprocess
import sys
import time
from contextlib import nullcontext, suppress
from pathlib import Path

import psutil
import pytest

from offbench.runs.process import Died, Process, TooLarge

LINUX = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="what the system does for us")
CHILD = """
import ctypes, itertools, os, subprocess, sys, time
from offbench.runs.serve import serve

def answer(request, say):
    if "code" not in request:
        return None
    scope = dict(globals(), say=say)
    exec(request["code"], scope)
    return {"result": scope.get("result")}

serve(lambda: {"hello": True}, answer)
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let there be a module `told` whose process executes what it is told."""
    (tmp_path / "told.py").write_text(CHILD, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)


def gone(pid: int, at_most_s: float = 20) -> bool:
    deadline = time.monotonic() + at_most_s
    with suppress(psutil.NoSuchProcess):
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.05)
    return True


def test_it_greets_answers_and_ends() -> None:
    with Process("told") as process:
        assert process.receive(60) == {"hello": True}
        process.post({"code": "print('no answer'); say({'half': 1}); result = 2"})
        assert [process.receive(60), process.receive(60)] == [{"half": 1}, {"result": 2}]
        process.post({})
        assert process.ended(60)
        with pytest.raises(Died, match="exit code 0: no answer"):
            process.receive(5)


def test_what_is_written_into_its_pipes_is_no_answer() -> None:
    code = 'for fd in range(3, 12):\n    try: os.write(fd, b\'{"result": 0}\\n{"result\')\n    except OSError: pass'
    with Process("told") as process:
        process.receive(60)
        assert process.ask({"code": f"{code}\nresult = 1"}, 60) == {"result": 1}


def test_its_limits() -> None:
    with Process("told") as process:
        process.receive(60)
        with pytest.raises(TimeoutError):
            process.ask({"code": "time.sleep(600)"}, 0.5)
    with Process("told") as process:
        process.receive(60)
        with pytest.raises(TooLarge):
            process.ask({"code": "kept = bytearray(200_000_000); time.sleep(600)"}, 60, at_most_mb=150)


@LINUX
def test_what_it_said_while_this_process_was_suspended_is_heard() -> None:
    """As by Ctrl-Z: the limit passes, and the answer lies in the pipe, unread."""
    asks = (
        "from offbench.runs.process import Process\n"
        "with Process('told') as process:\n"
        "    process.receive(60)\n"
        "    for k in range(5):\n"
        "        print(process.ask({'code': 'time.sleep(0.5); result = 1'}, 1), flush=True)\n"
    )
    path = os.pathsep.join(path for path in sys.path if path)
    with subprocess.Popen(
        [sys.executable, "-c", asks], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    ) as asker:
        try:
            assert asker.stdout is not None
            heard = asker.stdout.readline()
            for _ in range(4):
                time.sleep(0.1)
                asker.send_signal(signal.SIGSTOP)
                time.sleep(2.5)
                asker.send_signal(signal.SIGCONT)
                heard += asker.stdout.readline()
        finally:
            asker.kill()
    assert heard == "{'result': 1}\n" * 5


def test_its_end_is_seen_though_a_child_of_it_holds_the_pipe_and_the_child_is_ended() -> None:
    code = "pid = os.fork()\nif pid == 0:\n    os.setsid(); time.sleep(600)\nsay({'pid': pid})\nos._exit(7)"
    with Process("told") as process:
        process.receive(60)
        pid = process.ask({"code": code}, 60)["pid"]
        with pytest.raises(Died, match="exit code 7"):
            process.receive(60)
        assert [left.pid for left in process.left()] == [pid]
    assert gone(pid)


def test_the_end_of_what_it_says_is_kept() -> None:
    code = "os.write(2, b'x' * 10**7 + b'\\nlast words\\n'); os._exit(1)"
    with Process("told") as process:
        process.receive(60)
        with pytest.raises(Died, match="exit code 1: last words") as end:
            process.ask({"code": code}, 60)
    assert len(end.value.told) <= 20_000


def test_request_that_nobody_reads_makes_nobody_wait() -> None:
    with Process("told") as process:
        process.receive(60)
        process.post({"code": "any(itertools.repeat(False))"})
        process.post({"code": " " * 10**7})
        with pytest.raises(TimeoutError):
            process.receive(0.5)


# What a process does and starts, in the end saying that it has.
STAYS = {
    "in compiled code": "say({'pids': [os.getpid()]}); any(itertools.repeat(False))",
    "in a session of its own": (
        "say({'pids': [subprocess.Popen(['sleep', '600'], start_new_session=True).pid]}); time.sleep(600)"
    ),
    "without our environment": (
        "say({'pids': [subprocess.Popen(['env', '-i', 'sleep', '600'], start_new_session=True).pid]}); time.sleep(600)"
    ),
    "an orphan": (
        "read, write = os.pipe()\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if (pid := os.fork()) != 0:\n"
        "        os.write(write, b'%d' % pid); os._exit(0)\n"
        "    time.sleep(600)\n"
        "os.wait(); say({'pids': [int(os.read(read, 20))]}); time.sleep(600)"
    ),
}


@LINUX
@pytest.mark.parametrize("code", STAYS.values(), ids=STAYS)
def test_it_and_what_it_started_end_with_the_one_that_asked(code: str) -> None:
    asks = (
        "from offbench.runs.process import Process\n"
        "with Process('told') as process:\n"
        "    process.receive(60)\n"
        f"    print(*process.ask({{'code': {code!r}}}, 60)['pids'], flush=True)\n"
        "    process.receive(600)\n"
    )
    path = os.pathsep.join(path for path in sys.path if path)
    asker = subprocess.Popen(
        [sys.executable, "-c", asks], stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": path}
    )
    try:
        assert asker.stdout is not None
        pids = [int(pid) for pid in asker.stdout.readline().split()]
        time.sleep(0.5)  # so that the loop has begun
        assert pids and all(not gone(pid, 0) for pid in pids)
    finally:
        asker.kill()
        asker.wait()
    assert all(gone(pid) for pid in pids)


@LINUX
@pytest.mark.parametrize("code", STAYS.values(), ids=STAYS)
def test_it_and_what_it_started_end_with_the_context(code: str) -> None:
    with Process("told") as process:
        process.receive(60)
        pids = process.ask({"code": code}, 60)["pids"]
        assert pids and all(not gone(pid, 0) for pid in pids)
    assert all(gone(pid) for pid in pids)


@LINUX
def test_what_it_started_ends_though_nobody_heard_of_its_own_end() -> None:
    """Where it ends first, and then the one that asked: a socket that is closed with something unread is reset."""
    code = "say({'pid': subprocess.Popen(['env', '-i', 'sleep', '600'], start_new_session=True).pid}); os._exit(0)"
    with Process("told") as process:
        process.receive(60)
        pid = process.ask({"code": code}, 60)["pid"]
        time.sleep(1)
        assert not gone(pid, 0)
    assert gone(pid)


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_it_can_not_ask_its_parent_to_end(number: str) -> None:
    with Process("told") as process:
        process.receive(60)
        code = f"import signal; os.kill(os.getppid(), signal.{number}); result = 1"
        assert process.ask({"code": code}, 60) == {"result": 1}
        assert process.ask({"code": "result = os.getppid()"}, 60) != {"result": os.getpid()}


@LINUX
@pytest.mark.parametrize("number", ["SIGKILL", "SIGSTOP"])
def test_it_ends_all_the_same_where_it_puts_its_supervisor_away(number: str) -> None:
    with Process("told") as process:
        process.receive(60)
        does = f"import signal; os.kill(os.getppid(), signal.{number})"
        process.post({"code": f"say({{'pid': os.getpid()}}); {does}; say({{}}); time.sleep(600)"})
        pid = process.receive(60)["pid"]
        with pytest.raises(Died, match="SIGKILL") if number == "SIGKILL" else nullcontext():
            process.receive(60)
            if number == "SIGKILL":  # it may have said that much
                process.receive(60)
    assert gone(pid)


def test_interrupt_reaches_it() -> None:
    code = "\ntry:\n    say({}); time.sleep(600)\nexcept KeyboardInterrupt: result = 'pressed'"
    with Process("told") as process:
        process.receive(60)
        process.ask({"code": code}, 60)
        time.sleep(0.2)
        process.interrupt()
        assert process.receive(60) == {"result": "pressed"}
