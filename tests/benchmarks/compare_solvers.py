"""Medians of solvers at equal time, as the README's table has them: ``make compare``.

Each run is a process of its own on one thread; as many at once as there are cores.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

NETWORKS = ("alexnet", "vgg19", "googlenet", "resnet")
SOLVERS = ("client-only", "greedy", "random", "ddpqn")


def run(solver: str, network: str, seed: int, seconds: float) -> float:
    """Return the objective that one run reaches."""
    line = ["solve", "--solver", solver, "--seed", str(seed), "--time-limit", str(seconds), "--json", network]
    one_thread = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    done = subprocess.run(
        [sys.executable, "-m", "offbench", *line],
        capture_output=True, text=True, check=True, env={**os.environ, **one_thread},
    )  # fmt: skip
    objective: float = json.loads(done.stdout)["objective"]
    print(f"{solver} on {network}, seed {seed}: {objective:.6f}", file=sys.stderr, flush=True)
    return objective


def main() -> None:
    """Run all and print a Markdown table of medians, least and largest objective in brackets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    chosen = parser.parse_args()
    with ThreadPoolExecutor(chosen.jobs) as pool:
        runs = {
            (solver, network): [pool.submit(run, solver, network, seed, chosen.seconds) for seed in range(chosen.seeds)]
            for network in NETWORKS
            for solver in SOLVERS
        }
    print(f"| solver | {' | '.join(NETWORKS)} |")
    print(f"| --- | {' | '.join('---:' for _ in NETWORKS)} |")
    for solver in SOLVERS:
        cells = []
        for network in NETWORKS:
            values = sorted(future.result() for future in runs[solver, network])
            spread = f" ({values[0]:.4f} to {values[-1]:.4f})" if values[0] < values[-1] else ""
            cells.append(f"{statistics.median(values):.4f}{spread}")
        print(f"| `{solver}` | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
