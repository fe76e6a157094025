"""Folders that git keeps: results are not written into one unless it is named."""

import shutil
import subprocess
from pathlib import Path

from offbench.errors import OffbenchError


def refuse_tracked(folder: Path) -> None:
    """Refuse to write results into a folder that nobody has named and that git has files of.

    Parameters
    ----------
    folder
        Where a command writes by default. Without git, or outside a repository, nothing is refused.

    Raises
    ------
    OffbenchError
        If git tracks files in it.
    """
    if not folder.is_dir() or shutil.which("git") is None:
        return
    # What a repository says is data here: no hook or pager of it runs for `ls-files`, no fsmonitor is asked.
    listed = subprocess.run(
        ["git", "-c", "core.fsmonitor=false", "ls-files", "-z", "--", "."],
        cwd=folder, capture_output=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    if listed.returncode == 0 and listed.stdout:
        count = listed.stdout.count(b"\0")
        raise OffbenchError(
            f"{folder}: git keeps {count} files of this folder, so nothing is written there by default; "
            f"--output {folder} writes there all the same, and another folder leaves it alone"
        )
