"""What the paper claims in words, as data (`claims.toml`), so that a reader can dispute the reading."""

from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

from pydantic import Field, model_validator

from offbench.files.json import check
from offbench.files.text import read_toml
from offbench.model.instance import Fact, Name
from offbench.paper.estimates import STATISTICS, Direction
from offbench.paper.experiments import DEFAULTS, FIGURES
from offbench.paper.settings import Setting
from offbench.paper.table import VALUES

Group = bool | int | float | str
COLUMNS = (*Setting("alexnet").facts(), "agent", *DEFAULTS)
"""what runs can be grouped and chosen by"""


class Claim(Fact):
    """One claim of the paper, in our words, and what is measured to judge it."""

    id: Name
    figure: str
    section: Name
    text: Name
    """what the paper says"""
    value: str | tuple[str, ...]
    """what is measured, of `table.VALUES`; two for the statistic `price`"""
    statistic: str
    """a name of `estimates.STATISTICS`"""
    by: str
    """the column that makes the groups"""
    of: tuple[Group, ...]
    """the groups that the claim is about; none: all that there are"""
    than: tuple[Group, ...] = ()
    """those that they are held against"""
    where: dict[str, Group] = Field(default_factory=dict)
    """further columns that choose runs; the agent is ddpqn, unless the claim is about several"""
    direction: Direction
    bound: float = 0.0
    """what the statistic must be above or below"""
    between: tuple[float, float] | None = None
    """what it must lie within"""
    each: tuple[str, ...] = ("network",)
    """the claim must hold in each of these"""
    paper: dict[str, float] = Field(default_factory=dict)
    """numbers that the paper gives, by network: a relative change"""
    reading: str = ""
    """where the words leave open what is meant: what we took"""

    @property
    def values(self) -> tuple[str, ...]:
        """The values as a tuple."""
        return (self.value,) if isinstance(self.value, str) else self.value

    @model_validator(mode="after")
    def _known(self) -> Self:
        named = (
            ("figure", (self.figure,), FIGURES),
            ("value", self.values, VALUES),
            ("statistic", (self.statistic,), tuple(STATISTICS)),
            ("by", (self.by,), COLUMNS),
            ("where", tuple(self.where), COLUMNS),
            ("each", self.each, COLUMNS),
        )
        for field, names, allowed in named:
            for name in names:
                if name not in allowed:
                    raise ValueError(f"{field}: must be one of {', '.join(allowed)}, not '{name}'")
        if (self.direction == "within") != (self.between is not None):
            raise ValueError("between: comes with the direction 'within', and only with it")
        if (self.statistic in ("margin", "contrast", "relative", "share", "price")) != bool(self.than):
            raise ValueError(f"than: the statistic '{self.statistic}' {'takes none' if self.than else 'needs it'}")
        if self.than and not self.of:
            raise ValueError("of: must name what is held against others")
        return self


class _File(Fact):
    claims: tuple[Claim, ...]

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        ids = [claim.id for claim in self.claims]
        twins = sorted({one for one in ids if ids.count(one) > 1})
        if twins:
            raise ValueError(f"claims: '{twins[0]}' stands twice")
        return self


def parse_claims(data: Any, where: str) -> tuple[Claim, ...]:
    """Return the claims of a parsed file.

    Raises
    ------
    OffbenchError
        If a claim breaks a rule; the message names claim, field and rule.
    """
    return check(_File, data, where).claims


@cache
def claims() -> tuple[Claim, ...]:
    """Return the claims of the paper."""
    return parse_claims(read_toml(Path(str(files("offbench.paper") / "claims.toml"))), "claims.toml")
