"""All jobs of a plan, here or on a cluster; joblib hands them out."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from offbench.bench.job import NOT_INSTALLED, Job
from offbench.bench.plan import Plan
from offbench.bench.process import run_job
from offbench.bench.row import Row, not_installed, row_of
from offbench.bench.store import Store
from offbench.bench.workers import ENDING, Backend, Execute, Workers, workers
from offbench.errors import OffbenchError

# Workers may be lost, and their runs are made again; if that happens as often in a row, something else is wrong.
_LOSSES = 3
# Between two looks at what other processes are at.
_LOOK_S = 0.5


@dataclass
class Progress:
    """How far it is; the command line looks at this while it runs."""

    todo: list[Job]
    jobs: int
    """at once"""
    rows: dict[str, Row] = field(default_factory=dict)
    """done now, by the keys of the jobs as they were planned"""

    @property
    def failed(self) -> int:
        """How many of those done now ended in an error or were killed."""
        return sum(row.failed for row in list(self.rows.values()))


@dataclass(frozen=True)
class Tally:
    """What came of it."""

    done: int
    """runs made now"""
    failed: int
    """of these"""
    skipped: int
    """runs that had a row"""
    elsewhere: int
    """runs that another process, which lives, is at"""
    missing: int
    """other runs that have no row"""
    changed: tuple[str, ...]
    """solvers whose code was another one than planned when a run was made: its row is filed under that"""
    interrupted: bool
    lost: tuple[str, ...]
    """what workers died of"""


def to_run(plan: Plan, store: Store, rerun_failed: bool = False) -> list[Job]:
    """Return the jobs that have no row yet, or, if that is wanted, a failed one."""
    found = []
    for job in plan.jobs:
        row = store.get(job)
        if row is None or (rerun_failed and row.failed):
            found.append(job)
    return found


def run(
    plan: Plan,
    store: Store,
    jobs: int = 1,
    backend: Backend = "loky",
    address: str | None = None,
    rerun_failed: bool = False,
    on_start: Callable[[Progress], None] = lambda progress: None,
    execute: Execute = run_job,
) -> Tally:
    """Run what has no row yet, and keep a row of each run as it ends.

    Parameters
    ----------
    plan
        What is to be run.
    store
        Where rows go.
    jobs
        How many runs at once; on a cluster, -1 for all that it has.
    backend, address
        Where runs are made: processes here, or a cluster of Dask or Ray at an address.
    rerun_failed
        Run again what ended in an error or was killed.
    on_start
        Called with the progress, to watch it.
    execute
        What makes a run.

    Returns
    -------
    Tally
        Also if Ctrl-C ended it: the runs in flight are given up, what was done is kept.

    Raises
    ------
    OffbenchError
        If the cluster can't be reached, workers keep dying, the folder has runs of another budget, or it is deleted
        meanwhile.
    """
    store.add_plan(plan.jobs)
    store.mend()
    for instance in plan.instances.values():
        store.keep_instance(instance)
    todo = to_run(plan, store, rerun_failed)
    again = {job.key for job in todo if store.has(job)}  # failed ones
    progress = Progress(todo, jobs)
    on_start(progress)
    elsewhere: list[Job] = []
    in_flight: dict[tuple[str, str, int], Job] = {}

    def claimed() -> Iterator[Job]:
        elsewhere.clear()
        for job in todo:
            if job.key in progress.rows:
                continue
            if not store.claim(job):
                elsewhere.append(job)
            elif job.key not in again and store.has(job):  # somebody else has made it meanwhile
                store.release(job)
            else:
                in_flight[job.cell] = job
                yield job

    def keep(row: Row) -> None:
        with undisturbed():
            job = in_flight.get(row.job.cell, row.job)
            progress.rows[job.key] = _put(store, row)
            store.release(job)
            in_flight.pop(job.cell, None)

    lost: list[str] = []
    interrupted = False
    try:
        for job in todo:
            if job.code == NOT_INSTALLED:
                keep(not_installed(job, plan.absent[job.solver]))
        if len(progress.rows) < len(todo):
            with workers(backend, address, jobs) as crew, store.claims.beating():
                progress.jobs = crew.jobs
                _work(crew, execute, plan, claimed, keep, lost)
                done = -1
                while len(progress.rows) > done and _given_up(elsewhere, store):
                    done = len(progress.rows)
                    _work(crew, execute, plan, claimed, keep, lost)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        for job in in_flight.values():
            store.release(job)
    store.check_there()
    missing = [job for job in plan.jobs if not store.has(job)]
    theirs = [job for job in missing if store.claims.holds(job.key)]
    return Tally(
        done=len(progress.rows),
        failed=progress.failed,
        skipped=len(plan.jobs) - len(todo),
        elsewhere=len(theirs),
        missing=len(missing) - len(theirs),
        changed=tuple(sorted({row.job.solver for key, row in progress.rows.items() if row.job.key != key})),
        interrupted=interrupted,
        lost=tuple(lost),
    )


def _put(store: Store, row: Row) -> Row:
    """Keep a row, or that it can't be kept, which is no reason to end a suite; return what was kept."""
    try:
        store.put(row)
        return row
    except ValueError as error:
        answer = {"status": "error", "message": f"its row can't be kept: {type(error).__name__}"}
        instead = row_of(row.job, answer, row.jobs)
        store.put(instead)
        return instead


def _given_up(jobs: Iterable[Job], store: Store) -> bool:
    """Wait until it shows whether the processes live that are at jobs; tell whether one is free, and has no row."""
    while True:
        left = [job for job in jobs if not store.has(job)]
        if any(not store.claims.holds(job.key) for job in left):
            return True
        if all(store.claims.shows_life(job.key) for job in left):
            return False
        time.sleep(_LOOK_S)


def _work(
    crew: Workers,
    execute: Execute,
    plan: Plan,
    claimed: Callable[[], Iterator[Job]],
    keep: Callable[[Row], None],
    lost: list[str],
) -> None:
    """Have the jobs run, again where a worker was lost with them."""
    instances = {name: instance.model_dump(mode="json") for name, instance in plan.instances.items()}
    in_vain = 0
    while in_vain < _LOSSES:
        in_vain += 1
        try:
            for row in crew.run(execute, ((job, instances[job.instance], crew.jobs_here) for job in claimed())):
                keep(row)
                in_vain = 0
            return
        except crew.losses as error:
            lost.append(f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}")
    raise OffbenchError(f"workers keep dying: {lost[-1]}")


@contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C, and what asks this process to end, back until the body is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda number, frame: came.append(number)) for number in ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
    if came:
        signal.raise_signal(came[0])
