"""Times: to a target, with those that never came."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import pandas as pd

Trace = Sequence[tuple[float, float]]


def time_to(trace: Trace, target: float) -> float:
    """Return the seconds at which a trace of (seconds, value) first is as low as the target; infinite if never."""
    return next((seconds for seconds, value in trace if value <= target), math.inf)


def shifted_geometric_mean(values: ArrayLike, shift: float = 1.0) -> float:
    """Return ``exp(mean(log(value + shift))) - shift``: neither the shortest nor the longest times rule it.

    Source: Achterberg, Constraint integer programming, 2007, appendix A.3.
    """
    return float(np.exp(np.log(np.asarray(values, dtype=float) + shift).mean()) - shift)


def par(seconds: ArrayLike, limit_s: ArrayLike, factor: float = 10.0) -> float:
    """Return the penalised average runtime: a run that didn't get there counts as *factor* limits (PAR-10).

    Parameters
    ----------
    seconds
        Of each run, infinite if it didn't get there.
    limit_s
        Of each run.
    """
    taken, limits = np.broadcast_arrays(np.asarray(seconds, dtype=float), np.asarray(limit_s, dtype=float))
    return float(np.where(taken <= limits, taken, factor * limits).mean())


def expected_running_time(seconds: ArrayLike, used_s: ArrayLike) -> float:
    """Return the seconds that restarts of a solver need on average to get there.

    All time that runs spent until they got there, or in vain, over the number of those that did; infinite if none.
    Source: Hansen et al., COCO, 2021.

    Parameters
    ----------
    seconds
        To the target, of each run; infinite if it didn't get there.
    used_s
        All that each run took.
    """
    taken, used = np.broadcast_arrays(np.asarray(seconds, dtype=float), np.asarray(used_s, dtype=float))
    there = np.isfinite(taken)
    return float(np.where(there, taken, used).sum() / there.sum()) if there.any() else math.inf


def targets(table: "pd.DataFrame", traces: dict[str, Trace], gap: float) -> "pd.DataFrame":
    """Return the table with *hit_s*, the seconds at which each run first missed at most *gap*; infinite if never.

    Parameters
    ----------
    table
        Of runs, with the columns of `best.best` joined in: *client_only* and *best_known*.
    traces
        Of each run, by key, (seconds, objective).
    gap
        Missed improvement (MODEL.md section 9); where not offloading is optimal, the optimum is the target.
    """
    room = (table["client_only"] - table["best_known"]).clip(lower=0)
    # The room for what the best known value itself has of rounding.
    size = table[["best_known", "client_only"]].abs().max(axis="columns")
    goals = table["best_known"] + gap * room + 1e-9 * size
    hits = [time_to(traces.get(key, ()), goal) for key, goal in zip(table["key"], goals, strict=True)]
    return table.assign(hit_s=hits)


def time_summary(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return, for each solver, how often and how soon it got there.

    Parameters
    ----------
    table
        Of runs, with *hit_s* (`targets`).

    Returns
    -------
    pandas.DataFrame
        Indexed by solver: *runs*, *hits*, *ert_s* (expected running time, pooled over instances), *par10_s*, and
        *sgm_s*, the shifted geometric mean with the limit for those that didn't get there.
    """
    import pandas as pd

    lines = {}
    for solver, runs in table.groupby("solver"):
        hit, limit = runs["hit_s"].to_numpy(float), runs["time_limit_s"].to_numpy(float)
        used = runs["seconds"].fillna(runs["time_limit_s"]).to_numpy(float)
        lines[solver] = {
            "runs": len(runs), "hits": int(np.isfinite(hit).sum()), "ert_s": expected_running_time(hit, used),
            "par10_s": par(hit, limit), "sgm_s": shifted_geometric_mean(np.minimum(hit, limit)),
        }  # fmt: skip
    return pd.DataFrame.from_dict(lines, orient="index")
