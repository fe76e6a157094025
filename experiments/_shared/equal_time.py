"""Medians of solvers at equal time, each run a process of its own on one thread."""

import argparse
import os
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from experiments._shared.command import offbench
from experiments._shared.study import add_time_limit, parser

NETWORKS = ("alexnet", "vgg19", "googlenet", "resnet")


def compare(
    docstring: str | None,
    file: str,
    *,
    solvers: tuple[str, ...],
    instances: tuple[str, ...] = NETWORKS,
    seconds: float = 60,
    seeds: int = 5,
    jobs: int | None = None,
    missed: bool = False,
) -> None:
    """Run all and print a Markdown table of medians, least and largest in brackets.

    Parameters
    ----------
    docstring, file
        The study's ``__doc__`` and ``__file__``.
    solvers, instances, seconds, seeds, jobs, missed
        Defaults of the options with these names.
    """
    options = parser(docstring, file)
    add_time_limit(options, seconds)
    options.add_argument("--seeds", type=int, default=seeds, help="0 to N-1 (default: %(default)s)")
    options.add_argument("--jobs", type=int, default=jobs or os.cpu_count() or 1, help="runs at once")
    options.add_argument("--solver", action="append", help=f"default: {', '.join(solvers)}; NAME:PARAMETER=VALUE")
    options.add_argument("--instance", action="append", help=f"default: {', '.join(instances)}")
    options.add_argument(
        "--missed", action=argparse.BooleanOptionalAction, default=missed,
        help="missed improvement, or else the objective (default: %(default)s)",
    )  # fmt: skip
    chosen = options.parse_args()
    names, rivals = chosen.instance or instances, chosen.solver or solvers
    with ThreadPoolExecutor(chosen.jobs) as pool:
        runs = {
            (solver, name): [pool.submit(run, solver, name, seed, chosen.time_limit) for seed in range(chosen.seeds)]
            for name in names
            for solver in rivals
        }
    print(f"| solver | {' | '.join(names)} |")
    print(f"| --- | {' | '.join('---:' for _ in names)} |")
    key = "missed_improvement" if chosen.missed else "objective"
    for solver in rivals:
        cells = [cell([future.result()[key] for future in runs[solver, name]], chosen.missed) for name in names]
        print(f"| `{solver.replace(':', ' ')}` | {' | '.join(cells)} |")


def run(solver: str, instance: str, seed: int, seconds: float) -> dict[str, Any]:
    """Return what one run came to; *solver* may have parameters, ``genetic:local_search=true``."""
    name, *settings = solver.split(":")
    budget = ("--seed", str(seed), "--time-limit", str(seconds))
    found = offbench("solve", "--solver", name, *(f"--set={setting}" for setting in settings), *budget, instance)
    if "error" in found:
        print(f"{solver} on {instance}, seed {seed}: {found['error']}", file=sys.stderr, flush=True)
        return {"objective": None, "missed_improvement": None}
    print(
        f"{solver} on {instance}, seed {seed}: {found['objective']}, {found['evaluations']} evaluations, "
        f"missed {found['missed_improvement']}",
        file=sys.stderr, flush=True,
    )  # fmt: skip
    return found


def cell(values: list[float | None], missed: bool) -> str:
    """Write median, least and largest."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return "-"
    form = "{:.2%}" if missed else "{:.4f}"
    spread = f" ({form} to {form})".format(known[0], known[-1]) if known[0] < known[-1] else ""
    return form.format(statistics.median(known)) + spread
