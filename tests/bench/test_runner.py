"""All jobs of a plan: each leaves a row, nothing runs twice, losses are made good."""

import math
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.stand_ins import Here, here, row, solved
from offbench import OffbenchError
from offbench.bench import claims, runner
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


def test_run_that_another_process_is_at_is_left_to_it(made: Plan, tmp_path: Path, living: int) -> None:
    store = Store(tmp_path)
    theirs = next(job for job in made.jobs if job.solver == "random")
    claim_of(living, tmp_path, theirs.key)
    outcome = run(made, store)
    assert (outcome.done, outcome.elsewhere, outcome.missing) == (11, 1, 0)
    assert not store.has(theirs)


def test_run_that_another_process_has_given_up_is_made(
    made: Plan, tmp_path: Path, living: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path)
    theirs = next(job for job in made.jobs if job.solver == "random")
    claim_of(living, tmp_path, theirs.key)

    class Slow(Here):
        def run(self, execute: object, work: Iterable[tuple[Job, dict[str, Any], int]]) -> Iterator[Row]:
            yield from super().run(execute, work)
            (tmp_path / "claims" / theirs.key).unlink(missing_ok=True)  # it was interrupted

    with_workers(monkeypatch, Slow)
    outcome = run(made, store)
    assert (outcome.done, outcome.elsewhere, outcome.missing) == (12, 0, 0)


def test_whoever_cannot_be_seen_is_waited_for(
    made: Plan, tmp_path: Path, living: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run is another's only if that shows life; here its heart stopped, on a machine that is not this one."""
    monkeypatch.setattr(claims, "STALE_S", 3.0)
    monkeypatch.setattr(runner, "_LOOK_S", 0.1)
    store = Store(tmp_path)
    theirs = next(job for job in made.jobs if job.solver == "random")
    claim_of(living, tmp_path, theirs.key, place="elsewhere")
    outcome = run(made, store)
    assert (outcome.done, outcome.elsewhere, outcome.missing) == (12, 0, 0)


def test_row_that_is_missing_in_the_end_is_told(made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, put = Store(tmp_path), Store.put

    def gone(self: Store, row: Row) -> None:
        put(self, row)
        if row.job.solver == "greedy":
            self.path_of(row.job.key).unlink()  # somebody cleans up

    monkeypatch.setattr(Store, "put", gone)
    assert run(made, store).missing == 2


def test_run_of_other_code_is_filed_as_such(made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Edited(Here):
        def run(self, execute: object, work: Iterable[tuple[Job, dict[str, Any], int]]) -> Iterator[Row]:
            for made in super().run(execute, work):
                ran = made.job.model_copy(update={"code": "edited"})
                yield made.model_copy(update={"job": ran}) if made.job.solver == "greedy" else made

    with_workers(monkeypatch, Edited)
    store = Store(tmp_path)
    outcome = run(made, store)
    assert (outcome.done, outcome.missing, outcome.changed) == (12, 2, ("greedy",))
    planned = [job for job in made.jobs if job.solver == "greedy"]
    assert not any(store.has(job) for job in planned)
    assert all(store.has(job.model_copy(update={"code": "edited"})) for job in planned)
    assert not list((tmp_path / "claims").iterdir())


def test_row_that_cannot_be_kept_ends_no_suite(made: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(Here):
        def run(self, execute: object, work: Iterable[tuple[Job, dict[str, Any], int]]) -> Iterator[Row]:
            for made in super().run(execute, work):
                odd = {"message": "\ud800"} if made.job.instance == "tiny-chains" else {"objective": math.nan}
                yield made.model_copy(update=odd) if made.job.solver == "greedy" else made

    with_workers(monkeypatch, Odd)
    store = Store(tmp_path)
    outcome = run(made, store)
    assert (outcome.done, outcome.failed, outcome.missing) == (12, 2, 0)
    kept = [row for row in store.rows() if row.job.solver == "greedy"]
    assert {(row.status, row.message.partition(":")[0]) for row in kept} == {("error", "its row can't be kept")}
    assert len(store.rows()) == 12 and not store.damaged


@pytest.fixture
def living() -> Iterator[int]:
    """Return a process that lives."""
    sleeper = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    yield sleeper.pid
    sleeper.kill()
    sleeper.wait()


def claim_of(pid: int, folder: Path, key: str, **more: Any) -> None:
    """Leave a process's claim in a folder."""
    facts = {"host": "somewhere", "place": claims.here(), "pid": pid, "started": claims.began(pid)}
    (folder / "claims").mkdir(exist_ok=True)
    claimant = claims.Claimant.model_validate(facts | more)
    (folder / "claims" / key).write_text(claimant.model_dump_json(), encoding="utf-8")


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
