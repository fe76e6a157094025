"""The one evaluator: what placements amount to (MODEL.md sections 2-4)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from offbench.errors import InvalidPlacement, OffbenchError
from offbench.evaluation.coordination import coordination
from offbench.evaluation.given import InstanceLike, PlacementLike, Solved, placement_of, population_of, problem_of
from offbench.evaluation.kernel import PARTS, TOTAL, TOTALS, score
from offbench.model.instance import Instance, Layer, Limits, Scales, Server, Task, Weights
from offbench.model.placement import indices
from offbench.model.problem import FEASIBLE, Problem

Floats = NDArray[np.float64]

_OBJECTIVE, _FINAL_IMBALANCE = TOTAL.objective, TOTAL.final_imbalance
_NO_ORDERS = np.empty((0, 0), dtype=np.int64)
_NO_PARTS = np.empty((0, len(PARTS)))


@dataclass(slots=True, eq=False, repr=False)  # frozen, making one would take a fifth of the time of scoring resnet
class Evaluation:
    """What a placement amounts to: `kernel.TOTALS` in that order, and every subtask's parts (MODEL.md section 4)."""

    objective: float
    """Q, to be minimised"""
    delay_s: float
    """D: completion less arrival, summed over tasks"""
    energy_j: float
    cost_usd: float
    score: float
    """SC, the weighted sum of delay, energy and cost over their scales"""
    coordination: float
    """sum of H"""
    balance: float
    """sum of Z over Z_ref"""
    final_imbalance: int
    """Z after the last subtask"""
    makespan_s: float
    violation: float
    """by how much memories, deadlines and limits are exceeded, each as a share of what is admitted, added up"""
    memory_violation: float
    deadline_violation: float
    limit_violation: float
    scales: Scales
    parts: Floats
    """a row for each subtask, a column for each name in `kernel.PARTS`"""

    def __repr__(self) -> str:
        kept = "" if self.feasible else f", violation = {self.violation:.4g}"
        totals = f"{self.delay_s:.4g} s, {self.energy_j:.4g} J, ${self.cost_usd:.4g}"
        return f"<Evaluation of {len(self.parts)} subtasks: Q = {self.objective:.6g}, {totals}{kept}>"

    @property
    def feasible(self) -> bool:
        """Whether the placement keeps every memory, deadline and limit."""
        return self.violation <= FEASIBLE

    @property
    def subtasks(self) -> list[dict[str, float | int]]:
        """Each subtask's delay and its parts, energy, cost, H, and Z after it."""
        rows = []
        for values in self.parts.tolist():
            row = dict(zip(PARTS, values, strict=True))
            row["imbalance"] = int(row["imbalance"])
            rows.append(row)
        return rows

    def to_dict(self, subtasks: bool = False) -> dict[str, Any]:
        """Return the totals, and the subtasks if wanted, ready for JSON."""
        totals: dict[str, Any] = {name: getattr(self, name) for name in TOTALS}
        totals["scales"] = self.scales.model_dump()
        if subtasks:
            totals["subtasks"] = self.subtasks
        return totals


def evaluate(
    problem: Problem | InstanceLike | Solved,
    placement: PlacementLike | None = None,
    *,
    objective: str | None = None,
    weights: str | Mapping[str, float] | None = None,
) -> Evaluation:
    """Score one placement.

    Parameters
    ----------
    problem
        P1 or P2; or an instance, a file or a shipped name, for its P1; or a solution alone, for its own instance.
    placement
        A placement, or server indices of shape ``(n_subtasks,)`` for first come, first served; also a solution, server
        names, a placement file, or what it says (`given.placement_of`).
    objective, weights
        Of an instance, instead of its own (`with_objective`).

    Raises
    ------
    InvalidPlacement
        If a subtask has no server, or one that isn't allowed, or the order isn't one.
    OffbenchError
        If one of the two is something else, or the instance's numbers are too large.
    """
    if placement is None and isinstance(problem, Solved):
        return evaluate(problem.instance, problem, objective=objective, weights=weights)
    if isinstance(problem, Solved):
        raise OffbenchError("problem: a solution stands alone, evaluate(solution); else an instance and a placement")
    problem = problem_of(problem, objective, weights)
    placement = placement_of(placement, problem.instance)
    servers, order = placement.servers, placement.order
    n = len(problem.arrays.gcycles)
    if servers.shape != (n,):
        raise InvalidPlacement(f"placement: shape {servers.shape}, but the instance has {n} subtasks")
    if order is not None and order.shape != (n,):
        raise InvalidPlacement(f"placement: an order of shape {order.shape}, but the instance has {n} subtasks")
    totals = np.empty((1, len(TOTALS)))
    parts = np.empty((n, len(PARTS)))
    orders = _NO_ORDERS if order is None else order[None]
    fault = score(*problem.packed, problem.allowed, servers[None], orders, n, totals, parts, problem.constraints)
    if fault >= 0:
        raise InvalidPlacement(_explain(problem, servers, order, fault))
    values = totals[0].tolist()
    _require_finite(problem, values[_OBJECTIVE])
    values[_FINAL_IMBALANCE] = int(values[_FINAL_IMBALANCE])
    return Evaluation(*values, problem.scales, parts)  # type: ignore[call-arg]


def evaluate_many(
    problem: Problem | InstanceLike, assignments: ArrayLike | Sequence[PlacementLike], orders: ArrayLike | None = None
) -> Floats:
    """Score a population in one call.

    Parameters
    ----------
    problem
        P1 or P2; or an instance, a file or a shipped name, for its P1.
    assignments
        Server indices, shape ``(rows, n_subtasks)``; or a list of placements, each as `evaluate` takes it.
    orders
        Dispatch orders, same shape; first come, first served without.

    Returns
    -------
    numpy.ndarray
        The objective Q of each row, bit for bit what `evaluate` gives.

    Raises
    ------
    InvalidPlacement
        If a row has a subtask on a server that isn't allowed, or an order that isn't one.
    OffbenchError
        If the instance's numbers are too large.
    """
    problem = problem_of(problem)
    population = population_of(assignments, problem.instance)
    if not isinstance(population, list):
        return totals_of_many(problem, population, orders)[:, _OBJECTIVE]
    if orders is not None:
        raise OffbenchError("orders: each placement has its own or none; orders go with server indices")
    return np.array([evaluate(problem, placement).objective for placement in population])


def totals_of_many(problem: Problem, assignments: ArrayLike, orders: ArrayLike | None = None) -> Floats:
    """Score a population as `evaluate_many`, returning a row of `kernel.TOTALS` for each placement."""
    placements = indices(assignments)
    n = problem.n_subtasks
    if placements.ndim != 2 or placements.shape[1] != n:
        raise InvalidPlacement(f"assignments: shape {placements.shape}, expected (rows, {n})")
    booked = _NO_ORDERS if orders is None else indices(orders)
    if orders is not None and booked.shape != placements.shape:
        raise InvalidPlacement(f"orders: shape {booked.shape}, expected {placements.shape}")
    totals = np.empty((len(placements), len(TOTALS)))
    fault = score(*problem.packed, problem.allowed, placements, booked, n, totals, _NO_PARTS, problem.constraints)
    if fault >= 0:
        row, k = divmod(fault, n)
        order = None if orders is None else booked[row]
        raise InvalidPlacement(f"row {row}: {_explain(problem, placements[row], order, k)}")
    _require_finite(problem, totals[:, _OBJECTIVE].sum())  # finite only if all are
    return totals


def totals_of_one(problem: Problem, servers: NDArray[np.int64], order: NDArray[np.int64] | None, row: Floats) -> bool:
    """Score one placement without a look at its shape.

    Parameters
    ----------
    problem
        P1 or P2.
    servers, order
        Of whole numbers of 64 bits, shape ``(n_subtasks,)``, contiguous; the order may be None.
    row
        Filled with `kernel.TOTALS`, shape ``(1, len(TOTALS))``.

    Returns
    -------
    bool
        Whether it is a placement, with a finite Q; if not, `totals_of_many` says why.
    """
    orders = _NO_ORDERS if order is None else order[None]
    fault = score(
        *problem.packed, problem.allowed, servers[None], orders, len(servers), row, _NO_PARTS, problem.constraints
    )
    return bool(fault < 0) and math.isfinite(row.item(_OBJECTIVE))


def prefix_totals(problem: Problem, prefixes: NDArray[np.int64]) -> Floats:
    """Score each row as if the subtasks beyond it were not there (MODEL.md section 7).

    Rewards and greedy choices come from here.

    Parameters
    ----------
    problem
        P1 or P2.
    prefixes
        Server indices of the first subtasks, shape ``(rows, decided)``.

    Returns
    -------
    numpy.ndarray
        A row of `kernel.TOTALS` of the decided subtasks for each row.

    Raises
    ------
    InvalidPlacement
        If a row is too long, or has a subtask on a server that isn't allowed.
    """
    decided = prefixes.shape[1]
    if decided > problem.n_subtasks:
        raise InvalidPlacement(f"{decided} subtasks decided, but the instance has {problem.n_subtasks}")
    totals = np.empty((len(prefixes), len(TOTALS)))
    fault = score(
        *problem.packed, problem.allowed, prefixes, _NO_ORDERS, decided, totals, _NO_PARTS, problem.constraints
    )
    if fault >= 0:
        row, k = divmod(fault, problem.n_subtasks)
        raise InvalidPlacement(f"row {row}: {_explain(problem, prefixes[row], None, k)}")
    return totals


def _require_finite(problem: Problem, objective: float) -> None:
    if not math.isfinite(objective):
        raise OffbenchError(f"instance '{problem.instance.name}': its numbers are too large: Q is not finite")


def warm_up(instance: Instance | None = None) -> None:
    """Load the compiled evaluator, or compile it if it never ran here; no search's clock pays for it.

    Parameters
    ----------
    instance
        What is evaluated next: without constraints nothing of them is compiled. Anything, by default.
    """
    server = Server(name="client", kind="client", compute_ghz=1, price_per_hour=0, client_power_w=0, pool=1)
    layer = Layer(name="layer", gcycles=1, output_mb=0, inputs=())
    task = Task(name="task", input_mb=0, layers=(layer,))
    weights = Weights(delay=1, energy=0, cost=0, score=1, coordination=0, balance=0)
    one = Instance(format="offbench/1", name="one", servers=(server,), links=(), tasks=(task,), weights=weights)
    wanted = (True, False) if instance is None else (instance.may_be_constrained,)
    for constrained in wanted:
        problem = Problem(one.model_copy(update={"limits": Limits(delay_s=1) if constrained else None}))
        evaluate(problem, [0])
    coordination(problem.arrays, 0, 0, 0)


def _explain(problem: Problem, servers: NDArray[np.int64], order: NDArray[np.int64] | None, k: int) -> str:
    names = problem.instance.names_of(int(problem.task_of[k]))
    who = f"placement: {problem.subtask_name(k)}"
    if not 0 <= servers[k] < len(names):
        return f"{who}: server {servers[k]}, but there are {len(names)} to choose among, counted from 0"
    if not problem.allowed[k, servers[k]]:
        may = ", ".join(name for name, ok in zip(names, problem.allowed[k], strict=True) if ok)
        return f"{who} may not run on '{names[servers[k]]}'; allowed: {may}"
    return f"{who}: the order has it twice, or before one of its inputs, or names no subtask"
