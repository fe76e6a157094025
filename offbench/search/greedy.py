"""The paper's greedy construction (section 5.1): the best immediate choice, subtask by subtask."""

from offbench.model.problem import Ints
from offbench.search.search import Search


def greedy(search: Search) -> Ints:
    """Return the servers that the greedy chooses; it never looks ahead, and proposes nothing.

    For each subtask in turn the server, the first of several, with which Q of the subtasks so far is least.

    Returns
    -------
    numpy.ndarray
        Server indices, shape ``(n_subtasks,)``.

    Raises
    ------
    SearchEnded
        If the search ends before.
    """
    problem = search.problem
    servers = problem.everything_on(problem.arrays.client)
    for k in problem.free:
        servers[k] = search.next_objectives(servers, k).argmin()
    return servers
