"""The steps of a graph whose free subtasks lie in small modules between pinned layers.

That is the secondary problem of two-step offloading where modules are small, such as residual blocks.
All that comes before a module is complete when its fork is. So the delay, energy, cost and coordination of the subtasks
from there to its join depend on its own servers alone, and Q without the balance is a sum over modules. Each
module's term is scored for all its placements, and counts at its last free subtask.

The same goes for the totals that constraints limit.

Rounding: a term is the difference of two Q, so it is lowered by what the evaluator's sums of both can be off by.
"""

import math

import numpy as np

from offbench import P1, OffbenchError, Search, evaluate_many
from offbench.bounds.subtask_costs import SubtaskCost, never_queues
from offbench.model.arrays import INDICATOR, Floats, Ints
from offbench.model.modules import Nesting

from .resources import Resource, limited, memories

_FREE_AT_MOST = 4


def rows_of(problem: P1) -> int:
    """Return how many combinations of servers of a module's layers a program has to tell apart."""
    return int(problem.n_servers ** (_FREE_AT_MOST - 1))


def module_steps(problem: P1, search: Search) -> tuple[P1, list[SubtaskCost], list[Resource]]:
    """Return what is free as steps: of which problem, the steps, and the resources that are limited.

    Raises
    ------
    OffbenchError
        If a free subtask lies in no module or could wait, or too many are free in one module; it is named.
    """
    m = problem.n_servers
    free = _free_by_module(problem)
    base = problem.everything_on(problem.arrays.client)
    (constant,), (off,) = _scored(problem, base[None])
    steps = [SubtaskCost((), np.where(allowed, 0.0, np.inf)) for allowed in problem.allowed]
    steps[0].cost[:] += constant - off
    totals = [_Total(problem, name, most, base) for name, most in _limited(problem)]
    for module in free:
        search.check()
        choices = [np.flatnonzero(problem.allowed[k]) for k in module]
        combinations = np.array(np.meshgrid(*choices, indexing="ij")).reshape(len(module), -1).T
        rows = np.repeat(base[None], len(combinations), axis=0)
        rows[:, module] = combinations
        cost = np.full((m,) * len(module), np.inf)
        values, offs = _scored(problem, rows)
        cost[tuple(combinations.T)] = values - constant - (offs + off)
        steps[module[-1]] = SubtaskCost(tuple(module[:-1]), cost)
        for total in totals:
            total.take(module, combinations, rows)
    resources = [total.resource for total in totals] + memories(problem)
    return _reading_only(problem, free), steps, resources


def _limited(problem: P1) -> list[tuple[str, float]]:
    a = problem.arrays
    most = a.limit.tolist()
    most[INDICATOR.delay] = min(most[INDICATOR.delay], float(a.deadline_s[0]))
    return [(name, value) for name, value in zip(INDICATOR._fields, most, strict=True) if value < math.inf]


class _Total:
    """A limited total as a sum over modules: what each changes in that of the *base* placement."""

    def __init__(self, problem: P1, name: str, most: float, base: Ints) -> None:
        weights = dict.fromkeys(type(problem.instance.weights).model_fields, 0.0) | {name: 1.0, "score": 1.0}
        scales = dict.fromkeys(type(problem.scales).model_fields, 1.0)
        instance = problem.instance
        self._alone = P1(
            instance.model_copy(
                update={
                    "weights": instance.weights.model_copy(update=weights),
                    "scales": problem.scales.model_copy(update=scales),
                }
            )
        )
        (self._constant,) = evaluate_many(self._alone, base[None])
        self._most, self._largest = most, float(self._constant)
        self._needed = [np.zeros(problem.n_servers) for _ in range(problem.n_subtasks)]
        self._needed[0] += self._constant

    def take(self, module: list[int], combinations: Ints, rows: Ints) -> None:
        """Take in what each way to place a module comes to."""
        totals = evaluate_many(self._alone, rows)
        self._largest = max(self._largest, float(totals.max()))
        k, m = module[-1], self._alone.n_servers
        added = np.zeros((m,) * len(module))
        added[tuple(combinations.T)] = totals - self._constant
        self._needed[k] = self._needed[k] + added

    @property
    def resource(self) -> Resource:
        n = self._alone.n_subtasks
        # Differences of totals are off by some digits of these, which may be much more than is admitted.
        off = 4 * n * (n + 16) * np.finfo(float).eps * self._largest
        return limited(self._needed, self._most, off)


def _scored(problem: P1, rows: Ints) -> tuple[Floats, Floats]:
    """Return Q of each row without balance, and more than it can be off by: some digits of its parts a subtask."""
    objectives = evaluate_many(_without(problem, "balance"), rows)
    # Score and coordination together, which may be much more than their difference.
    parts = 2 * evaluate_many(_without(problem, "balance", "coordination"), rows) - objectives
    return objectives, 4 * (problem.n_subtasks + 16) * np.finfo(float).eps * parts


def _free_by_module(problem: P1) -> list[list[int]]:
    chosen = set(np.flatnonzero(problem.allowed.sum(axis=1) > 1).tolist())
    (modules,) = Nesting(problem.instance).modules
    found = [[k for k in module.inside if k in chosen] for module in modules]
    for k in sorted(chosen.difference(*found)):
        raise OffbenchError(_refusal(problem, k, "is neither in a module nor pinned"))
    for module in found:
        if len(module) > _FREE_AT_MOST:
            raise OffbenchError(_refusal(problem, module[0], f"is one of {len(module)} free layers of a module"))
    for k in np.flatnonzero((problem.allowed & ~never_queues(problem)).any(axis=1)).tolist():
        raise OffbenchError(_refusal(problem, k, "might have to wait"))
    return [module for module in found if module]


def _refusal(problem: P1, k: int, why: str) -> str:
    return (
        f"solver 'chain-exact' solves chains, and modules of up to {_FREE_AT_MOST} layers in which nothing waits with "
        f"all others pinned; {problem.subtask_name(k)} of instance '{problem.instance.name}' {why}"
    )


def _without(problem: P1, *parts: str) -> P1:
    instance = problem.instance
    weights = instance.weights.model_copy(update=dict.fromkeys(parts, 0.0))
    return P1(instance.model_copy(update={"weights": weights}))


def _reading_only(problem: P1, free: list[list[int]]) -> P1:
    """Return the problem with no other edges than from the free subtasks of each module to its last one."""
    (task,) = problem.instance.tasks
    reads = {module[-1]: tuple(task.layers[k].name for k in module[:-1]) for module in free}
    layers = tuple(layer.model_copy(update={"inputs": reads.get(k, ())}) for k, layer in enumerate(task.layers))
    instance = problem.instance.model_copy(
        update={"tasks": (task.model_copy(update={"layers": layers}),), "scales": problem.scales}
    )
    return P1(instance)
