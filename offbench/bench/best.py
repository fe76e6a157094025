"""The best that is known of each instance, and the check that nothing contradicts it."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from offbench.evaluation.gaps import certified, contradict, is_optimal, missed_improvement
from offbench.evaluation.references import Reference

if TYPE_CHECKING:
    import pandas as pd

    from offbench.bench.row import Row

REFERENCE = "references.json"


class Contradiction(Exception):  # noqa: N818 - a finding about the results
    """A lower bound above a feasible objective of the same instance, or a proof that there is none: one is wrong."""

    def __init__(self, message: str, instance_hash: str, culprits: Sequence[str]) -> None:
        super().__init__(message)
        self.instance_hash = instance_hash
        self.culprits = culprits
        """what has the bound or the proof, and what has the objective: keys of runs, or `REFERENCE`"""


def best(table: "pd.DataFrame", references: Mapping[str, Reference]) -> "pd.DataFrame":
    """Return the best objective and bound of each instance, by anybody, and who it is that has them.

    Parameters
    ----------
    table
        Of runs (`frame`).
    references
        What is known beside, by instance hash.

    Returns
    -------
    pandas.DataFrame
        Indexed by instance: *best_known*, *best_known_by*, *bound*, *bound_by*, *client_only*, and *proven*:
        whether the two meet, so that *best_known* is the optimum.

    Raises
    ------
    Contradiction
        If a bound lies above an objective, or a run proves infeasible what another one has a feasible placement of;
        both are named.
    """
    import pandas as pd

    lines = {}
    for (instance, instance_hash), runs in table.groupby(["instance", "instance_hash"]):
        known = references.get(str(instance_hash))
        objectives, bounds = _numbers(runs, "objective"), _numbers(runs, "lower_bound")
        if known is not None and known.best_objective is not None and known.objective_from is not None:
            by = f"{REFERENCE} ({known.objective_from.by})"
            objectives = [_Told(known.best_objective, by, REFERENCE), *objectives]
        if known is not None and known.best_bound is not None and known.bound_from is not None:
            bounds = [_Told(known.best_bound, f"{REFERENCE} ({known.bound_from.by})", REFERENCE), *bounds]
        objective, objective_by, objective_of = min(objectives, default=_NOTHING, key=lambda told: told.value)
        bound, bound_by, bound_of = max(bounds, default=_NOTHING, key=lambda told: told.value)
        nobody = _proof_of_none(runs, known)
        if nobody is not None and not math.isnan(objective):
            raise Contradiction(
                f"{instance}: {nobody.by} says that no placement is feasible, but {objective_by} has one",
                str(instance_hash),
                [nobody.of, objective_of],
            )
        told = runs["client_only"].dropna()
        client_only = known.client_only if known is not None else told.iloc[0] if len(told) else math.nan
        size = 0.0 if math.isnan(client_only) else float(client_only)
        if contradict(objective, bound, client_only=size):
            raise Contradiction(
                f"{instance}: the bound {bound!r} by {bound_by} lies above the objective {objective!r} by "
                f"{objective_by}",
                str(instance_hash),
                [bound_of, objective_of],
            )
        if nobody is not None:
            objective_by = f"none is feasible: {nobody.by}"
        lines[instance] = {
            "best_known": objective, "best_known_by": objective_by, "bound": bound, "bound_by": bound_by,
            "client_only": client_only, "proven": is_optimal(objective, bound, client_only=size),
        }  # fmt: skip
    columns = ["best_known", "best_known_by", "bound", "bound_by", "client_only", "proven"]
    return pd.DataFrame.from_dict(lines, orient="index", columns=columns).rename_axis("instance")


class _Told(NamedTuple):
    """A number, and who tells it."""

    value: float
    by: str
    of: str
    """the key of the run, or `REFERENCE`"""


_NOTHING = _Told(math.nan, "", "")


def _numbers(runs: "pd.DataFrame", column: str) -> list[_Told]:
    """Return the numbers of a column with the run that each is of."""
    return [
        _Told(float(value), f"{solver}, seed {seed} (run {key})", str(key))
        for value, solver, seed, key in zip(runs[column], runs["solver"], runs["seed"], runs["key"], strict=True)
        if not math.isnan(value)
    ]


def in_vain(table: "pd.DataFrame") -> set[str]:
    """Return the instances of which a run has proven that no placement is feasible."""
    return set(table.loc[table["status"] == "infeasible", "instance"])


def _proof_of_none(runs: "pd.DataFrame", known: Reference | None) -> _Told | None:
    """Return who has proven that no placement is feasible, if somebody has."""
    if known is not None and known.infeasible_from is not None:
        return _Told(math.inf, f"{REFERENCE} ({known.infeasible_from.by})", REFERENCE)
    runs = runs[runs["status"] == "infeasible"].assign(objective=math.inf)
    return next(iter(_numbers(runs, "objective")), None)


def with_gaps(table: "pd.DataFrame", known: "pd.DataFrame") -> "pd.DataFrame":
    """Return the table with each run's gaps as further columns (MODEL.md section 9).

    Parameters
    ----------
    table
        Of runs (`frame`).
    known
        Of `best`.

    Returns
    -------
    pandas.DataFrame
        With *to_optimum*, the missed improvement against a proven optimum, NaN where none is proven;
        *to_best_known*, the same against the best known value, proven or not; *to_bound*, against the best bound
        (certified). Infinite where the run has no feasible placement, NaN where there is nothing to compare with, as
        where it is proven that none is feasible.
    """
    hopeless = in_vain(table)
    gaps: dict[str, list[float]] = {"to_optimum": [], "to_best_known": [], "to_bound": []}
    for instance, objective, status in zip(table["instance"], table["objective"], table["status"], strict=True):
        facts = known.loc[instance]
        found = math.inf if math.isnan(objective) else float(objective)
        missed = _gap(missed_improvement, found, facts["client_only"], facts["best_known"])
        bounded = _gap(certified, found, facts["client_only"], facts["bound"])
        if status in UNTRIED or instance in hopeless:
            missed = bounded = math.nan
        gaps["to_optimum"].append(missed if facts["proven"] else math.nan)
        gaps["to_best_known"].append(missed)
        gaps["to_bound"].append(bounded)
    return table.assign(**gaps)


def gap_traces(rows: "Sequence[Row]", known: "pd.DataFrame") -> dict[str, list[tuple[float, float]]]:
    """Return seconds and missed improvement at each improvement of each run, by key.

    Without runs that weren't made, and instances that nothing is known of or where there is nothing to gain.
    """
    bests = {str(name): float(value) for name, value in known["best_known"].items()}
    clients = {str(name): float(value) for name, value in known["client_only"].items()}
    found = {}
    for row in rows:
        best_known, client_only = bests[row.job.instance], clients[row.job.instance]
        if row.status in UNTRIED or not client_only > best_known:
            continue
        objectives = [(seconds, q) for seconds, _, q, *_ in row.trace if q is not None]
        gaps = [(seconds, _gap(missed_improvement, q, client_only, best_known)) for seconds, q in objectives]
        found[row.job.key] = [(seconds, max(0.0, gap)) for seconds, gap in gaps if not math.isnan(gap)]
    return found


UNTRIED = ("pending", "not-installed", "refused")
"""runs that were not made, or not for this solver: no failures of it, and no gaps either"""


def _gap(measure: "Measure", objective: float, client_only: float, best: float) -> float:
    if math.isnan(client_only) or math.isnan(best):
        return math.nan
    gap = measure(objective, client_only, best)
    return math.nan if gap is None else gap


if TYPE_CHECKING:
    from collections.abc import Callable

    Measure = Callable[[float, float, float], float | None]
