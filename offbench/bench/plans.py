"""What is to be run in a folder, so that a run that is missing is known to be.

Each command that plans something leaves a file of its own, ``plans/NUMBER-HASH.json``: none overwrites another's. The
plan is all of them together; of jobs of one cell that of the highest number counts. A file whose cells all stand in
a later one is removed.
"""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from pydantic import Field

from offbench.bench.damage import Damage, names
from offbench.bench.job import Job
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole, writing
from offbench.model.instance import Fact

OLDEST = "plan.json"
"""the one file of all plans, as earlier versions wrote it"""


class PlanFile(Fact):
    """The jobs that one command planned."""

    jobs: tuple[Job, ...] = Field(default=())


class Plans:
    """The plans in a folder of results.

    Parameters
    ----------
    folder
        Of results.
    damage
        Where it is noted what can't be read.
    """

    def __init__(self, folder: Path, damage: Damage) -> None:
        self._folder, self._damage = folder, damage

    @property
    def there(self) -> bool:
        """Whether anything was planned."""
        return bool(self._paths())

    def jobs(self) -> tuple[Job, ...]:
        """Return what is to be run."""
        return tuple({job.cell: job for _, jobs in self._read() for job in jobs}.values())

    def refuse_other_budget(self, jobs: Sequence[Job], but: Path | None = None) -> None:
        """Refuse jobs of another budget than those that are planned: a table can't compare the two.

        Parameters
        ----------
        jobs
            The new ones, all of one budget.
        but
            A plan that isn't looked at.

        Raises
        ------
        OffbenchError
            If the budgets differ.
        """
        others = [job for path, jobs in self._read() if path != but for job in jobs[:1]]
        for old in others:
            for job in jobs[:1]:
                if (old.time_limit_s, old.max_evaluations) != (job.time_limit_s, job.max_evaluations):
                    raise OffbenchError(
                        f"{self._folder}: its runs have a budget of {budget_text(old)}, these would have "
                        f"{budget_text(job)}; write them to another folder with --output"
                    )

    def add(self, jobs: Sequence[Job]) -> None:
        """Plan jobs, in place of those of the same cells. The folder must be there.

        Raises
        ------
        OffbenchError
            If the budget is another one, or the plan can't be written.
        """
        self.refuse_other_budget(jobs)
        before = self._read()
        if not jobs or (before and before[-1][1] == tuple(jobs)):
            return
        text = PlanFile(jobs=tuple(jobs)).model_dump_json()
        number = max((_number(path) for path, _ in before), default=0) + 1
        path = self._folder / "plans" / f"{number:06}-{sha256(text.encode()).hexdigest()[:12]}.json"
        with writing(path):
            path.parent.mkdir(exist_ok=True)
            write_whole(path, text)
        try:
            self.refuse_other_budget(jobs, but=path)  # somebody may have begun just now, too
        except OffbenchError:
            path.unlink(missing_ok=True)
            raise
        cells = {job.cell for job in jobs}
        for old, planned in before:
            if all(job.cell in cells for job in planned):
                old.unlink(missing_ok=True)

    def _paths(self) -> list[Path]:
        plans = [self._folder / "plans" / name for name in names(self._folder / "plans", ".json")]
        oldest = self._folder / OLDEST
        return [*([oldest] if oldest.exists() else []), *plans]

    def _read(self) -> list[tuple[Path, tuple[Job, ...]]]:
        """Return each plan's jobs, in the order of their numbers."""
        while True:
            paths = self._paths()
            found = [(path, self._damage.read(path, PlanFile.model_validate_json)) for path in paths]
            if paths == self._paths():  # else one was replaced meanwhile
                return [(path, plan.jobs) for path, plan in found if plan is not None]


def _number(path: Path) -> int:
    number = path.name.partition("-")[0]
    return int(number) if number.isdecimal() else 0


def budget_text(job: Job) -> str:
    """Write a job's budget in words."""
    most = f" and {job.max_evaluations:,} evaluations" if job.max_evaluations is not None else ""
    return f"{job.time_limit_s:g} s{most}"
