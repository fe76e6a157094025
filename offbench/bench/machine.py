"""The machine that a run ran on, as its row tells it."""

import os
import platform
import subprocess
from functools import cache
from typing import Any

import psutil

import offbench
from offbench.files.processor import processor


def machine() -> dict[str, Any]:
    """Return the facts of `answer.Machine`."""
    from offbench.versions import versions

    return {**_lasting(), "load": _load(), "versions": versions()}


def physical_cores() -> int:
    """Return how many cores this process may use, those of one core's threads counted once."""
    cores = psutil.cpu_count(logical=False) or os.cpu_count() or 1
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else cores
    return min(cores, allowed)


@cache
def _lasting() -> dict[str, Any]:
    return {
        "host": platform.node(),
        "system": f"{platform.system()} {platform.release()}",
        "cpu": processor(),
        "physical_cores": physical_cores(),
        "logical_cores": os.cpu_count() or 1,
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "commit": _commit(),
    }


def _load() -> float | None:
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _commit() -> str | None:
    """Return the commit of the source tree that runs; None outside one."""
    folder = next(iter(offbench.__path__))
    git = ["git", "--no-optional-locks", "-C", folder]
    try:
        tracked = subprocess.run([*git, "ls-files", "--error-unmatch", "__init__.py"], capture_output=True, check=False)
        if tracked.returncode != 0:  # somebody else's tree, which offbench is installed in
            return None
        commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changed.stdout.strip() else "")
