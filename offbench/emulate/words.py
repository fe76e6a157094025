"""An emulation in words, and as JSON."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from offbench.emulate.comparison import Compared, compared
from offbench.emulate.measuring import Emulation
from offbench.model.facts import counted

_WORTH = 0.01
"""share of the delay from which on waiting is told"""
_FASTER = 0.02
"""by which share of its time a part may be slower than its pace"""


def in_words(found: Emulation, rows: list[Compared] | None = None) -> Iterator[str]:
    """Yield sentences: how far the measured times are off, and what that is made of."""
    rows = compared(found) if rows is None else rows
    tasks = [row for row in rows if row.kind == "task"]
    if tasks:
        total = sum(row.predicted_s for row in tasks), float(np.median(found.delay.sum(axis=1)))
        low, high = np.quantile(found.delay.sum(axis=1), (0.25, 0.75)).tolist()
        what = "all tasks together" if len(tasks) > 1 else "from the input to the end"
        yield (
            f"Measured {_ms(total[1])} {what} (median of {counted(found.runs, 'run')}, quartiles {_ms(low)} to "
            f"{_ms(high)}) where {_ms(total[0])} were predicted: {_off(total[1] / total[0] - 1)}."
        )
        for kind in ("part", "transfer"):
            mine = [row for row in rows if row.kind == kind]
            together = ", added up," if len(mine) > 1 else ""
            told = sum(row.predicted_s for row in mine), sum(row.measured_s for row in mine)
            if mine and told[0] > 0:
                yield (
                    f"{counted(len(mine), kind)} {'take' if len(mine) > 1 else 'takes'} {_ms(told[1])}{together} where "
                    f"{_ms(told[0])} were predicted: {_off(told[1] / told[0] - 1)}."
                )
        waited = _waited(found)
        if max(waited) > _WORTH * max(total):
            yield f"Parts wait {_ms(waited[1])} for a slot, added up, where {_ms(waited[0])} were predicted."
        if slow := _slower_than_pace(found):
            yield (
                f"{counted(slow, 'part')} can't keep the pace: this machine takes longer than the instance says, so "
                "the measured times are too long there."
            )
        yield (
            "The cut network's outputs are those of the uncut one"
            f"{'' if found.difference == 0 else f', but for {found.difference:.1g} of the largest number'}."
        )
    if found.error is not None:
        yield f"It ended early, with {counted(found.runs, 'run')} that could be kept: {found.error}"


def _waited(found: Emulation) -> tuple[float, float]:
    """Return how long parts wait for a slot though what they read is there: predicted, and the median of the runs."""
    predicted = found.cut.predicted
    first = [part.subtasks[0] for part in found.cut.parts.pieces]
    return (
        float((predicted.start - predicted.ready)[first].sum()),
        float(np.median((found.start - found.ready).sum(axis=1))),
    )


def _slower_than_pace(found: Emulation) -> int:
    """Return how many parts take longer here than the instance says; 0 where nothing is paced."""
    if found.compute != "paced" or not found.runs:
        return 0
    seconds = np.array([part["seconds"] for part in found.cut.manifest["parts"]])
    took = np.median(found.computed - found.start, axis=0)
    return int(((took > (1 + _FASTER) * seconds) & (took > 1e-4)).sum())


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:,.4g} ms"


def _off(share: float) -> str:
    return f"{abs(share):.1%} {'more' if share >= 0 else 'less'}"


def facts(found: Emulation) -> dict[str, Any]:
    """Return an emulation ready for JSON."""
    rows = compared(found)
    instance = found.cut.problem.instance
    return {
        "format": "offbench-emulation/1",
        "instance": instance.name, "instance_hash": instance.hash,
        "placement": found.cut.predicted.placement.to_file(instance),
        "compute": found.compute, "links": found.links, **found.conditions, "runs": found.runs, "error": found.error,
        "in_words": list(in_words(found, rows)),
        "delay_predicted_s": sum(row.predicted_s for row in rows if row.kind == "task") if rows else None,
        "delay_measured_s": found.delay.sum(axis=1).tolist(),
        "largest_difference_of_outputs": found.difference if np.isfinite(found.difference) else None,
        "uncut_here_s": found.whole_s,
        "compared": [row.to_dict() for row in rows],
    }  # fmt: skip
