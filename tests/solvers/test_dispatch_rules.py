"""P2 by rule."""

from itertools import pairwise
from typing import Any

import handmade
import plain
import pytest
from hypothesis import given, settings
from strategies import placed

from offbench import P2, Solution, evaluate, load, solve
from offbench.model.instance import parse
from offbench.model.placement import parse_placement

Json = dict[str, Any]
Placed = tuple[Json, list[list[str]], Any]


def run(solver: str, instance: Json, servers: list[list[str]]) -> Solution:
    """Run a rule on given servers."""
    parsed = parse(instance)
    return solve(parsed, solver, placement=parse_placement({"servers": servers}, parsed))


def delay_s(solution: Solution) -> float:
    """Return the system's delay."""
    assert solution.evaluation is not None
    return solution.evaluation.delay_s


def on_client(*tasks: Json, pool: int = 1) -> tuple[Json, list[list[str]]]:
    """Return an instance of a client alone, judged by delay, and the only placement on it."""
    servers = [handmade.server("client", "client", pool=pool)]
    instance = handmade.instance(servers, [], list(tasks), weights=handmade.DELAY_ALONE)
    return instance, [["client"] * len(task["layers"]) for task in tasks]


@given(placed())
def test_fcfs_is_the_evaluation_without_an_order(example: Placed) -> None:
    data, servers, _ = example
    solution = run("fcfs", data, servers)
    instance = parse(data)
    assert solution.placement is not None
    expected = evaluate(P2(instance, parse_placement({"servers": servers}, instance)), solution.placement)
    assert solution.placement is not None
    assert solution.placement.order is None
    assert solution.objective == expected.objective
    assert solution.evaluations == 1


@given(placed(max_tasks=3))
def test_srpt_gives_a_valid_order_and_the_given_servers(example: Placed) -> None:
    data, servers, _ = example
    solution = run("srpt", data, servers)
    assert solution.placement is not None
    file = solution.placement.to_file(solution.instance)
    assert file["servers"] == servers
    parse_placement(file, solution.instance)  # refuses what is no order
    assert sorted(file["order"]) == [[i, j] for i, task in enumerate(data["tasks"]) for j in range(len(task["layers"]))]


@given(placed(exact=True, max_tasks=3))
def test_srpt_lets_no_slot_idle_while_a_subtask_waits_for_it(example: Placed) -> None:
    data, servers, _ = example
    solution = run("srpt", data, servers)
    assert solution.evaluation is not None
    rows = solution.evaluation.subtasks
    where = [name for row in servers for name in row]
    times = sorted({row[name] for row in rows for name in ("start_s", "completion_s")} | {0})
    for server in data["servers"]:
        here = [row for row, name in zip(rows, where, strict=True) if name == server["name"]]
        for row in here:
            ready_s = row["start_s"] - row["queueing_s"]
            for moment in (before + (after - before) / 2 for before, after in pairwise(sorted({*times, ready_s}))):
                if ready_s < moment < row["start_s"]:
                    assert sum(o["start_s"] < moment < o["completion_s"] for o in here) == server["pool"]


def test_srpt_serves_the_short_task_first() -> None:
    # Long first: 10 + 11 = 21 s. Short first: 1 + 11 = 12 s.
    instance, servers = on_client(
        handmade.task("long", handmade.layer("a", 10)), handmade.task("short", handmade.layer("a", 1))
    )
    assert delay_s(run("fcfs", instance, servers)) == 21
    assert delay_s(run("srpt", instance, servers)) == 12


def test_srpt_goes_by_what_is_left_of_a_task() -> None:
    # long: 1 s, then 10 s; short: 2 s, then 2 s. By the next layer alone the long task would begin; by the
    # work left the short one: done at 4 s, the long one at 15 s.
    instance, servers = on_client(
        handmade.task("long", handmade.layer("a", 1), handmade.layer("b", 10, 0, ("a",))),
        handmade.task("short", handmade.layer("a", 2), handmade.layer("b", 2, 0, ("a",))),
    )
    solution = run("srpt", instance, servers)
    assert delay_s(solution) == 4 + 15
    assert solution.placement is not None
    assert solution.placement.to_file(solution.instance)["order"] == [[1, 0], [1, 1], [0, 0], [0, 1]]


def test_srpt_counts_no_work_that_is_done() -> None:
    # When the slot becomes free at 5 s, 1 s of the first task is left, of 6; the second has 3 s.
    instance, servers = on_client(
        handmade.task("first", handmade.layer("a", 5), handmade.layer("b", 1, 0, ("a",))),
        handmade.task("second", handmade.layer("a", 3), arrival_s=1),
    )
    # The first is done at 6 s, the second at 9 s, 8 s after it came.
    assert delay_s(run("srpt", instance, servers)) == 6 + 8


def test_srpt_counts_work_in_seconds_on_the_given_servers() -> None:
    # 8 gcycles left on the fast edge are 1 s; 4 on the client are 4 s. Both wait for the client first.
    instance = handmade.instance(
        [handmade.server("client", "client"), handmade.server("edge", "edge", ghz=8)],
        [handmade.link("client", "edge", rate=1)],
        [
            handmade.task("here", handmade.layer("a", 1), handmade.layer("b", 4, 0, ("a",))),
            handmade.task("there", handmade.layer("a", 1), handmade.layer("b", 8, 0, ("a",))),
        ],
        weights=handmade.DELAY_ALONE,
    )
    # there: 1 s and 1 s; here: from 1 s on, 5 s.
    assert delay_s(run("srpt", instance, [["client", "client"], ["client", "edge"]])) == 2 + 6


def test_srpt_does_not_wait_for_a_shorter_task() -> None:
    # The short task comes at 1 s, but the slot is free at 0 s: long 0-10 s, short 10-11 s.
    instance, servers = on_client(
        handmade.task("long", handmade.layer("a", 10)), handmade.task("short", handmade.layer("a", 1), arrival_s=1)
    )
    assert delay_s(run("srpt", instance, servers)) == 10 + 10


@settings(max_examples=50)
@given(placed(exact=True, max_tasks=2, max_layers=3))
def test_no_rule_beats_the_best_order(example: Placed) -> None:
    data, servers, _ = example
    best, _ = plain.brute_force_orders(data, servers)
    for solver in ("fcfs", "srpt"):
        objective = run(solver, data, servers).objective
        assert best <= objective or best == pytest.approx(objective, rel=1e-9, abs=1e-12)


def test_best_order_can_beat_both_rules() -> None:
    # The short task comes just after the long one: waiting for it costs 1 s and saves 9.
    instance, servers = on_client(
        handmade.task("long", handmade.layer("a", 10)), handmade.task("short", handmade.layer("a", 1), arrival_s=1)
    )
    best, order = plain.brute_force_orders(instance, servers)
    scale_s = 10
    assert best * scale_s == pytest.approx(12 + 1)
    assert order == [[1, 0], [0, 0]]


def test_rules_agree_where_nothing_queues() -> None:
    # A chain alone never meets itself at a slot.
    instance = load("vgg19")
    placement = solve(instance, "random", max_evaluations=1).placement
    assert placement is not None
    results = [solve(instance, solver, placement=placement).objective for solver in ("fcfs", "srpt")]
    assert results[0] == results[1]
