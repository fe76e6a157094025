"""How fine a network is told: each node, what a runtime fuses into a kernel, or blocks between gates."""

from collections.abc import Sequence
from typing import Literal, get_args

from offbench.model.facts import Input, LayerOutput, TaskInput
from offbench.model.gates import INPUT, gates_among
from offbench.model.network import Network, NetworkLayer, Operator

Granularity = Literal["node", "layer", "block"]
GRANULARITIES: tuple[Granularity, ...] = get_args(Granularity)

# What runtimes compute in the kernel of the layer before: it changes each number by itself.
_FUSED: frozenset[Operator] = frozenset(("normalisation", "activation", "elementwise"))
_INTO: frozenset[Operator] = _FUSED | {"convolution", "depthwise-convolution", "matrix-product"}
# Of several layers in one, the class is that of the dearest kind.
_RANK: tuple[Operator, ...] = (
    "control", "recurrent", "convolution", "depthwise-convolution", "matrix-product", "embedding", "softmax",
    "normalisation", "pooling", "elementwise", "activation", "other", "movement",
)  # fmt: skip


def told(network: Network, granularity: Granularity) -> Network:
    """Return a network as fine as asked for.

    Parameters
    ----------
    network
        With a layer for each node.
    granularity
        ``node`` as it is; ``layer``: what a runtime fuses is one, such as a convolution with its normalisation and
        activation, and what only reads its input otherwise belongs to it; ``block``: of these, all between two that
        every path goes through are one, such as a residual block.
    """
    if granularity == "node":
        return network
    coarse = _merged(network, fused(network))
    return coarse if granularity == "layer" else _merged(coarse, _blocks(coarse))


def grouped(network: Network, granularity: Granularity) -> list[list[str]]:
    """Return the nodes that each layer of `told` has, by name; a layer is named after its first."""
    nodes = fused(network) if granularity != "node" else [[layer] for layer in network.layers]
    if granularity != "block":
        return [[layer.name for layer in group] for group in nodes]
    members = {group[0].name: [layer.name for layer in group] for group in nodes}
    return [[name for layer in group for name in members[layer.name]] for group in _blocks(_merged(network, nodes))]


def _readers(network: Network) -> dict[str, list[str]]:
    readers: dict[str, list[str]] = {layer.name: [] for layer in network.layers}
    for layer in network.layers:
        for name in dict.fromkeys(layer.sources):
            readers[name].append(layer.name)
    return readers


def fused(network: Network) -> list[list[NetworkLayer]]:
    """Return the layers in groups that a runtime fuses, each a chain that only its last layer leaves."""
    readers, results = _readers(network), {layer.name for layer in network.results}
    number = {layer.name: j for j, layer in enumerate(network.layers)}
    group_of: dict[str, list[NetworkLayer]] = {}
    groups: list[list[NetworkLayer]] = []
    for layer in network.layers:
        free, sources = layer.launches == 0, layer.sources
        # An addition joins the branch that is computed last, as a runtime does.
        latest = max(sources, key=number.__getitem__, default=None)
        given = any(isinstance(each, TaskInput) for each in layer.inputs)
        for source in sources:
            group = group_of[source]
            alone = group[-1].name == source and readers[source] == [layer.name] and source not in results
            into = group[0].operator in _INTO and layer.operator in _FUSED
            if alone and source == latest and (into or free) and not given:
                group.append(layer)
                break
        else:
            groups.append([layer])
            group = groups[-1]
        group_of[layer.name] = group
    return groups


def _blocks(network: Network) -> list[list[NetworkLayer]]:
    """Return the layers in groups, each ending with a layer that every path goes through."""
    number = {layer.name: j for j, layer in enumerate(network.layers)}
    reads = []
    for layer in network.layers:
        given = [INPUT] if not layer.inputs or any(isinstance(each, TaskInput) for each in layer.inputs) else []
        reads.append([*given, *(number[name] for name in layer.sources)])
    ends = [*gates_among(reads), len(network.layers) - 1]
    starts = [0, *(end + 1 for end in ends)]
    return [list(network.layers[a : b + 1]) for a, b in zip(starts, ends, strict=False) if a <= b]


def _merged(network: Network, groups: Sequence[Sequence[NetworkLayer]]) -> Network:
    name_of = {layer.name: group[0].name for group in groups for layer in group}
    size = {layer.name: layer.output_mb for layer in network.layers}
    readers, results = _readers(network), {layer.name for layer in network.results}
    layers = []
    for group in groups:
        inside = {layer.name for layer in group}
        if len(group) == 1 and all(name_of[name] == name for name in group[0].sources):
            layers.append(group[0])
            continue
        made: set[str] = set()
        """what is written here, perhaps read otherwise, and not handed through"""
        for layer in group:
            if layer.launches > 0 or made.intersection(layer.sources):
                made.add(layer.name)
        reads: dict[str, float] = {}
        given = within = 0.0
        for layer in group:
            for each in layer.inputs or (TaskInput(input_mb=network.input_mb),):
                if isinstance(each, TaskInput):
                    given += each.input_mb
                    continue
                source = each if isinstance(each, str) else each.layer
                mb = each.mb if isinstance(each, LayerOutput) else size[source]
                if source in inside:
                    within += mb if layer.launches > 0 and source in made else 0.0
                else:
                    reads[source] = max(reads.get(source, 0.0), mb)
        given = min(given, network.input_mb)
        leaves = [
            layer for layer in group
            if layer.name in results or any(reader not in inside for reader in readers[layer.name])
        ]  # fmt: skip
        leaving = {layer.name for layer in leaves}
        for layer in reversed(group):  # what only reads its input otherwise hands on what another has written
            if layer.launches == 0 and layer.name in leaving:
                leaving.update(inside.intersection(layer.sources))
        kept = sum(layer.written_mb for layer in group if layer.name not in leaving)
        known = [layer.gflop for layer in group if layer.gflop is not None]
        weighing = [layer for layer in group if layer.weights_mb > 0]
        inputs: dict[str, float] = {}
        for source, mb in reads.items():
            inputs[name_of[source]] = inputs.get(name_of[source], 0.0) + mb
        entries: tuple[Input, ...] = tuple(LayerOutput(layer=source, mb=mb) for source, mb in inputs.items())
        layers.append(
            NetworkLayer(
                name=group[0].name,
                operator=min((layer.operator for layer in group), key=_RANK.index),
                gflop=sum(known) if known else None,
                read_mb=max(0.0, sum(layer.read_mb for layer in group) - within),
                written_mb=max(0.0, sum(layer.written_mb for layer in group) - kept),
                launches=_launches(group),
                output_mb=sum(layer.output_mb for layer in leaves),
                inputs=(*((TaskInput(input_mb=given),) if given else ()), *entries) if entries or given else (),
                weights_mb=sum(layer.weights_mb for layer in group),
                weights_id=weighing[0].weights_id if len(weighing) == 1 else None,
                seconds=_seconds(group),
                aliases=_aliases(group),
            )
        )
    return network.model_copy(
        update={"layers": tuple(_plain(layers, network)), "outputs": tuple(dict.fromkeys(name_of[r] for r in results))}
    )


def _launches(group: Sequence[NetworkLayer]) -> int:
    """Return the kernels of a group: what is fused into the layer before needs none of its own."""
    count, before = 0, None
    for layer in group:
        within = before is not None and layer.operator in _FUSED and before.name in layer.sources
        count += 0 if within else layer.launches
        before = layer if layer.launches else before
    return count


def _aliases(group: Sequence[NetworkLayer]) -> tuple[str, ...] | None:
    """Return all names of a group in profiles but its own."""
    names = [name for layer in group for name in (layer.name, *(layer.aliases or ()))]
    return tuple(name for name in dict.fromkeys(names) if name != group[0].name) or None


def _seconds(group: Sequence[NetworkLayer]) -> dict[str, float] | None:
    """Return what was measured of all layers, by device."""
    stated = [layer.seconds for layer in group if layer.launches > 0 or layer.seconds is not None]
    if not stated or any(each is None for each in stated):
        return None
    devices = set.intersection(*(set(each or {}) for each in stated))
    return {device: sum((each or {})[device] for each in stated) for device in sorted(devices)} or None


def _plain(layers: list[NetworkLayer], network: Network) -> list[NetworkLayer]:
    """Write inputs the short way: whole outputs by name, the whole input as none."""
    size = {layer.name: layer.output_mb for layer in layers}

    def short(each: Input) -> Input:
        return each.layer if isinstance(each, LayerOutput) and each.mb == size[each.layer] else each

    whole = (TaskInput(input_mb=network.input_mb),)
    return [
        layer.model_copy(update={"inputs": () if layer.inputs == whole else tuple(map(short, layer.inputs))})
        for layer in layers
    ]
