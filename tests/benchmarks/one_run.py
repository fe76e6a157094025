"""Runs of one solver on one instance in a process of their own, on one thread.

So that each pays for its own imports, and one that dies takes no other with it. The process reads a
job from its standard input and writes a row for each run, as JSON.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass

from offbench.instance import Instance, parse
from offbench.placement import Placement
from offbench.run import solve
from offbench.solver import find

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
# What a solver may take beyond its time limit, imports of the process included, before it is ended.
GRACE_S = 120.0


@dataclass(frozen=True)
class Row:
    """What one run came to."""

    instance: str
    solver: str
    status: str
    """that of the solution, or why there is none"""
    objective: float | None = None
    bound: float | None = None
    gap: float | None = None
    """relative, MODEL.md section 9"""
    client_only: float | None = None
    seconds: float | None = None
    """the solver's own: `Solution.seconds`"""
    queueing_s: float | None = None
    """of all subtasks of the placement"""

    @property
    def proven(self) -> bool:
        """Whether the run proved its placement optimal."""
        return self.status == "optimal"


def run(
    instance: Instance, solver: str, time_limit: float, servers: list[int] | None = None, again: bool = False
) -> list[Row]:
    """Run a solver in a new process; *again* runs it a second time there, if the first run proved optimality.

    Parameters
    ----------
    servers
        For P2: the server of each subtask.

    Raises
    ------
    OffbenchError
        If there is no such solver, or a library of it is not installed.
    """
    job = {
        "instance": instance.model_dump(mode="json"), "solver": solver, "time_limit": time_limit, "servers": servers,
        "again": again, "parameters": {"threads": 1} if "threads" in find(solver).model_fields else {},
    }  # fmt: skip
    try:
        done = subprocess.run(
            [sys.executable, __file__], input=json.dumps(job), capture_output=True, text=True,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": os.pathsep.join(sys.path)},
            timeout=2 * time_limit + GRACE_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return [Row(instance.name, solver, "didn't end")]
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return [Row(instance.name, solver, f"died ({done.returncode}): {last}")]
    return [Row(**row) for row in json.loads(done.stdout.splitlines()[-1])]


def main() -> None:
    """Do the job."""
    job = json.load(sys.stdin)
    instance = parse(job["instance"], "job")
    placement = None if job["servers"] is None else Placement(job["servers"])
    rows = []
    for _ in range(2 if job["again"] else 1):
        solution = solve(
            instance, job["solver"], parameters=job["parameters"], time_limit=job["time_limit"], placement=placement
        )
        facts = solution.to_dict()
        rows.append(
            Row(
                instance.name, job["solver"], solution.status, facts["objective"], facts["lower_bound"], solution.gap,
                solution.client_only.objective, solution.seconds,
                None if solution.evaluation is None else float(solution.evaluation.parts[:, 3].sum()),
            )
        )  # fmt: skip
        if not rows[0].proven:
            break
    print(json.dumps([asdict(row) for row in rows]))


if __name__ == "__main__":
    main()
