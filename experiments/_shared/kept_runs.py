"""Runs in a file of JSON lines, each kept from the moment it is done, so that none is made twice."""

import json
from pathlib import Path
from typing import Any

Row = dict[str, Any]


class KeptRuns:
    """The runs of a folder.

    Parameters
    ----------
    folder
        Where ``runs.jsonl`` is, or will be.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "runs.jsonl"

    def rows(self) -> list[Row]:
        """Return all runs, in the order in which they were made."""
        if not self.path.is_file():
            return []
        return [json.loads(line) for line in self.path.read_text(encoding="utf-8").splitlines()]

    def has(self, job: Row) -> bool:
        """Tell whether a run has all that the job says."""
        return any(job.items() <= row.items() for row in self.rows())

    def add(self, row: Row) -> None:
        """Keep a run."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(row) + "\n")


def tell_missing(missing: list[Row]) -> None:
    """Print the jobs that a study would run, and how many they are."""
    for job in missing:
        print(*job.values())
    print(f"{len(missing)} runs to make" if missing else "no runs to make")
