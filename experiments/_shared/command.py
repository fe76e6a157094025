"""The command line's answers, from a process of their own on one thread."""

import json
import subprocess
from typing import Any

from offbench.bench.process import ONE_THREAD
from offbench.runs.safe_path import environment, python


def offbench(*arguments: str, at_most_s: float | None = None) -> dict[str, Any]:
    """Return what a command prints with ``--json``, or under `error` why it printed nothing.

    Parameters
    ----------
    arguments
        The command and what follows it.
    at_most_s
        When the process is ended.
    """
    line = [*python("offbench"), arguments[0], "--json", *arguments[1:]]
    try:
        done = subprocess.run(
            line, capture_output=True, text=True, env={**environment(), **ONE_THREAD}, timeout=at_most_s, check=False
        )
    except subprocess.TimeoutExpired:
        return {"error": "didn't end"}
    try:
        found: dict[str, Any] = json.loads(done.stdout)
    except json.JSONDecodeError:
        return {"error": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return found
