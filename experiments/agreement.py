"""Agreement of the exact solvers with brute force on random tiny instances.

Question: Do milp, cp-sat and chain-exact prove the optimum that enumeration of servers and dispatch orders finds, or
that there is none? Seeds from 600 on are of format 2: constrained and not, with several clients.

Command: `make agreement ARGS="--time-limit 900"`

Needs: nothing but a core; 1000 instances are drawn from seeds.

Writes: nothing; prints each disagreement and a table.

Time: 7 minutes at 60 s a run, by a sample of 72 seeds.

Outcome: 2504 runs of format 1: P1 milp 600 of 600, chain-exact 104 of 104, cp-sat 600 of 600;
P2 600 of 600 both.

The exit status is 1 if there is a disagreement. A run that isn't proven within its time counts as one; one that
chain-exact leaves to another solver, which it names, doesn't. ``--write SEED`` writes the files of a seed, to look at.
"""

import argparse
import json
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from pathlib import Path

from experiments._shared.checks import SOLVERS, Check, Kind, applies, check
from experiments._shared.study import parser
from experiments._shared.tiny import FORMAT_2_SEEDS, MODULE_SEEDS, SEEDS, tiny_instance, tiny_servers
from offbench.files.atomic import write_whole

PROBLEMS: tuple[Kind, ...] = ("P1", "P2")


def main() -> int:
    """Run the comparison, or write one seed's files."""
    options = _options()
    if options.write is not None:
        return _write(options.write)
    todo = [
        (solver, problem, seed)
        for problem in options.problem
        for solver in options.solver
        for seed in options.seed
        if applies(solver, problem, seed)
    ]
    checks = []
    for done, found in enumerate(_run(todo, options.time_limit, options.jobs), start=1):
        checks.append(found)
        if found.faults:
            print(found, flush=True)
        if sys.stderr.isatty() or done % 100 == 0:
            end = "\r" if sys.stderr.isatty() else "\n"
            print(f"{done} of {len(todo)} runs", file=sys.stderr, end=end, flush=True)
    print(table(checks))
    return int(any(found.faults for found in checks))


def _run(todo: list[tuple[str, Kind, int]], time_limit: float, jobs: int) -> Iterator[Check]:
    if jobs == 1:
        yield from (check(*what, time_limit) for what in todo)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(check, *zip(*todo, strict=True), repeat(time_limit), chunksize=10)


def table(checks: list[Check]) -> str:
    """Return a Markdown table, a row for each problem and solver."""
    lines = [
        "| problem | solver | instances | refused | proven | infeasible | agree | worst abs(Q - Q*) | worst bound - Q* "
        "| median s | max s |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
    ]
    for problem, solver in dict.fromkeys((one.problem, one.solver) for one in checks):
        every = [one for one in checks if (one.problem, one.solver) == (problem, solver)]
        rows = [one for one in every if not one.refused]
        seconds = [one.seconds for one in rows if one.seconds == one.seconds]
        middle, longest = (statistics.median(seconds), max(seconds)) if seconds else (float("nan"), float("nan"))
        lines.append(
            f"| {problem} | `{solver}` | {len(every)} | {len(every) - len(rows)} | {sum(one.proven for one in rows)} "
            f"| {sum(one.status == 'infeasible' for one in rows)} | {sum(not one.faults for one in rows)} "
            f"| {max((one.difference for one in rows), default=0):.1e} "
            f"| {max((one.above for one in rows), default=0):.1e} | {middle:.3f} | {longest:.3f} |"
        )
    return "\n".join(lines)


def _write(seed: int) -> int:
    instance = tiny_instance(seed)
    path = Path(f"{instance.name}.json")
    write_whole(path, instance.to_text())
    servers = Path(f"{instance.name}-servers.json")
    write_whole(servers, json.dumps(tiny_servers(seed).to_file(instance)) + "\n")
    print(f"{path}, and for P2 {servers}")
    return 0


def _options() -> argparse.Namespace:
    command = parser(__doc__, __file__)
    command.add_argument(
        "--seed",
        type=_seeds,
        default=[*SEEDS, *MODULE_SEEDS, *FORMAT_2_SEEDS],
        help="0-99,120 (default: %(default).0s0-999; format 2 from 600 on)",
    )
    command.add_argument("--seeds", dest="seed", type=_seeds, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    command.add_argument("--solver", action="append", help=f"default: {', '.join(SOLVERS)}; or a path")
    command.add_argument("--problem", action="append", choices=PROBLEMS, help="default: both")
    command.add_argument("--time-limit", type=float, default=60, help="for each run, s")
    command.add_argument("--jobs", type=int, default=1, help="processes")
    command.add_argument("--write", type=int, metavar="SEED", help="write the seed's files here, and end")
    options = command.parse_args()
    options.solver = options.solver or list(SOLVERS)
    options.problem = options.problem or list(PROBLEMS)
    return options


def _seeds(text: str) -> list[int]:
    ranges = (part.partition("-") for part in text.split(","))
    return [seed for first, _, last in ranges for seed in range(int(first), int(last or first) + 1)]


if __name__ == "__main__":
    sys.exit(main())
