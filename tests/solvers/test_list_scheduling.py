"""HEFT and PEFT: the example of HEFT's paper, ranks and tables by definition, schedules by the evaluator."""

from collections.abc import Callable
from functools import cache
from typing import Any

import handmade
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances

from experiments._shared.tiny_format2 import tiny_data
from offbench import P1, Placement, evaluate, solve
from offbench.evaluation.insertion import Schedule, empty
from offbench.model.instance import parse
from offbench.model.problem import Problem
from offbench.solvers._shared import list_scheduling
from offbench.solvers._shared.heft import heft, upward_rank
from offbench.solvers._shared.list_scheduling import schedule
from offbench.solvers._shared.peft import optimistic_costs, peft

# Topcuoglu, Hariri, Wu (2002), figure 2: ten tasks on three processors; costs and edges.
COSTS = [
    (14, 16, 9), (13, 19, 18), (11, 13, 19), (13, 8, 17), (12, 13, 10),
    (13, 16, 9), (7, 15, 11), (5, 11, 14), (18, 12, 20), (21, 7, 16),
]  # fmt: skip
EDGES = [
    (1, 2, 18), (1, 3, 12), (1, 4, 9), (1, 5, 11), (1, 6, 14), (2, 8, 19), (2, 9, 16), (3, 7, 23), (4, 8, 27),
    (4, 9, 23), (5, 9, 13), (6, 8, 15), (7, 10, 17), (8, 10, 11), (9, 10, 13),
]  # fmt: skip
RANKS = [108, 77, 80, 80, 69, 63.333, 42.667, 35.667, 44.333, 14.667]


def textbook() -> Problem:
    """Return the paper's example, whose input takes no time."""
    names = ["p1", "p2", "p3"]
    layers = []
    for number, costs in enumerate(COSTS, 1):
        inputs: list[Any] = [{"layer": f"n{a}", "mb": mb} for a, b, mb in EDGES if b == number]
        layers.append(
            {"name": f"n{number}", "seconds": dict(zip(names, costs, strict=True)), "output_mb": 0, "inputs": inputs}
        )
    made = handmade.instance(
        [handmade.server(name, kind) for name, kind in zip(names, ("client", "edge", "edge"), strict=True)],
        [handmade.link("client", "edge", rate=1), handmade.link("edge", "edge", rate=1)],
        [handmade.task("t", *layers, input_mb=0)],
        weights=handmade.DELAY_ALONE,
    )
    return P1(parse(made | {"format": "offbench/2"}))


def test_ranks_and_makespan_of_hefts_paper() -> None:
    problem = textbook()
    rank = upward_rank(problem)
    assert rank == pytest.approx(RANKS, abs=1e-3)
    placement, meant = schedule(problem, np.argsort(-rank, kind="stable"))
    assert meant.end_s.max() == 80  # the paper's figure 3
    assert placement.servers.tolist() == [2, 0, 2, 1, 2, 1, 2, 0, 1, 1]


@given(st.one_of(instances(max_tasks=2), st.integers(0, 199).map(tiny_data)))
def test_optimistic_costs_by_their_definition(made: dict[str, Any]) -> None:
    problem = P1(parse(made))
    a = problem.arrays

    def sent_s(i: int, k: int, s: int, other: int) -> float:
        rate, _, _, latency_s = a.link[a.links_of[k], s, other]
        return float(a.input_mb[i] / rate + latency_s)

    @cache
    def rest(k: int, s: int) -> float:
        return max(
            (
                min(
                    rest(j, other) + a.execution_s[j, other] + sent_s(i, j, s, other)
                    for other in np.flatnonzero(problem.allowed[j]).tolist()
                )
                for j in problem.readers_of(k)
                for i in problem.inputs_of(j)
                if a.input_of[i] == k
            ),
            default=0.0,
        )

    expected = [[rest(k, s) for s in range(problem.n_servers)] for k in range(problem.n_subtasks)]
    assert optimistic_costs(problem) == pytest.approx(np.array(expected))


@given(st.one_of(instances(), st.integers(0, 199).map(tiny_data)))
@pytest.mark.parametrize("construct", [heft, peft])
def test_booked_in_the_dispatch_order_nothing_is_later(
    construct: Callable[[Problem], Placement], made: dict[str, Any]
) -> None:
    """The evaluator, given servers and order, ends each task no later than the schedule meant."""
    problem = P1(parse(made))
    meant: list[Schedule] = []

    def kept(problem: Problem) -> Schedule:
        meant.append(empty(problem))
        return meant[0]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(list_scheduling, "empty", kept)
        placement = construct(problem)
    n = problem.n_subtasks
    completion = [row["completion_s"] for row in evaluate(problem, placement).subtasks]
    assert (np.array(completion) <= meant[0].end_s[:n] + 1e-9 * (1 + meant[0].end_s.max())).all()


@given(st.integers(0, 10_000))
def test_gaps_are_those_of_a_plain_list(seed: int) -> None:
    """Busy times of random lengths, put where a plain search through a sorted list puts them; in many blocks."""
    rng = np.random.default_rng(seed)
    n = 300
    ready, lasts = rng.integers(0, 900, n), rng.integers(0, 5, n)
    layers = [{"name": f"n{k}", "gcycles": int(lasts[k]), "output_mb": 0, "inputs": []} for k in range(n)]
    made = handmade.instance(
        [handmade.server("client", "client", ghz=1)], [],
        [handmade.task(f"t{k}", layers[k], input_mb=0, arrival_s=int(ready[k])) for k in range(n)],
        weights=handmade.DELAY_ALONE,
    )  # fmt: skip
    _, found = schedule(P1(parse(made)), np.arange(n))
    busy: list[tuple[int, int]] = []
    for k in range(n):
        begin = int(ready[k])
        for start, end in sorted(busy):
            if (end <= begin and start < begin) or start == end == begin:
                continue
            if begin + lasts[k] <= start:
                break
            begin = max(begin, end)
        assert found.start_s[k] == begin
        busy.append((begin, begin + int(lasts[k])))


@pytest.mark.parametrize("solver", ["heft", "peft"])
def test_by_hand(solver: str) -> None:
    """Two branches, client and edge: the long one goes to the fast edge, the short one stays, 1 s to send either."""
    made = handmade.instance(
        [handmade.server("client", "client", ghz=1), handmade.server("edge", "edge", ghz=4)],
        [handmade.link("client", "edge", rate=1)],
        [handmade.task("t", handmade.layer("a", 1, 1), handmade.layer("long", 8, 1, ("a",)),
                       handmade.layer("short", 2, 1, ("a",)), handmade.layer("end", 1, 0, ("long", "short")))],
        weights=handmade.DELAY_ALONE,
    )  # fmt: skip
    # a on the edge at 0.25, long there 0.25-2.25, short on the client 1.25-3.25 or behind long 2.25-2.75: the
    # latter is sooner; end on the edge at 3.
    solution = solve(parse(made), solver)
    assert solution.evaluation is not None
    assert solution.evaluation.makespan_s == pytest.approx(3.0)
