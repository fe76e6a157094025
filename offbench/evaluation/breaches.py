"""What a placement takes of each memory, deadline and limit, and which of them it breaks (MODEL.md section 4)."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.evaluator import Evaluation
from offbench.evaluation.kernel import PART
from offbench.files.numbers import apart
from offbench.files.plain import plain
from offbench.model.instance import Instance
from offbench.model.placement import Placement
from offbench.model.problem import FEASIBLE

Kind = Literal["memory", "deadline", "limit"]

# Characters of a name in a sentence.
_LONGEST = 60
# Broken constraints that are told, the worst.
_TOLD = 5
_TOTALS = (("delay", "delay_s", "s"), ("energy", "energy_j", "J"), ("cost", "cost_usd", "$"))


@dataclass(frozen=True)
class Use:
    """How much of what is admitted a placement takes."""

    kind: Kind
    name: str
    """the server, the task, or delay, energy or cost"""
    used: float
    admitted: float
    unit: str

    @property
    def share(self) -> float:
        """*used* as a share of what is admitted: above 1 it is too much."""
        return self.used / self.admitted

    @property
    def excess(self) -> float:
        """What it adds to the violation."""
        return max(0.0, self.share - 1)

    def to_dict(self) -> dict[str, Any]:
        """Return the facts, ready for JSON."""
        return asdict(self) | {"share": self.share, "excess": self.excess}

    def __str__(self) -> str:
        used, admitted = apart(self.used, self.admitted)
        name, percent = plain(self.name, _LONGEST), share_in_words(self.share)
        if self.kind == "memory":
            return f"server '{name}' holds {used} MB of weights, its memory is {admitted} MB ({percent})"
        if self.kind == "limit":
            return f"the {name} of all is {used} {self.unit}, its limit {admitted} {self.unit} ({percent})"
        late = f", {self.used - self.admitted:.3g} s late" if self.share > 1 else ""
        return f"task '{name}' takes {used} s{late}, its deadline is {admitted} s ({percent})"


def is_constrained(instance: Instance) -> bool:
    """Tell whether an instance has a memory, a deadline or a limit, which a placement can break."""
    limits = instance.limits
    return (
        any(server.memory_mb is not None for server in instance.servers)
        or any(task.deadline_s is not None for task in instance.tasks)
        or (limits is not None and any(getattr(limits, name) is not None for _, name, _ in _TOTALS))
    )


def uses(instance: Instance, placement: Placement, evaluation: Evaluation) -> list[Use]:
    """Return every memory, deadline and limit of an instance, and what a placement takes of it, most of it first.

    Parameters
    ----------
    instance, placement
        The instance, and one of its placements.
    evaluation
        Of that placement.
    """
    found = [*_memories(instance, placement), *_deadlines(instance, evaluation), *_limits(instance, evaluation)]
    return sorted(found, key=lambda use: -use.share)


def breaches(instance: Instance, placement: Placement, evaluation: Evaluation) -> list[Use]:
    """Return what a placement breaks, the worst first; nothing where it is feasible."""
    return [] if evaluation.feasible else broken(uses(instance, placement, evaluation))


def broken(found: list[Use]) -> list[Use]:
    """Return those of `uses` that are too much by more than rounding."""
    # Of so many together that exceed FEASIBLE one exceeds its part.
    return [use for use in found if use.excess > FEASIBLE / len(found)]


def verdict(instance: Instance, placement: Placement, evaluation: Evaluation) -> list[str]:
    """Tell in lines whether a placement keeps all constraints, and what it breaks most; nothing without constraints."""
    found = uses(instance, placement, evaluation)
    if not found:
        return []
    if evaluation.feasible:
        kept = "the constraint" if len(found) == 1 else f"all {len(found):,} constraints"
        return [f"feasible: keeps {kept}; the tightest: {found[0]}"]
    worst = broken(found)
    first = (
        f"not feasible: breaks {_counted(worst)} (of {_counted(found)}); violation {evaluation.violation:.4g}: "
        f"memories {evaluation.memory_violation:.4g}, deadlines {evaluation.deadline_violation:.4g}, limits "
        f"{evaluation.limit_violation:.4g}"
    )
    more = [f"  and {len(worst) - _TOLD:,} more"] if len(worst) > _TOLD else []
    return [first, *(f"  {use}" for use in worst[:_TOLD]), *more]


def _counted(found: list[Use]) -> str:
    """Say how many of each kind there are: ``1 memory, 2 deadlines``."""
    counts = Counter(use.kind for use in found)
    plurals: dict[Kind, str] = {"memory": "memories", "deadline": "deadlines", "limit": "limits"}
    return ", ".join(
        f"{counts[kind]:,} {kind if counts[kind] == 1 else several}"
        for kind, several in plurals.items()
        if counts[kind]
    )


def servers_of(instance: Instance, placement: Placement) -> NDArray[np.int64]:
    """Return on which server each subtask of a placement runs, by its index, every client by its own."""
    counts = [len(task.layers) for task in instance.tasks]
    own = np.repeat(np.array(instance.client_of, dtype=np.int64), counts)
    at = np.array(instance.places, dtype=np.int64)[placement.servers]
    return np.where(at == instance.client, own, at)


def held_mb(instance: Instance, placement: Placement) -> NDArray[np.float64]:
    """Return how much weight each server holds, those of one `Layer.weights_id` once, MB; shape ``(servers,)``."""
    held = np.zeros(len(instance.servers))
    there: set[tuple[int, str]] = set()
    layers = (layer for task in instance.tasks for layer in task.layers)
    for layer, server in zip(layers, servers_of(instance, placement).tolist(), strict=True):
        if layer.weights_mb > 0 and layer.weights_id is not None:
            if (server, layer.weights_id) in there:
                continue
            there.add((server, layer.weights_id))
        held[server] += layer.weights_mb
    return held


def _memories(instance: Instance, placement: Placement) -> list[Use]:
    if all(server.memory_mb is None for server in instance.servers):
        return []
    return [
        Use("memory", server.name, held, server.memory_mb, "MB")
        for server, held in zip(instance.servers, held_mb(instance, placement).tolist(), strict=True)
        if server.memory_mb is not None
    ]


def _deadlines(instance: Instance, evaluation: Evaluation) -> list[Use]:
    if all(task.deadline_s is None for task in instance.tasks):
        return []
    first = np.cumsum([0, *(len(task.layers) for task in instance.tasks)])[:-1]
    complete_s = np.maximum.reduceat(evaluation.parts[:, PART.completion_s], first)
    return [
        Use("deadline", task.name, end_s - task.arrival_s, task.deadline_s, "s")
        for task, end_s in zip(instance.tasks, complete_s.tolist(), strict=True)
        if task.deadline_s is not None
    ]


def _limits(instance: Instance, evaluation: Evaluation) -> list[Use]:
    if instance.limits is None:
        return []
    admitted = {name: getattr(instance.limits, name) for _, name, _ in _TOTALS}
    return [
        Use("limit", label, getattr(evaluation, name), admitted[name], unit)
        for label, name, unit in _TOTALS
        if admitted[name] is not None
    ]


def share_in_words(share: float) -> str:
    """Write a share so that more than all of it never reads as 100 %, nor less as that."""
    for digits in range(10):
        text = f"{100 * share:.{digits}f}"
        if share == 1 or float(text) != 100:
            break
    return f"{text} %"
