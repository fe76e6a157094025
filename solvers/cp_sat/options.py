"""Options: the ways to run one subtask that differ in delay, energy or cost before it queues.

An option is the subtask's server, for each input the *class* of servers that its source is on, and which
inputs may be the critical one. A class holds the servers from which the transfer is the same in every
figure, so options are few where links depend on the kinds of server.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from offbench.evaluation.benefits import cost_left, delay_left, energy_left, is_near, left_of
from offbench.evaluation.coordination import coordination
from offbench.model.arrays import SCALE, Floats
from offbench.model.problem import Problem

from .transfers import transfers

Key = tuple[int, float, float, float]


@dataclass(frozen=True)
class Option:
    """One way to run a subtask; delays in seconds, energy and cost over their scales."""

    server: int
    classes: tuple[int, ...]
    """for each input, the index of the class of its source's server in `Ways.classes`"""
    critical: tuple[int, ...]
    """the inputs of which one is critical, counted from the subtask's first"""
    delay_s: float
    """execution, and transfer of the critical input"""
    energy: float
    cost: float
    left: tuple[float, float]
    """benefits of energy and cost to the last digit, if these count"""
    coordination: float
    """H if it doesn't queue; where the option is `loose`, at least H however long it queues"""
    energy_j: float
    """the same as it is, J, for a limit"""
    cost_usd: float
    loose: bool = False
    """stands for all classes and critical inputs on its server; energy and cost are of execution alone"""

    @property
    def key(self) -> Key:
        """What tells it from other options, also in another model of the problem."""
        return self.server, self.delay_s, self.energy, self.cost


@dataclass(frozen=True)
class Ways:
    """How a subtask can be run."""

    subtask: int
    classes: list[dict[int, list[tuple[int, ...]]]]
    """for each input and own server, the classes: servers of the source that are all the same to the transfer"""
    options: list[Option]
    loose: bool


def ways(problem: Problem, k: int, possible: list[NDArray[np.bool_]], most: int, horizon_s: float) -> Ways:
    """Return the options of subtask *k*.

    Parameters
    ----------
    problem
        The problem.
    k
        The subtask.
    possible
        For each of its inputs, by servers of source and subtask: what is not ruled out.
    most
        With more options than this, one loose option for each server stands for them.
    horizon_s
        No delay is longer.
    """
    inputs = problem.inputs_of(k)
    servers = [s for s in range(problem.n_servers) if all(table[:, s].any() for table in possible)]
    sending = [transfers(problem, k, i) for i in inputs]
    classes = [
        {s: _classes(transfer[:, s], np.flatnonzero(table[:, s])) for s in servers}
        for transfer, table in zip(sending, possible, strict=True)
    ]
    count = sum(int(np.prod([len(each[s]) for each in classes])) * len(inputs) for s in servers)
    if count > most:
        return Ways(k, classes, [_loose(problem, k, s, classes, sending, horizon_s) for s in servers], True)
    options = []
    for s in servers:
        for chosen in product(*(range(len(each[s])) for each in classes)):
            sent = np.array([
                transfer[each[s][c][0], s] for transfer, each, c in zip(sending, classes, chosen, strict=True)
            ])  # fmt: skip
            sources = [each[s][c][0] for each, c in zip(classes, chosen, strict=True)]
            options += _options(problem, k, s, chosen, sources, sent)
    return Ways(k, classes, options, False)


def _classes(to_here: Floats, sources: NDArray[np.int64]) -> list[tuple[int, ...]]:
    """Group the servers of the source by what the transfer takes."""
    groups: dict[tuple[float, ...], list[int]] = {}
    for q in sources.tolist():
        groups.setdefault(tuple(to_here[q].tolist()), []).append(q)
    return [tuple(group) for group in groups.values()]


def _options(
    problem: Problem, k: int, s: int, chosen: tuple[int, ...], sources: list[int], sent: Floats
) -> list[Option]:
    """Return an option for each transmission delay that there can be, by which input is critical.

    The arithmetic is the evaluator's, step by step. Where little is left of a benefit the last digit counts, and it is
    taken in exact numbers (`offbench.evaluation.benefits`): H is what it is in exact numbers, but for some last digits
    of H itself, which `units.Units.down` allows for.
    """
    a = problem.arrays
    execution_s = float(a.execution_s[k, s])
    energy_j = sum(sent[:, 1].tolist()) + float(a.run_energy_j[k, s])
    cost_usd = sum(sent[:, 2].tolist()) + float(a.run_usd[k, s])
    energy, cost = energy_j / float(a.scale[SCALE.energy]), cost_usd / float(a.scale[SCALE.cost])
    left = 0.0, 0.0
    if a.benefits:
        left = (
            energy_left(problem, k, s, sources) if is_near(energy) else float(left_of(energy)),
            cost_left(problem, k, s, sources) if is_near(cost) else float(left_of(cost)),
        )
    options = []
    for delay_s in np.unique(sent[:, 0]).tolist():
        critical = tuple(np.flatnonzero(sent[:, 0] == delay_s).tolist())
        total_s = execution_s + delay_s
        t = total_s / float(a.scale[SCALE.delay])
        if a.benefits:
            i = critical[0]
            inputs = problem.inputs_of(k)
            x = delay_left(problem, k, s, inputs[i], sources[i]) if is_near(t) else float(left_of(t))
            h = float(coordination(a, x, *left, counted=True))
        else:
            h = float(coordination(a, t, energy, cost))
        options.append(Option(s, chosen, critical, total_s, energy, cost, left, h, energy_j, cost_usd))
    return options


def _loose(
    problem: Problem,
    k: int,
    s: int,
    classes: list[dict[int, list[tuple[int, ...]]]],
    sending: list[Floats],
    horizon_s: float,
) -> Option:
    """Return an option whose coordination is at least that of any inputs and any queueing.

    Of benefits none is above 1, and by the inequality of the means the coupling is at most
    ``3 / 27^(1/root)``. Of costs, H^2 is 3 (t e u)^(1/root) times ``Y / (t + e + u)``, which is no more than the
    largest λ, and for root 2 over ``(t + e + u)^(1/2)``, which is no less than ``t^(1/2)``.
    """
    a = problem.arrays
    execution_s, energy_j, cost_usd = float(a.execution_s[k, s]), float(a.run_energy_j[k, s]), float(a.run_usd[k, s])
    energy, cost = energy_j / float(a.scale[SCALE.energy]), cost_usd / float(a.scale[SCALE.cost])
    if a.benefits:
        square = 3 * 27 ** (-1 / a.root) * a.lambdas.sum()
    else:
        sent = [
            transfer[[c[0] for c in each[s]], s, 1:].max(axis=0)
            for transfer, each in zip(sending, classes, strict=True)
        ]
        e, u = np.sum(sent, axis=0) / a.scale[1:3] + (energy, cost)
        t = horizon_s / a.scale[SCALE.delay] if a.root == 3 else 1.0
        square = 3 * (t * e * u) ** (1 / a.root) * a.lambdas.max()
    h = float(np.sqrt(square))
    return Option(s, (), (), execution_s, energy, cost, (1.0, 1.0), h, energy_j, cost_usd, loose=True)
