"""Measured seconds of a profile, given to the layers of a network of the same model: by name, else by order."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from offbench.errors import OffbenchError
from offbench.importers.granularity import fused
from offbench.importers.imported import Imported
from offbench.model.facts import counted
from offbench.model.network import NetworkLayer, Operator

# Below, a profile is of another model; above, what isn't named in it was computed in the kernels of others.
_LEAST_SHARE, _WHOLE_SHARE = 0.5, 0.98
# That are compared to align what isn't named; it takes memory and time for each.
_MOST_PAIRS = 20_000_000
# Kinds that name the same work differently, and how much it counts that these are aligned.
_SAME: Mapping[Operator | None, Operator | None] = {
    "depthwise-convolution": "convolution", "embedding": "movement", "activation": "elementwise",
}  # fmt: skip
_WEIGHT: Mapping[Operator | None, float] = {
    "convolution": 8, "matrix-product": 8, "recurrent": 8, "pooling": 3, "normalisation": 2, "softmax": 3,
}  # fmt: skip


class Timed(NamedTuple):
    """What a runtime ran, and how long."""

    name: str
    operator: Operator | None
    """its class; None where the profile doesn't tell"""
    seconds: float
    """of one run of the model, s"""


@dataclass(frozen=True)
class Profile:
    """What a runtime measured."""

    tool: str
    """by which tool, as people call it"""
    timed: tuple[Timed, ...]
    """in the order of execution"""
    runs: int
    """over how many runs"""
    whole_s: float | None = None
    """how long a run of the whole model took meanwhile, s"""
    statistic: str = "median"
    """what of the runs is told: median or mean"""

    @property
    def seconds(self) -> float:
        """The sum of its parts, s."""
        return sum(each.seconds for each in self.timed)


def with_seconds(found: Imported, profile: Profile, device: str, source: str) -> Imported:
    """Return a network, a layer for each node, with the seconds of a profile.

    Parameters
    ----------
    found
        What an importer brought.
    profile
        Of the same model.
    device
        Where it was measured.
    source
        What errors call the profile.

    Raises
    ------
    OffbenchError
        If so little fits that it is of another model.
    """
    layers = found.network.layers
    matching = _Matching(layers, fused(found.network), found.tensors, profile.timed, source)
    total = profile.seconds
    share = sum(matching.shares.values()) / total if total else 0.0
    if share < _LEAST_SHARE:
        raise OffbenchError(
            f"{source}: only {share:.0%} of its time fits the layers of '{found.network.name}'; must be a profile of "
            "the same model"
        )
    seconds = matching.seconds(everything=share >= _WHOLE_SHARE)
    network = found.network.model_copy(
        update={
            "layers": tuple(
                layer.model_copy(update={"seconds": {**(layer.seconds or {}), device: seconds[j]}})
                if j in seconds
                else layer
                for j, layer in enumerate(layers)
            ),
            "source": f"{found.network.source}; seconds of {device} by {profile.tool}",
        }
    )
    parts = ", ".join(f"{part / total:.1%} {how}" for how, part in matching.shares.items() if part)
    whole = f" of {profile.whole_s * 1e3:.4g} ms for a run" if profile.whole_s else ""
    note = (
        f"{device}: {total * 1e3:.4g} ms{whole} by {profile.tool}, {profile.statistic} of {profile.runs} runs: "
        f"{share:.1%} of it is given to layers ({parts})"
    )
    if without := sum(layer.launches > 0 and j not in seconds for j, layer in enumerate(layers)):
        note += f"; {counted(without, 'layer')} without a measured time"
    return replace(found, network=network, coverage=replace(found.coverage, notes=(*found.coverage.notes, note)))


class _Matching:
    """Which layer each part of a profile belongs to."""

    def __init__(
        self,
        layers: Sequence[NetworkLayer],
        groups: Sequence[Sequence[NetworkLayer]],
        tensors: Mapping[str, str],
        timed: Sequence[Timed],
        source: str,
    ) -> None:
        self._layers, self._timed, self._source = layers, timed, source
        number = {layer.name: j for j, layer in enumerate(layers)}
        others = {name: number[layer.name] for layer in layers for name in layer.aliases or ()}
        self._known = others | {tensor: number[name] for tensor, name in tensors.items() if name in number} | number
        self._lengths = sorted(set(map(len, self._known)), reverse=True)
        self._group = {layer.name: group for group in groups for layer in group}
        self._number = number
        self._of: dict[int, int] = {}
        """the layer that each part belongs to"""
        self.shares = {"by name": 0.0, "by order": 0.0, "to the layer before": 0.0}
        """seconds that were matched, by how"""
        self._by_name()
        self._by_order()
        self._to_neighbours()

    def seconds(self, everything: bool) -> dict[int, float]:
        """Return each layer's seconds by its number.

        Parameters
        ----------
        everything
            Whether the profile covers all, so that what isn't in it took no time of its own; else that is said only
            of what is fused into a layer that is in it.
        """
        found: dict[int, float] = {}
        for k, j in self._of.items():
            found[j] = found.get(j, 0.0) + self._timed[k].seconds
        groups = {self._number[each.name] for j in found for each in self._group[self._layers[j].name]}
        for j, layer in enumerate(self._layers):
            if everything or j in groups or layer.launches == 0:
                found.setdefault(j, 0.0)
        return found

    def _give(self, k: int, j: int, how: str) -> None:
        self._of[k] = j
        self.shares[how] += self._timed[k].seconds

    def _by_name(self) -> None:
        for k, part in enumerate(self._timed):
            j = self._named(part.name)
            if j is not None:
                self._give(k, self._head(part, j), "by name")

    def _named(self, name: str) -> int | None:
        """Return the layer that a name is of, or begins with; a runtime adds what it made of a layer."""
        name = name.removeprefix("fused ")
        if name in self._known:
            return self._known[name]
        for end in (length for length in self._lengths if length < len(name)):
            # What differs by its number alone is another layer.
            if name[end] in "_/:. " and name[:end] in self._known and not name[end + 1 :].isdecimal():
                return self._known[name[:end]]
        return None

    def _head(self, part: Timed, j: int) -> int:
        """Return the layer that a fused kernel does most of its work for, as its class tells."""
        if part.operator is None or _same(self._layers[j].operator) == _same(part.operator):
            return j
        alike = (each for each in self._group[self._layers[j].name] if _same(each.operator) == _same(part.operator))
        return self._number[next(alike, self._layers[j]).name]

    def _by_order(self) -> None:
        """Align what has no name that is known, between what has."""
        free = set(range(len(self._layers))) - set(self._of.values())
        gap: list[int] = []
        low = -1
        for k in range(len(self._timed) + 1):
            if k < len(self._timed) and k not in self._of:
                gap.append(k)
                continue
            high = self._of[k] if k < len(self._timed) else len(self._layers)
            self._align(gap, [j for j in range(low + 1, high) if j in free])
            gap, low = [], high

    def _align(self, gap: Sequence[int], free: Sequence[int]) -> None:
        if len(gap) * len(free) > _MOST_PAIRS:
            raise OffbenchError(f"{self._source}: {len(gap):,} of its parts have no name that the model has")
        left = [_same(self._timed[k].operator) for k in gap]
        right = [_same(self._layers[j].operator) for j in free]
        for a, b in aligned(left, right):
            self._give(gap[a], free[b], "by order")
        taken = set(self._of.values())
        open_ = [j for j in free if j not in taken]
        for k in gap:  # such as a normalisation that takes the place of its operators
            if k not in self._of and open_ and _same(self._timed[k].operator) not in ("movement", None):
                self._give(k, open_[0], "by order")

    def _to_neighbours(self) -> None:
        """Give what a runtime inserts, such as a change of layout, to the layer that runs before, or else after."""
        last = next((self._of[k] for k in range(len(self._timed)) if k in self._of), None)
        for k, part in enumerate(self._timed):
            if k in self._of:
                last = self._of[k]
            elif last is not None and _same(part.operator) == "movement":
                self._give(k, last, "to the layer before")


def _same(operator: Operator | None) -> Operator | None:
    return _SAME.get(operator, operator)


def aligned(left: Sequence[Operator | None], right: Sequence[Operator | None]) -> list[tuple[int, int]]:
    """Return pairs of places in two sequences, both rising, with the same class, such that the dearest are paired.

    Needleman and Wunsch's alignment, without costs for gaps.
    """
    import numpy as np

    if not left or not right:
        return []
    weights = np.array([_WEIGHT.get(each, 1.0) for each in right])
    best = np.zeros((len(left) + 1, len(right) + 1))
    for a, each in enumerate(left):
        pays = np.where([each is not None and each == other for other in right], weights, 0.0)
        best[a + 1, 1:] = np.maximum.accumulate(np.maximum(best[a, 1:], best[a, :-1] + pays))
    pairs = []
    a, b = len(left), len(right)
    while a and b:
        if best[a, b] == best[a - 1, b]:
            a -= 1
        elif best[a, b] == best[a, b - 1]:
            b -= 1
        else:
            a, b = a - 1, b - 1
            pairs.append((a, b))
    return pairs[::-1]


def tells_no_graph(path: Path, tool: str) -> OffbenchError:
    """Return the error where a profile is read as if it were a network."""
    return OffbenchError(
        f"{path}: is a profile of {tool}, which tells no graph; name its model: MODEL --profile DEVICE={path}"
    )
