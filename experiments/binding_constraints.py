"""Feasible placements where constraints bind.

Question: On 200 drawn instances of which at most a tenth of random placements are feasible, in how many does each
solver find a feasible one in 5 s, and which share of the possible improvement does it miss in the median?

Command: `make binding-constraints`

Needs: as many free cores as `--jobs`, one by default; the instances are drawn from seeds.

Writes: nothing, or every run with --json FILE; prints a table.

Time: 3 minutes for the optima, and at most 17 minutes a solver; a run ends where it finds the optimum.

Outcome: the memetic genetic, local-search and beam find a feasible placement in 100 %, ddpqn-plus in 99.5, annealing in
99.0, dqn in 97.5, ddpqn in 97.0, all with a median of 0.00 %; the others were not run at 5 s.

The optimum is proven by enumeration of servers and dispatch orders (`_shared.binding`). A bound above it, a feasible
placement below it and a run that ends in an error are faults; with one the exit status is 1.
"""

import argparse
import json
import math
import statistics
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

from experiments._shared.binding import SEEDS, binding_data, binding_optimum
from experiments._shared.study import parser
from offbench.evaluation.gaps import is_optimal, missed_improvement
from offbench.files.atomic import write_whole
from offbench.model.instance import parse
from offbench.runs.solve import solve

SOLVERS = (
    "annealing", "genetic", "genetic:local_search=true", "local-search", "beam", "ddpqn-plus", "greedy", "heft", "peft",
    "min-cut", "pso-ga", "nsga2", "random", "ddpqn", "milp", "cp-sat",
)  # fmt: skip
ROUNDING = 1e-9


@dataclass(frozen=True)
class Run:
    """What one solver made of one instance."""

    solver: str
    seed: int
    status: str
    seconds: float
    missed: float | None = None
    """share of the possible improvement; None without a feasible placement"""
    optimal: bool = False
    """whether the placement is the best one, proven or not"""
    violation: float | None = None
    fault: str = ""


def runs(seed: int, solvers: tuple[str, ...], time_limit: float) -> list[Run]:
    """Return what each solver makes of a seed's instance."""
    return [run(solver, seed, time_limit) for solver in solvers]


def run(solver: str, seed: int, time_limit: float) -> Run:
    """Return what a solver makes of a seed's instance, ``NAME:PARAMETER=VALUE`` one with parameters."""
    name, *settings = solver.split(":")
    parameters = {key: json.loads(value) for key, _, value in (setting.partition("=") for setting in settings)}
    best = binding_optimum(seed).objective
    # There is nothing to gain behind the optimum, and nothing to wait for.
    target = best + ROUNDING * abs(best)
    instance = parse(binding_data(seed))
    try:
        found = solve(instance, name, time_limit=time_limit, target=target, seed=seed, parameters=parameters)
    except Exception as error:
        return Run(solver, seed, "error", 0.0, fault=f"{type(error).__name__}: {error}")
    violation = None if found.evaluation is None else found.evaluation.violation
    client_only, size = found.client_only.objective, ROUNDING * max(abs(best), abs(found.client_only.objective))
    faults = []
    if found.lower_bound > best + size:
        faults.append(f"the bound {found.lower_bound!r} is above {best!r}")
    if found.status == "infeasible":
        faults.append("a feasible placement is known")
    if found.status not in ("optimal", "feasible"):
        return Run(solver, seed, found.status, found.seconds, violation=violation, fault="; ".join(faults))
    if found.objective < best - size:
        faults.append(f"{found.objective!r} is below {best!r}")
    optimal = is_optimal(found.objective, best, client_only=client_only)
    missed = missed_improvement(found.objective, client_only, best)
    return Run(solver, seed, found.status, found.seconds, missed, optimal, violation, "; ".join(faults))


def table(found: list[Run]) -> Iterator[str]:
    """Yield a Markdown table, a row for each solver."""
    yield "| solver | instances | feasible | best | proven | median missed | 90 % miss at most | median s | faults |"
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    for solver in dict.fromkeys(each.solver for each in found):
        rows = [each for each in found if each.solver == solver]
        # Without a feasible placement everything is missed.
        missed = sorted(math.inf if each.missed is None else each.missed for each in rows)
        feasible = sum(each < math.inf for each in missed)
        middle, most = (
            f"{each:.2%}" if each < math.inf else "-"
            for each in (statistics.median_low(missed), missed[int(0.9 * (len(missed) - 1))])
        )
        best, proven = sum(each.optimal for each in rows), sum(each.status == "optimal" for each in rows)
        seconds, faults = statistics.median(each.seconds for each in rows), sum(bool(each.fault) for each in rows)
        yield (
            f"| `{solver.replace(':', ' ')}` | {len(rows)} | {feasible / len(rows):.1%} | {best} | {proven} | {middle} "
            f"| {most} | {seconds:.2f} | {faults} |"
        )


def main() -> int:
    """Run the study; return the exit status."""
    options = _options()
    seeds, solvers = list(SEEDS)[: options.instances], tuple(options.solver or SOLVERS)
    found: list[Run] = []
    for done, rows in enumerate(_run(seeds, solvers, options.time_limit, options.jobs), start=1):
        found += rows
        for each in rows:
            if each.fault:
                print(f"{each.solver}, seed {each.seed}: {each.fault}", flush=True)
        print(f"{done} of {len(seeds)} instances", file=sys.stderr, flush=True)
    print("\n".join(table(found)))
    if options.json is not None:
        write_whole(options.json, json.dumps([asdict(each) for each in found], indent=1) + "\n")
    return int(any(each.fault for each in found))


def _run(seeds: list[int], solvers: tuple[str, ...], time_limit: float, jobs: int) -> Iterator[list[Run]]:
    if jobs == 1:
        yield from (runs(seed, solvers, time_limit) for seed in seeds)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        yield from pool.map(runs, seeds, repeat(solvers), repeat(time_limit))


def _options() -> argparse.Namespace:
    command = parser(__doc__, __file__)
    command.add_argument("--instances", type=int, default=len(SEEDS), help="how many (default: %(default)s)")
    command.add_argument("--solver", action="append", help="NAME or NAME:PARAMETER=VALUE; default: many")
    command.add_argument("--time-limit", type=float, default=5, help="for each run, s (default: %(default)s)")
    command.add_argument("--jobs", type=int, default=1, help="processes (default: %(default)s)")
    command.add_argument("--json", type=Path, help="write every run here")
    return command.parse_args()


if __name__ == "__main__":
    sys.exit(main())
