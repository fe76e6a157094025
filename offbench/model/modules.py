"""The tasks' graphs: modules, nested ones too, contraction and pinning (MODEL.md section 5).

Here the nodes of a task are numbered in topological order: 0 stands for its input, its layers follow, and
the last one stands for its end, where all layers that nobody reads come together. So branches that begin
with the task, or that never meet, lie in a module too.
"""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from offbench.errors import OffbenchError
from offbench.model.arrays import Ints
from offbench.model.instance import Input, Instance, Layer, LayerOutput, Server, Task, TaskInput
from offbench.model.problem import P1

Nodes = list[int]


@dataclass(frozen=True, eq=False, repr=False)
class Module:
    """What lies between a layer with several readers, its fork, and the layer where all branches meet, its join.

    Every way into it comes from the fork, every way out leads to the join. Layers are numbered from 0.
    """

    fork: int | None
    """None: the task's input"""
    join: int | None
    """None: the task's end"""
    layers: tuple[int, ...]
    """those in it and in no module inside it, ascending"""
    modules: tuple["Module", ...]
    """the modules inside it, by their forks"""

    def within(self) -> "Iterator[Module]":
        """Yield it and all modules inside it, each before those inside it; as deep as they may lie."""
        left = [self]
        while left:
            module = left.pop()
            yield module
            left += reversed(module.modules)

    @property
    def inside(self) -> list[int]:
        """All layers in it, those of modules inside it too, ascending."""
        return sorted(layer for module in self.within() for layer in module.layers)

    # Not the dataclass's own, which call themselves for what is inside, as deep as that goes.

    def _facts(self) -> list[tuple[int | None, int | None, tuple[int, ...], int]]:
        return [(each.fork, each.join, each.layers, len(each.modules)) for each in self.within()]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Module) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash(tuple(self._facts()))

    def __repr__(self) -> str:
        inner = sum(1 for _ in self.within()) - 1
        return f"<Module {self.fork} to {self.join}: {len(self.inside)} layers, {inner} modules inside>"


class Nesting:
    """Which layers of an instance lie in modules, and how deep.

    Parameters
    ----------
    instance
        The full problem.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self._graphs = [_Graph(task) for task in instance.tasks]
        self.depth: Ints = np.concatenate([np.array(graph.depth[1:-1], dtype=np.int64) for graph in self._graphs])
        """in how many modules each subtask lies, one inside the other; shape ``(subtasks,)``"""

    @property
    def deepest(self) -> int:
        """The largest depth of a subtask; 0 where every task is a chain."""
        return int(self.depth.max())

    @cached_property
    def modules(self) -> list[tuple[Module, ...]]:
        """The outermost modules of each task."""
        return [graph.modules() for graph in self._graphs]

    def contract(self, depth: int = 0) -> Instance:
        """Return the problem in which each module at *depth* or deeper is one layer, with the full problem's scales.

        Its layer has the sum of the cycles, and where some are measured the sum of the seconds on each server; it
        reads one copy of the fork's output, and gives the join everything that enters it from the module, what comes
        from the fork directly included. It holds all of the module's weights, those of one id once, and may run
        where all of its layers may.

        Raises
        ------
        OffbenchError
            If there is no such server.
        """
        places = [f"tasks[{i}] of instance '{self.instance.name}'" for i in range(len(self._graphs))]
        servers = self.instance.servers
        remote = [server for server in servers if server.kind != "client"]
        tasks = tuple(
            graph.contract(depth, place, [servers[own], *remote])
            for graph, place, own in zip(self._graphs, places, self.instance.client_of, strict=True)
        )
        return self.instance.model_copy(update={"tasks": tasks, "scales": self._scales})

    @cached_property
    def _scales(self) -> object:
        return P1(self.instance).scales

    def part_of(self, depth: int = 0) -> Ints:
        """Return for each subtask which one of `contract` it is, or is part of; shape ``(subtasks,)``."""
        parts, first = [], 0
        for graph in self._graphs:
            number: dict[int, int] = {}
            layers = [number.setdefault(node, len(number)) for node in graph.stand_ins(depth)[1:-1]]
            parts.append(first + np.array(layers, dtype=np.int64))
            first += len(number)
        return np.concatenate(parts)


def contract(instance: Instance) -> Instance:
    """Return the initial problem of two-step offloading: every task a chain, each module one layer."""
    return Nesting(instance).contract().model_copy(update={"name": f"{instance.name}-coarse"})


def pin(instance: Instance, servers: Ints, pinned: NDArray[np.bool_]) -> Instance:
    """Return the instance with some subtasks tied to a server.

    Parameters
    ----------
    instance
        The instance; its scales stay what they are, for `allowed` doesn't count there.
    servers
        Place of each subtask as in a placement, shape ``(subtasks,)``.
    pinned
        Which subtasks are tied, same shape.
    """
    chosen = iter(zip(servers.tolist(), pinned.tolist(), strict=True))
    tasks = []
    for i, task in enumerate(instance.tasks):
        names = instance.names_of(i)
        layers = (
            layer.model_copy(update={"allowed": (names[place],)}) if tied else layer
            for layer, (place, tied) in zip(task.layers, chosen, strict=False)
        )
        tasks.append(task.model_copy(update={"layers": tuple(layers)}))
    return instance.model_copy(update={"tasks": tuple(tasks)})


class _Graph:
    """The nodes of one task, and the modules that they lie in; a module is known by its fork."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self._number = {layer.name: node for node, layer in enumerate(task.layers, 1)}
        self.inputs, self.readers = self._edges()
        end = len(self.inputs) - 1
        dominator = _dominators(self.inputs)
        # The same from the end, with nodes counted from there.
        behind = _dominators([[end - reader for reader in readers] for readers in reversed(self.readers)])
        meets = [end - behind[end - node] for node in range(end)]
        entered = _first_entered_otherwise(self.inputs, dominator)
        self.join = {
            node: meets[node] for node in range(end) if len(self.readers[node]) > 1 and entered[node] >= meets[node]
        }
        """of each module, by its fork"""
        self.enclosing = [-1] * (end + 1)
        """fork of the innermost module that each node lies in, or -1"""
        self.depth = [0] * (end + 1)
        for node in range(1, end):
            # A node lies in a module whose fork dominates it and whose join comes later; the innermost such.
            fork = dominator[node] if dominator[node] in self.join else self.enclosing[dominator[node]]
            while fork >= 0 and self.join[fork] <= node:
                fork = self.enclosing[fork]
            self.enclosing[node] = fork
            self.depth[node] = 0 if fork < 0 else self.depth[fork] + 1

    def _edges(self) -> tuple[list[Nodes], list[Nodes]]:
        """Return the inputs and the readers of each node."""
        inputs = [[], *(list(dict.fromkeys(map(self._node, layer.inputs))) or [0] for layer in self.task.layers)]
        read = {source for sources in inputs for source in sources}
        inputs.append([node for node in self._number.values() if node not in read])
        readers: list[Nodes] = [[] for _ in inputs]
        for node, sources in enumerate(inputs):
            for source in sources:
                readers[source].append(node)
        return inputs, readers

    def modules(self) -> tuple[Module, ...]:
        """Return the outermost modules."""
        layers: dict[int, Nodes] = {fork: [] for fork in (-1, *self.join)}
        inner: dict[int, list[Module]] = {fork: [] for fork in (-1, *self.join)}
        for node in range(1, len(self.inputs) - 1):
            layers[self.enclosing[node]].append(node - 1)
        for fork in sorted(self.join, reverse=True):  # what is inside has a later fork
            join = self.join[fork]
            module = Module(
                fork - 1 if fork else None,
                join - 1 if join < len(self.inputs) - 1 else None,
                tuple(layers[fork]),
                tuple(reversed(inner[fork])),
            )
            inner[self.enclosing[fork]].append(module)
        return tuple(reversed(inner[-1]))

    def stand_ins(self, depth: int) -> Nodes:
        """Return for each node itself, or the first node of the module at *depth* that it lies in."""
        module = [-1] * len(self.inputs)
        first: dict[int, int] = {}
        found = []
        for node, fork in enumerate(self.enclosing):
            if self.depth[node] > depth:
                module[node] = fork if self.depth[fork] == depth else module[fork]
                found.append(first.setdefault(module[node], node))
            else:
                found.append(node)
        return found

    def contract(self, depth: int, where: str, servers: Sequence[Server]) -> Task:
        """Return the task in which each module at *depth* is one layer; *servers* are those that it may use."""
        stands_for = self.stand_ins(depth)
        members: dict[int, Nodes] = {}
        for node, stand_in in enumerate(stands_for):
            if self.depth[node] > depth:
                members.setdefault(stand_in, []).append(node)
        kept = {node: self.task.layers[node - 1] for node in range(1, len(self.inputs) - 1)}
        names = {layer.name for layer in kept.values()}
        made: dict[int, Layer] = {}
        through: dict[int, dict[int, int]] = {}  # of each join: what its inputs become
        for stand_in, inside in members.items():
            fork = self.inputs[stand_in][0]
            join = self.join[fork]
            ways = dict.fromkeys(inside, stand_in) | {fork: stand_in}
            through.setdefault(join, {}).update(ways)
            entering = [mb for node, mb in self._entries(kept[join]) if node in ways] if join in kept else []
            hidden = [kept[node] for node in inside]
            work = [layer.gcycles for layer in hidden]
            weights_mb, weights_id = _weights(hidden)
            made[stand_in] = Layer(
                name=_name([layer.name for layer in hidden], names),
                gcycles=None if None in work else sum(each for each in work if each is not None),
                seconds=_seconds(hidden, servers),
                output_mb=sum(entering, 0.0),
                inputs=(kept[fork].name,) if fork else (),
                allowed=self._allowed(hidden, where, fork, join),
                weights_mb=weights_mb,
                weights_id=weights_id,
            )
        layers = []
        for node, layer in kept.items():
            if node in made:
                layers.append(made[node])
            elif self.depth[node] <= depth:
                becomes = {source: made[into].name for source, into in through.get(node, {}).items()}
                read = dict.fromkeys(becomes.get(self._node(each), each) for each in layer.inputs)
                layers.append(layer.model_copy(update={"inputs": tuple(read)}) if becomes else layer)
        return self.task.model_copy(update={"layers": tuple(layers)})

    def _node(self, entry: Input) -> int:
        """Return which node an entry of a layer's inputs means."""
        if isinstance(entry, TaskInput):
            return 0
        return self._number[entry.layer if isinstance(entry, LayerOutput) else entry]

    def _entries(self, layer: Layer) -> list[tuple[int, float]]:
        """Return the node that each input of a layer is from, and its size in MB."""
        found = []
        for each in layer.inputs:
            node = self._node(each)
            if isinstance(each, TaskInput):
                found.append((node, each.input_mb))
            else:
                found.append((node, each.mb if isinstance(each, LayerOutput) else self.task.layers[node - 1].output_mb))
        return found or [(0, self.task.input_mb)]

    def _allowed(self, inside: list[Layer], where: str, fork: int, join: int) -> tuple[str, ...] | None:
        tied = [layer for layer in inside if layer.allowed is not None]
        if not tied:
            return None
        common = tuple(name for name in tied[0].allowed or () if all(name in (layer.allowed or ()) for layer in tied))
        if not common:
            raise OffbenchError(
                f"{where}: no server may run all layers of the module {self._between(fork, join)}, for "
                f"{', '.join(repr(layer.name) for layer in tied)} differ in `allowed`: it can't be one layer"
            )
        return common

    def _between(self, fork: int, join: int) -> str:
        layers = self.task.layers
        begin = f"'{layers[fork - 1].name}'" if fork else "the task's input"
        return f"between {begin} and " + (f"'{layers[join - 1].name}'" if join <= len(layers) else "the task's end")


def _name(inside: list[str], taken: set[str]) -> str:
    name = f"{inside[0]}..{inside[-1]}" if len(inside) > 1 else inside[0]
    while len(inside) > 1 and name in taken:
        name += "'"
    return name


def _seconds(layers: Sequence[Layer], servers: Sequence[Server]) -> dict[str, float] | None:
    """Return how long layers take one after the other on each server; None where none of them is measured."""
    if all(layer.seconds is None for layer in layers):
        return None
    return {server.name: sum(_time_s(layer, server) for layer in layers) for server in servers}


def _time_s(layer: Layer, server: Server) -> float:
    measured = layer.seconds or {}
    for name in (server.name, server.kind):
        if name in measured:
            return measured[name]
    assert layer.gcycles is not None
    return layer.gcycles / server.compute_ghz


def _weights(layers: Sequence[Layer]) -> tuple[float, str | None]:
    """Return the size of all weights of layers, those of one id once, and an id that the same layers elsewhere have.

    Where it is shared in part alone with what is outside, that part counts twice: never too little is held.
    """
    sizes = {layer.weights_id: layer.weights_mb for layer in layers if layer.weights_mb > 0 and layer.weights_id}
    own = [layer.weights_mb for layer in layers if layer.weights_mb > 0 and not layer.weights_id]
    total = math.fsum([*sizes.values(), *own])
    if own or not sizes:
        return total, None
    return total, next(iter(sizes)) if len(sizes) == 1 else json.dumps(sorted(sizes))


def _dominators(inputs: Sequence[Nodes]) -> Nodes:
    """Return the immediate dominator of each node: the last one before it that every way from node 0 passes.

    It is where the ways to its inputs part, the nearest common ancestor of these in the tree of dominators.
    networkx walks up that tree step by step, which takes seconds for a layer that reads thousands of others;
    here each node knows one far above it as well (Myers, 1983), and a walk takes a logarithm of steps.
    """
    up, far, level = [0], [0], [0]

    def common(a: int, b: int) -> int:
        if level[a] < level[b]:
            a, b = b, a
        while level[a] > level[b]:
            a = far[a] if level[far[a]] >= level[b] else up[a]
        while a != b:
            a, b = (far[a], far[b]) if far[a] != far[b] else (up[a], up[b])
        return a

    for sources in inputs[1:]:
        above = sources[0]
        for source in sources[1:]:
            above = common(above, source)
        middle = far[above]
        up.append(above)
        level.append(level[above] + 1)
        far.append(far[middle] if level[above] - level[middle] == level[middle] - level[far[middle]] else above)
    return up


def _first_entered_otherwise(inputs: Sequence[Nodes], dominator: Nodes) -> Nodes:
    """Return for each node the first one behind it that can also be reached without passing it.

    Such a node is read off its inputs: whatever dominates one of them but not the node itself.
    """
    found = [len(inputs)] * len(inputs)
    # The next node above, itself included, for which nothing is found yet.
    next_above = list(range(len(inputs)))

    def unknown(node: int) -> int:
        root = node
        while next_above[root] != root:
            root = next_above[root]
        while next_above[node] != root:
            next_above[node], node = root, next_above[node]
        return root

    for node, sources in enumerate(inputs):
        for source in sources:
            above = unknown(source)
            while above > dominator[node]:
                found[above] = node
                next_above[above] = dominator[above]
                above = unknown(above)
    return found
