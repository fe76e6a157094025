"""How far a run is, in words."""

import math
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offbench.search.metrics import Diary
    from offbench.search.search import Search

# "best Q" stands there already.
_SHOWN = ("episode", "loss", "epsilon")


def starting() -> str:
    """Say that something starts, and what is compiled meanwhile."""
    compiled = sys.modules.get("offbench.evaluation.compiled")
    now = None if compiled is None else compiled.COMPILING.now
    return "starting" if now is None else f"compiling {now}, once on this machine"


def search_state(search: "Search") -> tuple[float, str]:
    """Return the share of its budget that a search has used, and its state in words."""
    return min(1.0, search.progress), _state(search)


def _state(search: "Search") -> str:
    limit, most = search.budget.time_limit, search.budget.max_evaluations
    best = "no placement yet"
    if search.violation < math.inf:
        feasible = search.objective < math.inf
        best = f"best Q {search.objective:.6g}" if feasible else f"not feasible yet, violation {search.violation:.4g}"
    count = f"{search.evaluations:,}" + (f" of {most:,}" if most else "") + " evaluations"
    time = f"{search.seconds:.1f}" + (f" of {limit:g}" if limit else "") + " s"
    return ", ".join([best, count, time, *learning_state(search.diary)])


def learning_state(diary: "Diary") -> list[str]:
    """Tell what a solver that learns has written down last."""
    return [
        f"{name} {value:,.0f}" if name == "episode" else f"{name} {value:.4g}"
        for name, value in sorted(diary.latest.items())
        if name in _SHOWN
    ]
