"""Runs without processes, and rows made by hand."""

import datetime
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from offbench.bench.job import Job
from offbench.bench.row import Row, row_of
from offbench.bench.workers import Workers

MACHINE: dict[str, Any] = {
    "host": "here", "system": "Test", "cpu": "Abacus", "physical_cores": 2, "logical_cores": 2, "memory_gb": 1.0,
    "load": 0.5, "commit": None, "versions": {"offbench": "0"},
}  # fmt: skip


class Here(Workers):
    """Workers that are this process, and solve here whatever they are told to execute."""

    def run(self, execute: object, work: Iterable[tuple[Job, dict[str, Any], int]]) -> Iterator[Row]:
        for job, instance, jobs in work:
            yield solved(job, instance, jobs)


@contextmanager
def here(backend: str, address: str | None, jobs: int) -> Iterator[Workers]:
    """Stand in for `workers.workers`."""
    yield Here("here", jobs, jobs, (ConnectionError,))


def solved(job: Job, instance: dict[str, Any], jobs: int = 1) -> Row:
    """Run a job in this process."""
    from offbench import OffbenchError, solve  # here, for the evaluator takes seconds to import
    from offbench.model.instance import parse

    try:
        solution = solve(
            parse(instance), job.name, parameters=job.parameters, seed=job.seed, time_limit=job.time_limit_s,
            max_evaluations=job.max_evaluations,
        )  # fmt: skip
    except OffbenchError as error:
        return row_of(job, {"status": "refused", "message": str(error), "machine": MACHINE}, jobs)
    return row_of(job, {"solution": solution.to_dict(), "machine": MACHINE}, jobs)


def job(instance: str = "one", solver: str = "a", seed: int = 0, **more: Any) -> Job:
    """Return a job made by hand."""
    facts = {
        "instance_hash": f"hash of {instance}",
        "name": solver,
        "parameters": {},
        "time_limit_s": 10.0,
        "code": "code",
    }
    return Job(instance=instance, solver=solver, seed=seed, max_evaluations=None, **facts | more)


def row(
    instance: str = "one", solver: str = "a", seed: int = 0, objective: float | None = 1.0, bound: float | None = None,
    status: str = "feasible", client_only: float = 2.0, seconds: float = 10.0, **more: Any,
) -> Row:  # fmt: skip
    """Return a row made by hand; without an objective it is a timeout."""
    return Row(
        job=job(instance, solver, seed, **{name: more.pop(name) for name in ("code", "instance_hash") if name in more}),
        status="timeout" if objective is None and status == "feasible" else status,
        objective=objective, lower_bound=bound, client_only=client_only, seconds=seconds,
        trace=() if objective is None else ((seconds / 2, 1, objective, None),),
        started=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), **more,
    )  # fmt: skip
