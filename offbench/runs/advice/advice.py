"""Where to cut, how sure that is, what else there is, and up to where it holds."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

from offbench.errors import OffbenchError
from offbench.evaluation.breaches import Use, is_constrained, uses
from offbench.evaluation.evaluator import Evaluation, evaluate
from offbench.evaluation.given import InstanceLike, instance_of
from offbench.model.instance import Instance, Scales
from offbench.model.objectives import with_objective
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.model.ranges import Ranges
from offbench.model.variations import VARIATIONS, with_scales
from offbench.runs.advice.break_even import Curve, Optimum, Solve, as_good, exactly, same_cut, sampled
from offbench.runs.advice.robust import Regret, Robustness, Spread, regret
from offbench.runs.advice.time_shares import time_shares
from offbench.runs.cuts import told
from offbench.runs.solution import Solution
from offbench.runs.solve import solve
from offbench.runs.suggested import suggested

# From where to where each number is looked at.
RANGES: dict[str, tuple[float, float]] = {
    "bandwidth": (1 / 32, 32.0), "round-trip": (0.0, 1.0), "device-speed": (1 / 16, 16.0), "clients": (1.0, 16.0),
}  # fmt: skip
_SAMPLES = 13
_LEAST_S = 0.001  # the first round trip above none that is looked at
# Of the time: the recommended cut, the other choices, the curves; the rest is for the draws.
_SHARES = 0.3, 0.45, 0.75
# Of one solve among many, where nothing is proven.
_STEP_S = 1.0
# What `suggested` names that mostly ends by itself.
_PROVING = ("chain-exact", "graph-exact")


@dataclass(frozen=True)
class Choice:
    """A placement that is the best in another sense."""

    name: str
    placement: Placement
    evaluation: Evaluation
    proven: bool


@dataclass(frozen=True)
class Advice:
    """What is recommended, and what one should know of it."""

    instance: Instance
    solution: Solution
    """the recommended cut"""
    choices: tuple[Choice, ...]
    """fastest, most frugal, cheapest, and the one between them"""
    curves: dict[str, Curve]
    """by name of `VARIATIONS`"""
    regret: Regret | None
    spread: Spread
    ranges: Ranges | None
    """of what was drawn; else the spread holds"""
    uses: tuple[Use, ...]
    """what the cut takes of each memory, deadline and limit, most of it first"""
    seconds: float

    @property
    def placement(self) -> Placement:
        """The recommended cut."""
        assert self.solution.placement is not None
        return self.solution.placement

    def holds(self, name: str) -> tuple[float, float]:
        """Return between which values of a number the recommended cut is the best one."""
        return held(self.curves[name], self.placement)


def held(curve: Curve, placement: Placement) -> tuple[float, float]:
    """Return between which values of a curve a cut is the best one; both NaN where it is nowhere."""
    spans: list[tuple[float, float]] = []
    edges = [curve.points[0].x, *(change.x for change in curve.changes), curve.points[-1].x]
    owners = [curve.changes[0].before if curve.changes else curve.points[0], *(one.after for one in curve.changes)]
    for low, high, owner in zip(edges, edges[1:], owners, strict=False):
        if same_cut(owner.placement, placement):
            spans.append((low, high))
    base = curve.variation.base
    around = [span for span in spans if span[0] <= base <= span[1]] or spans
    return around[0] if around else (math.nan, math.nan)


def advise(
    instance: InstanceLike,
    *,
    objective: str | None = None,
    weights: str | dict[str, float] | None = None,
    time_limit: float = 60.0,
    seed: int = 0,
    draws: int = 100,
    spread: Spread | None = None,
    ranges: Ranges | None = None,
    on_step: Callable[[float, str], None] = lambda share, what: None,
) -> Advice:
    """Return where to cut, and what one should know of it.

    Parameters
    ----------
    instance
        An instance, or a file or shipped name to load.
    objective, weights
        Instead of its own (`with_objective`).
    time_limit
        Seconds for all together.
    seed
        Of the solvers, and of the draws.
    draws
        How many, for the regret.
    spread
        By how much the numbers may be off.
    ranges
        The same of servers and links that it names (`load_ranges`), instead of the spread.
    on_step
        Called with the share that is done, and what comes next.

    Raises
    ------
    OffbenchError
        If the instance is wrong, or no placement was found.
    """
    if not 0 < time_limit < math.inf:
        raise OffbenchError(f"time_limit: must be above 0 and finite, not {time_limit:g}")
    begun = monotonic()
    base = instance_of(instance, objective, weights)
    base = with_scales(base, P1(base).scales) if base.scales is None else base
    pick = suggested(base)
    on_step(0.0, f"the recommended cut, by {pick.solver}")
    solution = solve(base, seed=seed, time_limit=_SHARES[0] * time_limit)
    if solution.placement is None or not solution.feasible:
        raise OffbenchError(f"{base.name}: no feasible placement was found: {solution.reason or solution.status}")

    def left() -> float:
        return time_limit - (monotonic() - begun)

    def found(made: Instance) -> tuple[Placement, bool]:
        proving = suggested(made).solver in _PROVING
        some = solve(made, seed=seed, time_limit=max(_STEP_S, left() / 4) if proving else _STEP_S)
        if some.placement is None:
            return Placement(P1(made).everything_on(P1(made).arrays.client)), False
        return some.placement, some.status == "optimal"

    on_step(_SHARES[0], "other choices")
    choices = _choices(base, solution.placement, found)
    curves = _curves(base, solution.placement, found, lambda: (monotonic() - begun) / time_limit, on_step)
    on_step(_SHARES[2], "draws")
    spread = spread or Spread()
    rng = np.random.default_rng(seed)
    over = regret(
        base, solution.placement, found, spread, rng, draws, lambda: left() > 0.1 * time_limit / draws, ranges
    )
    evaluation = solution.evaluation
    assert evaluation is not None
    held_uses = tuple(uses(base, solution.placement, evaluation)) if is_constrained(base) else ()
    return Advice(base, solution, choices, curves, over, spread, ranges, held_uses, monotonic() - begun)


def for_all_clients(placement: Placement, problem: P1) -> Placement:
    """Return a placement of one client for each of those of a problem, which has one or several (`with_clients`)."""
    times = problem.n_subtasks // len(placement.servers)
    return placement if times == 1 else Placement(np.tile(placement.servers, times))


def _choices(base: Instance, recommended: Placement, found: Solve) -> tuple[Choice, ...]:
    """Return the best for each of delay, energy and cost, and the one that is nearest to all three."""
    problem = P1(base)
    made = []
    for name, objective in (("fastest", "latency"), ("most frugal", "energy"), ("cheapest", "cost")):
        placement, proven = found(with_objective(base, objective))
        made.append(Choice(name, placement, evaluate(problem, placement), proven))
    known = [*(one.evaluation for one in made), evaluate(problem, recommended)]

    def span(of: Callable[[Evaluation], float]) -> float:
        values = [of(one) for one in known]
        return max(values) - min(values)

    scales = Scales(
        delay_s=span(lambda one: one.delay_s), energy_j=span(lambda one: one.energy_j),
        cost_usd=span(lambda one: one.cost_usd), balance=0.0,
    )  # fmt: skip
    third = {"delay": 1 / 3, "energy": 1 / 3, "cost": 1 / 3}
    placement, proven = found(with_scales(with_objective(base, None, third), scales))
    return (*made, Choice("balanced", placement, evaluate(problem, placement), proven))


def _curves(
    base: Instance,
    recommended: Placement,
    found: Solve,
    spent: Callable[[], float],
    on_step: Callable[[float, str], None],
) -> dict[str, Curve]:
    def for_each(made: Instance) -> tuple[Placement, bool]:
        """Return what is found, or the recommended cut, of several clients for each, where nothing is better."""
        problem = P1(made)
        placement, proven = found(made)
        same = for_all_clients(recommended, problem)
        if as_good(evaluate(problem, same), evaluate(problem, placement)):
            placement = same
        return placement, proven

    exact = base.is_chain and base.weights.coordination == base.weights.balance == 0 and not P1(base).constrained
    curves: dict[str, Curve] = {}
    for number, (name, variation) in enumerate(VARIATIONS.items()):
        if name == "clients" and len(base.clients) > 1:
            continue
        if any(link.rate_mb_per_s is None for link in base.links) and name == "bandwidth":
            continue
        begin, end = (_SHARES[1] + (_SHARES[2] - _SHARES[1]) * (number + k) / len(VARIATIONS) for k in (0, 1))
        if curves and spent() >= _SHARES[2]:
            break
        on_step(begin, variation.name)
        low, high = RANGES[name]

        def go_on(end: float = end) -> bool:
            return spent() < end

        if name == "clients":
            curves[name] = sampled(base, variation, [1.0, 2.0, 4.0, 8.0, 16.0], for_each, go_on, whole=True)
        elif exact:
            curves[name] = exactly(base, variation, low, high, for_each)
        else:
            xs = [float(x) for x in np.geomspace(max(low, _LEAST_S), high, _SAMPLES)]
            curves[name] = sampled(base, variation, xs if low > 0 else [0.0, *xs], for_each, go_on)
    # Of one point there is nothing to tell: the time was up.
    return {name: curve for name, curve in curves.items() if len(curve.points) > 1}


def facts(advice: Advice) -> dict[str, Any]:
    """Return an advice as one JSON object."""
    problem = P1(advice.instance)

    def optimum(one: Optimum) -> dict[str, Any]:
        return {"x": one.x, "proven": one.proven, **one.evaluation.to_dict()}

    def robustness(one: Robustness) -> dict[str, Any]:
        return {
            "within_5_percent": one.within, "broken": one.broken, "mean": one.mean_regret if one.kept else None,
            "worst": one.worst_regret if one.kept else None, "cut": list(told(problem, one.placement)),
        }  # fmt: skip

    curves = {
        name: {
            "unit": curve.variation.unit,
            "exact": curve.exact,
            "holds": None if any(map(math.isnan, advice.holds(name))) else list(advice.holds(name)),
            "points": [optimum(one) for one in curve.points],
            "changes": [
                {"x": one.x, "before": cut_in_words(advice, one.before), "after": cut_in_words(advice, one.after)}
                for one in curve.changes
            ],
        }
        for name, curve in advice.curves.items()
    }
    over = advice.regret
    return {
        "recommended": advice.solution.to_dict(),
        "time": vars(time_shares(problem, advice.placement, evaluate(problem, advice.placement))),
        "choices": [
            {
                "name": one.name, "proven": one.proven, **one.evaluation.to_dict(),
                "cut": list(told(problem, one.placement)),
            }
            for one in advice.choices
        ],
        "curves": curves,
        "regret": None if over is None else {
            "draws": over.draws, "proven": over.proven, "spread": vars(advice.spread),
            "ranges": None if advice.ranges is None else advice.ranges.model_dump(),
            "recommended": robustness(over.recommended), "most_robust": robustness(over.most_robust),
        },
        "constraints": [one.to_dict() for one in advice.uses],
        "seconds": advice.seconds,
    }  # fmt: skip


def cut_in_words(advice: Advice, one: Optimum) -> list[str]:
    """Return the cut of a point of a curve in a line for each task; of several clients those of the first."""
    problem = P1(advice.instance)
    n = problem.n_subtasks
    first = Placement(one.placement.servers[:n])
    return list(told(problem, first))
