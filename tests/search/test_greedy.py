"""The greedy construction: what all that use it are handed (its rule is tested with the solver)."""

import numpy as np
import pytest

from offbench import P1, Budget, Search, SearchEnded, load, solve
from offbench.model.modules import pin
from offbench.search.greedy import greedy


def test_it_proposes_nothing_and_is_what_the_solver_proposes() -> None:
    search = Search(P1(load("googlenet")))
    servers = greedy(search)
    assert (search.evaluations, search.incumbent) == (0, None)
    found = solve("googlenet", "greedy").placement
    assert found is not None
    assert servers.tolist() == found.servers.tolist()


def test_pinned_subtasks_stand_where_they_must() -> None:
    instance = load("alexnet")
    pinned = np.arange(11) % 3 == 0
    search = Search(P1(pin(instance, np.full(11, 4), pinned)))
    servers = greedy(search)
    assert (servers[pinned] == 4).all()
    # What is free is the best immediate choice there too.
    for k in np.flatnonzero(~pinned).tolist():
        assert servers[k] == search.next_objectives(servers, k).argmin()


def test_it_ends_with_the_search() -> None:
    search = Search(P1(load("alexnet")), Budget(time_limit=1e-9))
    with pytest.raises(SearchEnded):
        greedy(search)


@pytest.mark.parametrize("solver", ["genetic", "nsga2", "local-search", "annealing", "cp-sat", "milp"])
def test_solvers_that_begin_with_it_are_never_worse(solver: str) -> None:
    least = solve("tiny-graphs", "greedy").objective
    assert solve("tiny-graphs", solver, max_evaluations=400, time_limit=20).objective <= least
