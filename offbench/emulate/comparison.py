"""What was predicted beside what was measured: of each part, message and task."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from offbench.emulate.measuring import Emulation
from offbench.emulate.parts import Message, Part
from offbench.model.arrays import LINK

Kind = Literal["task", "part", "transfer"]


@dataclass(frozen=True)
class Compared:
    """Seconds that something takes."""

    kind: Kind
    name: str
    predicted_s: float
    measured_s: float
    """median of the runs"""
    low_s: float
    """the lower quartile"""
    high_s: float
    """the upper quartile"""

    @property
    def error(self) -> float:
        """By which share the measured time is above the predicted one; NaN where nothing was predicted."""
        return self.measured_s / self.predicted_s - 1 if self.predicted_s > 0 else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        return {
            "kind": self.kind, "name": self.name, "predicted_s": self.predicted_s, "measured_s": self.measured_s,
            "low_s": self.low_s, "high_s": self.high_s, "error": None if np.isnan(self.error) else self.error,
        }  # fmt: skip


def compared(found: Emulation) -> list[Compared]:
    """Return tasks, then parts, then transfers, each in the order of the instance; nothing if no run counts."""
    return [*_tasks(found), *_parts(found), *_transfers(found)] if found.runs else []


def _row(kind: Kind, name: str, predicted_s: float, measured: NDArray[np.float64]) -> Compared:
    low, middle, high = np.quantile(measured, (0.25, 0.5, 0.75)).tolist()
    return Compared(kind, name, float(predicted_s), middle, low, high)


def _tasks(found: Emulation) -> Iterator[Compared]:
    cut = found.cut
    for i, task in enumerate(cut.problem.instance.tasks):
        mine = cut.problem.subtasks_of(i)
        end = float(cut.predicted.end[mine.start : mine.stop].max())
        yield _row("task", task.name, end - task.arrival_s, found.delay[:, i])


def _parts(found: Emulation) -> Iterator[Compared]:
    seconds = found.cut.predicted.end - found.cut.predicted.start
    for part in found.cut.parts.pieces:
        took = found.end[:, part.number] - found.start[:, part.number]
        yield _row("part", part_name(found, part), seconds[list(part.subtasks)].sum(), took)


def _transfers(found: Emulation) -> Iterator[Compared]:
    for one in found.cut.parts.messages:
        took = found.there[:, one.number] - found.sent[:, one.number]
        yield _row("transfer", message_name(found, one), transfer_s(found, one), took)


def transfer_s(found: Emulation, one: Message) -> float:
    """Return what the model says that a message takes: the longest of its readers' transfers."""
    problem, servers = found.cut.problem, found.cut.predicted.placement.servers
    a, n = problem.arrays, problem.n_subtasks
    at = int(servers[one.source]) if one.source < n else int(a.client)
    longest = 0.0
    for part in one.readers:
        for k in found.cut.parts.pieces[part].subtasks:
            for entry in problem.inputs_of(k):
                if a.input_of[entry] == one.source:
                    link = a.link[a.links_of[k], at, servers[k]]
                    longest = max(longest, float(a.input_mb[entry] / link[LINK.rate_mb_per_s] + link[LINK.latency_s]))
    return longest


def part_name(found: Emulation, part: Part) -> str:
    """Return what a part is called: where it runs, its task if there are several, and its first and last layer."""
    instance = found.cut.problem.instance
    names = [found.cut.predicted.names[k] for k in (part.subtasks[0], part.subtasks[-1])]
    span = names[0] if len(part.subtasks) == 1 else f"{names[0]} … {names[1]}"
    return f"{instance.servers[part.server].name}: {span}"


def message_name(found: Emulation, one: Message) -> str:
    """Return what a message is called: what it carries, and from where to where."""
    instance, n = found.cut.problem.instance, found.cut.problem.n_subtasks
    what = found.cut.predicted.names[one.source] if one.source < n else f"input of {instance.tasks[one.task].name}"
    return f"{what}: {instance.servers[one.start].name} → {instance.servers[one.end].name}"
