"""A process that runs what it is asked for, with a hard end: nothing that it started outlives it."""

import json
import os
import queue
import secrets
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any, Self

import psutil

from offbench.runs.safe_path import environment, python

_THREADS = ("OMP", "MKL", "OPENBLAS", "NUMBA", "VECLIB_MAXIMUM", "NUMEXPR")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _THREADS}

TOKEN = "OFFBENCH_PROCESS"
"""the variable that marks a process and all that it starts; its answers begin with the value"""
_SUPERVISOR = Path(__file__).with_name("supervisor.py")
_KEPT = 20_000  # characters of what a process left on standard error
_LOOK_S = 0.2  # between two looks at its memory
_HELD_UP_S = 1.0  # a look that is so late: this process was suspended, and what came meanwhile isn't read yet
_LAST_WORDS_S = 1.0  # for what it said before it ended to come through
_END_S = 5.0  # for its supervisor to end all that there is
_ROUNDS = 20  # of ending what it started, which may start others meanwhile


class Died(Exception):  # noqa: N818 - what happened, not whose fault it is
    """The process ended without an answer."""

    def __init__(self, returncode: int, told: str) -> None:
        self.returncode = returncode
        self.told = told
        last = (told.strip().splitlines() or ["it said nothing"])[-1]
        self.how = _signal(-returncode) if returncode < 0 else f"exit code {returncode}"
        super().__init__(f"its process ended with {self.how}: {last}")


class Garbled(Died):
    """It answered something that is none of ours, perhaps because a solver wrote among it."""

    def __init__(self, told: str) -> None:
        super().__init__(0, told)
        self.args = ("what its process answered is no JSON object",)


class TooLarge(Exception):  # noqa: N818 - what happened, not whose fault it is
    """The process took more memory than it may."""


class Process:
    """A process that answers requests; ended, with all that it started, when the context or this process ends.

    Between the two stands one that sees to that (`supervisor`).

    Parameters
    ----------
    module
        What runs in it, by `offbench.runs.serve`.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self._token = secrets.token_hex(16)

    def __enter__(self) -> Self:
        self._control, theirs = socket.socketpair()
        self._heard = b""
        self._pid: int | None = None
        self._returncode: int | None = None
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(_SUPERVISOR), str(theirs.fileno()), *python(self.module)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[theirs.fileno()],
                env={**environment(), **ONE_THREAD, TOKEN: self._token},
                start_new_session=True,  # Ctrl-C is for us
            )  # fmt: skip
        stdin, stdout, stderr = self._process.stdin, self._process.stdout, self._process.stderr
        assert stdin is not None and stdout is not None and stderr is not None
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._told: deque[bytes] = deque()
        prefix = f"{self._token} ".encode()
        self._reader = threading.Thread(target=_keep, args=(stderr, self._told), daemon=True)
        self._pipes: dict[threading.Thread, IO[bytes]] = {
            threading.Thread(target=_write, args=(stdin, self._requests), daemon=True): stdin,
            threading.Thread(target=_pass_on, args=(stdout, prefix, self._answers), daemon=True): stdout,
            self._reader: stderr,
        }
        for thread in self._pipes:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self._control.close()  # so its supervisor ends it
        try:
            self._process.wait(_END_S)
        except subprocess.TimeoutExpired:  # stopped, perhaps
            self._process.kill()
            self._process.wait()
        for _ in range(_ROUNDS):
            if not (left := self.left()):  # of a supervisor that was killed
                break
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=1)
        self._requests.put(None)
        for thread, pipe in self._pipes.items():
            thread.join(_LAST_WORDS_S)
            if not thread.is_alive():
                with suppress(BrokenPipeError):  # of a request that nobody read
                    pipe.close()

    @property
    def told(self) -> str:
        """The end of what it left on standard error."""
        return b"".join(self._told.copy()).decode(errors="replace")[-_KEPT:]

    def ask(self, request: Mapping[str, Any], at_most_s: float, at_most_mb: float | None = None) -> dict[str, Any]:
        """Return the answer to a request; raises as `receive`."""
        self.post(request)
        return self.receive(at_most_s, at_most_mb)

    def post(self, request: Mapping[str, Any]) -> None:
        """Send a request; who doesn't read it makes nobody wait."""
        self._requests.put(json.dumps(request).encode() + b"\n")

    def receive(self, at_most_s: float, at_most_mb: float | None = None) -> dict[str, Any]:
        """Return what comes next.

        Raises
        ------
        TimeoutError
            If nothing comes in time.
        TooLarge
            If the process takes more memory.
        Died
            If the process ended instead, or said what can't be understood (`Garbled`).
        """
        deadline = monotonic() + at_most_s
        line: bytes | None = b""
        while line == b"":
            ended = self._ended_with() is not None  # seen even where a child of it holds the pipe open
            looked = monotonic()
            try:
                line = self._answers.get(timeout=max(0.0, min(_LOOK_S, deadline - monotonic())))
            except queue.Empty:
                if monotonic() - looked > _LOOK_S + _HELD_UP_S:
                    deadline = max(deadline, monotonic() + _LOOK_S)
                if ended:
                    line = None
                elif monotonic() >= deadline:
                    raise TimeoutError from None
                elif at_most_mb is not None and self._memory_mb() > at_most_mb:
                    raise TooLarge from None
        if line is None:
            returncode = self._ended_with(_LAST_WORDS_S)
            self._reader.join(_LAST_WORDS_S)
            raise Died(0 if returncode is None else returncode, self.told)
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Garbled(self.told)
        return answer

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        with suppress(OSError):  # it has ended
            self._control.sendall(b"!")

    def ended(self, at_most_s: float) -> bool:
        """Wait for its end; tell whether it came in time."""
        return self._ended_with(at_most_s) is not None

    def _ended_with(self, at_most_s: float = 0.0) -> int | None:
        """Return its return code, as soon as it has one, or None."""
        deadline = monotonic() + at_most_s
        while self._returncode is None:
            self._control.settimeout(max(0.0, deadline - monotonic()))
            try:
                chunk = self._control.recv(64)
            except (TimeoutError, BlockingIOError):
                return None
            except OSError:
                chunk = b""
            if not chunk:  # its supervisor has ended, and so it has
                self._returncode = self._process.wait()
            self._heard += chunk
            numbers = [int(line) for line in self._heard.split(b"\n")[:-1]]
            if numbers:
                self._pid = numbers[0]
            if len(numbers) > 1:
                self._returncode = numbers[1]
        return self._returncode

    def left(self) -> list[psutil.Process]:
        """Return the processes that it started and that are still there, whatever group they are in."""
        return [process for process in _marked(self._token) if process.pid not in (self._process.pid, self._pid)]

    def _memory_mb(self) -> float:
        try:
            return float(psutil.Process(self._pid).memory_info().rss) / 1e6 if self._pid is not None else 0.0
        except psutil.Error:  # it has ended
            return 0.0


def _signal(number: int) -> str:
    try:
        return f"signal {signal.Signals(number).name}"
    except ValueError:  # one without a name
        return f"signal {number}"


def _marked(token: str) -> Iterator[psutil.Process]:
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):  # others' processes, and those that end meanwhile
            if process.environ().get(TOKEN) == token and process.status() != psutil.STATUS_ZOMBIE:
                yield process


def _write(pipe: IO[bytes], requests: "queue.SimpleQueue[bytes | None]") -> None:
    with suppress(BrokenPipeError):  # the answer that doesn't come says why
        while (request := requests.get()) is not None:
            pipe.write(request)
            pipe.flush()


def _pass_on(lines: IO[bytes], prefix: bytes, answers: "queue.SimpleQueue[bytes | None]") -> None:
    for line in lines:
        if line.startswith(prefix):  # else it isn't from us
            answers.put(line.removeprefix(prefix))
    answers.put(None)


def _keep(pipe: IO[bytes], told: "deque[bytes]") -> None:
    """Keep the end of what comes, however much it is."""
    while chunk := os.read(pipe.fileno(), 65536):
        told.append(chunk)
        while len(told) > 1 and sum(map(len, told)) - len(told[0]) > _KEPT:
            told.popleft()
