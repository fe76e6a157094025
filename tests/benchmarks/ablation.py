"""What each part of ddpqn-plus brings, on drawn instances that nothing was tuned or trained on: ``make ablation``.

Every run has the same CPU seconds, so that other work on the machine counts little. What a run misses is relative to
the best Q that any run of the table found: ``(Q - best) / (Q of everything on the client - best)``.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import suppress
from typing import Any

from offbench import P1, Budget, Search, evaluate
from offbench.evaluator import warm_up
from offbench.search import Clock, SearchEnded
from offbench.solver import find

from .drawn import perturbed

# Seeds of the drawn instances; those of the training set count from 0.
INSTANCES = (1001, 1002, 1003)

ROWS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "all parts": ("ddpqn-plus", {}),
    "not double": ("ddpqn-plus", {"double": False}),
    "not dueling": ("ddpqn-plus", {"dueling": False}),
    "not prioritized": ("ddpqn-plus", {"prioritized": False}),
    "not shared": ("ddpqn-plus", {"shared": False}),
    "nothing onward": ("ddpqn-plus", {"onward": False}),
    "rewards not scaled": ("ddpqn-plus", {"scaled": False}),
    "no baseline": ("ddpqn-plus", {"baseline": False}),
    "one-step returns": ("ddpqn-plus", {"steps": 1}),
    "discount 0.8": ("ddpqn-plus", {"gamma": 0.8}),
    "no windows": ("ddpqn-plus", {"longest": 0}),
    "no merging": ("ddpqn-plus", {"merge": False}),
    "no heat": ("ddpqn-plus", {"heat": 0}),
    "never learns": ("ddpqn-plus", {"every": 0}),
    "random policy": ("ddpqn-plus", {"every": 0, "explore": 1}),
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
    warm_up()
    name, settings = ROWS[row]
    solver, problem = find(name)(**settings), P1(perturbed(drawn))
    # Once before for a moment, so that nobody's clock pays for imports and compiling.
    for budget in (Budget(max_evaluations=3_000, time_limit=20), Budget(time_limit=seconds)):
        search = Search(problem, budget, seed, CpuClock())
        with suppress(SearchEnded):
            solver.solve(problem, search)
    print(f"{row} on {problem.instance.name}, seed {seed}: {search.objective:.4f}", file=sys.stderr, flush=True)
    return search.objective


def main() -> None:
    """Run all and print a Markdown table: the median of each instance, and their mean."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20, help="CPU seconds of each run")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1)
    chosen = parser.parse_args()
    with ProcessPoolExecutor(chosen.jobs, max_tasks_per_child=1) as pool:
        runs: dict[tuple[str, int], list[Future[float]]] = {
            (row, drawn): [pool.submit(run, row, drawn, seed, chosen.seconds) for seed in range(chosen.seeds)]
            for row in ROWS
            for drawn in INSTANCES
        }
        found = {key: [future.result() for future in futures] for key, futures in runs.items()}
    print(f"| {chosen.seconds:g} CPU s, {chosen.seeds} seeds | {' | '.join(f'drawn {i}' for i in INSTANCES)} | mean |")
    print(f"| --- | {' | '.join('---:' for _ in INSTANCES)} | ---: |")
    missed: dict[str, list[float]] = {row: [] for row in ROWS}
    for drawn in INSTANCES:
        problem = P1(perturbed(drawn))
        client = evaluate(problem, problem.everything_on(problem.arrays.client)).objective
        best = min(min(found[row, drawn]) for row in ROWS)
        for row in ROWS:
            missed[row].append((statistics.median(found[row, drawn]) - best) / (client - best))
    for row, shares in missed.items():
        cells = " | ".join(f"{share:.1%}" for share in (*shares, statistics.mean(shares)))
        print(f"| {row} | {cells} |")


if __name__ == "__main__":
    main()
