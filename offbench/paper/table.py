"""Runs as one table: each run's setting and what claims are about, each placement evaluated once more."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from offbench.bench.best import best, with_gaps
from offbench.bench.frame import PENDING, frame
from offbench.bench.job import Job
from offbench.bench.row import Row
from offbench.bench.statistics.intervals import summaries
from offbench.bench.store import Store
from offbench.evaluation.references import references
from offbench.model.instance import Instance, Kind
from offbench.paper.experiments import AGENTS, DEFAULTS, GREEDY, METAHEURISTICS, Experiment, Scope

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]
Points = Sequence[tuple[float, float]]

# Of a training curve, at its beginning and at its end.
_TENTH = 10

LEARNT = ("loss", "reward", "reward_gained")
VALUES = (
    "objective", "delay_s", "energy_j", "cost_usd", "delay", "energy", "cost", "score", "coordination", "balance",
    "edge_balance", "cloud_balance", "layers", *LEARNT,
)  # fmt: skip
"""what claims can be about: totals (MODEL.md section 4); delay, energy and cost over their scales; the balance of edges
and of clouds apart; H of each layer; loss and reward in the last tenth of a training, and what the reward gained"""


@dataclass(frozen=True)
class Runs:
    """The runs of an experiment."""

    table: "pd.DataFrame"
    """a line for each planned run, with its gaps (`with_gaps`); NaN where a run isn't made or has no placement"""
    known: "pd.DataFrame"
    """the best objective and bound of each instance (`bench.best.best`)"""
    curves: Mapping[str, Mapping[str, Points]]
    """loss over updates and reward over episodes, by the run's key"""

    @property
    def missing(self) -> int:
        """How many planned runs have no row yet."""
        return int((self.table["status"] == PENDING).sum())

    @property
    def made(self) -> int:
        """How many planned runs have one, of solvers that are installed."""
        return int((~self.table["status"].isin([PENDING, "not-installed"])).sum())


def runs(experiment: Experiment, scope: Scope, store: Store) -> Runs:
    """Return what a store has of an experiment.

    Raises
    ------
    Contradiction
        If a bound lies above an objective.
    ValueError
        If a placement has another objective than its row says.
    """
    import pandas as pd

    planned = experiment.plan(scope)
    facts = {setting.name: setting.facts() for setting in experiment.settings}
    rows = [store.get(job) or job for job in planned.jobs]
    known = {one.hash: one for one in references().instances.values()}
    made = frame(rows)
    bests = best(made, known)
    base = with_gaps(made, bests)
    lines = {_job(row).key: _line(row, planned.instances[_job(row).instance], facts) for row in rows}
    more = pd.DataFrame([lines[key] for key in base["key"]])
    return Runs(
        pd.concat([base.drop(columns=[name for name in more if name in base]), more], axis="columns"),
        bests,
        {row.job.key: row.curves for row in rows if isinstance(row, Row) and row.curves},
    )


def _job(row: Row | Job) -> Job:
    return row if isinstance(row, Job) else row.job


def _line(row: Row | Job, instance: Instance, facts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    job = _job(row)
    values: dict[str, Any] = dict.fromkeys(VALUES, math.nan)
    if isinstance(row, Row):
        values |= _measured(row, instance) | _learnt(row)
    parameters = {name: job.parameters.get(name, default) for name, default in DEFAULTS.items()}
    return {**facts[job.instance], "agent": job.name, **parameters, **values}


def _measured(row: Row, instance: Instance) -> dict[str, Any]:
    """Return what a run's placement amounts to."""
    from offbench.evaluation.evaluator import evaluate
    from offbench.model.placement import parse_placement
    from offbench.model.problem import P1

    if row.placement is None or not row.feasible:
        return {}
    placement = parse_placement(row.placement.model_dump(), instance, row.job.key)
    found = evaluate(P1(instance), placement)
    if found.objective != row.objective:
        raise ValueError(f"run {row.job.key}: its row says {row.objective!r}, the evaluator {found.objective!r}")
    scales = found.scales
    edge, cloud = balances(instance, placement.servers, scales.balance)
    return {
        "objective": found.objective, "delay_s": found.delay_s, "energy_j": found.energy_j,
        "cost_usd": found.cost_usd, "delay": _over(found.delay_s, scales.delay_s),
        "energy": _over(found.energy_j, scales.energy_j), "cost": _over(found.cost_usd, scales.cost_usd),
        "score": found.score, "coordination": found.coordination, "balance": found.balance,
        "edge_balance": edge, "cloud_balance": cloud,
        "layers": np.array([part["coordination"] for part in found.subtasks]),
    }  # fmt: skip


def _over(value: float, scale: float) -> float:
    return value / scale if scale > 0 else 0.0


def balances(instance: Instance, servers: NDArray[np.int64], reference: float) -> tuple[float, float]:
    """Return the total balance (sum of Z over Z_ref) of edges and of clouds; together they are the evaluator's."""
    parts = []
    kinds: tuple[Kind, ...] = ("edge", "cloud")
    for kind in kinds:
        there = servers[:, None] == np.array(instance.servers_of(kind), dtype=np.int64)
        counts = there.cumsum(axis=0)
        apart = np.abs(counts[:, :, None] - counts[:, None, :]).sum() / 2
        parts.append(_over(float(apart), reference))
    return parts[0], parts[1]


def _learnt(row: Row) -> dict[str, float]:
    """Return what a training ended with."""
    loss, reward = row.curves.get("loss", ()), row.curves.get("reward", ())
    found = {}
    if loss:
        found["loss"] = at_end(loss)
    if reward:
        found["reward"] = at_end(reward)
        found["reward_gained"] = found["reward"] - at_end([(-step, value) for step, value in reversed(reward)])
    return found


def at_end(points: Points) -> float:
    """Return the mean of a curve over the last tenth of its steps."""
    steps, values = np.array(points, dtype=float).T
    last = steps >= steps[-1] - (steps[-1] - steps[0]) / _TENTH
    return float(values[last].mean())


def missed(runs: Runs) -> "pd.DataFrame":
    """Return the share of the possible improvement over the device alone that each solver misses (MODEL.md section 9).

    Returns
    -------
    pandas.DataFrame
        A line for each reading of H and solver: *median* over instances and seeds against the best known, with its
        interval; *to_bound*, the median against the best bound. Without instances where not offloading is optimal.
    """
    import pandas as pd

    table = runs.table[runs.table["agent"].isin((*AGENTS, GREEDY, *METAHEURISTICS)) & (runs.table["status"] != PENDING)]
    found = summaries(table, "to_best_known", ("reading", "solver"))
    bounds = table.groupby(["reading", "solver"])["to_bound"].median()
    interval = ["median", "median_low", "median_high"]
    lines = [
        {"reading": reading, "solver": solver, "runs": int(line["runs"]), **{name: line[name] for name in interval}}
        | {"to_bound": bounds[reading, solver]}
        for (reading, solver), line in zip(found.index, found.to_dict("records"), strict=True)
    ]
    return pd.DataFrame(lines, columns=["reading", "solver", "runs", *interval, "to_bound"])


def beside(runs: Runs) -> "pd.DataFrame":
    """Return, for each instance, the runs that stand beside the agents.

    Returns
    -------
    pandas.DataFrame
        A line for each instance and *what*: "metaheuristic", the better one's best run; "optimum", a run whose
        objective is proven optimal, if there is one. The columns are the table's.
    """
    import pandas as pd

    placed = runs.table[runs.table["objective"].notna()]
    metaheuristics = placed[placed["agent"].isin(METAHEURISTICS)]
    optimal = placed[placed["instance"].map(runs.known["proven"]).astype(bool) & (placed["status"] == "optimal")]
    found = [
        some.sort_values("objective", kind="stable").drop_duplicates("instance").assign(what=what)
        for what, some in (("metaheuristic", metaheuristics), ("optimum", optimal))
    ]
    return pd.concat(found)
