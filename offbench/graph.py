"""The tasks' graphs: contraction to a chain (MODEL.md section 5)."""

import networkx as nx

from offbench.errors import OffbenchError
from offbench.instance import Instance, Layer, Task
from offbench.problem import P1


def contract(instance: Instance) -> Instance:
    """Return the initial problem of two-step offloading: every task a chain, each module one layer.

    A module is what lies between two layers that every path of the task passes and no others between
    them. Its layer has the sum of the cycles, reads one copy of the fork's output, and gives the
    join everything that enters it from the module, what comes from the fork directly included. Scales
    are those of the full problem.

    Raises
    ------
    OffbenchError
        If a task doesn't begin or doesn't end in one layer, or layers of a module differ in `allowed`.
    """
    tasks = tuple(_contract(task, f"tasks[{i}] of instance '{instance.name}'") for i, task in enumerate(instance.tasks))
    return instance.model_copy(
        update={"name": f"{instance.name}-coarse", "tasks": tasks, "scales": P1(instance).scales}
    )


def _contract(task: Task, where: str) -> Task:
    layers = {layer.name: layer for layer in task.layers}
    graph = nx.DiGraph((source, layer.name) for layer in task.layers for source in layer.inputs)
    graph.add_nodes_from(layers)
    ends = [[name for name, degree in degrees if degree == 0] for degrees in (graph.in_degree, graph.out_degree)]
    for several, does in zip(ends, ("read the task's input", "are read by none"), strict=True):
        if len(several) > 1:
            raise OffbenchError(f"{where}: layers {_quoted(several)} {does}; for a chain there must be one")
    (first,), (last,) = ends
    # What every path passes: the ones that the last layer can't be reached without.
    above = nx.immediate_dominators(graph, first)
    spine = [last]
    while spine[-1] != first:
        spine.append(above[spine[-1]])
    position = {layer.name: j for j, layer in enumerate(task.layers)}
    chain = [layers[first]]
    for fork, join in zip(spine[:0:-1], spine[-2::-1], strict=True):
        inside = task.layers[position[fork] + 1 : position[join]]
        source = fork
        if inside:
            source = f"{inside[0].name}..{inside[-1].name}" if len(inside) > 1 else inside[0].name
            chain.append(_module(layers[join], layers, inside, source, fork, where))
        chain.append(layers[join].model_copy(update={"inputs": (source,)}))
    return task.model_copy(update={"layers": tuple(chain)})


def _module(
    join: Layer, layers: dict[str, Layer], inside: tuple[Layer, ...], name: str, fork: str, where: str
) -> Layer:
    allowed = {layer.allowed for layer in inside}
    if len(allowed) > 1:
        raise OffbenchError(f"{where}: the layers between '{fork}' and '{join.name}' differ in `allowed`")
    return Layer(
        name=name,
        gcycles=sum(layer.gcycles for layer in inside),
        output_mb=sum(layers[source].output_mb for source in join.inputs),
        inputs=(fork,),
        allowed=allowed.pop(),
    )


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
