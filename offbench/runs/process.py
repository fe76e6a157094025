"""A process that runs what it is asked for, with a hard end: nothing that it started outlives it."""

import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from time import monotonic
from types import TracebackType
from typing import IO, Any, Self

import psutil

_THREADS = ("OMP", "MKL", "OPENBLAS", "NUMBA", "VECLIB_MAXIMUM", "NUMEXPR")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _THREADS}

TOKEN = "OFFBENCH_PROCESS"
"""the variable that marks a process and all that it starts; its answers begin with the value"""
PARENT = "OFFBENCH_PARENT"
"""the variable with the id of the process that asks"""

_KEPT = 20_000  # characters of what a process left on standard error
_LOOK_S = 0.2  # between two looks at its memory
_LAST_WORDS_S = 1.0  # for what it said before it ended to come through
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
    """A process that answers requests; ended, with all that it started, when the context ends.

    Parameters
    ----------
    module
        What runs in it, by `offbench.runs.serve`.
    """

    def __init__(self, module: str) -> None:
        self.module = module
        self._token = secrets.token_hex(16)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", self.module],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={
                **os.environ, **ONE_THREAD, TOKEN: self._token, PARENT: str(os.getpid()),
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
            start_new_session=True,  # Ctrl-C is for us, and a group of its own can be ended as one
        )  # fmt: skip
        assert self._process.stdout is not None and self._process.stderr is not None
        self._answers: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._told: deque[bytes] = deque()
        prefix = f"{self._token} ".encode()
        self._readers = [
            threading.Thread(target=_pass_on, args=(self._process.stdout, prefix, self._answers), daemon=True),
            threading.Thread(target=_keep, args=(self._process.stderr, self._told), daemon=True),
        ]
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for _ in range(_ROUNDS):
            if not (left := self.left()):  # what made itself a group of its own
                break
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            psutil.wait_procs(left, timeout=1)
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # of a request that nobody read
            self._process.stdin.close()
        for reader, pipe in zip(self._readers, (self._process.stdout, self._process.stderr), strict=True):
            reader.join(_LAST_WORDS_S)
            if pipe is not None and not reader.is_alive():
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
        """Send a request."""
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the answer that doesn't come says why
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()

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
            ended = self._process.poll() is not None  # seen even where a child of it holds the pipe open
            try:
                line = self._answers.get(timeout=max(0.0, min(_LOOK_S, deadline - monotonic())))
            except queue.Empty:
                if ended:
                    line = None
                elif monotonic() >= deadline:
                    raise TimeoutError from None
                elif at_most_mb is not None and self._memory_mb() > at_most_mb:
                    raise TooLarge from None
        if line is None:
            returncode = self._process.wait()
            self._readers[1].join(_LAST_WORDS_S)
            raise Died(returncode, self.told)
        try:
            answer = json.loads(line)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict):
            raise Garbled(self.told)
        return answer

    def interrupt(self) -> None:
        """Do what Ctrl-C does."""
        self._process.send_signal(signal.SIGINT)

    def ended(self, at_most_s: float) -> bool:
        """Wait for its end; tell whether it came in time."""
        try:
            self._process.wait(at_most_s)
        except subprocess.TimeoutExpired:
            return False
        return True

    def left(self) -> list[psutil.Process]:
        """Return the processes that it started and that are still there, whatever group they are in."""
        return [process for process in _marked(self._token) if process.pid != self._process.pid]

    def _memory_mb(self) -> float:
        try:
            return float(psutil.Process(self._process.pid).memory_info().rss) / 1e6
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
