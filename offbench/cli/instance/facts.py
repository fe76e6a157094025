"""What an instance amounts to before anything is solved, as plain facts."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

    from offbench.model.instance import Instance, Kind, Task
    from offbench.model.problem import P1


def task_facts(task: "Task", client_ghz: float) -> dict[str, Any]:
    """Return the size and shape of a task's network, and its critical path."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(layer.name for layer in task.layers)
    graph.add_edges_from((source, layer.name) for layer in task.layers for source in layer.inputs)
    forks = sum(graph.out_degree(layer.name) > 1 for layer in task.layers)
    joins = sum(graph.in_degree(layer.name) > 1 for layer in task.layers)
    edges = graph.number_of_edges()
    work = sum(layer.gcycles for layer in task.layers)
    path = critical_path(task, graph)
    longest = set(path)
    on_path = sum(layer.gcycles for layer in task.layers if layer.name in longest)
    return {
        "name": task.name,
        "layers": len(task.layers),
        "edges": edges,
        "forks": forks,
        "joins": joins,
        "shape": "chain" if task.is_chain else "graph",
        "gcycles": work,
        "output_mb": sum(layer.output_mb for layer in task.layers),
        "arrival_s": task.arrival_s,
        "critical_path": {
            "layers": path,
            "gcycles": on_path,
            "share": on_path / work if work > 0 else None,
            "client_s": on_path / client_ghz,
        },
    }


def critical_path(task: "Task", graph: "nx.DiGraph[str]") -> list[str]:
    """Return the layers of the path with the most work."""
    import networkx as nx

    work = {layer.name: layer.gcycles for layer in task.layers}
    # A hair more for each layer: of paths with the same work, the one with most layers.
    hair = 1e-12 * (sum(work.values()) or 1.0)
    before = object()  # networkx weighs edges, so a first layer's work needs one that leads there
    weighted: nx.DiGraph[Any] = nx.DiGraph()
    weighted.add_weighted_edges_from((source, name, work[name] + hair) for source, name in graph.edges)
    weighted.add_weighted_edges_from((before, name, work[name] + hair) for name in work if not graph.in_degree(name))
    return [str(name) for name in nx.dag_longest_path(weighted)[1:]]


def everything_on(problem: "P1", kind: "Kind") -> dict[str, Any] | None:
    """Return what everything on the best server of a kind costs; None without such a server."""
    from offbench.evaluation.evaluator import evaluate

    found: list[dict[str, Any]] = []
    for server in problem.instance.servers_of(kind):
        placement = problem.everything_on(server)
        evaluation = evaluate(problem, placement)
        found.append(
            {
                "kind": kind,
                "server": problem.instance.servers[server].name,
                "delay_s": evaluation.delay_s,
                "energy_j": evaluation.energy_j,
                "cost_usd": evaluation.cost_usd,
                "objective": evaluation.objective,
                "elsewhere": int((placement != server).sum()),
            }
        )
    return min(found, key=lambda row: float(row["objective"])) if found else None


def link_facts(instance: "Instance") -> list[dict[str, Any]]:
    """Return each link with the slowest and fastest rate that it has between servers."""
    from offbench.model.problem import rate_mb_per_s

    rates: dict[int, list[float]] = {}
    for (a, b), link in instance.link_table().items():
        rates.setdefault(id(link), []).append(rate_mb_per_s(link, instance.servers, a, b))
    return [
        {**link.model_dump(mode="json", exclude_none=True), "rates_mb_per_s": _ends(rates.get(id(link), []))}
        for link in instance.links
    ]


def _ends(rates: list[float]) -> list[float]:
    return [min(rates), max(rates)] if rates else []


def instance_facts(instance: "Instance", problem: "P1", layers: bool) -> dict[str, Any]:
    """Return everything that `offbench instance show` tells."""
    client_ghz = instance.servers[instance.client].compute_ghz
    kinds: tuple[Kind, ...] = ("client", "edge", "cloud")
    costs = [everything_on(problem, kind) for kind in kinds]
    facts = {
        "name": instance.name,
        "source": instance.source,
        "servers": [server.model_dump(mode="json", exclude_none=True) for server in instance.servers],
        "links": link_facts(instance),
        "weights": instance.weights.model_dump(),
        "coordination": instance.coordination.model_dump(mode="json"),
        "scales": problem.scales.model_dump() | {"stated": instance.scales is not None},
        "tasks": [task_facts(task, client_ghz) for task in instance.tasks],
        "everything_on": [row for row in costs if row is not None],
    }
    if layers:
        facts["layers"] = [
            {"task": task.name, "number": j, **layer.model_dump(mode="json")}
            for task in instance.tasks
            for j, layer in enumerate(task.layers)
        ]
    return facts
