"""Modules of tasks as facts, listed and drawn (`offbench instance show --modules`)."""

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.tree import Tree

    from offbench.model.instance import Instance, Layer, Task
    from offbench.model.modules import Module

Json = dict[str, Any]

# Modules inside one another are told so deep, and those further inside counted: no terminal is wide enough for more.
_DEEPEST = 10


def module_facts(instance: "Instance") -> list[Json]:
    """Return for each task its outermost modules, each with its branches and the modules inside it.

    Where they lie deeper than can be shown, ``deeper`` says how many are inside the last one that is told.
    """
    from offbench.model.modules import Nesting

    return [
        {"task": task.name, "modules": [_told(task, module) for module in modules]}
        for task, modules in zip(instance.tasks, Nesting(instance).modules, strict=True)
    ]


def _told(task: "Task", module: "Module", depth: int = 1) -> Json:
    facts = _facts(task, module)
    if depth < _DEEPEST:
        return facts | {"modules": [_told(task, inner, depth + 1) for inner in module.modules], "deeper": 0}
    return facts | {"modules": [], "deeper": sum(1 for _ in module.within()) - 1}


def _facts(task: "Task", module: "Module") -> Json:
    layers = task.layers
    fork = None if module.fork is None else layers[module.fork].name
    join = None if module.join is None else layers[module.join]
    inside = module.inside
    nested = {layers[j].name for inner in module.modules for j in inner.inside}
    return {
        "fork": fork,
        "join": None if join is None else join.name,
        "layers": [layers[j].name for j in inside],
        "own": [layers[j].name for j in module.layers],
        "gcycles": _sum([layers[j].gcycles for j in inside]),
        "direct": join is not None and (_reads_input(join) if fork is None else fork in join.sources),
        "branches": [
            {"layers": [layer.name for layer in branch], "chain": _is_chain(branch, nested)}
            for branch in _branches([layers[j] for j in inside])
        ],
    }


def _sum(gcycles: list[float | None]) -> float | None:
    """Return the work of layers; None where one is measured and has none stated."""
    stated = [each for each in gcycles if each is not None]
    return sum(stated) if len(stated) == len(gcycles) else None


def _reads_input(layer: "Layer") -> bool:
    """Tell whether a layer reads the task's input."""
    return len(layer.sources) < len(layer.inputs) or not layer.inputs


def _branches(inside: "list[Layer]") -> "list[list[Layer]]":
    """Return the layers that hang together inside, in their order."""
    import networkx as nx

    names = {layer.name for layer in inside}
    graph: nx.Graph[str] = nx.Graph()
    graph.add_nodes_from(names)
    graph.add_edges_from((source, layer.name) for layer in inside for source in layer.sources if source in names)
    number = {name: i for i, found in enumerate(nx.connected_components(graph)) for name in found}
    branches: dict[int, list[Layer]] = {}
    for layer in inside:
        branches.setdefault(number[layer.name], []).append(layer)
    return list(branches.values())


def _is_chain(branch: "list[Layer]", nested: set[str]) -> bool:
    """Tell whether each layer of a branch that isn't *nested* reads the one before, or a module's ends."""
    own = [layer for layer in branch if layer.name not in nested]
    return all(layer.sources == (before.name,) or nested.issuperset(layer.sources) for before, layer in pairwise(own))


def show_modules(tasks: list[Json]) -> Iterator["RenderableType"]:
    """Yield the list and the drawing of each task's modules; of tasks of one network only once."""
    told: list[tuple[list[Json], list[str]]] = []
    for task in tasks:
        names = next((names for modules, names in told if modules == task["modules"]), None)
        if names is None:
            told.append((task["modules"], names := []))
        names.append(task["task"])
    for modules, names in told:
        if modules:
            yield _table(", ".join(names), modules)
            yield _drawing(", ".join(names), modules)
            if deeper := sum(module["deeper"] for _, module in _numbered(modules, "")):
                yield f"and {deeper:,} more, inside modules that lie {_DEEPEST} deep"
        else:
            yield f"{', '.join(names)}: no modules, a chain"


def _table(title: str, modules: list[Json]) -> "Table":
    from rich.table import Table

    table = Table("module", "fork", "join", "layers", "branches", "Gcycles", title=f"modules of {title}")
    table.title_justify, table.title_style = "left", "bold"
    for column in table.columns[3:]:
        column.justify = "right"
    for number, module in _numbered(modules, ""):
        branches = f"{len(module['branches'])}{' + direct' if module['direct'] else ''}"
        gcycles = "" if module["gcycles"] is None else f"{module['gcycles']:.5g}"
        table.add_row(number, *_ends(module), str(len(module["layers"])), branches, gcycles)
    return table


def _ends(module: Json) -> tuple[str, str]:
    return module["fork"] or "(the task's input)", module["join"] or "(the task's end)"


def _numbered(modules: list[Json], prefix: str) -> Iterator[tuple[str, Json]]:
    for i, module in enumerate(modules, 1):
        yield f"{prefix}{i}", module
        yield from _numbered(module["modules"], f"{prefix}{i}.")


def _drawing(title: str, modules: list[Json]) -> "Tree":
    from rich.tree import Tree

    tree = Tree(title)
    _draw(tree, modules)
    return tree


def _draw(tree: "Tree", modules: list[Json]) -> None:
    for module in modules:
        fork, join = _ends(module)
        node = tree.add(f"{fork} ⇉ {join}")
        if module["direct"]:
            node.add("(direct)")
        for branch in module["branches"]:
            inner = [each for each in module["modules"] if each["layers"][0] in branch["layers"]]
            own = set(module["own"])
            arrow = " → " if branch["chain"] else ", "
            _draw(node.add(arrow.join(name for name in branch["layers"] if name in own)), inner)
