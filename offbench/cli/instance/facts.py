"""What an instance amounts to before anything is solved, as plain facts."""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import networkx as nx

    from offbench.model.instance import Instance, Kind, Task
    from offbench.model.problem import P1


def task_facts(problem: "P1") -> Iterator[dict[str, Any]]:
    """Yield the size and shape of each task's network, and its critical path; alike networks are looked at once."""
    a, instance = problem.arrays, problem.instance
    known: dict[object, dict[str, Any]] = {}
    for i, task in enumerate(instance.tasks):
        its = list(problem.subtasks_of(i))
        own_s, gcycles = a.execution_s[its, a.client], a.gcycles[its]
        key = ([(layer.name, layer.inputs, layer.output_mb) for layer in task.layers], own_s.tolist(), gcycles.tolist())
        text = repr(key)
        if text not in known:
            known[text] = _network(task, gcycles.tolist(), own_s.tolist())
        facts = {"name": task.name, "client": instance.names_of(i)[a.client]} | known[text]
        yield facts | {"arrival_s": task.arrival_s, "deadline_s": task.deadline_s}


def _network(task: "Task", gcycles: list[float], own_s: list[float]) -> dict[str, Any]:
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(layer.name for layer in task.layers)
    graph.add_edges_from((source, layer.name) for layer in task.layers for source in layer.sources)
    forks = sum(graph.out_degree(layer.name) > 1 for layer in task.layers)
    joins = sum(graph.in_degree(layer.name) > 1 for layer in task.layers)
    edges = graph.number_of_edges()
    work = sum(gcycles)
    path = critical_path(task, graph, own_s)
    longest = set(path)
    on_path = sum(each for layer, each in zip(task.layers, gcycles, strict=True) if layer.name in longest)
    return {
        "layers": len(task.layers),
        "edges": edges,
        "forks": forks,
        "joins": joins,
        "shape": "chain" if task.is_chain else "graph",
        "gcycles": work,
        "measured": sum(layer.seconds is not None for layer in task.layers),
        "output_mb": sum(layer.output_mb for layer in task.layers),
        "weights_mb": sum(layer.weights_mb for layer in task.layers),
        "critical_path": {
            "layers": path,
            "gcycles": on_path,
            "share": on_path / work if work > 0 else None,
            "client_s": sum(each for layer, each in zip(task.layers, own_s, strict=True) if layer.name in longest),
        },
    }


def critical_path(task: "Task", graph: "nx.DiGraph[str]", own_s: list[float]) -> list[str]:
    """Return the layers of the path that takes longest on the task's client, where layer j takes *own_s[j]*."""
    import networkx as nx

    work = dict(zip((layer.name for layer in task.layers), own_s, strict=True))
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
                "server": problem.instance.place_names[server],
                "delay_s": evaluation.delay_s,
                "energy_j": evaluation.energy_j,
                "cost_usd": evaluation.cost_usd,
                "objective": evaluation.objective,
                "violation": evaluation.violation,
                "elsewhere": int((placement != server).sum()),
            }
        )
    return min(found, key=lambda row: _rank(row["violation"], row["objective"])) if found else None


def _rank(violation: float, objective: float) -> tuple[float, float]:
    """Return what orders placements as MODEL.md section 4 does."""
    from offbench.model.problem import FEASIBLE

    return (0.0, objective) if violation <= FEASIBLE else (violation, 0.0)


def link_facts(instance: "Instance") -> list[dict[str, Any]]:
    """Return each link with the slowest and fastest rate that it has between servers."""
    from offbench.model.assembly import rate_mb_per_s
    from offbench.model.links import Links

    servers, links = instance.servers, Links(instance.servers, instance.links)
    remote = [s for s, server in enumerate(servers) if server.kind != "client"]
    # By link and remote end, which decides the rate; clients are many.
    rates: dict[int, dict[int, float]] = {}
    for s in remote:
        for other in range(len(servers)):
            for ends in ((s, other), (other, s)) if s != other else ():
                link = links.at(*ends)
                if link is not None:
                    of_link, far = rates.setdefault(id(link), {}), s if servers[other].kind == "client" else ends[1]
                    if far not in of_link:
                        of_link[far] = rate_mb_per_s(link, servers, *ends)
    return [
        {**link.model_dump(mode="json", exclude_none=True), "rates_mb_per_s": _ends(rates.get(id(link), {}).values())}
        for link in instance.links
    ]


def _ends(rates: Collection[float]) -> list[float]:
    return [min(rates), max(rates)] if rates else []


def instance_facts(instance: "Instance", problem: "P1", layers: bool) -> dict[str, Any]:
    """Return everything that `offbench instance show` tells."""
    kinds: tuple[Kind, ...] = ("client", "edge", "cloud")
    costs = [everything_on(problem, kind) for kind in kinds]
    facts = {
        "name": instance.name,
        "format": instance.format,
        "source": instance.source,
        "servers": [server.model_dump(mode="json", exclude_none=True) for server in instance.servers],
        "links": link_facts(instance),
        "limits": None if instance.limits is None else instance.limits.model_dump(exclude_none=True),
        "constrained": problem.constrained,
        "weights": instance.weights.model_dump(),
        "coordination": instance.coordination.model_dump(mode="json"),
        "scales": problem.scales.model_dump() | {"stated": instance.scales is not None},
        "tasks": list(task_facts(problem)),
        "everything_on": [row for row in costs if row is not None],
    }
    if layers:
        facts["layers"] = [
            {"task": task.name, "number": j, **layer.model_dump(mode="json")}
            for task in instance.tasks
            for j, layer in enumerate(task.layers)
        ]
    return facts
