"""Everything in one place: what any offloading has to beat."""

from typing import ClassVar

from offbench import P1, GaveUp, Search, Solver
from offbench.model.instance import Kind


class ClientOnly(Solver):
    """Everything on the client, as if there were no network."""

    name: ClassVar[str] = "client-only"
    is_baseline: ClassVar[bool] = True

    def solve(self, problem: P1, search: Search) -> None:
        search.propose(problem.everything_on(problem.arrays.client))


class BestEdge(Solver):
    """Everything on one edge server, the best one."""

    name: ClassVar[str] = "best-edge"
    is_baseline: ClassVar[bool] = True

    def solve(self, problem: P1, search: Search) -> None:
        _try_each("edge", problem, search)


class BestCloud(Solver):
    """Everything on one cloud server, the best one."""

    name: ClassVar[str] = "best-cloud"
    is_baseline: ClassVar[bool] = True

    def solve(self, problem: P1, search: Search) -> None:
        _try_each("cloud", problem, search)


def _try_each(kind: Kind, problem: P1, search: Search) -> None:
    servers = problem.instance.servers_of(kind)
    if not servers:
        raise GaveUp(f"the instance has no {kind} server")
    for server in servers:
        search.propose(problem.everything_on(server))
