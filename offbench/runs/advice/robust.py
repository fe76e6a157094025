"""How often a cut is good when the numbers aren't what the instance says: regret over draws."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import KINDS, Instance, Layer, Link, Server, Task
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.runs.advice.break_even import Solve

WITHIN = 0.05
"""a cut is good in a draw if its Q is at most so much, relatively, above the best one's"""


@dataclass(frozen=True)
class Spread:
    """By which factors the numbers may be off: each is drawn between *1 / f* and *f*, evenly in its logarithm."""

    rate: float = 2.0
    """of each link's data rate"""
    latency: float = 2.0
    """of each link's latency"""
    seconds: float = 1.33
    """of each server's execution times, all its layers alike"""
    layer_seconds: float = 1.2
    """of each layer's execution time, on all servers alike"""


@dataclass(frozen=True)
class Robustness:
    """What became of a cut in the draws."""

    placement: Placement
    within: float
    """share of draws in which it was good (`WITHIN`)"""
    mean_regret: float
    worst_regret: float
    """relative to the best Q of the draw"""


@dataclass(frozen=True)
class Regret:
    """The recommended cut over draws, and the most robust of all that were best in one."""

    draws: int
    recommended: Robustness
    most_robust: Robustness
    proven: bool
    """whether the best of each draw is proven"""


def regret(
    instance: Instance,
    recommended: Placement,
    solve: Solve,
    spread: Spread,
    rng: np.random.Generator,
    draws: int = 100,
    go_on: Callable[[], bool] = lambda: True,
) -> Regret | None:
    """Return how good a cut is when rates and times are drawn; None if there was no time for a draw.

    Parameters
    ----------
    instance
        With stated scales, so that Q means the same in each draw.
    recommended
        The cut.
    solve
        Finds the best one of a draw.
    spread
        How far the numbers may be off.
    rng
        Draws.
    draws
        How many.
    go_on
        Asked before each; once it says no, those that there are count.
    """
    problems: list[P1] = []
    bests: list[float] = []
    cuts: dict[tuple[int, ...], Placement] = {tuple(recommended.servers.tolist()): recommended}
    proven = True
    while len(problems) < draws and go_on():
        drawn = draw(instance, spread, rng)
        placement, optimal = solve(drawn)
        problems.append(P1(drawn))
        bests.append(evaluate(problems[-1], placement).objective)
        cuts.setdefault(tuple(placement.servers.tolist()), placement)
        proven = proven and optimal
    if not problems:
        return None
    known = [_robustness(placement, problems, bests) for placement in cuts.values()]
    best = max(known, key=lambda one: (one.within, -one.mean_regret))
    return Regret(len(problems), known[0], best, proven)


def _robustness(placement: Placement, problems: Sequence[P1], bests: Sequence[float]) -> Robustness:
    regrets = []
    for problem, best in zip(problems, bests, strict=True):
        found = evaluate(problem, placement)
        over = found.objective - best if found.feasible else np.inf
        regrets.append(max(0.0, over) / abs(best) if best else float(over > 0))
    return Robustness(
        placement, float(np.mean([one <= WITHIN for one in regrets])), float(np.mean(regrets)), float(max(regrets))
    )


def draw(instance: Instance, spread: Spread, rng: np.random.Generator) -> Instance:
    """Return the instance with other rates, latencies and execution times."""

    def factor(most: float) -> float:
        return float(np.exp(rng.uniform(-np.log(most), np.log(most))))

    def link(one: Link) -> Link:
        update: dict[str, float] = {"latency_s": one.latency_s * factor(spread.latency)} if one.latency_s else {}
        if one.rate_mb_per_s is not None:
            update["rate_mb_per_s"] = one.rate_mb_per_s * factor(spread.rate)
        return one.model_copy(update=update)

    slower = {server.name: factor(spread.seconds) for server in instance.servers}
    of_kind: dict[str, float] = {kind: factor(spread.seconds) for kind in KINDS}

    def server(one: Server) -> Server:
        return one.model_copy(update={"compute_ghz": one.compute_ghz / slower[one.name]})

    def layer(one: Layer) -> Layer:
        own = factor(spread.layer_seconds)
        update: dict[str, object] = {}
        if one.gcycles is not None:
            update["gcycles"] = one.gcycles * own
        if one.seconds is not None:
            update["seconds"] = {
                name: s * own * (slower[name] if name in slower else of_kind[name]) for name, s in one.seconds.items()
            }
        return one.model_copy(update=update)

    def task(one: Task) -> Task:
        return one.model_copy(update={"layers": tuple(map(layer, one.layers))})

    return instance.model_copy(
        update={
            "servers": tuple(map(server, instance.servers)),
            "links": tuple(map(link, instance.links)),
            "tasks": tuple(map(task, instance.tasks)),
        }
    )
