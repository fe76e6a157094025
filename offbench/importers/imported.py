"""What an importer brings: a network, and how much of the model it understood."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from offbench.files.escaping import shortened
from offbench.model.facts import some
from offbench.model.network import Network

Shape = tuple[int, ...]
_NAMED = 10  # of each kind of what wasn't understood


@dataclass(frozen=True)
class Coverage:
    """How much of a model an importer understood."""

    nodes: int
    """operators of the model"""
    constant: int = 0
    """of these, how many are worked out before any input is there"""
    without_cost: Mapping[str, int] = field(default_factory=dict)
    """operators that there is no cost model for, and how many of each"""
    without_shape: tuple[str, ...] = ()
    """layers of which some input or output has a size that can't be told"""
    opaque: tuple[str, ...] = ()
    """control flow that is taken as one layer"""
    parameters: int = 0
    """numbers that the model has learnt"""
    notes: tuple[str, ...] = ()
    """what else is to be known, in sentences: what the format doesn't say, how well a profile fits"""

    @property
    def complete(self) -> bool:
        """Whether there is nothing that wasn't understood."""
        return not (self.without_cost or self.without_shape or self.opaque)

    def told(self) -> list[str]:
        """Return what wasn't understood, and what else is to be known, in sentences."""
        said = []
        if self.without_cost:
            named = _some(f"{shortened(name)} ({count})" for name, count in sorted(self.without_cost.items()))
            said.append(f"without a cost model, so that their time must be measured: {named}")
        if self.without_shape:
            named = _some(map(shortened, self.without_shape))
            said.append(f"sizes of {len(self.without_shape)} layers can't be told and count as 0: {named}")
        if self.opaque:
            said.append(f"control flow is taken as one layer each: {_some(map(shortened, self.opaque))}")
        said.extend(self.notes)
        return said


def _some(names: Iterable[str]) -> str:
    return some(list(names), _NAMED)


@dataclass(frozen=True)
class Imported:
    """A network from a model file."""

    network: Network
    coverage: Coverage
    tensors: Mapping[str, str] = field(default_factory=dict)
    """the layer that makes each tensor, where the file names tensors, by which profiles may name layers"""
