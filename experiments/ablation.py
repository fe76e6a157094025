"""What each part of ddpqn-plus brings.

Question: What does ddpqn-plus miss when one of its parts is off, beside annealing and ddpqn?

Command: `make ablation`

Needs: a core; every run has the same seconds of processor time, so that other work counts little.

Writes: results/ablation: runs.jsonl, each run from the moment it is done, and table.md; runs that are there aren't made
again.

Time: 10 minutes of processor time for 114 runs of 5 s, each rehearsed.

Outcome: missed in the mean: both stages 0.3 %, windows alone 3.8, annealing 1.7, never learns 22.4, random policy 19.7,
ddpqn 63.6; of the windows' parts one network for all servers brings most (23.2 without it).

On drawn instances that nothing was tuned or trained on. What a run misses is relative to the best Q that any run of the
table found: ``(Q - best) / (Q of everything on the client - best)``. The table is made from all runs with the same
seconds.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import mean, median
from typing import Any

from experiments._shared.drawn import perturbed
from experiments._shared.kept_runs import KeptRuns, Row, tell_missing
from experiments._shared.study import add_time_limit, parser
from offbench import P1, Budget, Search, evaluate
from offbench.evaluation.evaluator import warm_up
from offbench.files.atomic import write_whole
from offbench.search.budget import Clock, SearchEnded
from offbench.search.registry import find

FOLDER = Path(__file__).parents[1] / "results" / "ablation"

# Seeds of the drawn instances; those of the training set count from 0, defaults were chosen on 2006, 2013 and 2032.
INSTANCES = (1002, 1003)

# The switches are those of the windows, which are tested without what comes before them.
_WINDOWS: dict[str, Any] = {"gradient": 0}

ROWS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "both stages": ("ddpqn-plus", {}),
    "windows alone": ("ddpqn-plus", _WINDOWS),
    "not double": ("ddpqn-plus", {**_WINDOWS, "double": False}),
    "not dueling": ("ddpqn-plus", {**_WINDOWS, "dueling": False}),
    "not shared": ("ddpqn-plus", {**_WINDOWS, "shared": False}),
    "nothing onward": ("ddpqn-plus", {**_WINDOWS, "onward": False}),
    "rewards not scaled": ("ddpqn-plus", {**_WINDOWS, "scaled": False}),
    "one-step returns": ("ddpqn-plus", {**_WINDOWS, "steps": 1}),
    "discount 0.8": ("ddpqn-plus", {**_WINDOWS, "gamma": 0.8}),
    "no windows": ("ddpqn-plus", {**_WINDOWS, "longest": 0}),
    "last subtask by the network": ("ddpqn-plus", {**_WINDOWS, "exact": False}),
    "first come, first served alone": ("ddpqn-plus", {**_WINDOWS, "reorder": 0}),
    "no merging": ("ddpqn-plus", {**_WINDOWS, "merge": False}),
    "next placement always another": ("ddpqn-plus", {**_WINDOWS, "keep": False}),
    "no heat": ("ddpqn-plus", {**_WINDOWS, "heat": 0}),
    "never learns": ("ddpqn-plus", {**_WINDOWS, "every": 0}),
    "random policy": ("ddpqn-plus", {**_WINDOWS, "every": 0, "explore": 1}),
    "ddpqn": ("ddpqn", {}),
    "annealing": ("annealing", {}),
}


class CpuClock(Clock):
    """CPU seconds of this process since it was made."""

    def __init__(self) -> None:
        self._begin = time.process_time()

    @property
    def seconds(self) -> float:
        """CPU seconds so far."""
        return time.process_time() - self._begin


def run(row: str, drawn: int, seed: int, seconds: float) -> float:
    """Return the objective that one run reaches."""
    name, settings = ROWS[row]
    solver, problem = find(name)(**settings), P1(perturbed(drawn))
    # Once before for a moment, so that nobody's clock pays for imports and compiling.
    for budget in (Budget(max_evaluations=3_000, time_limit=20), Budget(time_limit=seconds)):
        search = Search(problem, budget, seed, CpuClock())
        with suppress(SearchEnded):
            solver.solve(problem, search)
    return search.objective


def main() -> None:
    """Make the runs that are missing, then the table."""
    command = parser(__doc__, __file__)
    command.add_argument("--row", action="append", choices=ROWS, help="default: all of them")
    add_time_limit(command, 5, "processor time of each run, s")
    command.add_argument("--seeds", type=int, default=3, help="0 to N-1 (default: %(default)s)")
    command.add_argument("--folder", type=Path, default=FOLDER, help="default: results/ablation")
    command.add_argument("--dry-run", action="store_true", help="tell which runs are missing, and make none")
    options = command.parse_args()
    kept = KeptRuns(options.folder)
    jobs = [
        {"row": row, "drawn": drawn, "seed": seed, "seconds": options.time_limit}
        for seed in range(options.seeds)
        for row in options.row or ROWS
        for drawn in INSTANCES
    ]
    missing = [job for job in jobs if not kept.has(job)]
    if options.dry_run:
        return tell_missing(missing)
    if missing:
        warm_up()
    for job in missing:
        row = job | {"objective": run(**job)}
        print(*row.values(), flush=True)
        kept.add(row)
    lines = table([made for made in kept.rows() if made["seconds"] == options.time_limit])
    write_whole(options.folder / "table.md", "\n".join(lines) + "\n")
    print("\n".join(lines))


def table(runs: Sequence[Row]) -> list[str]:
    """Return what each row misses of each instance: median, least and largest; then means over the instances."""
    cells: dict[str, list[list[float]]] = {row: [] for row in ROWS}
    for drawn in INSTANCES:
        problem = P1(perturbed(drawn))
        client = evaluate(problem, problem.everything_on(problem.arrays.client)).objective
        here = [each for each in runs if each["drawn"] == drawn]
        best = min(each["objective"] for each in here)
        for row, missed in cells.items():
            missed.append([(each["objective"] - best) / (client - best) for each in here if each["row"] == row])
    seconds = runs[0]["seconds"]
    lines = [
        f"Missed improvement after {seconds:g} CPU seconds: median of the seeds, least and largest in brackets.",
        "",
        f"| | seeds | {' | '.join(f'drawn {drawn}' for drawn in INSTANCES)} | mean | mean spread |",
        f"| --- | ---: | {' | '.join('---:' for _ in INSTANCES)} | ---: | ---: |",
    ]
    for row, missed in cells.items():
        if not all(missed):
            continue
        each = " | ".join(f"{median(values):.1%} ({min(values):.1%} to {max(values):.1%})" for values in missed)
        middle, spread = mean(map(median, missed)), mean(max(values) - min(values) for values in missed)
        lines.append(f"| {row} | {min(map(len, missed))} | {each} | {middle:.1%} | {spread:.1%} |")
    return lines


if __name__ == "__main__":
    main()
