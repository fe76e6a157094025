"""A claim held against runs: what we observe, and whether it holds."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from offbench.bench.frame import PENDING
from offbench.bench.statistics.intervals import Interval
from offbench.paper.claims import Claim
from offbench.paper.estimates import STATISTICS, centre, observe
from offbench.paper.experiments import AGENTS, GREEDY
from offbench.paper.settings import BENEFITS, PRINTED, READINGS
from offbench.paper.table import LEARNT

if TYPE_CHECKING:
    import pandas as pd

HOLDS, FAILS, UNDECIDED, NOT_RUN = "holds", "does not hold", "undecided", "not run"
BEST = "best"
ONLY_PRINTED = "holds only with the printed form of H"


@dataclass(frozen=True)
class Observation:
    """What is observed in one part, a network say."""

    part: str
    reading: str
    """of H"""
    interval: Interval
    centres: dict[str, tuple[float, ...]]
    """of each group, one for each value"""
    runs: int
    """that count"""
    proven: bool
    """whether all of them are of instances whose optimum is proven"""
    without: int
    """runs left out, for they have no placement or learnt nothing"""
    verdict: str


@dataclass(frozen=True)
class Finding:
    """A claim, and what is observed of it everywhere."""

    claim: Claim
    observations: tuple[Observation, ...]
    verdicts: dict[str, str]
    """by reading of H"""
    best: "Finding | None" = None
    """the same of the best placement known of each instance, whoever found it; None of what only agents have"""

    @property
    def verdict(self) -> str:
        """Of all: what both readings of H say, or which of them bears the claim out."""
        told = list(dict.fromkeys(self.verdicts.values()))
        if len(told) == 1:
            return told[0]
        if self.verdicts == {PRINTED: HOLDS, BENEFITS: FAILS}:
            return ONLY_PRINTED
        return "; ".join(f"{verdict} with H {_called(reading)}" for reading, verdict in self.verdicts.items())

    def counts(self, reading: str) -> str:
        """Tell in how many parts the claim holds."""
        parts = [each for each in self.observations if each.reading == reading and each.verdict != NOT_RUN]
        return f"{sum(each.verdict == HOLDS for each in parts)} of {len(parts)}"

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON has it."""
        return {
            **self.claim.model_dump(mode="json", include={"id", "figure", "section", "text"}),
            "verdict": self.verdict,
            "verdicts": self.verdicts,
            "observations": [
                {
                    "part": each.part, "reading": each.reading, "verdict": each.verdict,
                    **{name: _finite(value) for name, value in each.interval._asdict().items()},
                    "centres": {key: [_finite(value) for value in values] for key, values in each.centres.items()},
                    "runs": each.runs, "runs_left_out": each.without, "proven": each.proven,
                    "paper": self.claim.paper.get(each.part),
                }
                for each in self.observations
            ],
            "best_placements": None if self.best is None else self.best.to_dict(),
        }  # fmt: skip


def _called(reading: str) -> str:
    return "as printed" if reading == PRINTED else "of benefits"


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def judge(claim: Claim, table: "pd.DataFrame") -> Finding:
    """Hold a claim against the runs of its figure.

    Parameters
    ----------
    claim
        What is claimed.
    table
        Of runs (`table.runs`).
    """
    several = "agent" in (claim.by, *claim.each)
    agents = (*AGENTS, GREEDY) if several else ("ddpqn",)
    proven = table["instance"].isin(table.loc[table["status"] == "optimal", "instance"])
    table = table.assign(proven=proven)
    found = _found(claim, table[table["agent"].isin(agents)])
    if several or set(claim.values) & set(LEARNT):
        return found
    return replace(found, best=_found(claim, best_placements(table)))


def best_placements(table: "pd.DataFrame") -> "pd.DataFrame":
    """Return, for each instance, the run with the lowest objective of all: agents, metaheuristics, exact solvers."""
    placed = table[table["objective"].notna()]
    return placed.sort_values("objective", kind="stable").drop_duplicates("instance").sort_index().assign(agent=BEST)


def _found(claim: Claim, runs: "pd.DataFrame") -> Finding:
    chosen = runs[runs[claim.by].isin(claim.of + claim.than)] if claim.of else runs
    for column, value in claim.where.items():
        chosen = chosen[chosen[column] == value]
    found = [
        _observed(claim, _part(claim.each, part), str(reading), some)
        for (reading, *part), some in chosen.groupby(["reading", *claim.each])
    ]
    readings = [name for name in READINGS if any(each.reading == name for each in found)]
    verdicts = {reading: _overall(each.verdict for each in found if each.reading == reading) for reading in readings}
    return Finding(claim, tuple(found), verdicts or {PRINTED: NOT_RUN})


def _part(columns: Iterable[str], values: Iterable[object]) -> str:
    """Name a part: ``alexnet, 5 tasks``."""
    return ", ".join(
        value if isinstance(value, str) else f"{value} {column}" for column, value in zip(columns, values, strict=True)
    )


def _observed(claim: Claim, part: str, reading: str, runs: "pd.DataFrame") -> Observation:
    values = list(claim.values)
    whole = runs.dropna(subset=values)
    groups: dict[Any, Any] = {}
    lonely = False
    of = claim.of or tuple(sorted(set(whole[claim.by])))
    for key in of + claim.than:
        some = whole[whole[claim.by] == key]
        lonely |= len(some) == 1 and str(some["agent"].iloc[0]) in AGENTS
        stacked = [np.stack(some[value].to_list()) if len(some) else np.empty(0) for value in values]
        groups[key] = stacked[0] if len(values) == 1 else np.stack(stacked, axis=-1)
    without = int((runs["status"] != PENDING).sum()) - len(whole)
    if len(groups) < 1 + (not claim.of) or any(len(group) == 0 for group in groups.values()):
        nothing = Interval(math.nan, math.nan, math.nan)
        return Observation(part, reading, nothing, {}, len(whole), False, without, NOT_RUN)
    interval = observe(groups, STATISTICS[claim.statistic], of, claim.than, claim.direction)
    centres = {str(key): tuple(_numbers(centre(group))) for key, group in groups.items()}
    proven = bool(whole["proven"].all())
    # One run of an agent that learns tells nothing of others.
    told = UNDECIDED if lonely else verdict(claim, interval)
    return Observation(part, reading, interval, centres, len(whole), proven, without, told)


def _numbers(centre: Any) -> Iterable[float]:
    """Return a group's centre as few numbers: of many entries (layers), their sum."""
    flat = np.atleast_1d(centre)
    return flat.tolist() if len(flat) <= 2 else [float(flat.sum())]


def verdict(claim: Claim, interval: Interval) -> str:
    """Tell whether an interval lies where it is claimed to lie, elsewhere, or across the border."""
    _, low, high = interval
    if math.isnan(low) or math.isnan(high):
        return UNDECIDED
    if claim.between is not None:
        least, most = claim.between
        holds, fails = least <= low and high <= most, high < least or low > most
    elif claim.direction == "above":
        holds, fails = low > claim.bound, high <= claim.bound
    else:
        holds, fails = high < claim.bound, low >= claim.bound
    return HOLDS if holds else FAILS if fails else UNDECIDED


def _overall(verdicts: Iterable[str]) -> str:
    """Join the verdicts of all parts: the paper claims it of each, so that one counterexample is enough."""
    told = {verdict for verdict in verdicts if verdict != NOT_RUN}
    if not told:
        return NOT_RUN
    return FAILS if FAILS in told else UNDECIDED if UNDECIDED in told else HOLDS
