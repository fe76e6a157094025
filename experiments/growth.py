"""How time and memory grow with the subtasks, from a thousand to a hundred thousand.

Question: With which power of the subtasks does the time grow of scoring, of building a placement, and of an episode?

Command: `make growth`; a part: `make growth ARGS="--of heft --of episodes"`; solvers: `make growth ARGS=--solvers`

Needs: a core that is free; every size is a process of its own.

Writes: nothing; prints a line for each size and the exponents.

Time: five minutes; with the solvers half an hour.

Outcome: a hundred thousand subtasks take greedy 0.1 s, HEFT 0.2 s, PEFT 0.8 s and a round of 32 episodes 4 to 6 s of
processor time, on chains and on tasks that arrive one after another; exponents over all 0.7 to 1.1.

Two kinds of instance: one chain of the four networks' layers again and again, and AlexNets that arrive two a second,
few enough for the servers. The exponent is the slope of log seconds over log subtasks between the two largest sizes and
over all. Reading a file and making the problem are told apart. An episode round is 32 episodes with actions at random,
each step with the rewards and the full observation's part that depends on actions. With --solvers each solver has its
default minute on `alexnets-100k` and `resnets-30k` of the suite `scale`.
"""

import json
import resource
import subprocess
import sys
from argparse import SUPPRESS
from collections.abc import Callable
from math import log
from time import process_time
from typing import Any

import numpy as np

from experiments._shared.drawn import chain
from experiments._shared.study import parser
from offbench.bench.suite import find_suite, instances_of, read_suite
from offbench.environment import Episodes, Observer
from offbench.evaluation.evaluator import evaluate
from offbench.model.composition import arrivals, compose
from offbench.model.instance import Instance, load
from offbench.model.problem import P1, Problem
from offbench.runs.solve import solve
from offbench.search.greedy import greedy_placement
from offbench.search.search import Search
from offbench.solvers._shared.heft import heft
from offbench.solvers._shared.peft import peft

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
EPISODES = 32
PER_S = 2.0
SOLVERS: dict[str, dict[str, Any]] = {
    "greedy": {}, "heft": {}, "annealing": {}, "local-search": {}, "beam": {}, "genetic": {"local_search": True},
    "ddpqn-plus": {},
}  # fmt: skip
LARGE = ("alexnets-100k", "resnets-30k")


def instance(kind: str, subtasks: int) -> Instance:
    """Return a chain, or AlexNets that arrive one after another."""
    if kind == "chain":
        return chain(subtasks, 11, 0)
    tasks = subtasks // 11
    return compose("alexnets", [load("alexnet")], arrivals(tasks, per_s=PER_S, seed=1))


def one_placement(problem: Problem) -> None:
    """Score the client alone."""
    evaluate(problem, problem.everything_on(0))


def one_greedy(problem: Problem) -> None:
    """Build the greedy's placement."""
    greedy_placement(Search(problem))


def one_round(problem: Problem) -> None:
    """Step through episodes with actions at random."""
    episodes, rng = Episodes(problem, EPISODES, Observer([problem], "full")), np.random.default_rng(0)
    for _ in range(problem.n_subtasks):
        episodes.step(rng.integers(0, problem.n_servers, EPISODES))
        episodes.dynamic()


WORK: dict[str, Callable[[Problem], object]] = {
    "evaluate": one_placement, "greedy": one_greedy, "heft": heft, "peft": peft, "episodes": one_round,
}  # fmt: skip


def main() -> None:
    """Print seconds of each size, then the exponents."""
    command = parser(__doc__, __file__)
    command.add_argument("--of", action="append", choices=list(WORK), help="default: all")
    command.add_argument("--kind", action="append", choices=["chain", "alexnets"], help="default: both")
    command.add_argument("--solvers", action="store_true", help="each solver's default minute on the largest instances")
    command.add_argument("--one", help=SUPPRESS)
    command.add_argument("--one-solver", help=SUPPRESS)
    options = command.parse_args()
    if options.one:
        print(json.dumps(measured(*options.one.split(","))))
    elif options.one_solver:
        print(json.dumps(solved(*options.one_solver.split(","))))
    elif options.solvers:
        large()
    else:
        for kind in options.kind or ("chain", "alexnets"):
            for name in options.of or WORK:
                grow(kind, name)


def measured(kind: str, name: str, subtasks: str) -> dict[str, float]:
    """Return processor seconds, and memory at most, after a small run that loads what is compiled."""
    WORK[name](P1(instance(kind, 100)))
    begun_s = process_time()
    problem = P1(instance(kind, int(subtasks)))
    made_s, begun_s = process_time() - begun_s, process_time()
    WORK[name](problem)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"subtasks": problem.n_subtasks, "made_s": made_s, "s": process_time() - begun_s, "peak_mb": peak_mb}


def grow(kind: str, name: str) -> None:
    """Measure all sizes, each in a process of its own."""
    rows = []
    for size in SIZES:
        row = _child("--one", f"{kind},{name},{size}")
        rows.append(row)
        print(
            f"{kind:9} {name:9} {row['subtasks']:7,} subtasks: {row['s']:8.3f} s, made in {row['made_s']:6.2f} s, "
            f"{row['peak_mb']:6.0f} MB",
            flush=True,
        )
    slopes = [
        log(high["s"] / low["s"]) / log(high["subtasks"] / low["subtasks"])
        for low, high in ((rows[0], rows[-1]), (rows[-2], rows[-1]))
    ]
    print(f"{kind:9} {name:9} exponent {slopes[0]:.2f} over all, {slopes[1]:.2f} between the two largest", flush=True)


def large() -> None:
    """Give each solver its default minute on the largest instances, each in a process of its own."""
    for name in LARGE:
        for solver in SOLVERS:
            row = _child("--one-solver", f"{name},{solver}")
            print(
                f"{name:14} {solver:12} Q {row['objective']:10.2f}, {row['seconds']:5.1f} s, {row['peak_mb']:5.0f} MB",
                flush=True,
            )


def solved(name: str, solver: str) -> dict[str, float]:
    """Return what a solver's default minute gives, and memory at most."""
    path = find_suite("scale")
    (made,) = (each for each in instances_of(read_suite(path), path.parent) if each.name == name)
    solution = solve(made, solver, parameters=SOLVERS[solver])
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"objective": solution.objective, "seconds": solution.seconds, "peak_mb": peak_mb}


def _child(option: str, value: str) -> dict[str, float]:
    line = [sys.executable, "-m", "experiments.growth", option, value]
    found: dict[str, float] = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
    return found


if __name__ == "__main__":
    main()
