"""HEFT and PEFT: the example of HEFT's paper, ranks and tables by definition, schedules by the evaluator."""

from collections.abc import Callable
from functools import cache
from typing import Any

import handmade
import numpy as np
import pytest
from hypothesis import given
from strategies import instances

from offbench import P1, evaluate, solve
from offbench.model.instance import parse
from offbench.solvers._shared.heft import upward_rank
from offbench.solvers._shared.list_scheduling import PartialSchedule, Times, times_of
from offbench.solvers._shared.peft import optimistic_costs

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


def textbook() -> Times:
    """Return the paper's example, whose input takes no time."""
    n = len(COSTS)
    inputs: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    readers: list[list[tuple[int, float]]] = [[] for _ in range(n)]
    for a, b, mb in EDGES:
        inputs[b - 1].append((a - 1, mb))
        readers[a - 1].append((b - 1, mb))
    inputs[0] = [(n, 0.0)]
    return Times(
        execution_s=np.array(COSTS, float),
        inputs=inputs,
        readers=readers,
        s_per_mb=(1 - np.eye(3))[None],
        latency_s=np.zeros((1, 3, 3)),
        links_of=[0] * n,
        arrival_s=np.zeros(1),
        client=0,
        own_station=[0] * n,
        slots=[1, 1, 1],
    )


def test_ranks_and_makespan_of_hefts_paper() -> None:
    times = textbook()
    rank = upward_rank(times)
    assert rank == pytest.approx(RANKS, abs=1e-3)
    schedule = PartialSchedule(times)
    for k in np.argsort(-rank, kind="stable").tolist():
        done, places = schedule.finish_s(k)
        server = int(done.argmin())
        schedule.put(k, server, places[server])
    assert schedule.end_s.max() == 80  # the paper's figure 3
    assert schedule.servers[:10].tolist() == [2, 0, 2, 1, 2, 1, 2, 0, 1, 1]


@given(instances(max_tasks=2))
def test_optimistic_costs_by_their_definition(made: dict[str, Any]) -> None:
    times = times_of(P1(parse(made)))

    @cache
    def rest(k: int, s: int) -> float:
        return max(
            (
                min(
                    rest(j, other) + times.execution_s[j, other] + mb * times.s_per_mb[0, s, other]
                    for other in range(times.execution_s.shape[1])
                )
                for j, mb in times.readers[k]
            ),
            default=0.0,
        )

    expected = [[rest(k, s) for s in range(times.execution_s.shape[1])] for k in range(len(times.inputs))]
    assert optimistic_costs(times) == pytest.approx(np.array(expected))


@given(instances())
@pytest.mark.parametrize("solver", ["heft", "peft"])
def test_booked_in_the_dispatch_order_nothing_is_later(solver: str, made: dict[str, Any]) -> None:
    """The evaluator, given servers and order, ends each task no later than the schedule meant."""
    meant: list[PartialSchedule] = []
    instance = parse(made)
    with pytest.MonkeyPatch.context() as patch:
        original: Callable[..., Any] = PartialSchedule.placement

        def kept(self: PartialSchedule, booked: list[int]) -> Any:
            meant.append(self)
            return original(self, booked)

        patch.setattr(PartialSchedule, "placement", kept)
        solution = solve(instance, solver)
    assert solution.placement is not None
    completion = [row["completion_s"] for row in evaluate(P1(instance), solution.placement).subtasks]
    assert (np.array(completion) <= meant[0].end_s[: len(completion)] + 1e-9 * (1 + meant[0].end_s.max())).all()


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
