"""All jobs of a plan: each leaves a row, nothing runs twice, losses are made good."""

import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.stand_ins import Here, here, row, solved
from offbench import OffbenchError
from offbench.bench import runner
from offbench.bench.job import Job
from offbench.bench.plan import Plan, plan
from offbench.bench.row import Row, row_of
from offbench.bench.runner import Progress, run, undisturbed
from offbench.bench.store import Store
from offbench.bench.suite import Suite
from offbench.bench.workers import Workers

SUITE = {
    "name": "small", "instances": ["tiny-chains", "tiny-graphs"],
    "solvers": ["random", "nobody", {"name": "chain-exact", "seeds": 1}, {"name": "greedy", "seeds": 1}],
    "seeds": 2, "time_limit_s": 20, "max_evaluations": 20,
}  # fmt: skip


@pytest.fixture
def made() -> Plan:
    return plan(Suite.model_validate(SUITE), Path())


@pytest.fixture(autouse=True)
def in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "workers", here)


def with_workers(monkeypatch: pytest.MonkeyPatch, crew: type[Here]) -> None:
    @contextmanager
    def workers(backend: str, address: str | None, jobs: int) -> Iterator[Workers]:
        yield crew("test", jobs, jobs, (ConnectionError,))

    monkeypatch.setattr(runner, "workers", workers)


def test_every_planned_run_leaves_a_row(made: Plan, tmp_path: Path) -> None:
    outcome = run(made, Store(tmp_path))
    assert (outcome.done, outcome.failed, outcome.skipped, outcome.interrupted) == (12, 0, 0, False)
    found = {row.job.cell: row for row in Store(tmp_path).rows()}
    assert set(found) == {job.cell for job in made.jobs}
    statuses = {
        solver: {one.status for one in found.values() if one.job.solver == solver} for solver in ("nobody", "greedy")
    }
    assert statuses == {"nobody": {"not-installed"}, "greedy": {"feasible"}}
    refused = found["tiny-graphs", "chain-exact", 0]
    assert (refused.status, refused.objective) == ("refused", None)
    assert "chain-exact" in refused.message
    assert not list((tmp_path / "claims").iterdir())


def test_same_command_goes_on_and_makes_nothing_twice(made: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path)
    run(made, store)
    gone = made.jobs[3]
    store.path_of(gone.key).unlink()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "runs").iterdir()}
    outcome = run(made, store)
    assert (outcome.done, outcome.skipped) == (1, 11)
    assert store.has(gone)
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_damaged_row_is_run_again(made: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path)
    run(made, store)
    store.path_of(made.jobs[0].key).write_text("{", encoding="utf-8")
    assert run(made, store).done == 1
    assert len(store.damaged) == 1
    assert len(Store(tmp_path).rows()) == 12


def test_failed_runs_are_kept_and_run_again_when_asked(made: Plan, tmp_path: Path) -> None:
    store = Store(tmp_path)
    run(made, store)
    job = next(job for job in made.jobs if job.solver == "greedy")
    store.put(row_of(job, {"status": "error", "message": "broke", "traceback": "..."}, 1))
    assert run(made, store).done == 0
    kept = store.get(job)
    assert kept is not None and (kept.status, kept.message) == ("error", "broke")
    assert run(made, store, rerun_failed=True).done == 1
    again = store.get(job)
    assert again is not None and again.status == "feasible"


def test_lost_worker_costs_nothing_but_its_run(made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[str] = []

    class Losing(Here):
        def run(self, execute: object, work: Iterable[tuple[Job, dict[str, Any], int]]) -> Iterator[Row]:
            for job, instance, jobs in work:
                tries.append(job.key)
                if len(tries) in (3, 4, 7):
                    raise ConnectionError("a worker died\nlong story")
                yield solved(job, instance, jobs)

    with_workers(monkeypatch, Losing)
    outcome = run(made, Store(tmp_path))
    assert outcome.done == 12
    assert outcome.lost == ("ConnectionError: a worker died",) * 3
    assert len(tries) == 8 + 3  # the four rows of the solver that is not there need no worker
    assert not list((tmp_path / "claims").iterdir())


def test_workers_that_keep_dying_are_an_error(made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Dying(Here):
        def run(self, execute: object, work: Iterable[tuple[Job, dict[str, Any], int]]) -> Iterator[Row]:
            next(iter(work))
            raise ConnectionError("out of memory")
            yield

    with_workers(monkeypatch, Dying)
    with pytest.raises(OffbenchError, match="workers keep dying: ConnectionError: out of memory"):
        run(made, Store(tmp_path))
    assert not list((tmp_path / "claims").iterdir())


def test_interrupt_keeps_what_is_done(made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pressed(Here):
        def run(self, execute: object, work: Iterable[tuple[Job, dict[str, Any], int]]) -> Iterator[Row]:
            for number, (job, instance, jobs) in enumerate(work):
                if number == 2:
                    raise KeyboardInterrupt
                yield solved(job, instance, jobs)

    with_workers(monkeypatch, Pressed)
    store = Store(tmp_path)
    outcome = run(made, store)
    assert outcome.interrupted
    assert outcome.done == len(store.rows()) == 4 + 2  # with those of the solver that isn't there
    assert not store.claimed()
    with_workers(monkeypatch, Here)
    assert run(made, store).done == 6


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupt_waits_for_what_is_being_written(number: signal.Signals) -> None:
    written = []
    before = signal.signal(number, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), undisturbed():
            os.kill(os.getpid(), number)
            written.append(True)
    finally:
        signal.signal(number, before)
    assert written == [True]


def test_run_that_another_process_is_at_is_left_to_it(
    made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    theirs = next(job for job in made.jobs if job.solver == "random")
    monkeypatch.setattr(store, "claim", lambda job: job.key != theirs.key and Store.claim(store, job))
    outcome = run(made, store)
    assert (outcome.done, outcome.elsewhere) == (11, 1)
    assert not store.has(theirs)


def test_run_that_another_process_has_made_meanwhile_is_not_made_again(
    made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    theirs = next(job for job in made.jobs if job.solver == "random")
    kept = row(objective=None).model_copy(update={"job": theirs})

    def claim(job: Job) -> bool:
        if job == theirs:
            store.put(kept)
        return Store.claim(store, job)

    monkeypatch.setattr(store, "claim", claim)
    assert run(made, store).done == 11
    assert store.get(theirs) == kept


def test_progress_counts(made: Plan, tmp_path: Path) -> None:
    from offbench.bench.forecast import duration, state

    seen: list[Progress] = []
    run(made, Store(tmp_path), on_start=seen.append)
    (progress,) = seen
    share, text = state(progress, {})
    assert share == 1
    assert text == "12 of 12 runs, about 0 s left"
    del progress.rows[next(iter(progress.rows))]
    assert state(progress, {})[0] == pytest.approx(11 / 12)
    assert [duration(seconds) for seconds in (59.4, 300, 7200)] == ["59 s", "5 min", "2.0 h"]
