"""Subtasks appended one after another, held against the evaluator on the same prefixes."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import instances

from experiments._shared.tiny_format2 import tiny_data
from experiments._shared.wide import wide_constrained, wide_instance
from offbench import P1, Search, evaluate, load
from offbench.errors import InvalidPlacement
from offbench.evaluation.evaluator import prefix_totals
from offbench.evaluation.kernel import PART, TOTAL
from offbench.evaluation.prefixes import Prefixes
from offbench.model.instance import Instance, parse
from offbench.model.problem import Problem

Ints = NDArray[np.int64]

# Memories are added up in another order; all else is the same to the last digit.
MEMORY = [TOTAL.violation, TOTAL.memory_violation]
DRAWN = st.one_of(
    instances(max_tasks=4, max_layers=6).map(parse),
    st.integers(0, 10_000).map(lambda seed: parse(tiny_data(seed))),
    st.integers(0, 10_000).map(wide_instance),
    st.integers(0, 10_000).map(wide_constrained),
)


def drawn_servers(problem: Problem, rows: int, seed: int) -> Ints:
    rng = np.random.default_rng(seed)
    return np.array(
        [[rng.choice(np.flatnonzero(allowed)) for allowed in problem.allowed] for _ in range(rows)], dtype=np.int64
    )


def assert_same(found: NDArray[np.float64], wanted: NDArray[np.float64]) -> None:
    others = np.setdiff1d(np.arange(found.shape[1]), MEMORY)
    np.testing.assert_array_equal(found[:, others], wanted[:, others])
    np.testing.assert_allclose(found[:, MEMORY], wanted[:, MEMORY], rtol=1e-12, atol=1e-14)


@given(DRAWN, st.integers(0, 100))
def test_each_server_for_the_next_subtask_comes_to_what_the_evaluator_says(instance: Instance, seed: int) -> None:
    problem = P1(instance)
    servers, prefixes = drawn_servers(problem, 1, seed)[0], Prefixes(problem)
    for k in range(problem.n_subtasks):
        found = prefixes.next_totals(servers, k)
        allowed = problem.allowed[k]
        candidates = np.repeat(servers[None, : k + 1], allowed.sum(), axis=0)
        candidates[:, k] = np.flatnonzero(allowed)
        assert_same(found[allowed], prefix_totals(problem, candidates))
        assert (found[~allowed] == np.inf).all()


@given(DRAWN, st.integers(0, 100))
def test_rows_go_on_from_anywhere_in_steps_of_any_length(instance: Instance, seed: int) -> None:
    problem, rng = P1(instance), np.random.default_rng(seed)
    n = problem.n_subtasks
    servers, prefixes = drawn_servers(problem, 3, seed), Prefixes(problem, 3)
    decided, completion = np.zeros(3, np.int64), np.zeros((3, n))
    while (decided < n).any():
        active = rng.random(3) < 0.7
        decided = rng.integers(decided, n + 1)
        decided = np.where(active, decided, prefixes.decided).astype(np.int64)
        found = prefixes.go_on(servers, decided, active, completion)
        for row in np.flatnonzero(active):
            assert_same(found[row : row + 1], prefix_totals(problem, servers[row : row + 1, : decided[row]]))
    for each in range(3):
        parts = evaluate(problem, servers[each]).parts
        np.testing.assert_allclose(completion[each], parts[:, PART.completion_s], rtol=1e-14)


@pytest.mark.parametrize("name", ["alexnet-x10", "mixed-4", "googlenet", "phones"])
def test_what_is_tried_leaves_nothing_behind(name: str) -> None:
    """Greedy on the shipped instances, where subtasks wait: each choice is the evaluator's, and so is the end."""
    problem = P1(load(name))
    chosen, prefixes = np.zeros(problem.n_subtasks, np.int64), Prefixes(problem)
    prefixes.choose(chosen, problem.n_subtasks, 10**9)
    assert prefixes.decided[0] == problem.n_subtasks
    for k in range(0, problem.n_subtasks, 7):
        candidates = np.repeat(chosen[None, : k + 1], problem.n_servers, axis=0)
        candidates[:, k] = np.arange(problem.n_servers)
        rows = candidates[problem.allowed[k]]
        totals = prefix_totals(problem, rows)
        merits = problem.merit(totals[:, TOTAL.objective], totals[:, TOTAL.violation])
        assert chosen[k] == rows[merits.argmin(), k]
    assert_same(prefixes.go_on(chosen[None], prefixes.decided.astype(np.int64)), prefix_totals(problem, chosen[None]))


def test_other_servers_than_before_are_scored_anew() -> None:
    problem = P1(load("mixed-4"))
    search, rng = Search(problem), np.random.default_rng(1)
    servers = drawn_servers(problem, 1, 0)[0]
    for decided in (5, 6, 40, 3, 200, 199, 0, 250):
        servers[int(rng.integers(problem.n_subtasks))] = 0
        candidates = np.repeat(servers[None, : decided + 1], problem.n_servers, axis=0)
        candidates[:, decided] = np.arange(problem.n_servers)
        wanted = prefix_totals(problem, candidates)[:, TOTAL.objective]
        assert search.next_objectives(servers, decided).tolist() == wanted.tolist()


def test_a_prefix_with_a_server_that_is_not_there_is_refused() -> None:
    search = Search(P1(load("alexnet")))
    for wrong in (11, -1):
        servers: Any = np.array([0, wrong, 0, 0, 0, 0, 0, 0, 0, 0, 0])
        with pytest.raises(InvalidPlacement, match=f"server {wrong}, but there are 11"):
            search.next_objectives(servers, 3)
    assert np.isfinite(search.next_objectives(np.zeros(11, np.int32), 3)).all()
