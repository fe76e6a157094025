"""The search: budget, incumbent, bound, trace; and runs that end when they must."""

import math
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import handmade
import numpy as np
import plain
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances, servers_for

from offbench import P1, P2, Budget, OffbenchError, Placement, Search, SearchEnded, evaluate, solve
from offbench.errors import InvalidPlacement
from offbench.model.instance import parse
from offbench.search.budget import BoundError

Json = dict[str, Any]


def searching(**budget: Any) -> Search:
    """Return a search on the example."""
    return Search(P1(parse(handmade.phone())), Budget(**budget))


def assert_monotone(search: Search) -> None:
    """Check that no point of the trace falls behind the one before it."""
    for before, after in pairwise(search.trace):
        assert after.seconds >= before.seconds
        assert after.evaluations >= before.evaluations
        assert after.objective <= before.objective
        assert after.bound >= before.bound
        assert (after.objective, after.bound) != (before.objective, before.bound)


# Budget


@pytest.mark.parametrize(
    "limits",
    [
        {"time_limit": 0}, {"time_limit": -1}, {"time_limit": math.nan}, {"time_limit": math.inf},
        {"max_evaluations": 0}, {"max_evaluations": -5}, {"target": math.nan}, {"target": math.inf},
    ],
    ids=str,
)  # fmt: skip
def test_impossible_budget_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(OffbenchError, match=next(iter(limits)).replace("_", " ")):
        Budget(**limits)


@given(st.integers(1, 30), st.lists(st.integers(0, 12), max_size=8))
def test_evaluations_stop_exactly_at_their_limit(limit: int, populations: list[int]) -> None:
    search = searching(max_evaluations=limit)
    ended = False
    for size in populations:
        try:
            search.propose_many(np.zeros((size, 7), dtype=np.int64))
        except SearchEnded:
            ended = True
    assert search.evaluations == min(limit, sum(populations))
    assert ended == (sum(populations) >= limit)
    assert search.ended_by == ("max-evaluations" if ended else None)


def test_evaluations_stop_exactly_at_their_limit_in_a_population_scored_in_blocks() -> None:
    search = searching(max_evaluations=70_001)
    with pytest.raises(SearchEnded):
        search.propose_many(np.zeros((100_000, 7), dtype=np.int64))
    assert search.evaluations == 70_001


def test_rows_beyond_the_limit_do_not_count() -> None:
    search = searching(max_evaluations=2)
    rows = np.array([[0] * 7, [1] * 7, [2, 1, 2, 2, 2, 2, 2], [3, 0, 3, 3, 3, 3, 3]])
    objectives = [evaluate(search.problem, row).objective for row in rows]
    best = int(np.argmin(objectives))
    order = [*(k for k in range(4) if k != best), best]
    with pytest.raises(SearchEnded):
        search.propose_many(rows[order])
    assert search.objective == min(objectives[k] for k in order[:2]) > objectives[best]


def test_target_ends_the_search_with_the_proposal_that_reaches_it() -> None:
    problem = P1(parse(handmade.phone()))
    good, bad = sorted((evaluate(problem, [s] * 7).objective, s) for s in (0, 1))
    search = Search(problem, Budget(target=good[0]))
    assert search.propose([bad[1]] * 7) == bad[0]
    assert search.running
    with pytest.raises(SearchEnded):
        search.propose([good[1]] * 7)
    assert search.ended_by == "target"
    assert search.objective == good[0]


def test_time_limit_ends_the_search() -> None:
    search = searching(time_limit=1e-6)
    assert search.remaining_s <= 0
    with pytest.raises(SearchEnded):
        search.propose([0] * 7)
    assert (search.ended_by, search.evaluations, search.incumbent) == ("time-limit", 0, None)


def test_search_without_a_budget_goes_on() -> None:
    search = searching()
    assert search.remaining_s == math.inf
    search.check()
    search.propose([0] * 7)
    assert search.running


# Incumbent and trace


@given(instances(max_layers=3).flatmap(lambda it: st.tuples(st.just(it), st.lists(servers_for(it), min_size=1))))
def test_incumbent_is_the_best_proposed(example: tuple[Json, list[list[list[str]]]]) -> None:
    instance, proposals = example
    problem = P1(parse(instance))
    search = Search(problem)
    index = {server["name"]: s for s, server in enumerate(instance["servers"])}
    rows = [np.array([index[name] for row in servers for name in row]) for servers in proposals]
    objectives = [search.propose(row) for row in rows]
    assert search.objective == min(objectives)
    assert search.incumbent is not None
    assert search.incumbent.servers.tolist() == rows[objectives.index(min(objectives))].tolist()
    assert search.evaluations == len(rows)
    assert search.trace[-1].objective == min(objectives)
    assert_monotone(search)
    together = Search(problem)
    assert together.propose_many(np.array(rows)).tolist() == objectives
    assert together.incumbent is not None
    assert together.incumbent.servers.tolist() == search.incumbent.servers.tolist()


def test_incumbent_keeps_its_dispatch_order() -> None:
    search = searching()
    order = [3, 0, 4, 5, 1, 2, 6]
    objective = search.propose(Placement([0] * 7, order))
    assert search.incumbent is not None
    assert search.incumbent.order is not None
    assert search.incumbent.order.tolist() == order
    assert objective == evaluate(search.problem, search.incumbent).objective


def test_arrays_may_change_after_they_were_proposed() -> None:
    search = searching()
    servers = np.ones(7, dtype=np.int64)
    objective = search.propose(servers)
    servers[:] = 0
    population = np.zeros((2, 7), dtype=np.int64)
    search.propose_many(population)
    population[:] = 3
    assert search.incumbent is not None
    assert evaluate(search.problem, search.incumbent).objective == search.objective == min(objective, search.objective)


def test_forbidden_proposal_is_refused_and_leaves_the_incumbent() -> None:
    search = searching()
    search.propose([0] * 7)
    with pytest.raises(OffbenchError, match=r"\('pool'\)"):
        search.propose([0, 2, 0, 0, 0, 0, 0])
    assert search.incumbent is not None
    assert search.incumbent.servers.tolist() == [0] * 7


def test_p2_takes_no_other_servers() -> None:
    search = Search(P2(parse(handmade.phone()), [0] * 7))
    with pytest.raises(OffbenchError, match=r"\('join'\)"):
        search.propose([0, 0, 0, 0, 0, 0, 1])


def test_empty_population_is_nothing() -> None:
    search = searching(max_evaluations=1)
    assert len(search.propose_many(np.empty((0, 7), dtype=np.int64))) == 0
    assert search.running


# Lower bound


def test_bound_above_a_feasible_objective_is_an_error() -> None:
    search = searching()
    objective = search.propose([0] * 7)
    with pytest.raises(BoundError):
        search.bound(objective + 0.01)


def test_objective_below_a_bound_is_an_error() -> None:
    search = searching()
    search.bound(evaluate(search.problem, [0] * 7).objective + 0.01)
    with pytest.raises(BoundError):
        search.propose([0] * 7)


def test_bound_that_meets_the_incumbent_proves_it_optimal() -> None:
    search = searching()
    objective = search.propose([0] * 7)
    search.bound(objective - 1)
    with pytest.raises(SearchEnded):
        search.bound(objective - 1e-7 * abs(objective))
    assert search.ended_by == "optimal"


def test_incumbent_that_meets_the_bound_is_proven_optimal() -> None:
    search = searching()
    search.bound(evaluate(search.problem, [0] * 7).objective)
    with pytest.raises(SearchEnded):
        search.propose([0] * 7)
    assert search.ended_by == "optimal"


@given(st.lists(st.one_of(st.floats(-50, -40), st.sampled_from([0, 1])), max_size=20))
def test_best_bound_counts_and_the_trace_only_improves(reports: list[float]) -> None:
    search = searching()
    for report in reports:
        if report < 0:
            search.bound(report)
        else:
            search.propose([int(report)] * 7)
    assert search.lower_bound == max((report for report in reports if report < 0), default=-math.inf)
    assert_monotone(search)


# Partial placements


@given(instances(exact=True), st.data())
def test_next_objectives_are_those_of_the_instance_without_the_rest(instance: Json, data: st.DataObject) -> None:
    search = Search(P1(parse(instance)), Budget(max_evaluations=1))
    names = [server["name"] for server in instance["servers"]]
    servers = [name for row in data.draw(servers_for(instance)) for name in row]
    decided = data.draw(st.integers(0, len(servers) - 1))
    layer = [layer for task in instance["tasks"] for layer in task["layers"]][decided]
    short = handmade.cut(instance, decided + 1, plain.prepare(instance).scales)
    expected = []
    for name in names:
        flat = iter([*servers[:decided], name])
        rows = [[next(flat) for _ in task["layers"]] for task in short["tasks"]]
        if name in layer.get("allowed", names):
            expected.append(plain.evaluate(plain.prepare(short), rows)["objective"])
        else:
            expected.append(math.inf)
    indices = np.array([names.index(name) for name in servers])
    before = indices.copy()
    assert search.next_objectives(indices, decided).tolist() == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert (indices == before).all()
    assert search.evaluations == 0


def test_partial_scores_end_with_the_search() -> None:
    search = searching(time_limit=1e-6)
    with pytest.raises(SearchEnded):
        search.next_objectives(np.zeros(7, dtype=np.int64), 0)


# Randomness


def test_seed_is_the_only_source_of_randomness() -> None:
    problem = P1(parse(handmade.phone()))
    draws = [Search(problem, seed=seed).rng.random(4).tolist() for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]


# Runs of solvers that don't look at the clock

HEAD = """
import time
from offbench import Solver

class Stubborn(Solver):
    \"\"\"Doesn't stop by itself.\"\"\"

    def solve(self, problem, search):
        search.propose(problem.everything_on(1))
"""
LOOPS = {
    "proposes": """
        while True:
            search.propose(problem.everything_on(0))
""",
    "computes": """
        while True:
            pass
""",
    "sleeps": """
        time.sleep(30)
""",
    "swallows": """
        while True:
            try:
                search.propose(problem.everything_on(0))
            except Exception:
                pass
""",
    "swallows around nothing": """
        while True:
            try:
                time.sleep(0.01)
            except Exception:
                pass
""",
}


@pytest.mark.parametrize("body", LOOPS.values(), ids=LOOPS)
def test_stubborn_solver_ends_within_a_second_of_its_limit(write: Callable[[str, Any], Path], body: str) -> None:
    path = write("stubborn.py", HEAD + body)
    solution = solve(parse(handmade.phone()), str(path), time_limit=1)
    assert 1 <= solution.seconds < 2
    assert solution.stopped == "time-limit"
    assert solution.status == "feasible"
    assert solution.objective <= evaluate(P1(solution.instance), [1] * 7).objective


def test_no_alarm_goes_off_after_the_run(write: Callable[[str, Any], Path]) -> None:
    import signal

    before = signal.getsignal(signal.SIGALRM)
    solve(parse(handmade.phone()), str(write("quick.py", HEAD)), time_limit=0.1)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert signal.getsignal(signal.SIGALRM) == before


def test_time_to_import_a_solver_counts(write: Callable[[str, Any], Path]) -> None:
    path = write("slow.py", "import time\ntime.sleep(0.6)\n" + HEAD)
    solution = solve(parse(handmade.phone()), str(path), time_limit=0.3)
    assert (solution.stopped, solution.status) == ("time-limit", "no-placement")
    assert solution.seconds >= 0.3


@pytest.mark.parametrize(
    ("body", "stopped"),
    [
        ("time.sleep(search.remaining_s - 0.05)", "time-limit"),  # as libraries do that are given the time left
        ("time.sleep(0.4); search.remaining_s", "finished"),
        ("time.sleep(search.budget.time_limit - 0.05 - search.seconds)", "finished"),  # by itself, just in time
        ("search.remaining_s; search.bound(search.objective)", "optimal"),
    ],
)
def test_time_limit_of_a_library_is_the_runs(body: str, stopped: str, write: Callable[[str, Any], Path]) -> None:
    lines = f"        search.propose(problem.everything_on(0))\n        {body}\n"
    path = write("given_the_time.py", "import time\n" + HEAD + lines)
    solution = solve("tiny-chains", str(path), time_limit=1.0)
    assert solution.stopped == stopped


def test_interrupted_run_keeps_its_incumbent(write: Callable[[str, Any], Path]) -> None:
    path = write("interrupted.py", HEAD + "        raise KeyboardInterrupt\n")
    solution = solve(parse(handmade.phone()), str(path), time_limit=10)
    assert solution.stopped == "interrupted"
    assert solution.placement is not None
    assert solution.placement.servers.tolist() == [1] * 7


def test_solver_that_claims_too_high_a_bound_is_void(write: Callable[[str, Any], Path]) -> None:
    path = write("liar.py", HEAD + "        search.bound(search.objective + 1)\n")
    with pytest.raises(BoundError):
        solve(parse(handmade.phone()), str(path), time_limit=10)


def test_error_of_a_solver_is_not_hidden(write: Callable[[str, Any], Path]) -> None:
    path = write("broken.py", HEAD + "        raise LookupError('inside')\n")
    with pytest.raises(LookupError, match="inside"):
        solve(parse(handmade.phone()), str(path), time_limit=10)


@pytest.mark.parametrize(("limits", "progress"), [({}, 0), ({"max_evaluations": 8}, 0.25), ({"time_limit": 1e9}, 0)])
def test_progress_is_the_share_of_the_budget_used(limits: dict[str, Any], progress: float) -> None:
    search = searching(**limits)
    search.propose_many([search.problem.everything_on(0)] * 2)
    assert search.progress == pytest.approx(progress, abs=1e-6)


def test_progress_is_that_of_the_limit_that_is_nearer() -> None:
    search = searching(time_limit=100, max_evaluations=10)
    search.clock._start -= 50
    search.propose(search.problem.everything_on(0))
    assert search.progress == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("value", [math.nan, math.inf, np.float32("nan")])
def test_bound_that_is_no_number_is_an_error(value: float) -> None:
    search = searching()
    with pytest.raises(BoundError, match="below infinity"):
        search.bound(value)
    search.bound(-math.inf)  # none is known
    assert (search.lower_bound, search.trace) == (-math.inf, ())


# What solvers hand over


def test_numbers_of_numpy_are_taken_as_plain_ones() -> None:
    search = searching(max_evaluations=np.int64(100), time_limit=np.float32(50), target=np.float64(-1e9))
    search.count(np.int64(3))
    search.bound(np.float32(-2.5))
    search.policy = [np.int32(0)] * 7
    assert (search.evaluations, search.lower_bound) == (3, -2.5)
    assert [type(value) for value in (search.evaluations, search.lower_bound)] == [int, float]
    assert [type(value) for value in vars(search.budget).values()] == [float, int, float]
    assert search.policy is not None and search.policy.tolist() == [0] * 7


@pytest.mark.parametrize(("count", "error"), [(2.5, TypeError), ("3", TypeError), (None, TypeError), (-1, ValueError)])
def test_count_that_is_none_is_refused(count: Any, error: type[Exception]) -> None:
    search = searching()
    with pytest.raises(error, match=r"search\.count"):
        search.count(count)
    assert search.evaluations == 0


@pytest.mark.parametrize(
    "name",
    ["problem", "budget", "clock", "diary", "evaluations", "incumbent", "objective", "lower_bound", "trace"],
)
def test_record_can_be_read_and_not_set(name: str) -> None:
    search = searching()
    with pytest.raises(AttributeError, match=name):
        setattr(search, name, getattr(search, name))


def test_trace_is_a_copy() -> None:
    search = searching()
    search.propose([0] * 7)
    assert isinstance(search.trace, tuple) and len(search.trace) == 1


@pytest.mark.parametrize("servers", [[99], [99] * 7, [-1] * 7, [0.0] * 7, [[0] * 7], "0000000"])
def test_policy_that_is_no_choice_of_servers_is_refused(servers: Any) -> None:
    search = searching()
    with pytest.raises(InvalidPlacement):
        search.policy = servers
    assert search.policy is None and search.evaluations == 0


def test_policy_is_a_copy() -> None:
    search, servers = searching(), np.zeros(7, dtype=np.int64)
    search.policy = servers
    servers[:] = 99
    assert search.policy is not None and search.policy.tolist() == [0] * 7


@pytest.mark.parametrize(
    ("budget", "told"),
    [
        ({"time_limit": "x"}, "time limit: must be a number, not 'x'"),
        ({"target": "x"}, "target: must be a number"),
        ({"max_evaluations": 2.5}, "max evaluations: must be a whole number, not 2.5"),
        ({"max_evaluations": True}, "max evaluations: must be a whole number, not True"),
    ],
    ids=["time", "target", "half", "bool"],
)
def test_budget_of_another_type_is_refused(budget: dict[str, Any], told: str) -> None:
    with pytest.raises(OffbenchError, match=told):
        Budget(**budget)
