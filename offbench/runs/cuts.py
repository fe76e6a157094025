"""Where a placement cuts its networks: stretches of layers on one server, and what is sent from one to the next.

A chain is a row of layers. A graph is a row of layers and modules (`model.modules`); a module whose layers are on
several servers is a stretch of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from offbench.evaluation.given import InstanceLike, problem_of
from offbench.model.arrays import LINK, Ints
from offbench.model.modules import Nesting
from offbench.model.placement import Placement
from offbench.model.problem import Problem

# Characters of a line that people read.
_LONGEST = 400


@dataclass(frozen=True)
class Stretch:
    """Layers that follow one another on one server; or a module that is spread over several."""

    layers: dict[str, list[str]]
    """of each server, the names of its layers, in their order"""
    sent_mb: float
    """what comes from other servers"""
    sent_s: float
    """how long the longest of these transfers takes, latency included"""

    @property
    def only(self) -> str | None:
        """The server of all its layers; None where they are on several."""
        return next(iter(self.layers)) if len(self.layers) == 1 else None

    def __str__(self) -> str:
        if len(self.layers) == 1:
            ((server, names),) = self.layers.items()
            return f"{server}: {row(names)}"
        return f"split ({'; '.join(f'{server}: {row(names)}' for server, names in self.layers.items())})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as one JSON object."""
        return {"servers": self.layers, "sent_mb": self.sent_mb, "sent_s": self.sent_s}


def cuts(problem: Problem | InstanceLike, placement: Placement) -> Iterator[tuple[str, list[Stretch]]]:
    """Yield each task's name and its stretches, from its input on."""
    problem = problem_of(problem)
    instance = problem.instance
    chains = all(problem.chains)
    modules = [()] * problem.n_tasks if chains else Nesting(instance).modules
    for i, task in enumerate(instance.tasks):
        first = problem.subtasks_of(i).start
        members: list[list[int]] = []
        inside = {j: module.inside for module in modules[i] for j in module.inside}
        for j in range(len(task.layers)):
            if j not in inside:
                members.append([first + j])
            elif j == inside[j][0]:
                members.append([first + each for each in inside[j]])
        yield task.name, _joined(problem, members, placement.servers)


def told(problem: Problem | InstanceLike, placement: Placement) -> Iterator[str]:
    """Yield a line for each task: its stretches, and between them what is sent."""
    for name, stretches in cuts(problem, placement):
        words = [_sent(stretches[0], start=True) + str(stretches[0])]
        words += [f"{_sent(stretch)}{stretch}" for stretch in stretches[1:]]
        shown = [number for number, length in enumerate(accumulate(map(len, words))) if length <= _LONGEST]
        more = len(words) - max(1, len(shown))
        rest = f" … and {more} stretch{'es' if more > 1 else ''} more (--json has all)" if more else ""
        yield f"{name}: {' '.join(words[: len(words) - more])}{rest}"


def _joined(problem: Problem, members: list[list[int]], servers: Ints) -> list[Stretch]:
    groups: list[list[int]] = []
    for ks in members:
        one = len(set(servers[ks].tolist())) == 1
        before = groups[-1] if groups else []
        if one and before and set(servers[before].tolist()) == {servers[ks[0]]}:
            before += ks
        else:
            groups.append(list(ks))
    return [_stretch(problem, ks, servers) for ks in groups]


def _stretch(problem: Problem, ks: list[int], servers: Ints) -> Stretch:
    a, n = problem.arrays, problem.n_subtasks
    layers: dict[str, list[str]] = {}
    sent_mb, sent_s = 0.0, 0.0
    within = set(ks)
    for k in ks:
        i = int(problem.task_of[k])
        layer = problem.instance.tasks[i].layers[k - problem.subtasks_of(i).start]
        layers.setdefault(problem.server_name(k, int(servers[k])), []).append(layer.name)
        for entry in problem.inputs_of(k):
            source = int(a.input_of[entry])
            at = int(servers[source]) if source < n else a.client
            if source not in within and at != servers[k]:
                sent_mb += float(a.input_mb[entry])
                link = a.link[a.links_of[k], at, servers[k]]
                transfer_s = a.input_mb[entry] / link[LINK.rate_mb_per_s] + link[LINK.latency_s]
                sent_s = max(sent_s, float(transfer_s))
    return Stretch(layers, sent_mb, sent_s)


def _sent(stretch: Stretch, start: bool = False) -> str:
    if stretch.sent_mb == 0 and stretch.sent_s == 0:
        return "" if start else "→ "
    what = f"{stretch.sent_mb:.3g} MB, {_seconds(stretch.sent_s)}"
    return f"input | {what} → " if start else f"| {what} → "


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def row(names: list[str]) -> str:
    """Name layers that follow one another."""
    if len(names) <= 2:
        return ", ".join(names)
    return f"{names[0]} … {names[-1]} ({len(names)} layers)"
