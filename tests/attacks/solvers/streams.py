"""A solver that writes where it shouldn't, and closes what it doesn't own."""

import json
import os
import random
import sys
import tempfile
from pathlib import Path

import numpy as np

from offbench import P1, Search, Solver

LIE = json.dumps({"solution": None, "status": "optimal", "message": "trust me"}).encode()


class Streams(Solver):
    """Proposes the client alone, and handles the process's files and state as its own."""

    how: str

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
        getattr(self, self.how)()

    def prints_without_end(self) -> None:
        for _ in range(100):
            os.write(1, b"\xff\x00{" * 100_000)
            os.write(2, b"\xfe\n}" * 100_000)
        print('{"solution": null}', end="")

    def closes_output(self) -> None:
        sys.stdout.close()
        os.close(1)
        os.close(2)

    def closes_everything(self) -> None:
        os.closerange(0, 1024)

    def lies_to_every_file(self) -> None:
        _write(b"\n" + LIE + b"\n")

    def lies_with_the_token(self) -> None:
        _write(b"\n" + os.environ.get("OFFBENCH_PROCESS", "").encode() + b" " + LIE + b"\n")

    def answers_with_no_json(self) -> None:
        _write(b"\n" + os.environ.get("OFFBENCH_PROCESS", "").encode() + b' {"solution": \xff\n')

    def answers_with_a_list(self) -> None:
        _write(b"\n" + os.environ.get("OFFBENCH_PROCESS", "").encode() + b" [1, 2]\n")

    def answers_too_deep(self) -> None:
        _write(b"\n" + os.environ.get("OFFBENCH_PROCESS", "").encode() + b" " + b"[" * 200_000 + b"\n")

    def stands_in_no_folder(self) -> None:
        folder = tempfile.mkdtemp()
        os.chdir(folder)
        Path(folder).rmdir()

    def clears_the_environment(self) -> None:
        os.environ.clear()

    def seeds_for_others(self) -> None:
        random.seed(0)
        np.random.seed(0)  # noqa: NPY002

    def shuts_the_path(self) -> None:
        sys.path.clear()
        sys.modules.pop("json", None)


def _write(content: bytes) -> None:
    """Write to every file that is open, but for what a terminal shows."""
    for file in range(3, 64):
        try:
            os.write(file, content)
        except OSError:
            continue
