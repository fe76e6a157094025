"""A solver that does what it should, and takes a while, so that there is something to kill."""

from time import sleep

from offbench import P1, Search, Solver


class Good(Solver):
    """Everything on the client, then each subtask by itself where that is best."""

    pause_s: float = 0.0

    def solve(self, problem: P1, search: Search) -> None:
        servers = problem.everything_on(problem.arrays.client)
        best = search.propose(servers)
        sleep(self.pause_s)
        for k in problem.free:
            for server in range(problem.n_servers):
                if problem.allowed[k, server]:
                    tried = servers.copy()
                    tried[k] = server
                    objective = search.propose(tried)
                    if objective < best:
                        servers, best = tried, objective
