"""The order of layers in a file that tells them in any."""

from collections.abc import Iterable, Sequence

from offbench.errors import OffbenchError


def in_order(names: Sequence[str], edges: Iterable[tuple[str, str]], source: str) -> list[str]:
    """Return names such that each follows what it reads, else in the order given.

    Parameters
    ----------
    names
        Each once.
    edges
        Pairs of what is read and who reads it.
    source
        What errors call the file.

    Raises
    ------
    OffbenchError
        If there is a cycle.
    """
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(names)
    graph.add_edges_from(edges)
    place = {name: k for k, name in enumerate(names)}
    try:
        return list(nx.lexicographical_topological_sort(graph, key=place.__getitem__))
    except nx.NetworkXUnfeasible:
        cycle = nx.find_cycle(graph)
        raise OffbenchError(f"{source}: a cycle: {' -> '.join([cycle[0][0], *(edge[1] for edge in cycle)])}") from None
