"""False proofs: what the exact solvers and the relaxations claim, held against exact arithmetic.

Question: Is every bound below the optimum and every `optimal` and `infeasible` true where numbers span 1e-6 to 1e6, and
how far is the evaluator from exact numbers?

Command: `make false-proofs`

Needs: nothing but a core; 2000 tiny instances are drawn from seeds.

Writes: nothing, or every fault with --json FILE; prints each fault and a table.

Time: 20 minutes for P1 and P2 of the 2000, 10 for the other problems, without milp; 6 minutes for milp alone of P1 and
P2 (`--problem P1 --problem P2 --solver milp`).

Outcome: no fault in 2000 instances: no bound above, no false `optimal`, P1 and P2, nor of one network and with
constraints. Proven: P1 cp-sat 1993, milp 1989, chain-exact 959 of 995; P2 cp-sat 1999, milp 1998; one network without H
and Z graph-exact 2000; with constraints cp-sat 1999, chain-exact 973 of 995. The evaluator is off by 2.4e-11 at most;
before it counted times from each task's arrival and took small differences in 32 digits, it was off by over 1e-9 on 28
of 600, by up to 0.3.

The optimum Q* is that of every placement with every dispatch order, in fractions (`_shared.exact_arithmetic`). With Q_c
for everything on the client, a fault is

- a bound above Q* by more than ``1e-9 max(|Q*|, |Q_c|)``, as `gaps.contradict` has it,
- an `optimal` whose placement has an exact Q above Q* by more than that and what section 9 of MODEL.md allows, or that
  breaks a constraint; an `infeasible` where some placement breaks none,
- an evaluated Q off the exact one by more than ``1e-9 max(|Q|, |Q_c|)``, of any placement,
- a run that ends in an error, such as one whose bound contradicts its placement.

The exit status is 1 if there is a fault. A run that isn't proven in its time is none.
"""

import argparse
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from itertools import repeat
from pathlib import Path
from time import monotonic
from typing import Any

from experiments._shared.exact_arithmetic import FEASIBLE, ExactArithmetic, ExactOptimum
from experiments._shared.study import parser
from experiments._shared.wide import wide_constrained, wide_instance, wide_network, wide_servers
from offbench.bounds import RELAXATIONS
from offbench.evaluation.evaluator import evaluate
from offbench.evaluation.gaps import tolerance
from offbench.model.placement import Placement
from offbench.model.problem import P1, P2, Problem
from offbench.runs.solve import solve

SOLVERS = ("cp-sat", "chain-exact", "milp", "graph-exact", "relaxations", "min-cut", "beam")
RELAXATION = "bound: "
"""before the names of relaxations, as of solvers"""
EVALUATOR = "evaluator"
NETWORK, CONSTRAINED = "P1 of one network", "P1 with constraints"
PROBLEMS = ("P1", "P2", NETWORK, CONSTRAINED)
_SOLVERS_OF = {
    "P2": ("cp-sat", "milp"), NETWORK: ("graph-exact",), CONSTRAINED: ("cp-sat", "chain-exact", "milp"),
}  # fmt: skip
_INSTANCE_OF = {NETWORK: wide_network, CONSTRAINED: wide_constrained}
ROUNDING = 1e-9


@dataclass(frozen=True)
class Claim:
    """What one solver or relaxation says of one instance, and what is wrong with it."""

    seed: int
    problem: str
    by: str
    status: str
    above: float
    """how far the bound lies above the optimum, over ``max(|Q*|, |Q_c|)``; negative below"""
    fault: str = ""

    def __str__(self) -> str:
        return f"seed {self.seed}, {self.problem}, {self.by}: {self.fault or 'agrees'}"


class Truth:
    """A problem's optimum in exact numbers.

    Parameters
    ----------
    seed
        Of the instance.
    problem
        One of `PROBLEMS`; P2 with the seed's servers.
    """

    def __init__(self, seed: int, problem: str) -> None:
        self.seed, self.kind = seed, problem
        self.instance = _INSTANCE_OF.get(problem, wide_instance)(seed)
        self.given = wide_servers(seed) if problem == "P2" else None
        self.problem: Problem = P1(self.instance) if self.given is None else P2(self.instance, self.given)
        self._exact = ExactArithmetic(self.instance)
        servers = None if self.given is None else self.given.servers.tolist()
        self.placements = list(self._exact.placements(servers))
        self.best: ExactOptimum = min(self.placements, key=lambda each: each.rank)
        self.client_only = abs(float(self._exact.client_only()))

    def size(self, objective: Fraction) -> float:
        """Return what an error is measured by."""
        return max(abs(float(objective)), self.client_only) or 1.0

    def above(self, bound: float) -> float:
        """Return how far a bound lies above the optimum, of `size`."""
        if math.isinf(bound) or not self.best.feasible:
            return bound if math.isinf(bound) else -math.inf
        return float(Fraction(bound) - self.best.objective) / self.size(self.best.objective)

    def missed(self, placement: Placement) -> float:
        """Return how far a placement's exact objective lies above the optimum, beyond what `optimal` allows.

        Infinite for one that breaks a constraint.
        """
        order = None if placement.order is None else placement.order.tolist()
        found = self._exact.evaluate(placement.servers.tolist(), order)
        if found.violation > FEASIBLE * Fraction(1 + ROUNDING):
            return math.inf
        missed = float(found.objective - self.best.objective)
        return missed - tolerance(float(found.objective), client_only=self.client_only)

    def evaluator_error(self) -> float:
        """Return the evaluator's largest error over all placements, of `size`."""
        return max(
            abs(evaluate(self.problem, Placement(each.servers, each.order)).objective - float(each.objective))
            / self.size(each.objective)
            for each in self.placements
        )


def claims(seed: int, problem: str, by: tuple[str, ...], time_limit: float) -> list[Claim]:
    """Return what each of *by* claims of one problem."""
    truth = Truth(seed, problem)
    found = []
    for name in by:
        if name == EVALUATOR:
            error = truth.evaluator_error()
            fault = f"the evaluator is off by {error:.1e}" if error > ROUNDING else ""
            found.append(Claim(seed, problem, name, "", error, fault))
        elif name.startswith(RELAXATION):
            found.append(_relaxation(truth, name, time_limit))
        elif _claims_of(name, truth):
            found.append(_solver(truth, name, time_limit))
    return found


def _claims_of(name: str, truth: Truth) -> bool:
    """Tell whether a solver solves such a problem; one that isn't among `SOLVERS` does."""
    if name in SOLVERS and name not in _SOLVERS_OF.get(truth.kind, set(SOLVERS) - {"graph-exact"}):
        return False
    return name != "chain-exact" or truth.instance.is_chain


def _solver(truth: Truth, name: str, time_limit: float) -> Claim:
    what = truth.seed, truth.kind, name
    try:
        done = solve(truth.instance, name, time_limit=time_limit, placement=truth.given)
    except Exception as error:
        return Claim(*what, "error", -math.inf, f"{type(error).__name__}: {error}")
    above, faults = truth.above(done.lower_bound), []
    if above > ROUNDING:
        faults.append(f"the bound {done.lower_bound!r} is {above:.1e} above {float(truth.best.objective)!r}")
    if done.status == "infeasible" and truth.best.feasible:
        faults.append(f"infeasible, but {truth.best.servers} in the order {truth.best.order} are feasible")
    if done.status == "optimal" and done.placement is not None:
        missed = truth.missed(done.placement)
        if missed > ROUNDING * truth.size(truth.best.objective):
            faults.append(f"optimal at {done.objective!r}, by {missed:.1e} too much")
    return Claim(*what, done.status, above, "; ".join(faults))


def _relaxation(truth: Truth, name: str, time_limit: float) -> Claim:
    (relaxation,) = (each for each in RELAXATIONS if RELAXATION + each.name == name)
    what = truth.seed, truth.kind, name
    end, above = monotonic() + time_limit, -math.inf
    try:
        for bound in relaxation.bounds(truth.problem):
            above = max(above, truth.above(bound))
            if monotonic() > end:
                break
    except Exception as error:
        return Claim(*what, "error", above, f"{type(error).__name__}: {error}")
    return Claim(*what, "bound", above, f"a bound is {above:.1e} above the optimum" if above > ROUNDING else "")


def table(found: list[Claim]) -> Iterator[str]:
    """Yield a Markdown table, a row for each problem and solver."""
    yield "| problem | by | problems | proven | faults | worst (bound - Q*) / size |"
    yield "| --- | --- | ---: | ---: | ---: | ---: |"
    for key in dict.fromkeys((each.problem, each.by) for each in found):
        rows = [each for each in found if (each.problem, each.by) == key]
        counts = Counter(each.status for each in rows)
        worst = max(each.above for each in rows)
        proven = counts["optimal"] + counts["infeasible"]
        yield (
            f"| {key[0]} | {key[1]} | {len(rows)} | {proven} | {sum(bool(each.fault) for each in rows)} | {worst:.1e} |"
        )


def main() -> int:
    """Run the study; return the exit status."""
    options = _options()
    todo = [
        (seed, problem) for seed in range(options.seed, options.seed + options.instances) for problem in options.problem
    ]
    found: list[Claim] = []
    for done, rows in enumerate(_run(todo, tuple(options.solver), options.time_limit, options.jobs), start=1):
        for each in rows:
            found.append(each)
            if each.fault:
                print(each, flush=True)
        if done % 200 == 0:
            print(f"{done} of {len(todo)} problems", file=sys.stderr, flush=True)
    print("\n".join(table(found)))
    if options.json is not None:
        told: list[dict[str, Any]] = [vars(each) for each in found if each.fault]
        options.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    return int(any(each.fault for each in found))


def _run(todo: list[tuple[int, str]], by: tuple[str, ...], time_limit: float, jobs: int) -> Iterator[list[Claim]]:
    if jobs == 1:
        yield from (claims(*what, by, time_limit) for what in todo)
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(claims, *zip(*todo, strict=True), repeat(by), repeat(time_limit), chunksize=10)


def _options() -> argparse.Namespace:
    everything = [EVALUATOR, *(RELAXATION + each.name for each in RELAXATIONS), *SOLVERS]
    command = parser(__doc__, __file__)
    command.add_argument("--instances", type=int, default=2000, help="how many (default: %(default)s)")
    command.add_argument("--seed", type=int, default=0, help="of the first (default: %(default)s)")
    command.add_argument("--solver", action="append", help=f"default: {', '.join(everything)}; or a path")
    command.add_argument("--problem", action="append", choices=PROBLEMS, help="default: all")
    command.add_argument("--time-limit", type=float, default=10, help="for each run, s (default: %(default)s)")
    command.add_argument("--jobs", type=int, default=1, help="processes")
    command.add_argument("--json", type=Path, help="write the faults to this file")
    options = command.parse_args()
    options.solver = options.solver or everything
    options.problem = options.problem or list(PROBLEMS)
    return options


if __name__ == "__main__":
    sys.exit(main())
