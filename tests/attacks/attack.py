"""What an attack draws from and what it counts."""

from dataclasses import dataclass, field

import numpy as np

COUNTED = {
    "kills": "processes and groups killed with SIGKILL at a random moment",
    "misdeeds": "runs of solvers that misbehave",
    "benches at once": "three in one folder",
    "full disks": "commands that ran into a full or read-only file system",
    "hostile names": "of instances, servers, layers and solvers, through every output",
    "hostile policies": "that name files, paths outside and pickles",
    "instances": "random instances compared with enumeration",
    "rows lost": "that had been written",
    "rows missing": "planned, and not there in the end, or there twice",
    "rows untrue": "unreadable, or with numbers that the evaluator doesn't confirm",
    "orphans": "processes that outlived their suite",
    "suites ended early": "that should have gone on",
    "false proofs": "`optimal` above the optimum",
    "bounds above": "the optimum",
}
"""what is counted, and what that means; all but the first seven must be 0"""


@dataclass
class Attack:
    """One attack's length, randomness and findings."""

    rounds: int
    """1 in the suite, more by `make attack`"""
    rng: np.random.Generator
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTED, 0))

    def count(self, what: str, number: int = 1) -> None:
        """Count what `COUNTED` has."""
        self.counts[what] += number
