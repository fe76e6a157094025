"""Rows as one tidy table: what everything after the runs works on."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from offbench.bench.job import Job
from offbench.bench.row import Row
from offbench.bench.store import Store
from offbench.bench.validation import Measured, measured
from offbench.errors import OffbenchError, nearest
from offbench.evaluation.breaches import is_constrained
from offbench.evaluation.client_only import elsewhere_note

if TYPE_CHECKING:
    import pandas as pd

HERE, BEFORE, ZERO_SHOT = "here", "before, on this instance", "before, on others"
PENDING = "pending"
"""the status of a planned run that has no row yet"""


@dataclass(frozen=True)
class Results:
    """What a folder has."""

    table: "pd.DataFrame"
    """a row for each planned run (`frame`)"""
    rows: tuple[Row, ...]
    """of these, the ones that were made"""
    notes: tuple[str, ...]
    """what a reader has to know: damaged files, rows left out"""
    elsewhere: tuple[str, ...] = ()
    """instances in which not everything may run on the client, from which gaps are counted"""
    constrained: frozenset[str] = frozenset()
    """names of instances with a memory, a deadline or a limit, which a placement can break"""
    measured: Mapping[str, Measured] = field(default_factory=dict)
    """what placements took when they were run (`validation`)"""


def results(store: Store) -> Results:
    """Read a folder: the row of each planned run, and those of cells that no plan names.

    A row of older code, or of an instance that has changed since, gives way to the plan's run of the same
    cell, made or not; the notes say how many.
    """
    rows = store.by_key()
    planned = store.planned()
    cells = {job.cell for job in planned}
    hashes = {job.instance: store.hash_now(job.instance_hash) for job in planned}
    keys = {job.key for job in planned}
    stray = [row for key, row in rows.items() if key not in keys]
    older = [
        row
        for row in stray
        if row.job.cell in cells or hashes.get(row.job.instance, now := store.hash_now(row.job.instance_hash)) != now
    ]
    chosen = [rows.get(job.key) or job for job in planned] + [row for row in stray if row not in older]
    made = tuple(row for row in chosen if isinstance(row, Row))
    notes = list(store.damaged)
    if older:
        notes.append(f"{len(older)} rows of older code or of instances that have changed are left out")
    codes = {(row.job.solver, row.job.code) for row in made}
    several = sorted({solver for solver, _ in codes if sum(one == solver for one, _ in codes) > 1})
    if several:
        names = ", ".join(several)
        notes.append(f"rows of different code side by side, which `offbench bench` makes anew: {names}")
    threaded = sorted({row.job.solver for row in made if row.threads > 1.5})
    if threaded:
        notes.append(f"more processor time than one thread can use, which is unfair: {', '.join(threaded)}")
    if any(row.crowded for row in made):
        count = sum(row.crowded for row in made)
        notes.append(
            f"{count} runs shared their machine with more runs than it has cores: their times mean less (crowded)"
        )
    table = frame(chosen)
    table["instance_hash"] = table["instance_hash"].map(store.hash_now)
    return Results(
        table, made, tuple(notes), tuple(_elsewhere(store, made)), frozenset(_constrained(store, made)),
        measured(store.folder),
    )  # fmt: skip


def without(found: Results, names: Sequence[str]) -> Results:
    """Return the results without some runs, named by their keys, or by solvers all of whose runs are meant.

    Raises
    ------
    OffbenchError
        If a name is neither.
    """
    known = [*dict.fromkeys(found.table["solver"]), *found.table["key"]]
    for name in names:
        if name not in known:
            raise OffbenchError(f"'{name}' is neither a solver nor the key of a run here{nearest(name, known)}")
    out = found.table["key"].isin(names) | found.table["solver"].isin(names)
    notes = [f"{int(out.sum())} runs are left out as asked: {', '.join(names)}"] if names else []
    return replace(
        found,
        table=found.table[~out].reset_index(drop=True),
        rows=tuple(row for row in found.rows if row.job.key not in names and row.job.solver not in names),
        notes=(*found.notes, *notes),
    )


def _elsewhere(store: Store, rows: Iterable[Row]) -> Iterator[str]:
    """Tell of each instance how much of "everything on the client" isn't there."""
    hashes = {row.job.instance: row.job.instance_hash for row in rows}
    for name, hash_ in sorted(hashes.items()):
        if store.has_instance(hash_) and (note := elsewhere_note(store.instance(hash_))):
            yield f"{name}: {note}"


def _constrained(store: Store, rows: Iterable[Row]) -> Iterator[str]:
    """Yield the names of instances that have constraints."""
    hashes = {row.job.instance: row.job.instance_hash for row in rows}
    for name, hash_ in hashes.items():
        if store.has_instance(hash_) and is_constrained(store.instance(hash_)):
            yield name


def frame(rows: Iterable[Row | Job]) -> "pd.DataFrame":
    """Return one line for each run, in the order of instance, solver, seed.

    *violation* is that of the best placement of a run; what else is told of placements is of feasible ones. Missing
    numbers are NaN; a run that wasn't made has the status `PENDING`. Traces and placements stay in
    the files that *key* names.
    """
    import pandas as pd

    lines = [_line(row) for row in rows]
    table = pd.DataFrame(lines, columns=list(COLUMNS)).astype(COLUMNS)
    return table.sort_values(["instance", "solver", "seed"], kind="stable", ignore_index=True)


COLUMNS: dict[str, Any] = {
    "instance": "str", "solver": "str", "seed": "int64", "status": "str", "objective": "float64",
    "lower_bound": "float64", "feasible": "bool", "violation": "float64", "client_only": "float64",
    "seconds": "float64", "overshoot_s": "float64", "evaluations": "float64", "delay_s": "float64",
    "energy_j": "float64", "cost_usd": "float64", "makespan_s": "float64", "score": "float64",
    "coordination": "float64", "balance": "float64", "training_s": "float64",
    "inference_s": "float64", "trained": "str", "cpu_s": "float64", "memory_mb": "float64",
    "time_limit_s": "float64", "max_evaluations": "float64", "stopped": "str", "message": "str", "crowded": "bool",
    "host": "str", "cpu": "str", "load": "float64", "commit": "str", "offbench": "str", "code": "str",
    "parameters": "str", "instance_hash": "str", "started": "str", "key": "str",
}  # fmt: skip
_INDICATORS = ("delay_s", "energy_j", "cost_usd", "makespan_s", "score", "coordination", "balance")


def _line(row: Row | Job) -> dict[str, Any]:
    if isinstance(row, Job):
        return _job(row) | {"status": PENDING, "crowded": False, "feasible": False} | dict.fromkeys(_TEXTS, "")
    machine = row.machine
    return {
        **_job(row.job),
        "status": row.status,
        "objective": row.objective,
        "feasible": row.feasible,
        "violation": 0.0 if row.feasible and row.violation is None else row.violation,
        "lower_bound": row.lower_bound,
        "client_only": row.client_only,
        "seconds": row.seconds,
        "overshoot_s": row.overshoot_s,
        "evaluations": row.evaluations,
        # Of a placement that breaks constraints they say nothing that could be compared.
        **{name: row.indicators.get(name) if row.feasible else None for name in _INDICATORS},
        **training(row),
        "cpu_s": row.cpu_s,
        "memory_mb": row.memory_mb,
        "stopped": row.stopped,
        "message": row.message,
        "crowded": row.crowded,
        "host": machine.host if machine else "",
        "cpu": machine.cpu if machine else "",
        "load": machine.load if machine else math.nan,
        "commit": (machine.commit if machine else "") or "",
        "offbench": machine.versions.get("offbench", "") if machine else "",
        "started": row.started.isoformat() if row.started else "",
    }


_TEXTS = ("stopped", "message", "host", "cpu", "commit", "offbench", "trained", "started")


def _job(job: Job) -> dict[str, Any]:
    import json

    return {
        "instance": job.instance, "solver": job.solver, "seed": job.seed, "time_limit_s": job.time_limit_s,
        "max_evaluations": job.max_evaluations, "code": job.code, "parameters": json.dumps(job.parameters),
        "instance_hash": job.instance_hash, "key": job.key,
    }  # fmt: skip


def training(row: Row) -> dict[str, Any]:
    """Return how long a solver learnt and how long it then took, and where it learnt.

    *trained* is `HERE` where learning was the run, `ZERO_SHOT` for a policy that came trained on other
    instances, `BEFORE` for one that has met this instance, and empty for what doesn't learn.
    """
    policy = row.policy or {}
    if "training_seconds" in policy:
        where = BEFORE if policy.get("met_in_training") else ZERO_SHOT
        return {"training_s": policy["training_seconds"], "inference_s": policy["inference_seconds"], "trained": where}
    if row.curves:
        return {"training_s": row.seconds, "inference_s": math.nan, "trained": HERE}
    return {"training_s": math.nan, "inference_s": math.nan, "trained": ""}


def traces(rows: Sequence[Row]) -> dict[str, list[tuple[float, float]]]:
    """Return the seconds and objectives at which each run improved, by key."""
    return {
        row.job.key: [(seconds, objective) for seconds, _, objective, *_ in row.trace if objective is not None]
        for row in rows
    }
