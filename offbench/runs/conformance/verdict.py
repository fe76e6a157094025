"""What a check comes to, and the faults that several checks have in common."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

_NUMBER = re.compile(r"-?\d[\d.]*(e[-+]?\d+)?")

Outcome = Literal["passed", "refused", "failed", "skipped"]


class Fault(Exception):  # noqa: N818 - a finding about a solver
    """What a solver did wrong.

    Parameters
    ----------
    what
        In the same words wherever the same happens.
    numbers
        Those of this run.
    where
        File and line in the solver's own code, where they are known.
    """

    def __init__(self, what: str, numbers: str = "", where: str = "") -> None:
        super().__init__(what)
        self.what, self.numbers, self.where = what, numbers, where


class Refused(Exception):  # noqa: N818 - no error
    """Why a solver has no placement."""


@dataclass(frozen=True)
class Verdict:
    """What one check came to."""

    check: str
    outcome: Outcome
    """refused: the solver has no placement for this instance, or none in time, and says so; skipped: not tried"""
    detail: str = ""
    """what is wrong, why it refused, or why it wasn't tried"""
    numbers: str = ""
    """those that are wrong"""
    where: str = ""
    """file and line of what is wrong, in the solver's own code"""
    seconds: float = 0.0
    """that the check took"""


@dataclass(frozen=True)
class Finding:
    """One fault, and where it came out."""

    detail: str
    where: str
    numbers: str
    """of the first check that failed by it"""
    checks: tuple[str, ...]

    def __str__(self) -> str:
        text = f"{self.where}: {self.detail}" if self.where else self.detail
        return f"{text} ({self.numbers})" if self.numbers else text


def findings(verdicts: Iterable[Verdict]) -> list[Finding]:
    """Return each fault once, with the checks that failed by it."""
    found: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.outcome == "failed":
            found.setdefault((verdict.where, _kind(verdict)), []).append(verdict)
    return [
        Finding(same[0].detail, where, same[0].numbers, tuple(verdict.check for verdict in same))
        for (where, _), same in found.items()
    ]


def _kind(verdict: Verdict) -> str:
    """Return what two verdicts on one fault have in common: an exception's type, or all but the numbers."""
    return verdict.detail.split(":")[0] if verdict.where else _NUMBER.sub("", verdict.detail)
