"""Medians of solvers at equal time, as the README's tables have them: ``make compare``, ``make metaheuristics``.

Each run is a process of its own on one thread; as many at once as there are cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

NETWORKS = ("alexnet", "vgg19", "googlenet", "resnet")
SOLVERS = ("client-only", "greedy", "random", "ddpqn")


def run(solver: str, instance: str, seed: int, seconds: float) -> dict[str, Any]:
    """Return what one run came to; *solver* may have parameters, ``genetic:local_search=true``."""
    name, *settings = solver.split(":")
    line = ["solve", "--solver", name, *(f"--set={setting}" for setting in settings)]
    line += ["--seed", str(seed), "--time-limit", str(seconds), "--json", instance]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-m", "offbench", *line],
        capture_output=True, text=True, check=False, env={**os.environ, **one_thread},
    )  # fmt: skip
    if not done.stdout:
        print(f"{solver} on {instance}, seed {seed}: {done.stderr.strip()}", file=sys.stderr, flush=True)
        return {"objective": None, "missed_improvement": None}
    found: dict[str, Any] = json.loads(done.stdout)
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


def main() -> None:
    """Run all and print a Markdown table of medians, least and largest in brackets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--solver", action="append", help=f"default: {', '.join(SOLVERS)}; NAME:PARAMETER=VALUE")
    parser.add_argument("--instance", action="append", help=f"default: {', '.join(NETWORKS)}")
    parser.add_argument("--missed", action="store_true", help="missed improvement instead of the objective")
    chosen = parser.parse_args()
    instances, solvers = chosen.instance or NETWORKS, chosen.solver or SOLVERS
    with ThreadPoolExecutor(chosen.jobs) as pool:
        runs = {
            (solver, name): [pool.submit(run, solver, name, seed, chosen.seconds) for seed in range(chosen.seeds)]
            for name in instances
            for solver in solvers
        }
    print(f"| solver | {' | '.join(instances)} |")
    print(f"| --- | {' | '.join('---:' for _ in instances)} |")
    key = "missed_improvement" if chosen.missed else "objective"
    for solver in solvers:
        cells = [cell([future.result()[key] for future in runs[solver, name]], chosen.missed) for name in instances]
        print(f"| `{solver.replace(':', ' ')}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
