"""Where rows are kept: a file each, written whole or not at all, under a key of all that decides it.

A folder of results holds

- ``runs/KEY.json``: the rows
- ``instances/HASH.json``: what was solved
- ``plan.json``: what is to be run, so that a run that is missing is known to be
- ``claims/KEY``: who is at it
- ``damaged/``: files that couldn't be read, set aside
- the suite file

Several processes or machines may write to one folder.
"""

import os
import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
from pydantic import Field, ValidationError

from offbench.bench.job import Job
from offbench.bench.row import Row
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole, writing
from offbench.files.json import one_line, read_json
from offbench.files.text import read_text
from offbench.model.instance import Fact, Instance, parse

# Beyond its hard limit, how long a run may take to start and be written before its claim is stale.
_SLACK_S = 600.0


class PlanFile(Fact):
    """The jobs of a folder, by cell: those of the last command that named the cell."""

    jobs: tuple[Job, ...] = Field(default=())


class Claimant(Fact):
    """Who is at a run."""

    host: str
    pid: int
    process_started: float
    until: float
    """seconds since 1970; after that the claim is stale"""

    @property
    def process(self) -> tuple[str, int, float]:
        """Who made it."""
        return self.host, self.pid, self.process_started

    @property
    def holds(self) -> bool:
        """Whether the process that made it lives, as far as can be told from here, and has time left."""
        if time.time() > self.until:
            return False
        if self.host != platform.node():
            return True
        try:
            return abs(psutil.Process(self.pid).create_time() - self.process_started) < 1
        except psutil.NoSuchProcess:
            return False


class Store:
    """A folder of results.

    Parameters
    ----------
    folder
        Made, with its folders inside, when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.damaged: list[str] = []
        """files that couldn't be read and were set aside, and why"""
        self._hashes: dict[str, str] = {}

    @classmethod
    def of_results(cls, folder: Path) -> "Store":
        """Open a folder that must have results.

        Raises
        ------
        OffbenchError
            If there is no such folder, or it has none.
        """
        if not (folder / "runs").is_dir() and not (folder / "plan.json").is_file():
            what = "has no results (no runs/)" if folder.is_dir() else "no such folder"
            raise OffbenchError(f"{folder}: {what}; `offbench bench` writes them")
        return cls(folder)

    def path_of(self, key: str) -> Path:
        """Return the file of a row."""
        return self.folder / "runs" / f"{key}.json"

    def has(self, job: Job) -> bool:
        """Tell whether there is a row of a job."""
        return self.path_of(job.key).is_file()

    def get(self, job: Job) -> Row | None:
        """Return the row of a job; None if there is none, or it can't be read."""
        path = self.path_of(job.key)
        return self._read(path) if path.is_file() else None

    def put(self, row: Row) -> None:
        """Keep a row, in place of an older one of the same job."""
        key = row.job.key
        _write(self.path_of(key), _head(key) + row.model_dump_json()[1:])

    def rows(self) -> list[Row]:
        """Return all rows; what can't be read is set aside and named in `damaged`."""
        return list(self.by_key().values())

    def by_key(self) -> dict[str, Row]:
        """Return all rows by the keys that they were written under."""
        found = ((path.stem, self._read(path)) for path in sorted((self.folder / "runs").glob("*.json")))
        return {key: row for key, row in found if row is not None}

    def older(self, jobs: Iterable[Job]) -> list[tuple[Row, str]]:
        """Return the rows in whose places other runs are wanted now, and what is other about these, in words."""
        wanted = {job.cell: job for job in jobs}
        keys = {job.key for job in wanted.values()}
        return [
            (row, self._other(row.job, wanted[row.job.cell]))
            for key, row in self.by_key().items()
            if key not in keys and row.job.cell in wanted
        ]

    def _other(self, old: Job, new: Job) -> str:
        if self.hash_now(old.instance_hash) != new.instance_hash:
            return "an instance that has changed"
        return "other code" if old.code != new.code else "other settings"

    def seconds(self) -> dict[str, float]:
        """Return how long the runs of each solver took on average."""
        found: dict[str, list[float]] = {}
        for row in self.rows():
            if row.seconds is not None:
                found.setdefault(row.job.solver, []).append(row.seconds)
        return {solver: sum(each) / len(each) for solver, each in found.items()}

    def _read(self, path: Path) -> Row | None:
        try:
            text = path.read_text(encoding="utf-8")
            row = Row.model_validate_json(text)
            # The key that it was written under: a later version may make another one of the same job.
            if not text.startswith(_head(path.stem)):
                raise ValueError("the row is of another run than its name says")
            return row
        except FileNotFoundError:  # set aside by another process just now
            return None
        except ValidationError as error:
            self._set_aside(path, one_line(error))
        except ValueError as error:
            self._set_aside(path, str(error))
        return None

    def _set_aside(self, path: Path, why: str) -> None:
        aside = self.folder / "damaged" / f"{path.stem}-{time.time_ns()}.json"
        with suppress(FileNotFoundError):  # another process has done it
            try:
                aside.parent.mkdir(exist_ok=True)
                path.rename(aside)
                then = f"set aside as {aside}"
            except FileNotFoundError:
                raise
            except OSError as error:  # a folder that can only be read
                then = f"can't be set aside: {error.strerror}"
            self.damaged.append(f"{path}: damaged ({why}); {then}")

    def keep_instance(self, instance: Instance) -> None:
        """Keep what is solved, for the report."""
        path = self.folder / "instances" / f"{instance.hash}.json"
        if not path.is_file():
            _write(path, instance.to_text())

    def has_instance(self, instance_hash: str) -> bool:
        """Tell whether an instance was kept."""
        return (self.folder / "instances" / f"{instance_hash}.json").is_file()

    def instance(self, instance_hash: str) -> Instance:
        """Return an instance that was kept."""
        path = self.folder / "instances" / f"{instance_hash}.json"
        return parse(read_json(path), str(path))

    def hash_now(self, instance_hash: str) -> str:
        """Return the hash of an instance that was kept, as it is made today; an earlier version made others."""
        if instance_hash not in self._hashes:
            try:
                self._hashes[instance_hash] = self.instance(instance_hash).hash
            except OffbenchError:  # it isn't here, or breaks a rule by now
                return instance_hash
        return self._hashes[instance_hash]

    def planned(self) -> tuple[Job, ...]:
        """Return the jobs that are to be run here."""
        path = self.folder / "plan.json"
        try:
            return PlanFile.model_validate_json(path.read_bytes()).jobs
        except FileNotFoundError:
            return ()
        except ValidationError as error:
            self._set_aside(path, one_line(error))
            return ()

    def keep_suite(self, text: str) -> bool:
        """Keep the suite file; tell whether another one was replaced."""
        path = self.folder / "suite.toml"
        before = read_text(path) if path.is_file() else None
        if before != text:
            _write(path, text)
        return before not in (None, text)

    def add_plan(self, jobs: Iterable[Job]) -> None:
        """Add jobs to those that are to be run here; of jobs of one cell the last one counts.

        Raises
        ------
        OffbenchError
            If the folder's runs have another budget: a table can't compare the two.
        """
        before, new = self.planned(), tuple(jobs)
        for old in before[:1]:
            for job in new[:1]:
                if (old.time_limit_s, old.max_evaluations) != (job.time_limit_s, job.max_evaluations):
                    raise OffbenchError(
                        f"{self.folder}: its runs have a budget of {budget_text(old)}, these would have "
                        f"{budget_text(job)}; write them to another folder with --output"
                    )
        merged = {job.cell: job for job in (*before, *new)}
        if tuple(merged.values()) != before:
            _write(self.folder / "plan.json", PlanFile(jobs=tuple(merged.values())).model_dump_json())

    def claim(self, job: Job) -> bool:
        """Claimant a run for this process; False if another one is at it."""
        path = self.folder / "claims" / job.key
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        started = psutil.Process().create_time()
        until = time.time() + job.hard_limit_s + _SLACK_S
        mine = Claimant(host=platform.node(), pid=os.getpid(), process_started=started, until=until)
        for _ in range(2):
            try:
                self._claim(path, mine)
                return True
            except FileExistsError:
                theirs = self._claim_at(path)
                if theirs is not None and theirs.holds and theirs.process != mine.process:
                    return False
                path.unlink(missing_ok=True)  # stale
        return False

    @staticmethod
    def _claim(path: Path, mine: Claimant) -> None:
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(mine.model_dump_json())
        except FileExistsError:
            raise
        except OSError as error:
            with suppress(OSError):
                path.unlink(missing_ok=True)  # no claim, but its empty file
            with writing(path):
                raise error

    def release(self, job: Job) -> None:
        """Give up the claim of a run."""
        (self.folder / "claims" / job.key).unlink(missing_ok=True)

    def claimed(self) -> set[str]:
        """Return the keys of the runs that somebody is at."""
        found = {path.name: self._claim_at(path) for path in (self.folder / "claims").glob("*")}
        return {key for key, claim in found.items() if claim is not None and claim.holds}

    @staticmethod
    def _claim_at(path: Path) -> Claimant | None:
        try:
            return Claimant.model_validate_json(path.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None


def budget_text(job: Job) -> str:
    """Write a job's budget in words."""
    most = f" and {job.max_evaluations:,} evaluations" if job.max_evaluations is not None else ""
    return f"{job.time_limit_s:g} s{most}"


def _head(key: str) -> str:
    """Return how a row's file begins."""
    return f'{{"key":"{key}",'


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
