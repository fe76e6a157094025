"""A run in a process of its own, on one thread, with a hard end."""

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from time import monotonic
from types import TracebackType
from typing import IO, Any, Self

from offbench.bench.job import Job
from offbench.bench.row import Row, row_of

_THREADS = ("OMP", "MKL", "OPENBLAS", "NUMBA", "VECLIB_MAXIMUM", "NUMEXPR")
ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in _THREADS}
# Until a new process has loaded the evaluator, or compiled it, on a busy machine.
_START_S = 300.0
_KEPT = 4000  # characters of what a process that died left on standard error


class Died(Exception):  # noqa: N818 - what happened, not whose fault it is
    """The process ended without an answer."""

    def __init__(self, returncode: int, told: str) -> None:
        self.returncode = returncode
        self.told = told
        last = (told.strip().splitlines() or ["it said nothing"])[-1]
        how = f"signal {signal.Signals(-returncode).name}" if returncode < 0 else f"exit code {returncode}"
        super().__init__(f"its process ended with {how}: {last}")


class SolverProcess:
    """A process that runs what it is asked for; ended, with all its children, when the context ends."""

    facts: dict[str, Any]
    """its machine, and when it started"""

    def __enter__(self) -> Self:
        self._told = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "offbench.bench.child"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._told, text=True, encoding="utf-8",
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            start_new_session=True,  # Ctrl-C is for us, and a group of its own can be ended as one
        )  # fmt: skip
        assert self._process.stdout is not None
        self._answers: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=_pass_on, args=(self._process.stdout, self._answers), daemon=True)
        self._reader.start()
        try:
            self.facts = self._receive(_START_S)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            if isinstance(error, TimeoutError):
                raise Died(0, f"it didn't start within {_START_S:g} s") from None
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # of a request that nobody read
                assert pipe is not None
                pipe.close()
        self._told.close()

    def ask(self, request: Mapping[str, Any], at_most_s: float) -> dict[str, Any]:
        """Return the answer to a request (`child`).

        Raises
        ------
        TimeoutError
            If there is none in time.
        Died
            If the process ended instead.
        """
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # the answer that doesn't come says why
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        return self._receive(at_most_s)

    def _receive(self, at_most_s: float) -> dict[str, Any]:
        try:
            line = self._answers.get(timeout=at_most_s)
        except queue.Empty:
            raise TimeoutError from None
        if line is None:
            returncode = self._process.wait()
            self._told.seek(0, os.SEEK_END)
            self._told.seek(max(0, self._told.tell() - _KEPT))
            raise Died(returncode, self._told.read().decode(errors="replace"))
        answer: dict[str, Any] = json.loads(line)
        return answer


def _pass_on(lines: IO[str], answers: "queue.SimpleQueue[str | None]") -> None:
    for line in lines:
        answers.put(line)
    answers.put(None)


def request_of(job: Job, instance: dict[str, Any], servers: list[int] | None = None) -> dict[str, Any]:
    """Return the request for a job.

    Parameters
    ----------
    job
        What to run.
    instance
        As parsed JSON.
    servers
        For P2: the server of each subtask.
    """
    return {
        "instance": instance,
        "solver": job.name,
        "two_step": job.two_step,
        "policy": job.policy,
        "parameters": job.parameters,
        "seed": job.seed,
        "time_limit": job.time_limit_s,
        "max_evaluations": job.max_evaluations,
        "servers": servers,
    }


@cache
def rehearse(solver: str) -> None:
    """Have a solver compile what it compiles once on a machine (`Solver.warm_up`), for no run's limit allows for that.

    Once in this process; whatever goes wrong, the runs themselves tell.
    """
    with suppress(Died, TimeoutError), SolverProcess() as process:
        process.ask({"rehearse": solver}, _START_S)


def run_job(job: Job, instance: dict[str, Any], jobs: int = 1) -> Row:
    """Run one job in a new process, which is ended at the job's hard limit; return its row, whatever happens.

    Parameters
    ----------
    job
        What to run.
    instance
        As parsed JSON.
    jobs
        How many such runs this machine makes at once, to be recorded.
    """
    rehearse(job.name)
    start, facts = monotonic(), {}
    try:
        with SolverProcess() as process:
            start, facts = monotonic(), process.facts
            answer = process.ask(request_of(job, instance), job.hard_limit_s)
    except TimeoutError:
        seconds = monotonic() - start
        message = f"didn't stop at its limit of {job.time_limit_s:g} s; ended after {seconds:.1f} s"
        answer = {"status": "killed", "message": message, "seconds": seconds}
    except Died as end:
        # The system's killer of processes, most likely: memory.
        status = "killed" if end.returncode == -signal.SIGKILL else "error"
        answer = {"status": status, "message": str(end), "traceback": end.told, "seconds": monotonic() - start}
    return row_of(job, facts | answer, jobs)
