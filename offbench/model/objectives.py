"""Objectives by name: what a placement is to be good at, whatever the instance's own weights say."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from offbench.errors import OffbenchError, nearest, one_of
from offbench.model.composition import PAPER_WEIGHTS
from offbench.model.instance import Coordination, Instance, Weights, load

Objective = Literal["paper", "benefits", "score", "latency", "energy", "cost"]

MEANINGS: dict[Objective, str] = {
    "paper": "the paper's: 0.6 score, 0.2 coordination H as printed, 0.2 balance Z",
    "benefits": "the paper's weights, with H of benefits under a cube root",
    "score": "delay, energy and cost by the instance's weights, without H and Z",
    "latency": "delay alone",
    "energy": "the client's energy alone",
    "cost": "money alone",
}
_SCORE_ALONE = {"score": 1.0, "coordination": 0.0, "balance": 0.0}
_OF_SCORE, _OF_OBJECTIVE = ("delay", "energy", "cost"), ("score", "coordination", "balance")


def with_objective(
    instance: Instance | str | Path,
    objective: str | None = None,
    weights: str | Mapping[str, float] | None = None,
) -> Instance:
    """Return the instance with other weights.

    Parameters
    ----------
    instance
        Or a file or a shipped name; its weights stay where nothing else is said.
    objective
        One of `MEANINGS`; the instance's own if absent.
    weights
        Then some weights by name, ``{"delay": 0.7, "energy": 0.3}`` or ``"delay=0.7,energy=0.3"``. Of delay, energy and
        cost those that aren't named are 0, if any is named; of score, coordination and balance likewise. Where only
        delay, energy or cost are named, and no objective is, score alone counts.

    Raises
    ------
    OffbenchError
        If there is no such objective or weight, or they don't add up to 1.
    """
    instance = instance if isinstance(instance, Instance) else load(instance)
    if objective is None and weights is None:
        return instance
    if weights is not None and not isinstance(weights, str | Mapping):
        raise OffbenchError(f"weights: must be names with numbers, not {type(weights).__name__}")
    chosen, coordination = instance.weights.model_dump(), instance.coordination
    if objective is not None:
        chosen |= _weights_of(objective)
        if objective in ("paper", "benefits"):
            coordination = Coordination() if objective == "paper" else Coordination(indicators="benefits", root=3)
    if weights is not None:
        named = parse_weights(weights) if isinstance(weights, str) else dict(weights)
        chosen |= _filled(named, alone=objective is None)
    from offbench.files.json import check

    made = check(Weights, chosen, "weights")
    return instance.model_copy(update={"weights": made, "coordination": coordination})


def named(name: str) -> Instance:
    """Return a shipped instance by its name, or by that and an objective: ``alexnet@latency``.

    Raises
    ------
    OffbenchError
        If there is no such instance or objective.
    """
    base, at, objective = name.partition("@")
    made = with_objective(base, objective if at else None)
    return made.model_copy(update={"name": name})


def objective_of(instance: Instance) -> Objective | None:
    """Return the name of the instance's objective; None if it has none.

    An objective of delay alone is called latency, also where it might be called score.
    """
    for name in ("latency", "energy", "cost", "paper", "benefits", "score"):
        if with_objective(instance, name) == instance:
            return name
    return None


def described(instance: Instance) -> str:
    """Return the instance's objective in words: its name, or its weights."""
    name = objective_of(instance)
    if name is not None and name != "score":
        return name
    known = _OF_SCORE if name else (*_OF_SCORE, *_OF_OBJECTIVE)
    told = {key: getattr(instance.weights, key) for key in known}
    weights = ", ".join(f"{key} {value:g}" for key, value in told.items() if value)
    return f"score ({weights})" if name else weights


def parse_weights(text: str) -> dict[str, float]:
    """Turn ``delay=0.7,energy=0.3`` into numbers by name.

    Raises
    ------
    OffbenchError
        If it isn't written like that.
    """
    found: dict[str, float] = {}
    for part in text.split(","):
        name, equals, value = (each.strip() for each in part.partition("="))
        try:
            number = float(value)
        except ValueError:
            equals = ""
        if not equals or name in found:
            why = f"'{name}' stands twice" if name in found else f"'{part.strip()}' is no NAME=NUMBER"
            raise OffbenchError(f"weights: must be such as delay=0.7,energy=0.3: {why}")
        found[name] = number
    return found


def _weights_of(objective: str) -> dict[str, float]:
    if isinstance(objective, Mapping):
        raise OffbenchError("objective: must be a name, not weights; say weights={...}")
    if not isinstance(objective, str) or objective not in get_args(Objective):
        known: list[str] = list(MEANINGS)
        raise one_of("objective", str(objective), known)
    if objective in ("paper", "benefits"):
        return PAPER_WEIGHTS.model_dump()
    if objective == "score":
        return _SCORE_ALONE
    only = "delay" if objective == "latency" else objective
    return _SCORE_ALONE | {name: float(name == only) for name in _OF_SCORE}


def _filled(named: dict[str, float], alone: bool) -> dict[str, float]:
    """Return the weights of each sum of which one is named, those that aren't being 0."""
    known = (*_OF_SCORE, *_OF_OBJECTIVE)
    for name in named:
        if name not in known:
            raise OffbenchError(
                f"weights: '{name}' is none; there are {', '.join(known)}{nearest(str(name), list(known))}"
            )
    chosen: dict[str, float] = {}
    for names in (_OF_SCORE, _OF_OBJECTIVE):
        if any(name in named for name in names):
            chosen |= {name: named.get(name, 0.0) for name in names}
    if not named:
        raise OffbenchError("weights: none is named")
    if alone and not any(name in named for name in _OF_OBJECTIVE):
        chosen |= _SCORE_ALONE
    return chosen
