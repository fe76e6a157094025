"""Descent for thousands of tasks: what it reaches, and who takes it."""

import handmade
import numpy as np
import pytest

from offbench import P1, Budget, Search, SearchEnded, evaluate, load, solve
from offbench.model.instance import Instance, parse
from offbench.solvers._shared.shares import descend_by_shares
from offbench.solvers._shared.windows import is_large


def phones(count: int, layers: int, slots: int) -> Instance:
    """Return so many phones with a chain each, and an edge that is fast but serves so many at once."""
    clients = [handmade.server(f"phone-{i}", "client", ghz=1) for i in range(count)]
    servers = [*clients, handmade.server("edge", "edge", ghz=10, pool=slots)]
    chain = [handmade.layer("0", 1, 0.001)]
    chain += [handmade.layer(str(j), 1, 0.001, inputs=(str(j - 1),)) for j in range(1, layers)]
    tasks = [{**handmade.task(f"task-{i}", *chain), "client": f"phone-{i}"} for i in range(count)]
    return parse(
        handmade.instance(
            servers, [handmade.link("client", "edge")], tasks, format="offbench/2", weights=handmade.DELAY_ALONE
        )
    )


def test_a_share_of_the_tasks_goes_where_all_or_none_would_be_worse() -> None:
    """A hundred phones, an edge that is ten times as fast and serves one: some ten of them gain by it, not all."""
    problem = P1(phones(100, 3, 1))
    search = Search(problem, Budget(max_evaluations=2_000), 1)
    with pytest.raises(SearchEnded):
        descend_by_shares(problem, search, problem.everything_on(0))
    alike = [evaluate(problem, problem.everything_on(s)).objective for s in range(2)]
    assert search.objective < min(alike) * 0.97


def test_what_is_pinned_stays() -> None:
    made = phones(3, 2, 1).model_dump(mode="json", exclude_none=True)
    made["tasks"][1]["layers"][0]["allowed"] = ["phone-1"]
    problem = P1(parse(made))
    search = Search(problem, Budget(max_evaluations=300), 1)
    with pytest.raises(SearchEnded):  # the search refuses what isn't allowed
        descend_by_shares(problem, search, problem.everything_on(0))
    assert search.incumbent is not None
    assert search.incumbent.servers[2] == 0


def test_ends_with_the_clock_where_nothing_can_move() -> None:
    problem = P1(
        parse(handmade.instance([handmade.server("c", "client")], [], [handmade.task("t", handmade.layer("a", 1))]))
    )
    search = Search(problem, Budget(time_limit=0.2))
    with pytest.raises(SearchEnded):
        descend_by_shares(problem, search, np.array([0]))


def test_shipped_instances_are_not_large() -> None:
    assert not is_large(P1(load("resnet-x10")))


def test_local_search_moves_shares_of_a_large_instance() -> None:
    """4 000 phones: in so few placements single moves would find nothing."""
    instance = phones(4_000, 3, 20)
    problem = P1(instance)
    assert is_large(problem)
    solution = solve(instance, "local-search", seed=1, max_evaluations=60)
    assert solution.evaluations == 60
    begun = [evaluate(problem, problem.everything_on(s)).objective for s in range(2)]
    assert solution.objective < min(begun)
