"""The agent: its exploration, its transitions, the values that it learns, and what it finds."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from handmade import DELAY_ALONE, instance, layer, link, server, task
from numpy.typing import NDArray
from scipy.stats import binomtest, chisquare

import offbench as ob
from offbench import P1, OffbenchError
from offbench.environment import Episodes
from offbench.model.instance import parse
from offbench.search.metrics import Diary
from offbench.search.parameters import configure
from offbench.search.registry import find
from offbench.solvers._shared.torch import one_thread
from offbench.solvers.dqn import Dqn
from offbench.solvers.dqn.agent import Agent
from offbench.solvers.dqn.fast_learner import FastLearner

EIGHT = (
    "dqn", "double-dqn", "dueling-dqn", "prioritized-dqn", "doublepr-dqn", "duelingpr-dqn", "double-dueling-dqn",
    "ddpqn",
)  # fmt: skip


@pytest.fixture(autouse=True)
def on_one_thread() -> Iterator[None]:
    with one_thread():
        yield


def solver(name: str, **parameters: Any) -> Dqn:
    made = configure(find(name), name, parameters)
    assert isinstance(made, Dqn)
    return made


def agent(name: str, *problems: P1, seed: int = 0, **parameters: Any) -> Agent:
    return Agent(solver(name, **parameters), problems, np.random.default_rng(seed), Diary())


def test_eight_names_are_the_eight_combinations() -> None:
    found = {name: (made.double, made.dueling, made.prioritized) for name in EIGHT for made in [solver(name)]}
    assert len(set(found.values())) == 8
    for name, (double, dueling, prioritized) in found.items():
        assert double == ("double" in name or name == "doublepr-dqn" or name == "ddpqn")
        assert dueling == ("dueling" in name or name == "ddpqn")
        assert prioritized == ("prioritized" in name or "pr-" in name or name == "ddpqn")


@pytest.mark.parametrize("name", EIGHT)
def test_settings_are_the_papers(name: str) -> None:
    paper = {"hidden": (50, 20), "lr": 0.001, "batch": 256, "gamma": 0.8, "greedy": 0.9, "copy_every": 100}
    assert solver(name).model_dump(include=set(paper)) == paper


@pytest.mark.parametrize("name", EIGHT)
def test_values_are_the_exact_ones_of_a_small_process(name: str) -> None:
    # A chain of 3 layers on 3 servers, delay alone: what is still to come depends on layer and last server, which
    # is what the agent sees. So Q can be computed backwards, for the discount of 0.8.
    data = instance(
        [server("phone", "client", ghz=1), server("edge", "edge", ghz=2), server("cloud", "cloud", ghz=8)],
        [link("client", "edge", 2), link("client", "cloud", 0.5), link("cloud", "edge", 1)],
        [task("chain", layer("a", 1, 0.6), layer("b", 2, 0.2, ("a",)), layer("c", 1.5, 0, ("b",)), input_mb=0.4)],
        weights=DELAY_ALONE,
        scales={"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1},
    )
    ghz, mb, gcycles = [1, 2, 8], [0.4, 0.6, 0.2], [1, 2, 1.5]
    rate = np.array([[np.inf, 2, 0.5], [2, np.inf, 1], [0.5, 1, np.inf]])
    exact = np.zeros((4, 3, 3))  # layer, server of the one before, server
    for k in (2, 1, 0):
        for last in range(3):
            for s in range(3):
                exact[k, last, s] = -(gcycles[k] / ghz[s] + mb[k] / rate[last, s]) + 0.8 * exact[k + 1, s].max()
    made = agent(name, P1(parse(data)), greedy=0.2, updates=4, batch=64, copy_every=25, lr=0.003, memory=2000)
    for _ in range(1100):
        made.learn()

    def learnt(state: int, last: int) -> NDArray[np.float32]:
        seen = made.observer.compose(np.full((1, 1), 1 + last, np.float32), np.array([state]))
        values: NDArray[np.float32] = made.learner.values(seen)[0]
        return values

    reached = [(0, 0), *((k, last) for k in (1, 2) for last in range(3))]
    errors = np.array([learnt(k, last) - exact[k, last] for k, last in reached])
    spread = np.ptp(exact[0, 0])
    assert np.abs(errors).max() < 0.06 * spread


def rigged(made: Agent, best: int) -> None:
    """Make one action the best, whatever is seen."""
    assert isinstance(made.learner, FastLearner)
    servers = made.observer.n_servers
    made.learner.values = lambda observations: np.eye(servers, dtype=np.float32)[np.full(len(observations), best)]  # type: ignore[method-assign]


def explored(made: Agent, episodes: Episodes, calls: int, best: int) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.array([made.act(episodes) != best for _ in range(calls)])
    return found


def test_each_episode_has_its_own_coin_and_its_own_action() -> None:
    problem = P1(ob.load("alexnet"))
    made = agent("dqn", problem)
    rigged(made, 4)
    found = explored(made, Episodes(problem, 32, made.observer), 1000, 4)
    # Random actions are the best one 1 time in 11. One coin for all would give 0 or some 29 of 32.
    share = 0.1 * 10 / 11
    assert binomtest(int(found.sum()), found.size, share).pvalue > 1e-4
    assert np.var(found.sum(axis=1)) == pytest.approx(32 * share * (1 - share), rel=0.25)
    actions = np.concatenate([made.act(Episodes(problem, 32, made.observer)) for _ in range(1000)])
    assert chisquare(np.bincount(actions[actions != 4], minlength=11)[[*range(4), *range(5, 11)]]).pvalue > 1e-4


def test_exploration_is_the_same_from_first_to_last() -> None:
    problem = P1(ob.load("tiny-chains"))
    made = agent("dqn", problem, batch=16, updates=1, greedy=0.7)
    episodes = Episodes(problem, 32, made.observer)
    for _ in range(2):
        values = made.learner.values
        rigged(made, 1)
        found = explored(made, episodes, 300, 1)
        assert binomtest(int(found.sum()), found.size, 0.3 * 2 / 3).pvalue > 1e-4
        made.learner.values = values  # type: ignore[method-assign]
        for _ in range(200):
            made.learn()


def test_forbidden_actions_are_never_taken() -> None:
    problem = P1(ob.load("tiny-graphs"))
    assert not problem.allowed.all()
    made = agent("ddpqn", problem, greedy=0.3, batch=16)
    rigged(made, 2)
    placed = []
    for _ in range(40):
        made.learn()  # a step on a server that isn't allowed would be an error
        placed.append(made.placed)
    rows = np.concatenate([*placed, made.candidates()])
    assert problem.allowed[np.arange(problem.n_subtasks), rows].all()


def test_transitions_are_steps_of_one_episode_and_only_its_last_one_ends_it() -> None:
    problems = [P1(ob.load("tiny-chains")), P1(ob.load("tiny-graphs"))]
    made = agent("dqn", *problems, episodes=4, batch=200, memory=1000)
    for _ in range(60):
        made.learn()
    state, _, _, _, discount, following, after = made.replay.state()["columns"]
    assert len(state) == made.steps
    ends = [problems[0].n_subtasks, problems[0].n_subtasks + 1 + problems[1].n_subtasks]
    assert (following == state + 1).all()
    assert not np.isin(state, ends).any()
    assert ((discount == 0) == np.isin(following, ends)).all()
    assert discount[discount > 0] == pytest.approx(0.8)
    # What is seen after an action on server s names it, but where a task begins.
    assert (after[:, 0] >= 1).all()


def test_rewards_of_the_diary_are_minus_the_objectives() -> None:
    problem = P1(ob.load("tiny-chains"))
    made = agent("dqn", problem)
    told: list[float] = []
    made._diary.listeners.append(lambda name, step, value: told.append(value) if name == "reward" else None)
    placed = []
    for _ in range(20):
        made.learn()
        placed.append(made.placed)
    assert -np.array(told) == pytest.approx(ob.evaluate_many(problem, np.concatenate(placed)))


def test_episodes_start_apart() -> None:
    problem = P1(ob.load("alexnet"))
    made = agent("dqn", problem)
    for _ in range(problem.n_subtasks):
        made.learn()
    decided = made._stages[0].episodes.decided
    assert np.bincount(decided, minlength=11).min() >= 1


@pytest.mark.parametrize("layout", ["paper", "full"])
def test_policy_is_the_networks(layout: str) -> None:
    problem = P1(ob.load("tiny-graphs"))
    made = agent("ddpqn", problem, observation=layout, batch=16)
    for _ in range(30):
        made.learn()
    greedy = made.policy.place(problem, 1, np.random.default_rng(0))[0]
    assert made.candidates()[0].tolist() == greedy.tolist()
    episodes = Episodes(problem, 1, made.observer)
    for server_chosen in greedy:
        values = made.learner.values(episodes.observe())[0]
        assert server_chosen == np.where(problem.allowed[episodes.decided[0]], values, -np.inf).argmax()
        episodes.step(np.array([server_chosen]))


def test_same_seed_same_run_bit_for_bit() -> None:
    def run(seed: int) -> Agent:
        made = agent("ddpqn", P1(ob.load("alexnet")), seed=seed, batch=64)
        for _ in range(40):
            made.learn()
        return made

    one, two, other = run(5), run(5), run(6)
    assert torch.equal(*(each.learner.state()["online"] for each in (one, two)))
    assert not torch.equal(*(each.learner.state()["online"] for each in (one, other)))
    for mine, theirs in zip(one.replay.state()["columns"], two.replay.state()["columns"], strict=True):
        assert np.array_equal(mine, theirs)
    assert one.replay.state()["sampler"]["tree"].tobytes() == two.replay.state()["sampler"]["tree"].tobytes()


def test_same_seed_same_solution() -> None:
    one, two, other = (
        ob.solve("alexnet", "ddpqn", seed=seed, max_evaluations=300, parameters={"batch": 32}) for seed in (5, 5, 6)
    )
    assert [point[1:] for point in one.trace] == [point[1:] for point in two.trace]
    assert [point[1:] for point in one.trace] != [point[1:] for point in other.trace]
    assert one.curves == two.curves
    assert {"loss", "reward"} <= one.curves.keys()
    assert all(a[0] < b[0] for points in one.curves.values() for a, b in pairwise(points))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_device_that_is_not_there_is_a_users_mistake() -> None:
    with pytest.raises(OffbenchError, match="no CUDA device"):
        ob.solve("tiny-chains", "ddpqn", parameters={"device": "cuda"})


def test_memory_smaller_than_a_batch_is_refused() -> None:
    with pytest.raises(OffbenchError, match="parameter memory: must hold a batch of 256, not 100"):
        ob.solve("tiny-chains", "ddpqn", parameters={"memory": "100"})
