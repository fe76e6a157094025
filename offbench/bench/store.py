"""Where rows are kept: a file each, written whole or not at all, under a key of all that decides it.

A folder of results holds

- ``runs/KEY.json``: the rows
- ``instances/HASH.json``: what was solved
- ``plans/``: what is to be run (`plans`)
- ``claims/KEY``: who is at it (`claims`)
- ``damaged/``: files that couldn't be read, set aside
- the suite file

Several processes or machines may write to one folder. Reading changes nothing in it.
"""

from collections.abc import Iterable
from pathlib import Path

from offbench.bench.claims import Claims
from offbench.bench.damage import Damage, names
from offbench.bench.job import Job
from offbench.bench.plans import Plans
from offbench.bench.row import Row
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole, writing
from offbench.files.json import parse_json
from offbench.model.instance import Instance, parse


class Store:
    """A folder of results.

    Parameters
    ----------
    folder
        Made, with its folders inside, when something is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._damage = Damage(folder)
        self._plans = Plans(folder, self._damage)
        self.claims = Claims(folder / "claims")
        """who is at what"""
        self._instances: dict[str, Instance] = {}
        self._identity: tuple[int, int] | None = None
        """of the folder as it was when this first wrote to it"""

    @classmethod
    def of_results(cls, folder: Path) -> "Store":
        """Open a folder that must have results.

        Raises
        ------
        OffbenchError
            If there is no such folder, or it has none.
        """
        store = cls(folder)
        if not (folder / "runs").is_dir() and not store.has_plan:
            what = "has no results (no runs/)" if folder.is_dir() else "no such folder"
            raise OffbenchError(f"{folder}: {what}; `offbench bench` writes them")
        return store

    @property
    def damaged(self) -> list[str]:
        """A line for each file that couldn't be read: why, and what became of it."""
        return self._damage.told

    def mend(self) -> None:
        """Set aside what can't be read, so that it is made anew."""
        self.rows()
        self.planned()
        for name in names(self.folder / "claims"):
            self._damage.read(self.folder / "claims" / name, bytes)
        self._damage.set_aside()

    def path_of(self, key: str) -> Path:
        """Return the file of a row."""
        return self.folder / "runs" / f"{key}.json"

    def has(self, job: Job) -> bool:
        """Tell whether there is a row of a job."""
        return self.path_of(job.key).is_file()

    def get(self, job: Job) -> Row | None:
        """Return the row of a job; None if there is none, or it can't be read."""
        return self._row(self.path_of(job.key))

    def put(self, row: Row) -> None:
        """Keep a row, in place of an older one of the same job.

        Raises
        ------
        ValueError
            If it couldn't be read back.
        OffbenchError
            If it can't be written.
        """
        key = row.job.key
        text = _head(key) + row.model_dump_json()[1:]
        Row.model_validate_json(text)
        self._write(self.path_of(key), text)

    def rows(self) -> list[Row]:
        """Return all rows; what can't be read is named in `damaged`."""
        return list(self.by_key().values())

    def by_key(self) -> dict[str, Row]:
        """Return all rows by the keys that they were written under."""
        paths = [self.folder / "runs" / name for name in names(self.folder / "runs", ".json")]
        found = ((path.stem, self._row(path)) for path in paths)
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

    def _row(self, path: Path) -> Row | None:
        def parsed(content: bytes) -> Row:
            text = content.decode()
            row = Row.model_validate_json(text)
            # The key that it was written under: a later version may make another one of the same job.
            if not text.startswith(_head(path.stem)):
                raise ValueError("the row is of another run than its name says")
            return row

        return self._damage.read(path, parsed)

    def keep_instance(self, instance: Instance) -> None:
        """Keep what is solved, for the report."""
        kept = self._instance(instance.hash)
        if kept is None or kept.hash != instance.hash:
            self._damage.set_aside()
            self._write(self._path_of_instance(instance.hash), instance.to_text())

    def has_instance(self, instance_hash: str) -> bool:
        """Tell whether an instance was kept, and can be read."""
        return self._instance(instance_hash) is not None

    def instance(self, instance_hash: str) -> Instance:
        """Return an instance that was kept.

        Raises
        ------
        OffbenchError
            If there is none, or it can't be read.
        """
        found = self._instance(instance_hash)
        if found is None:
            path = self._path_of_instance(instance_hash)
            told = [line for line in self.damaged if line.startswith(f"{path}: ")]
            raise OffbenchError(told[0] if told else f"{path}: no such file")
        return found

    def _path_of_instance(self, instance_hash: str) -> Path:
        return self.folder / "instances" / f"{instance_hash}.json"

    def _instance(self, instance_hash: str) -> Instance | None:
        if instance_hash not in self._instances:
            path = self._path_of_instance(instance_hash)
            where = str(path)
            found = self._damage.read(path, lambda content: parse(parse_json(content.decode(), where), where))
            if found is None:
                return None
            self._instances[instance_hash] = found
        return self._instances[instance_hash]

    def hash_now(self, instance_hash: str) -> str:
        """Return the hash of an instance that was kept, as it is made today; an earlier version made others."""
        found = self._instance(instance_hash)
        return instance_hash if found is None else found.hash  # it isn't here, or breaks a rule by now

    @property
    def has_plan(self) -> bool:
        """Whether anything was planned here."""
        return self._plans.there

    def planned(self) -> tuple[Job, ...]:
        """Return the jobs that are to be run here."""
        return self._plans.jobs()

    def refuse_other_budget(self, jobs: Iterable[Job]) -> None:
        """Refuse jobs that `add_plan` would refuse, and change nothing.

        Raises
        ------
        OffbenchError
            If the folder's runs have another budget: a table can't compare the two.
        """
        self._plans.refuse_other_budget(tuple(jobs))

    def add_plan(self, jobs: Iterable[Job]) -> None:
        """Add jobs to those that are to be run here; of jobs of one cell the last one counts.

        Raises
        ------
        OffbenchError
            If the folder's runs have another budget: a table can't compare the two.
        """
        new = tuple(jobs)
        self.refuse_other_budget(new)
        self.check_there()
        self._plans.add(new)

    def claim(self, job: Job) -> bool:
        """Claim a run for this process; False if another one is at it."""
        self.check_there()
        with writing(self.folder / "claims" / job.key):
            return self.claims.take(job.key)

    def release(self, job: Job) -> None:
        """Give up the claim of a run."""
        self.claims.drop(job.key)

    def claimed(self) -> set[str]:
        """Return the keys of the runs that somebody is at; what is no file claims nothing, and `damaged` names it."""
        folder = self.claims.folder
        return {key for key in self.claims.held() if self._damage.read(folder / key, bytes) is not None}

    def check_there(self) -> None:
        """Make the folder if this hasn't written to it yet; else see to it that it is still the same.

        Raises
        ------
        OffbenchError
            If it has been deleted meanwhile, or can't be made.
        """
        with writing(self.folder):
            if self._identity is None:
                self.folder.mkdir(parents=True, exist_ok=True)
            try:
                found = self.folder.stat()
            except FileNotFoundError:
                found = None
        identity = None if found is None else (found.st_dev, found.st_ino)
        if self._identity is None:
            self._identity = identity
        if identity is None or identity != self._identity:
            raise OffbenchError(f"{self.folder}: was deleted meanwhile, with what was in it")

    def _write(self, path: Path, text: str) -> None:
        self.check_there()
        with writing(path):
            path.parent.mkdir(exist_ok=True)
            write_whole(path, text)


def _head(key: str) -> str:
    """Return how a row's file begins."""
    return f'{{"key":"{key}",'
