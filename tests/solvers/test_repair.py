"""Repair: from what breaks constraints to what keeps them, if that can be."""

from typing import Any

import handmade
import numpy as np
import pytest

from experiments._shared.binding import binding_data
from experiments._shared.tiny_format2 import tiny_data
from offbench import P1, Placement, Search, evaluate
from offbench.evaluation.booking import station_of
from offbench.evaluation.compiled import borrowed, compiled
from offbench.evaluation.held_weights import there
from offbench.evaluation.insertion import empty, put
from offbench.evaluation.workspace import unpack
from offbench.model.instance import parse
from offbench.model.problem import FEASIBLE
from offbench.solvers._shared.repair import held_mb, repair, to_blame


def board() -> dict[str, Any]:
    """Return three layers of 6, 5 and 4 MB, and a fast edge that holds 10 MB."""
    layers = [handmade.layer("a", 8), handmade.layer("b", 8, 0, ("a",)), handmade.layer("c", 8, 0, ("b",))]
    return handmade.instance(
        [handmade.server("phone", "client", ghz=1), {**handmade.server("edge", "edge", ghz=8), "memory_mb": 10}],
        [handmade.link("client", "edge", rate=1)],
        [handmade.task("t", *(each | {"weights_mb": mb} for each, mb in zip(layers, (6, 5, 4), strict=True)))],
        weights=handmade.DELAY_ALONE, format="offbench/2",
    )  # fmt: skip


def test_what_is_feasible_stays_and_is_proposed_once() -> None:
    problem = P1(parse(board()))
    search = Search(problem)
    assert repair(search, Placement([0, 1, 1])).servers.tolist() == [0, 1, 1]
    assert search.evaluations == 1


def test_the_cheapest_of_the_moves_that_mend_all_is_made() -> None:
    """Of 15 MB 5 are too many: any of two layers has to go, each for 7 s; with all the others 14 and more."""
    problem = P1(parse(board()))
    assert held_mb(problem, np.array([1, 1, 1])).tolist() == [0, 15]
    found = evaluate(problem, repair(Search(problem), Placement([1, 1, 1])))
    assert found.feasible
    assert found.delay_s == 8 + 1 + 1


def test_only_what_is_late_or_in_the_way_is_to_blame() -> None:
    made = board()
    del made["servers"][1]["memory_mb"]
    made["tasks"].append(handmade.task("u", handmade.layer("a", 1)))
    made["tasks"].append({**handmade.task("late", handmade.layer("a", 8)), "deadline_s": 1.5})
    problem = P1(parse(made))
    # The late one waits at the edge, behind the first layer of the first task.
    assert to_blame(problem, Placement([1, 0, 0, 0, 1])).tolist() == [0, 4]
    # Alone at the phone it only takes long.
    assert to_blame(problem, Placement([1, 1, 1, 1, 0])).tolist() == [4]
    assert to_blame(problem, Placement([0, 1, 1, 1, 1])).tolist() == []


@pytest.mark.parametrize("ordered", [False, True])
def test_never_worse_and_mostly_feasible(ordered: bool) -> None:
    feasible = 0
    for seed in range(20):
        problem = P1(parse(binding_data(seed)))
        search = Search(problem, seed=seed)
        servers = np.array([search.rng.choice(np.flatnonzero(row)) for row in problem.allowed])
        begin = Placement(servers, np.arange(problem.n_subtasks) if ordered else None)
        end = evaluate(problem, repair(search, begin))
        assert end.violation <= evaluate(problem, begin).violation
        assert search.violation == pytest.approx(0 if end.feasible else end.violation, abs=FEASIBLE)
        feasible += end.feasible
    assert feasible >= 17  # of random ones at most a tenth are


@compiled
def _put_all(ints: Any, floats: Any, servers: Any, made: Any) -> Any:
    """Put every subtask on the first slot of its place, however late; return whose weights lie nowhere."""
    p = borrowed(unpack(ints, floats))
    missing = 0
    for k in range(servers.size):
        slot = np.int64(p.slot_start[station_of(p, k, servers[k])])
        put(p, made, k, servers[k], slot, 1e6 * k)
        missing += not there(p, made.cells, made.held, k, servers[k])
    return missing


@pytest.mark.parametrize("seed", range(60))
def test_weights_held_one_by_one_are_those_of_the_placement(seed: int) -> None:
    problem = P1(parse(tiny_data(seed)))
    rng = np.random.default_rng(seed)
    servers = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
    made = empty(problem)
    assert _put_all(*problem.packed, servers, made) == 0
    assert made.held.mb == pytest.approx(held_mb(problem, servers))
    full = np.maximum(0, made.held.mb / problem.arrays.memory_mb - 1).sum()
    assert full == pytest.approx(evaluate(problem, servers).memory_violation)
