"""What a policy is worth beside what needs no learning."""

import numpy as np
import pytest

from offbench import P1, Search, evaluate, load, solve
from offbench.learning.policy_check import look_at, shares
from offbench.runs.summary import as_text


def test_constant_policy_is_called_one() -> None:
    problem = P1(load("tiny-graphs"))
    assert not problem.allowed.all()
    for s in range(problem.n_servers):
        found = look_at(problem, problem.everything_on(s))
        assert found.constant
        assert found.warnings[0] == "the policy is one constant action"
    mixed = problem.everything_on(0)
    mixed[-1] = 1
    assert problem.allowed[-1, :2].all()
    assert not look_at(problem, mixed).constant


def test_policy_is_compared_with_what_needs_no_learning() -> None:
    problem = P1(load("alexnet"))
    on_client = evaluate(problem, problem.everything_on(problem.arrays.client)).objective
    found = look_at(problem, problem.everything_on(3))
    assert found.baselines == {
        name: solve("alexnet", name).objective for name in ("client-only", "best-edge", "best-cloud", "greedy")
    }
    assert found.baselines["client-only"] == on_client
    beaten_by = {name for name, q in found.baselines.items() if q < found.objective}
    assert "greedy" in beaten_by
    assert all((f"{name} (" in found.warnings[1]) == (name in beaten_by) for name in found.baselines)


def test_the_best_policy_has_no_warnings() -> None:
    problem = P1(load("tiny-chains"))
    search = Search(problem)
    search.propose_many(np.stack(np.meshgrid(*[range(3)] * 6), axis=-1).reshape(-1, 6))
    assert search.incumbent is not None
    assert look_at(problem, search.incumbent.servers).warnings == []


def test_shares_are_of_the_subtasks() -> None:
    instance = load("tiny-chains")
    assert shares(instance, np.array([0, 0, 0, 1, 1, 2])) == {
        server.name: pytest.approx(share) for server, share in zip(instance.servers, (1 / 2, 1 / 3, 1 / 6), strict=True)
    }


def test_result_tells_of_the_policy() -> None:
    solution = solve("alexnet", "ddpqn", max_evaluations=100, parameters={"batch": 32, "episodes": 8})
    assert solution.learnt is not None
    facts = solution.to_dict()
    assert sum(facts["shares"].values()) == pytest.approx(1)
    assert sum(facts["policy"]["shares"].values()) == pytest.approx(1)
    assert facts["policy"]["objective"] == evaluate(P1(solution.instance), solution.learnt.servers).objective
    assert facts["warnings"] == solution.learnt.warnings
    for warning in solution.warnings:
        assert warning[:40] in as_text(solution)
    assert solve("alexnet", "greedy").to_dict()["policy"] is None
