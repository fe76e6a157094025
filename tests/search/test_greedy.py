"""The greedy construction: what all that use it are handed (its rule is tested with the solver)."""

from typing import Any

import handmade
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import instances

import offbench.search.greedy as greedy_module
from experiments._shared.tiny_format2 import tiny_data
from offbench import P1, Budget, Search, SearchEnded, evaluate, load, solve
from offbench.evaluation.insertion import Schedule, empty
from offbench.model.instance import parse
from offbench.model.modules import pin
from offbench.model.problem import Problem
from offbench.search.greedy import by_insertion, greedy


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


@given(instances(max_tasks=3, max_layers=4))
def test_of_a_large_instance_the_choice_is_the_same_where_nobody_waits(made: dict[str, Any]) -> None:
    """Chains, one long after the other: what is put into gaps is what first come, first served books."""
    for i, task in enumerate(made["tasks"]):
        task["arrival_s"] = 1e5 * i
        for j, layer in enumerate(task["layers"]):
            layer["inputs"] = [task["layers"][j - 1]["name"]] if j else []
    problem = P1(parse(made))
    search = Search(problem)
    placement = by_insertion(problem, search)
    assume(evaluate(problem, placement).makespan_s < 1e5 * len(made["tasks"]))
    for k in range(problem.n_subtasks):
        merits = search.next_objectives(placement.servers, k)
        assert merits[placement.servers[k]] <= merits.min() + 1e-6 * (1 + abs(merits.min()))


@given(st.one_of(instances(), st.integers(0, 199).map(tiny_data)))
def test_booked_in_its_order_nothing_is_later_than_meant(made: dict[str, Any]) -> None:
    problem = P1(parse(made))
    meant: list[Schedule] = []

    def kept(problem: Problem) -> Schedule:
        meant.append(empty(problem))
        return meant[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(greedy_module, "empty", kept)
        placement = by_insertion(problem, Search(problem))
    n = problem.n_subtasks
    completion = [row["completion_s"] for row in evaluate(problem, placement).subtasks]
    assert (np.array(completion) <= meant[0].end_s[:n] + 1e-9 * (1 + meant[0].end_s.max())).all()


def test_full_memories_and_gaps_are_seen() -> None:
    """Two tasks of one layer each and a fast server that holds the weights of one: the other stays on the phone."""
    layer = {**handmade.layer("a", 8), "weights_mb": 6}
    edge = {**handmade.server("edge", "edge", ghz=8), "memory_mb": 10}
    made = handmade.instance(
        [handmade.server("phone", "client", ghz=1, pool=2), edge],
        [handmade.link("client", "edge", rate=1)],
        [handmade.task("t", layer), handmade.task("u", layer)],
        weights=handmade.DELAY_ALONE,
        format="offbench/2",
    )  # fmt: skip
    problem = P1(parse(made))
    assert by_insertion(problem, Search(problem)).servers.tolist() == [1, 0]
    # The same weights lie there once; the second waits 1 s for the first.
    for task in made["tasks"]:
        task["layers"][0]["weights_id"] = "w"
    problem = P1(parse(made))
    assert by_insertion(problem, Search(problem)).servers.tolist() == [1, 1]
