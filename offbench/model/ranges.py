"""How far an instance's rates, latencies and times may be off: a file beside it (``offbench-ranges/1``)."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from offbench.errors import OffbenchError, nearest
from offbench.files.json import check, layout, read_json
from offbench.model.facts import Fact, Name, NonNegative, Positive
from offbench.model.instance import Instance, Link


class Range(Fact):
    """Between which factors of what the instance says a number lies."""

    low: NonNegative
    high: Positive

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if self.low > self.high:
            raise ValueError(f"low {self.low:g} is above high {self.high:g}")
        return self


ONE = Range(low=1.0, high=1.0)


class LinkRange(Fact):
    """How far a link is off."""

    from_: Name = Field(alias="from")
    to: Name
    rate: Range = ONE
    latency: Range = ONE


class Ranges(Fact):
    """How far servers and links of one instance are off; what isn't named follows from elsewhere."""

    format: Literal["offbench-ranges/1"] = "offbench-ranges/1"
    source: str = ""
    servers: dict[Name, Range] = Field(default_factory=dict)
    """of all execution times on a server together"""
    links: tuple[LinkRange, ...] = ()
    """of links, their ends named as in the instance; of one between two servers in either order"""

    @property
    def by_ends(self) -> dict[tuple[str, str], LinkRange]:
        """The links' by their ends."""
        return {(one.from_, one.to): one for one in self.links}

    def of(self, link: Link) -> LinkRange | None:
        """Return how far a link is off, if that is told."""
        a, b = link.ends
        found = self.by_ends
        return found.get((a, b)) or (found.get((b, a)) if link.between is not None else None)

    def to_text(self) -> str:
        """Return the file's text."""
        return layout(self.model_dump()) + "\n"


def load_ranges(path: Path, instance: Instance) -> Ranges:
    """Return what a file says of an instance's numbers.

    Raises
    ------
    OffbenchError
        If the file can't be read, breaks a rule of its format, or names what the instance hasn't got.
    """
    found = check(Ranges, read_json(path), str(path))
    names = [server.name for server in instance.servers]
    for name in found.servers:
        if name not in names:
            raise OffbenchError(f"{path}: servers.{name}: '{instance.name}' has no such server{nearest(name, names)}")
    told = {id(one) for link in instance.links if (one := found.of(link)) is not None}
    for one in found.links:
        if id(one) not in told:
            raise OffbenchError(f"{path}: links: '{instance.name}' has no link from '{one.from_}' to '{one.to}'")
    return found
