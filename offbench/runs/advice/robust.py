"""How often a cut is good when the numbers aren't what the instance says: regret over draws."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np

from offbench.errors import OffbenchError, one_of
from offbench.evaluation.evaluator import evaluate
from offbench.model.instance import KINDS, Instance, Layer, Link, Server, Task
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.model.ranges import Range, Ranges
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


def parse_spread(text: str) -> Spread:
    """Turn ``rate=2,seconds=1.33`` into a spread; what isn't named stays.

    Raises
    ------
    OffbenchError
        If it isn't written like that, or a factor is below 1.
    """
    known = [field.name for field in fields(Spread)]
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        try:
            factor = float(value)
        except ValueError:
            equals = ""
        if not equals or name in found:
            why = f"'{name}' stands twice" if name in found else f"'{part.strip()}' is no NAME=FACTOR"
            raise OffbenchError(f"spread: must be such as rate=2,seconds=1.33: {why}")
        if name not in known:
            raise one_of("spread", name, known)
        if not 1 <= factor < math.inf:
            raise OffbenchError(f"spread: {name}: must be at least 1 and finite, not {factor:g}")
        found[name] = factor
    return Spread(**found)


@dataclass(frozen=True)
class Robustness:
    """What became of a cut in the draws."""

    placement: Placement
    regrets: tuple[float, ...]
    """of each draw, by how much its Q is above the best one, relatively; infinite where a constraint is broken"""

    @property
    def within(self) -> float:
        """Share of draws in which it was good (`WITHIN`)."""
        return float(np.mean([one <= WITHIN for one in self.regrets]))

    @property
    def broken(self) -> int:
        """In how many draws it breaks a constraint."""
        return sum(map(math.isinf, self.regrets))

    @property
    def kept(self) -> list[float]:
        """The regrets of the other draws."""
        return [one for one in self.regrets if math.isfinite(one)]

    @property
    def mean_regret(self) -> float:
        """Over the draws in which it breaks nothing; NaN if there are none."""
        return float(np.mean(self.kept)) if self.kept else math.nan

    @property
    def worst_regret(self) -> float:
        """The largest of these; NaN if there are none."""
        return max(self.kept, default=math.nan)


@dataclass(frozen=True)
class Regret:
    """The recommended cut over draws, and the most robust of all that were best in one."""

    draws: int
    recommended: Robustness
    most_robust: Robustness
    proven: bool
    """whether the best of each draw is proven"""

    @property
    def another_is_clearly_more_robust(self) -> bool:
        """Whether the most robust one is good more often, by two standard errors of the draws where they differ."""
        pairs = zip(self.recommended.regrets, self.most_robust.regrets, strict=True)
        signs = [(mine <= WITHIN) - (other <= WITHIN) for mine, other in pairs]
        return -sum(signs) > 2 * math.sqrt(sum(map(abs, signs)))


def regret(
    instance: Instance,
    recommended: Placement,
    solve: Solve,
    spread: Spread,
    rng: np.random.Generator,
    draws: int = 100,
    go_on: Callable[[], bool] = lambda: True,
    ranges: Ranges | None = None,
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
    ranges
        Of servers and links, instead of the spread.
    """
    problems: list[P1] = []
    bests: list[float] = []
    cuts: dict[tuple[int, ...], Placement] = {tuple(recommended.servers.tolist()): recommended}
    proven = True
    while len(problems) < draws and go_on():
        drawn = draw(instance, spread, rng, ranges)
        placement, optimal = solve(drawn)
        problems.append(P1(drawn))
        bests.append(evaluate(problems[-1], placement).objective)
        cuts.setdefault(tuple(placement.servers.tolist()), placement)
        proven = proven and optimal
    if not problems:
        return None
    known = [_robustness(placement, problems, bests) for placement in cuts.values()]
    best = max(known, key=lambda one: (one.within, -one.broken, -np.nan_to_num(one.mean_regret)))
    return Regret(len(problems), known[0], best, proven)


def _robustness(placement: Placement, problems: Sequence[P1], bests: Sequence[float]) -> Robustness:
    regrets = []
    for problem, best in zip(problems, bests, strict=True):
        found = evaluate(problem, placement)
        over = found.objective - best
        regret = max(0.0, over) / abs(best) if best else float(over > 0)
        regrets.append(regret if found.feasible else math.inf)
    return Robustness(placement, tuple(regrets))


def draw(instance: Instance, spread: Spread, rng: np.random.Generator, ranges: Ranges | None = None) -> Instance:
    """Return the instance with other rates, latencies and execution times.

    Each factor is drawn evenly in its logarithm, or evenly where its range begins at 0. What *ranges* doesn't name has
    the spread's.
    """
    ranges = ranges or Ranges()

    def factor(most: float, within: Range | None = None) -> float:
        if within is None:
            return float(np.exp(rng.uniform(-np.log(most), np.log(most))))
        if within.low == 0:
            return float(rng.uniform(0, within.high))
        return float(np.exp(rng.uniform(np.log(within.low), np.log(within.high))))

    def link(one: Link) -> Link:
        told = ranges.of(one)
        update: dict[str, float] = {}
        if one.latency_s:
            update["latency_s"] = one.latency_s * factor(spread.latency, told.latency if told else None)
        if one.rate_mb_per_s is not None:
            update["rate_mb_per_s"] = one.rate_mb_per_s * factor(spread.rate, told.rate if told else None)
        return one.model_copy(update=update)

    slower = {server.name: factor(spread.seconds, ranges.servers.get(server.name)) for server in instance.servers}
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
