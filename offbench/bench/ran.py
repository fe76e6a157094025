"""Which code a run really went through: files may change between the planning of a suite and its last run.

Who starts the process of a run hashes the files just before, and the process tells whether these are what it has
imported (`imported`). If it ends without having told, the files are hashed once more.
"""

import warnings
from pathlib import Path
from typing import Any

from offbench.bench.job import NOT_INSTALLED, Code, Job
from offbench.errors import OffbenchError

CHANGED = "changed during the run"
"""the code of a run of which can't be told what it went through"""


class Expected:
    """The code that a job's process will find, as the files are now.

    Parameters
    ----------
    job
        Planned; its own code may be of earlier files.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._code = _code_now(job)

    def request(self) -> dict[str, Any]:
        """Return what the process is told, for `imported.Imported`."""
        if self._code is None:
            return {}
        return {"modules": self._code.modules, "others": self._code.others}

    def ran(self, as_told: object) -> Job:
        """Return the job with the code that its run went through.

        Parameters
        ----------
        as_told
            What the process said: whether it imported what it was told; anything else if it said nothing.
        """
        code = _text(self._code)
        if as_told is False or (as_told is not True and _text(_code_now(self._job)) != code):
            code = CHANGED
        return self._job if code == self._job.code else self._job.model_copy(update={"code": code})


def _code_now(job: Job) -> Code | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # who planned the run has told them
        try:
            return Code(job.name, job.two_step, None if job.policy is None else Path(job.policy))
        except (OffbenchError, OSError):  # or it is just being replaced
            return None


def _text(code: Code | None) -> str:
    return NOT_INSTALLED if code is None else str(code)
