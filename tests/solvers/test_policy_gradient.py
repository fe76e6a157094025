"""The policy gradient of ddpqn-plus: advantages by hand, what it learns against the best."""

from io import BytesIO
from itertools import product
from typing import Any

import numpy as np
import pytest

from offbench import P1, Budget, Search, evaluate, load, solve
from offbench.evaluation.evaluator import prefix_totals
from offbench.evaluation.kernel import TOTAL
from offbench.model.problem import Problem
from offbench.search.metrics import Diary
from offbench.solvers.ddpqn_plus import DdpqnPlus
from offbench.solvers.ddpqn_plus.agent import Agent
from offbench.solvers.ddpqn_plus.features import ProblemFeatures, ServerObserver
from offbench.solvers.ddpqn_plus.network import Shape
from offbench.solvers.ddpqn_plus.policy_gradient import Rollouts, advantages_of

SMALL: dict[str, Any] = {"episodes": 8, "batch": 16, "memory": 512, "hidden": (6, 5), "rollouts": 8}


def test_advantages_by_hand() -> None:
    rewards = np.array([[1.0, 0.0], [2.0, 4.0]])
    # Returns with a discount of a half are 2 and 2, then 2 and 4; less their means 0, 0, -1 and 1, which deviate by
    # the root of a half.
    np.testing.assert_allclose(advantages_of(rewards, 0.5), np.sqrt(2) * np.array([[0, 0], [-1, 1]]))
    assert (advantages_of(np.ones((3, 4)), 0.9) == 0).all()


def rollouts_of(name: str, **settings: Any) -> tuple[Rollouts, DdpqnPlus, ProblemFeatures]:
    problem, chosen = P1(load(name)), DdpqnPlus(**SMALL | settings)
    facts = ProblemFeatures(problem, problem.everything_on(problem.arrays.client))
    return Rollouts(Search(problem), ServerObserver([problem]), 0, facts, chosen), chosen, facts


@pytest.mark.parametrize("segment", [4, 9, 500])
def test_every_step_is_learnt_from_once_with_what_follows_it(segment: int) -> None:
    rollouts, settings, facts = rollouts_of("alexnet", segment=segment)
    problem, shape, rng = facts.problem, Shape(6, 5, True), np.random.default_rng(2)
    weights = shape.draw(rng)
    taken: list[Any] = []
    starts, kept = [], 0
    while True:
        rollouts.step(shape, weights, rng)
        kept += 1
        if rollouts.due:
            assert rollouts.ended or kept == 2 * segment
            starts.append(sum(len(each[2]) for each in taken) // settings.rollouts)
            taken.append(rollouts.take())
            kept -= len(taken[-1][2]) // settings.rollouts
        if rollouts.ended:
            break
    assert kept == 0
    servers = np.concatenate([actions.reshape(-1, settings.rollouts) for _, _, actions, _ in taken]).T
    found = rollouts.search.propose_many(servers)
    assert rollouts.search.objective == min(found)
    assert (servers == rollouts._episodes.servers).all()
    assert problem.allowed[np.arange(problem.n_subtasks), servers].all()
    # Returns from prefixes, each scored alone, as far as they were seen.
    n, gamma = problem.n_subtasks, settings.gradient_gamma
    q = np.array([[0.0, *(prefix(problem, row, k) for k in range(1, n + 1))] for row in servers[1:]]).T
    rewards = -np.diff(q, axis=0) / facts.unit
    for start, (_, _, actions, advantages) in zip(starts, taken, strict=True):
        used = len(actions) // settings.rollouts
        expected = advantages_of(rewards[start : start + 2 * segment], gamma)[:used]
        np.testing.assert_allclose(advantages.reshape(used, -1)[:, 1:], expected, atol=1e-4)
        assert (advantages.reshape(used, -1)[:, 0] == 0).all()


def prefix(problem: Problem, servers: np.ndarray, decided: int) -> float:
    return float(prefix_totals(problem, servers[None, :decided])[0, TOTAL.objective])


def test_it_learns_the_best_of_a_small_chain() -> None:
    problem = P1(load("tiny-graphs"))
    search = Search(problem, seed=4)
    settings = DdpqnPlus(**SMALL | {"gradient": 1, "gradient_gamma": 1, "rollouts": 32, "gradient_lr": 0.01})
    agent = Agent(settings, [search], search.rng, Diary())
    best = min(
        evaluate(problem, placed).objective
        for placed in product(range(problem.n_servers), repeat=problem.n_subtasks)
        if problem.allowed[np.arange(problem.n_subtasks), placed].all()
    )
    client = search.client_only
    while agent.steps < 32 * problem.n_subtasks * 150:
        agent.learn()
    assert search.policy is not None
    missed = (evaluate(problem, search.policy).objective - best) / (client - best)
    assert missed < 0.05
    first = agent.policy.place(problem, 1, np.random.default_rng(0))[0]
    assert (evaluate(problem, first).objective - best) / (client - best) < 0.05


def test_it_takes_its_share_of_the_evaluations_and_leaves_the_rest_to_windows() -> None:
    problem = P1(load("tiny-graphs"))
    search = Search(problem, Budget(max_evaluations=400), seed=5)
    agent = Agent(DdpqnPlus(**SMALL | {"longest": 2}), [search], search.rng, Diary())
    rounds = agent._rounds[0]
    while search.progress < 0.5:
        assert agent._gradient is not None
        agent.learn()
    agent.learn()
    assert agent._gradient is None
    # Windows begin in the best placement met, which the policy gradient found or the start.
    assert search.incumbent is not None
    assert not rounds._whole
    assert rounds._base_merit == pytest.approx(search.objective)
    assert evaluate(problem, rounds.base).objective == pytest.approx(search.objective)


def test_without_a_limit_it_is_everything_or_nothing() -> None:
    search = Search(P1(load("tiny-graphs")))
    for share, there in ((0, False), (0.5, False), (1, True)):
        agent = Agent(DdpqnPlus(**SMALL | {"gradient": share}), [search], search.rng, Diary())
        assert (agent._gradient is not None) is there
    for _ in range(200):
        agent.learn()
    assert agent._gradient is not None


def test_a_round_that_the_stage_ends_in_is_completed_by_the_best_placement() -> None:
    problem = P1(load("alexnet"))
    search = Search(problem, Budget(max_evaluations=10_000), seed=6)
    agent = Agent(DdpqnPlus(**SMALL), [search], search.rng, Diary())
    assert agent._gradient is not None and search.incumbent is not None
    before, best = search.evaluations, search.incumbent.servers
    for _ in range(3):
        agent.learn()
    assert search.evaluations == before
    agent._gradient.propose()
    assert search.evaluations == before + SMALL["rollouts"]
    assert (agent._gradient._rollouts[0]._episodes.servers[:, 3:] == best[3:]).all()


def test_a_training_by_gradient_goes_on_bit_for_bit() -> None:
    problems = [P1(load(name)) for name in ("tiny-graphs", "alexnet", "camera")]

    def begun() -> Agent:
        settings = DdpqnPlus(**SMALL | {"gradient": 1, "segment": 4})
        return settings.training(problems, np.random.default_rng(12), Diary())

    through, stopped, resumed = begun(), begun(), begun()
    kept, ends = BytesIO(), [BytesIO(), BytesIO()]
    for moves in range(150):
        through.learn()
        if moves < 83:
            stopped.learn()
    stopped.save(kept)
    kept.seek(0)
    resumed.load(kept)
    while resumed.steps < through.steps:
        resumed.learn()
    through.save(ends[0])
    resumed.save(ends[1])
    assert ends[0].getvalue() == ends[1].getvalue()
    assert through._gradient is not None and through._gradient.updates > 20


@pytest.mark.parametrize("settings", [{}, {"gradient": 0}, {"gradient": 1}, {"segment": 3}, {"entropy": 0}], ids=str)
def test_the_same_seed_gives_the_same_run(settings: dict[str, Any]) -> None:
    runs = [
        solve("tiny-graphs", "ddpqn-plus", parameters=SMALL | settings, seed=3, max_evaluations=400) for _ in range(2)
    ]
    assert [point[1:] for point in runs[0].trace] == [point[1:] for point in runs[1].trace]
