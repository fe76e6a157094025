"""A run in a process of its own, on one thread, with a hard end."""

import signal
from contextlib import suppress
from functools import cache
from time import monotonic
from typing import Any, Self

from offbench.bench.job import Job
from offbench.bench.ran import Expected
from offbench.bench.row import Row, row_of
from offbench.runs.process import ONE_THREAD, Died, Process

__all__ = ["ONE_THREAD", "Died", "SolverProcess", "rehearse", "request_of", "run_job"]

# Until a new process has loaded the evaluator, or compiled it, on a busy machine.
_START_S = 300.0


class SolverProcess(Process):
    """A process that makes runs (`child`); ended, with all that it started, when the context ends."""

    facts: dict[str, Any]
    """its machine, and when it started"""

    def __init__(self) -> None:
        super().__init__("offbench.bench.child")

    def __enter__(self) -> Self:
        super().__enter__()
        try:
            self.facts = self.receive(_START_S)
        except BaseException as error:
            self.__exit__(type(error), error, None)
            if isinstance(error, TimeoutError):
                raise Died(0, f"it didn't start within {_START_S:g} s") from None
            raise
        return self


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
    expected = Expected(job)
    start, facts = monotonic(), {}
    try:
        with SolverProcess() as process:
            start, facts = monotonic(), process.facts
            answer = process.ask(request_of(job, instance) | expected.request(), job.hard_limit_s)
    except TimeoutError:
        seconds = monotonic() - start
        message = f"didn't stop at its limit of {job.time_limit_s:g} s; ended after {seconds:.1f} s"
        answer = {"status": "killed", "message": message, "seconds": seconds}
    except Died as end:
        # The system's killer of processes, most likely: memory.
        status = "killed" if end.returncode == -signal.SIGKILL else "error"
        answer = {"status": status, "message": str(end), "traceback": end.told, "seconds": monotonic() - start}
    return row_of(expected.ran(answer.get("as_told")), facts | answer, jobs, waited_s=monotonic() - start)
