"""Graphs of msr-fiddle/dnn-partitioning: the rule by which they count a split's latency, and the least by it.

Tarnawski, Phanishayee, Devanur, Mahajan, Nina Paravecino, Efficient Algorithms for Device Placement of DNN Graph
Operators, NeurIPS 2020; the code is that of github.com/msr-fiddle/dnn-partitioning at b207b6a, MIT licence.

The rule, as its `latency-greedy/greedy.cpp` and `latency-ip/lip.py` have it: each of k accelerators holds one
contiguous part of the graph, which is called like a function. It starts when all that it reads from outside is
computed, fetches that piece by piece, computes its nodes one after another, and hands out piece by piece what others
read; only then is any of it there. There are as many processors as are wanted, and what is computed there is at hand
for all others. An accelerator's memory is limited, that of processors isn't. Nodes of one colour are on one device.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from ortools.sat.python import cp_model
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from offbench.evaluation.evaluator import evaluate
from offbench.importers.fiddle import ACCELERATOR, CPU
from offbench.importers.fiddle import read as read_network
from offbench.model.instance import Instance, Layer, Link, Server, Task, Weights
from offbench.model.placement import Placement
from offbench.model.problem import P1
from offbench.runs.solve import solve

LATENCY = Weights(delay=1, energy=0, cost=0, score=1, coordination=0, balance=0)
_UNIT_MS = 1e-5
GREEDY_MS = {
    "layers/bert24": 100.219, "layers/gnmt": 268.501, "layers/inceptionv3": 2485.24, "layers/resnet50": 4197.06,
    "operators/bert_l-3": 416.204, "operators/bert_l-6": 494.135, "operators/bert_l-12": 867.839,
    "operators/resnet50": 839.536,
}  # fmt: skip
"""what `latency-greedy/greedy.cpp` prints, compiled with g++"""
EXPERTS_MS = {
    "layers/bert24": 111.937, "layers/gnmt": 293.403, "layers/inceptionv3": 865.519, "layers/resnet50": 1014.927,
}  # fmt: skip
"""what it prints for the splits in `human-experts`, with `-computeLatency`"""
PROCESSOR = 0
"""the machine that stands for all processors; accelerators are 1 to k"""


class Node(NamedTuple):
    """A layer or an operator."""

    key: int
    name: str
    cpu_ms: float
    accelerator_ms: float
    bytes: float
    """what it takes of an accelerator's memory"""
    colour: int | None
    cost_ms: float
    """what it takes to bring its output to or from an accelerator"""


@dataclass(frozen=True)
class Graph:
    """A graph with its accelerators, nodes in topological order."""

    name: str
    path: Path
    nodes: tuple[Node, ...]
    edges: tuple[tuple[int, int], ...]
    """pairs of places in `nodes`, the reader second"""
    accelerators: int
    memory_bytes: float

    @cached_property
    def sources(self) -> list[list[int]]:
        """What each node reads."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for source, reader in self.edges:
            found[reader].append(source)
        return found

    @cached_property
    def readers(self) -> list[list[int]]:
        """Who reads each node."""
        found: list[list[int]] = [[] for _ in self.nodes]
        for source, reader in self.edges:
            found[source].append(reader)
        return found

    def colours(self) -> list[list[int]]:
        """Return the nodes that must be together, where they are more than one."""
        found: dict[int, list[int]] = {}
        for v, node in enumerate(self.nodes):
            if node.colour is not None:
                found.setdefault(node.colour, []).append(v)
        return [each for each in found.values() if len(each) > 1]


def read(path: Path) -> Graph:
    """Return the graph of a file."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    cost: dict[int, float] = {}
    readers: dict[int, list[int]] = {node["id"]: [] for node in facts["nodes"]}
    waits = dict.fromkeys(readers, 0)
    for edge in facts["edges"]:
        cost[edge["sourceId"]] = edge["cost"]
        readers[edge["sourceId"]].append(edge["destId"])
        waits[edge["destId"]] += 1
    order: list[int] = []
    free = [key for key, count in waits.items() if not count]
    while free:
        order.append(free.pop())
        for reader in readers[order[-1]]:
            waits[reader] -= 1
            if not waits[reader]:
                free.append(reader)
    place = {key: v for v, key in enumerate(order)}
    known = {node["id"]: node for node in facts["nodes"]}
    nodes = tuple(
        Node(
            key, known[key].get("name") or "node", known[key]["cpuLatency"],
            known[key]["fpgaLatency"] if known[key]["supportedOnFpga"] else math.inf,
            known[key]["size"], known[key].get("colorClass"), cost.get(key, 0.0),
        )
        for key in order
    )  # fmt: skip
    edges = {(place[edge["sourceId"]], place[edge["destId"]]) for edge in facts["edges"]}
    name = f"{path.parent.name.removesuffix('Graphs').lower()}s/{path.stem.removesuffix('_inference')}"
    return Graph(name, path, nodes, tuple(sorted(edges)), facts["maxFPGAs"], facts["maxSizePerFPGA"])


def read_split(graph: Graph, path: Path) -> list[int]:
    """Return the machine of each node by a file in the form in which their programs write splits."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    filled = [one for one in facts["fpgas"] if one["nodes"]]
    at = {key: m + 1 for m, one in enumerate(filled) for key in one["nodes"]}
    return [at.get(node.key, PROCESSOR) for node in graph.nodes]


def is_one_part_each(graph: Graph, split: Sequence[int]) -> bool:
    """Tell whether each accelerator holds one contiguous part, and each colour is in one place."""
    together = all(len({split[v] for v in nodes}) == 1 for nodes in graph.colours())
    return together and len(set(_parts(graph, split)) - {0}) == len(set(split) - {PROCESSOR})


def largest_parts(graph: Graph, split: Sequence[int]) -> list[int]:
    """Return the split as their rule can have it: one part and whole colours on an accelerator, else processors."""
    made = list(split)
    while not is_one_part_each(graph, made):
        for nodes in graph.colours():
            if len({made[v] for v in nodes}) > 1:
                for v in nodes:
                    made[v] = PROCESSOR
        parts = _parts(graph, made)
        saved: dict[int, float] = {}
        for node, part in zip(graph.nodes, parts, strict=True):
            saved[part] = saved.get(part, 0.0) + node.cpu_ms
        kept: dict[int, int] = {}
        for part, machine in zip(parts, made, strict=True):
            if machine != PROCESSOR and saved[part] > saved.get(kept.get(machine, -1), -1.0):
                kept[machine] = part
        made = [
            machine if machine != PROCESSOR and kept[machine] == part else PROCESSOR
            for part, machine in zip(parts, made, strict=True)
        ]
    return made


def filled(graph: Graph) -> list[int]:
    """Return a split like that of their greedy: accelerators are filled one after another, what is left is processors'.

    Colours that wait for one another are one block; blocks come in a topological order.
    """
    colour = {v: nodes[0] for nodes in graph.colours() for v in nodes}
    pairs = np.array([[colour.get(v, v) for v in edge] for edge in graph.edges]).T
    n = len(graph.nodes)
    _, block = connected_components(coo_array((np.ones(pairs.shape[1]), pairs), shape=(n, n)), connection="strong")
    of = [int(block[colour.get(v, v)]) for v in range(n)]
    waits: dict[int, set[int]] = {each: set() for each in of}
    size = dict.fromkeys(of, 0.0)
    for source, reader in graph.edges:
        if of[source] != of[reader]:
            waits[of[reader]].add(of[source])
    for v, node in enumerate(graph.nodes):
        size[of[v]] += node.bytes
    machine, used, at = 1, 0.0, dict[int, int]()
    for each in TopologicalSorter(waits).static_order():
        if size[each] <= graph.memory_bytes < used + size[each]:
            machine, used = machine + 1, 0.0
        fits = size[each] <= graph.memory_bytes and machine <= graph.accelerators
        at[each] = machine if fits else PROCESSOR
        used += size[each] if fits else 0.0
    return [at[each] for each in of]


def overfull(graph: Graph, split: Sequence[int]) -> float:
    """Return by which share the fullest accelerator exceeds its memory, 0 if none does."""
    used: dict[int, float] = {}
    for node, machine in zip(graph.nodes, split, strict=True):
        if machine != PROCESSOR:
            used[machine] = used.get(machine, 0.0) + node.bytes
    return max(0.0, max(used.values(), default=0.0) / graph.memory_bytes - 1)


def latency_ms(graph: Graph, split: Sequence[int]) -> float:
    """Return a split's latency by their rule, ms.

    What an accelerator holds of parts that aren't contiguous is called several times, as their program has it.
    """
    parts = _parts(graph, split)
    done = [0.0] * len(graph.nodes)
    groups: dict[tuple[int, int], list[int]] = {}
    for v, part in enumerate(parts):
        groups.setdefault((part, 0) if part else (0, v), []).append(v)
    group_of = {v: group for group, nodes in groups.items() for v in nodes}
    waits = {group: {group_of[u] for v in nodes for u in graph.sources[v]} - {group} for group, nodes in groups.items()}
    pending, computed = list(groups), set[tuple[int, int]]()
    while pending:
        ready = [group for group in pending if waits[group] <= computed]
        if not ready:
            raise ValueError(f"{graph.name}: parts of the split wait for one another")
        for group in ready:
            nodes = groups[group]
            outside = {u for v in nodes for u in graph.sources[v] if group_of[u] != group}
            start = max((done[u] for u in outside), default=0.0)
            if not group[0]:
                took = graph.nodes[nodes[0]].cpu_ms
            else:
                took = sum(graph.nodes[v].accelerator_ms for v in nodes) + sum(graph.nodes[u].cost_ms for u in outside)
                handed = (v for v in nodes if any(group_of[w] != group for w in graph.readers[v]))
                took += sum(graph.nodes[v].cost_ms for v in handed)
            for v in nodes:
                done[v] = start + took
        computed.update(ready)
        pending = [group for group in pending if group not in computed]
    return max(done)


def _parts(graph: Graph, split: Sequence[int]) -> list[int]:
    """Return the number of the contiguous part that each node is in, 0 on a processor.

    A node is in its accelerator's n-th part if the way to it leaves the accelerator n - 1 times at most.
    """
    numbers: dict[tuple[int, int], int] = {}
    parts = [0] * len(graph.nodes)
    for machine in sorted(set(split) - {PROCESSOR}):
        depth = [0] * len(graph.nodes)
        for v in range(len(graph.nodes)):
            for u in graph.sources[v]:
                depth[v] = max(depth[v], depth[u] + (split[v] == machine != split[u]))
            if split[v] == machine:
                depth[v] = max(depth[v], 1)
                parts[v] = numbers.setdefault((machine, depth[v]), len(numbers) + 1)
    return parts


class Least(NamedTuple):
    """What a search for the least latency by their rule ended with, ms."""

    best: float
    bound: float
    split: list[int]


def least(graph: Graph, hint: Sequence[int], time_limit_s: float, workers: int = 2) -> Least:
    """Return the least latency by their rule with one part for each accelerator (their q = 1), by CP-SAT.

    Parameters
    ----------
    graph
        The graph.
    hint
        A split to begin with.
    time_limit_s, workers
        Of the search.
    """
    model, n, machines = cp_model.CpModel(), len(graph.nodes), range(1, graph.accelerators + 1)
    units = [round(node.cost_ms / _UNIT_MS) for node in graph.nodes]
    horizon = sum(round(node.cpu_ms / _UNIT_MS) for node in graph.nodes)
    x = [[model.new_bool_var(f"x{v},{m}") for m in range(graph.accelerators + 1)] for v in range(n)]
    done = [model.new_int_var(0, horizon, f"d{v}") for v in range(n)]
    start = [model.new_int_var(0, horizon, f"s{m}") for m in range(graph.accelerators + 1)]
    finish = [model.new_int_var(0, horizon, f"f{m}") for m in range(graph.accelerators + 1)]
    for v, node in enumerate(graph.nodes):
        model.add_exactly_one(x[v])
        model.add(done[v] >= round(node.cpu_ms / _UNIT_MS)).only_enforce_if(x[v][0])
        for u in graph.sources[v]:
            model.add(done[v] >= done[u] + round(node.cpu_ms / _UNIT_MS)).only_enforce_if(x[v][0])
            model.add(done[v] >= done[u])
        for m in machines:
            model.add(done[v] == finish[m]).only_enforce_if(x[v][m])
            if node.accelerator_ms == math.inf:
                model.add(x[v][m] == 0)
    for nodes in graph.colours():
        for v in nodes[1:]:
            for m in range(graph.accelerators + 1):
                model.add(x[v][m] == x[nodes[0]][m])
    memory = int(graph.memory_bytes)
    for m in machines:
        model.add(sum(math.ceil(graph.nodes[v].bytes) * x[v][m] for v in range(n)) <= memory)
        fetched = [model.new_bool_var(f"i{u},{m}") for u in range(n)]
        handed = [model.new_bool_var(f"o{u},{m}") for u in range(n)]
        left = [model.new_bool_var(f"l{u},{m}") for u in range(n)]  # some way to it was on m and is no more
        for u, v in graph.edges:
            model.add(fetched[u] >= x[v][m] - x[u][m])
            model.add(handed[u] >= x[u][m] - x[v][m])
            model.add(start[m] >= done[u]).only_enforce_if(fetched[u])
            model.add(left[v] >= x[u][m] - x[v][m])
            model.add(left[v] >= left[u])
            model.add(x[v][m] + left[v] <= 1)
        load = sum(
            round(graph.nodes[v].accelerator_ms / _UNIT_MS) * x[v][m] + units[v] * (fetched[v] + handed[v])
            for v in range(n) if graph.nodes[v].accelerator_ms < math.inf
        )  # fmt: skip
        model.add(finish[m] >= start[m] + load)
    total = model.new_int_var(0, horizon, "total")
    for v in range(n):
        model.add(total >= done[v])
    model.minimize(total)
    for v in range(n):
        for m in range(graph.accelerators + 1):
            model.add_hint(x[v][m], int(hint[v] == m))
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = time_limit_s
    solver.parameters.num_workers = workers
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Least(latency_ms(graph, hint), solver.best_objective_bound * _UNIT_MS, list(hint))
    split = [next(m for m in range(graph.accelerators + 1) if solver.value(x[v][m])) for v in range(n)]
    return Least(latency_ms(graph, split), solver.best_objective_bound * _UNIT_MS, split)


def instance_of(graph: Graph) -> Instance:
    """Return the graph as an instance: the processors are the client, the accelerators edges, delay alone counts.

    What goes from one accelerator to another goes by the processors' memory, so it takes twice as long. Of colours an
    instance knows nothing.
    """
    network = read_network(graph.path, {}).network
    node = next(node for node in graph.nodes if node.cost_ms)
    sizes = {edge["sourceId"]: edge["size"] for edge in json.loads(graph.path.read_text(encoding="utf-8"))["edges"]}
    rate = sizes[node.key] / 1e6 / (node.cost_ms / 1e3)
    processors = Server(name="cpu", kind="client", compute_ghz=1, price_per_hour=0, client_power_w=0,
                        pool=len(network.layers))  # fmt: skip
    accelerators = tuple(
        Server(name=f"accelerator-{m + 1}", kind="edge", compute_ghz=1, price_per_hour=0, client_power_w=0, pool=1,
               memory_mb=graph.memory_bytes / 1e6)
        for m in range(graph.accelerators)
    )  # fmt: skip
    links = (
        Link(between=("client", "edge"), rate_mb_per_s=rate, price_per_gb=0),
        Link(between=("edge", "edge"), rate_mb_per_s=rate / 2, price_per_gb=0),
    )
    layers = tuple(
        Layer(
            name=layer.name, output_mb=layer.output_mb, inputs=layer.inputs, weights_mb=layer.weights_mb,
            seconds={"client": (layer.seconds or {})[CPU], "edge": (layer.seconds or {}).get(ACCELERATOR, 0.0)},
            allowed=None if ACCELERATOR in (layer.seconds or {}) else ("cpu",),
        )
        for layer in network.layers
    )  # fmt: skip
    return Instance(
        format="offbench/2", name=graph.path.stem.lower().replace("_", "-"), source=network.source,
        servers=(processors, *accelerators), links=links,
        tasks=(Task(name=network.name, input_mb=0.0, layers=layers),), weights=LATENCY,
    )  # fmt: skip


def split_of(graph: Graph, instance: Instance, servers: Sequence[int]) -> list[int]:
    """Return the machine of each node of the graph by the servers of the instance's layers."""
    at = {layer.name: int(server) for layer, server in zip(instance.tasks[0].layers, servers, strict=True)}
    return [at[node.name] if node.name in at else at[f"{node.name} ({node.key})"] for node in graph.nodes]


def compare(graph: Graph, experts: Path | None, time_limit_s: float) -> dict[str, Any]:
    """Return what is known of a graph by their rule and by offbench's, ms.

    Parameters
    ----------
    graph
        The graph.
    experts
        A file with a split, if there is one.
    time_limit_s
        Of each of two solvers; the search by their rule has twice as much.
    """
    instance = instance_of(graph)
    problem = P1(instance)
    row: dict[str, Any] = {
        "nodes": len(graph.nodes), "accelerators": graph.accelerators,
        "processors_ms": latency_ms(graph, [PROCESSOR] * len(graph.nodes)),
        "processors_here_ms": evaluate(problem, Placement(problem.everything_on(problem.arrays.client))).delay_s * 1e3,
    }  # fmt: skip
    if experts is not None:
        split = read_split(graph, experts)
        row |= {"experts_ms": latency_ms(graph, split), "experts_overfull": overfull(graph, split),
                "experts_accelerators": max(split)}  # fmt: skip
    exact = solve(instance, "cp-sat", time_limit=time_limit_s)
    best = exact
    if exact.status != "optimal":
        walk = solve(instance, "genetic", parameters={"local_search": True}, time_limit=time_limit_s)
        best = min((exact, walk), key=lambda each: each.objective)
    assert best.placement is not None and best.evaluation is not None and best.feasible
    per_q = 1e3 * best.evaluation.delay_s / best.objective
    split = split_of(graph, instance, best.placement.servers.tolist())
    row |= {"here_ms": 1e3 * best.evaluation.delay_s, "here_bound_ms": exact.lower_bound * per_q, "by": best.solver}
    row["broken_colours"] = sum(len({split[v] for v in nodes}) > 1 for nodes in graph.colours())
    called = not row["broken_colours"] and _is_called(graph, split)
    row["here_by_their_rule_ms"] = latency_ms(graph, split) if called else None
    hints = [[PROCESSOR] * len(graph.nodes), largest_parts(graph, split), filled(graph), split]
    hints = [hint for hint in hints if is_one_part_each(graph, hint) and _is_called(graph, hint)]
    hint = min(hints, key=lambda each: latency_ms(graph, each))
    found = least(graph, hint, 2 * time_limit_s)
    row["least_ms"] = min(found.best, latency_ms(graph, hint))
    # What is feasible by their rule is so here, and takes no longer here: so the bound holds there, too.
    row["least_bound_ms"] = max(found.bound, row["here_bound_ms"])
    return row


def _is_called(graph: Graph, split: Sequence[int]) -> bool:
    """Tell whether a split can be run by their rule: no two of its parts wait for one another."""
    try:
        latency_ms(graph, split)
    except ValueError:
        return False
    return True
