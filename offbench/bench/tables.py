"""The tables of a suite: what is known, gaps, summaries over instances, tests, times, the cost of learning."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from offbench.bench.best import UNTRIED, best, gap_traces, in_vain, with_gaps
from offbench.bench.frame import Results, traces
from offbench.bench.statistics.anytime import primal_integral
from offbench.bench.statistics.effects import lower_in_the_mean
from offbench.bench.statistics.intervals import FEW_SEEDS, summaries
from offbench.bench.statistics.tests import FEW_BLOCKS, Ranking, blocks, friedman, wilcoxon_holm
from offbench.bench.statistics.times import targets, time_summary
from offbench.bench.statistics.training import training_costs
from offbench.bench.validation import compared as measured_rows
from offbench.evaluation.references import Reference

if TYPE_CHECKING:
    import pandas as pd

FEW_POINTS = 4
"""placements of which a rank correlation says something"""
ALSO_BREAKING = "also where that breaks constraints"
VIRTUAL = "(virtual best)"
"""the best of all solvers in each instance and seed"""
ONCE = "; one that ran with one seed counts at each"
_TOTALS = ("delay_s", "energy_j", "cost_usd", "score", "coordination", "balance")
FAILURES = "a run without a feasible placement counts as an infinitely large gap, the worst in every ranking"


@dataclass(frozen=True)
class TitledTable:
    """A table, and what has to be said of it."""

    name: str
    title: str
    frame: "pd.DataFrame"
    """numbers as they are; `formats` writes them"""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Analysis:
    """All of a suite's statistics."""

    table: "pd.DataFrame"
    """of runs, with their gaps"""
    known: "pd.DataFrame"
    ranking: Ranking | None
    """None where fewer than two solvers ran on all instances"""
    blocks: tuple[TitledTable, ...]
    notes: tuple[str, ...]


def analyse(
    results: Results, references: Mapping[str, Reference], target: float = 0.01, instances: int = 100
) -> Analysis:
    """Return a suite's tables.

    Parameters
    ----------
    results
        Of a folder.
    references
        What is known of instances, by hash.
    target
        Missed improvement that the times are taken to.
    instances
        That the cost of learning is spread over.

    Raises
    ------
    Contradiction
        If a bound lies above an objective.
    """
    known = best(results.table, references)
    table = with_gaps(results.table, known)
    compared = _compared(table)
    wide = blocks(compared, "to_best_known") if len(compared) else None
    ranking = friedman(wide) if wide is not None and wide.shape[1] > 1 else None
    found = [
        _outcomes(table, results.constrained - in_vain(table)),
        _known(known, results.elsewhere),
        _gaps(table, results),
        _totals(table),
        _summary(table, compared, ranking, results.constrained),
    ]
    if wide is not None and ranking is not None:
        found += [_ranks(ranking), _pairs(compared, wide)]
    found.append(_times(results, table, known, target))
    if (table["trained"] != "").any():
        found.append(_training(table, instances))
    if results.measured and len(frame := measured_rows(results.rows, results.measured)):
        found.append(_measured(frame))
    return Analysis(table, known, ranking, tuple(found), results.notes)


def _compared(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return the runs of the solvers that ran on every instance, where there is something to gain."""
    defined = table[~table["status"].isin(UNTRIED)]
    open_ = defined.groupby("instance")["to_best_known"].apply(lambda gaps: gaps.notna().any())
    table = table[table["instance"].isin(open_[open_].index)]
    complete = table.groupby("solver")["to_best_known"].apply(lambda gaps: gaps.notna().all())
    return table[table["solver"].isin(complete[complete].index)]


def _outcomes(table: "pd.DataFrame", constrained: frozenset[str]) -> TitledTable:
    counts = table.groupby(["solver", "status"]).size().unstack(fill_value=0)
    counts.insert(0, "runs", counts.sum(axis="columns"))
    over = table.groupby("solver")["overshoot_s"].max()
    frame = counts.assign(worst_overshoot_s=over, crowded=table.groupby("solver")["crowded"].sum()).reset_index()
    if not frame["crowded"].any():
        frame = frame.drop(columns="crowded")
    if not constrained:
        return TitledTable("runs", "What became of the planned runs", frame)
    frame["feasible_share"] = frame["solver"].map(_feasible(table[table["instance"].isin(constrained)]))
    note = (
        "share feasible: of the runs on instances with constraints those that found a placement which keeps them; "
        "without instances of which a run has proven that none does"
    )
    return TitledTable("runs", "What became of the planned runs", frame, (note,))


def _feasible(table: "pd.DataFrame") -> dict[str, float]:
    """Return of each solver the share of its runs that found a feasible placement, of those that were made."""
    tried = table[~table["status"].isin(UNTRIED)]
    shares = tried.groupby("solver")["feasible"].mean()
    return {str(solver): float(share) for solver, share in shares.items()}


def _known(known: "pd.DataFrame", elsewhere: tuple[str, ...]) -> TitledTable:
    frame = known.reset_index()
    return TitledTable("known", "The best that is known, by anybody", frame, elsewhere)


def _gaps(table: "pd.DataFrame", results: Results) -> TitledTable:
    import pandas as pd

    lines, constrained = [], results.constrained
    for (instance, solver), runs in table.groupby(["instance", "solver"]):
        placed = runs["objective"].notna()
        objective = runs["objective"].fillna(math.inf)
        tried = ~runs["status"].isin(UNTRIED)
        lines.append(
            {
                "instance": instance,
                "solver": solver,
                "runs": len(runs),
                "placed": int(placed.sum()),
                "feasible_share": _feasible(runs).get(str(solver), math.nan) if instance in constrained else math.nan,
                "objective": objective.median() if placed.any() else math.nan,
                "objective_least": objective.min() if placed.any() else math.nan,
                "objective_largest": objective.max() if placed.any() else math.nan,
                "to_optimum": runs["to_optimum"].median(),
                "to_best_known": runs["to_best_known"].median(),
                "to_best_known_least": runs["to_best_known"].min(),
                "to_best_known_largest": runs["to_best_known"].max(),
                "to_bound": runs["to_bound"].median(),
                "seconds": runs["seconds"].median() if tried.any() else math.nan,
                "outcome": _counted(runs["status"]),
            }
        )
    frame = pd.DataFrame(lines)
    frame = frame.sort_values(["instance", "to_best_known", "solver"], ignore_index=True, na_position="last")
    if not constrained:
        frame = frame.drop(columns="feasible_share")
    notes = (
        f"medians over seeds; {FAILURES}",
        "gaps are missed improvement: 0 is the best, 1 no better than not offloading (docs/model.md, section 9); "
        "'optimum' where it is proven, 'best known' against the value in the table above, 'bound' against the best "
        "bound",
        *([f"gaps count from everything on the client {ALSO_BREAKING}"] if results.constrained else []),
        *results.elsewhere,
    )
    return TitledTable("gaps", "Gaps, instance by instance", frame, notes)


def virtual_best(runs: "pd.DataFrame", measure: str) -> "pd.DataFrame":
    """Return the best row of each instance and seed; a solver that ran with one seed there counts at each."""
    import pandas as pd

    once = runs.groupby(["instance", "solver"])["seed"].transform("nunique") == 1
    seeds = runs[["instance", "seed"]].drop_duplicates()
    everywhere = pd.concat([runs[~once], runs[once].drop(columns="seed").merge(seeds, on="instance")])
    first = ["feasible", measure] if "feasible" in runs else [measure]
    ordered = everywhere.sort_values(first, ascending=[name != "feasible" for name in first], kind="stable")
    return ordered.drop_duplicates(["instance", "seed"]).assign(solver=VIRTUAL)


def _totals(table: "pd.DataFrame") -> TitledTable:
    import pandas as pd

    columns = ["objective", *_TOTALS]
    placed = table[table["feasible"]]
    notes = ["medians over seeds of feasible placements"]
    if placed["solver"].nunique() > 1:
        placed = pd.concat([placed, virtual_best(table, "objective").loc[lambda frame: frame["feasible"]]])
        notes.append(f"{VIRTUAL}: for each instance and seed the placement with the lowest Q of all solvers{ONCE}")
    frame = placed.groupby(["instance", "solver"])[columns].median().reset_index()
    frame = frame.sort_values(["instance", "objective", "solver"], ignore_index=True).rename(
        columns={"objective": "q", "coordination": "h", "balance": "z"}
    )
    return TitledTable("totals", "What the placements amount to", frame, tuple(notes))


def _counted(statuses: "pd.Series[str]") -> str:
    counts = statuses.value_counts()
    return counts.index[0] if len(counts) == 1 else ", ".join(f"{count} {status}" for status, count in counts.items())


def _summary(
    table: "pd.DataFrame", compared: "pd.DataFrame", ranking: Ranking | None, constrained: Collection[str]
) -> TitledTable:
    import pandas as pd

    several = compared["solver"].nunique() > 1
    together = pd.concat([compared, virtual_best(compared, "to_best_known")]) if several else compared
    frame = summaries(together, "to_best_known").rename_axis("solver").reset_index()
    if ranking is not None:
        frame["mean_rank"] = frame["solver"].map(ranking.ranks)
    order = "mean_rank" if ranking is not None else "iqm"
    if len(frame):
        frame = frame.sort_values([order, "solver"], ignore_index=True)
    notes = [f"missed improvement against the best known value; 95 % intervals by stratified bootstrap; {FAILURES}"]
    if len(together) > len(compared):
        notes.append(f"{VIRTUAL}: for each instance and seed the best of all solvers{ONCE}")
    left = sorted(set(table["solver"]) - set(compared["solver"]))
    if left:
        notes.append(f"left out, for they have runs that are missing, not installed or refused: {', '.join(left)}")
    dropped = sorted(set(table["instance"]) - set(compared["instance"]))
    if dropped and len(compared):
        where = f", {ALSO_BREAKING}" if set(dropped) & set(constrained) else ""
        notes.append(
            "left out, for nothing known has a lower Q than everything on the client"
            f"{where}, or nothing is known: {', '.join(dropped)}"
        )
    few = sorted(set(frame.loc[frame["seeds"] < FEW_SEEDS, "solver"]) - {VIRTUAL}) if len(frame) else []
    if few:
        notes.append(
            f"warning: fewer than {FEW_SEEDS} seeds: the intervals of {', '.join(few)} say little "
            "(nothing is wrong with that for a solver that draws nothing)"
        )
    return TitledTable("summary", "Over all instances", frame, tuple(notes))


def _ranks(ranking: Ranking) -> TitledTable:
    import pandas as pd

    names = sorted(ranking.ranks, key=lambda solver: ranking.ranks[solver])
    frame = pd.DataFrame({"solver": names, "mean_rank": [ranking.ranks[name] for name in names]})
    groups = ["; ".join(", ".join(group) for group in ranking.cliques()) or "none"]
    notes = [
        f"Friedman over {ranking.blocks} instances: chi-square {ranking.statistic:.4g}, p {ranking.p:.3g}; Nemenyi's "
        f"critical difference at 0.05: {ranking.critical_difference:.3g}; solvers that don't differ: {groups[0]}"
    ]
    if ranking.blocks < FEW_BLOCKS:
        notes.append(f"warning: {ranking.blocks} instances are few for a test of ranks")
    return TitledTable("ranks", "Mean ranks", frame, tuple(notes))


def _pairs(compared: "pd.DataFrame", wide: "pd.DataFrame") -> TitledTable:
    import pandas as pd

    seeds = len(wide) < FEW_BLOCKS
    paired = blocks(compared, "to_best_known", seeds=True) if seeds else wide
    frame = pd.DataFrame(wilcoxon_holm(paired), columns=["first", "second", "wins", "losses", "p", "p_holm"])
    pairs = zip(frame["first"], frame["second"], strict=True)
    frame["a12"] = [lower_in_the_mean(compared, "to_best_known", first, second) for first, second in pairs]
    frame["cliff"] = 2 * frame["a12"] - 1
    notes = [
        f"two-sided signed-rank tests, p-values corrected by Holm; {FAILURES}",
        "A12 (Vargha and Delaney): how probable it is that a run of the first misses less than one of the second on "
        "the same instance, ties half, in the mean over instances; Cliff's delta is 2 A12 - 1",
    ]
    if seeds:
        notes.append(
            f"warning: {len(wide)} instances are too few for this test, so blocks are instance and seed, {len(paired)} "
            "of them: the p-values are about these instances, not about others; a solver that ran with one seed has "
            "the same number at each, which says less than its own runs would"
        )
    return TitledTable("pairs", "Paired Wilcoxon", frame, tuple(notes))


def _times(results: Results, table: "pd.DataFrame", known: "pd.DataFrame", target: float) -> TitledTable:
    tried = table[~table["status"].isin(UNTRIED)]
    joined = tried.drop(columns="client_only").join(known[["client_only", "best_known"]], on="instance")
    frame = time_summary(targets(joined, dict(traces(results.rows)), target)).rename_axis("solver").reset_index()
    if len(frame):
        gaps = gap_traces(results.rows, known)
        integrals = {
            row.job.key: primal_integral(gaps[row.job.key], row.job.time_limit_s)
            for row in results.rows
            if row.job.key in gaps
        }
        frame["primal_integral"] = frame["solver"].map(
            tried.assign(integral=tried["key"].map(integrals)).groupby("solver")["integral"].mean()
        )
        frame = frame.sort_values(["ert_s", "par10_s", "solver"], ignore_index=True)
    notes = (
        "ERT: all seconds spent over the runs that got there; PAR-10: one that didn't counts as ten limits; SGM: "
        "shifted geometric mean (1 s), one that didn't counts as its limit; primal integral: mean gap over the time "
        "limit, 1 before the first placement",
    )
    return TitledTable("times", f"Time until at most {target:.2%} of the possible improvement is missed", frame, notes)


def _measured(frame: "pd.DataFrame") -> TitledTable:
    import pandas as pd

    notes = []
    for (instance, compute, links), some in frame.groupby(["instance", "compute", "links"], sort=False):
        kept = some.drop_duplicates(["predicted_s", "measured_s"]).dropna(subset=["measured_s"])
        if len(kept) == 0:
            continue
        said = f"{instance}, compute {compute}, links {links}: off by {kept['off'].abs().median():.1%} in the median"
        if len(kept) >= FEW_POINTS:
            ranks = pd.Series(kept["predicted_s"]).corr(pd.Series(kept["measured_s"]), method="spearman")
            above = kept["measured_s"].to_numpy()[kept["predicted_s"].argmin()] / kept["measured_s"].min() - 1
            said += (
                f" of {len(kept)} placements; rank correlation {ranks:.3f}; the one predicted best is measured "
                f"{above:.1%} above the best measured"
            )
        notes.append(said)
    return TitledTable("measured", "Delay as predicted and as measured (median of the runs)", frame, tuple(notes))


def _training(table: "pd.DataFrame", instances: int) -> TitledTable:
    others = table[(table["trained"] == "") & table["seconds"].notna()]
    medians = others.groupby("solver")["to_best_known"].median()
    rival = str(medians.idxmin()) if medians.notna().any() else ""
    other_s = float(others.loc[others["solver"] == rival, "seconds"].median()) if rival else math.inf
    frame = training_costs(table, other_s, instances)
    notes = (
        f"'spread': one training over {instances} instances; 'break-even': the number of them from which it pays, "
        f"against the {other_s:.3g} s of {rival or 'nobody'}, the best solver that doesn't learn",
        "'here': trained anew on each instance, nothing to spread; 'before, on others': zero-shot",
    )
    return TitledTable("training", "What learning costs", frame, notes)
