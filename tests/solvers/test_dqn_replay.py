"""The replay: how it draws, what it forgets, and which transitions stand in it."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.stats import chisquare

from offbench import P1, load
from offbench.environment import Observer
from offbench.solvers.dqn.batch import Batch, Learning, Switches
from offbench.solvers.dqn.fast_learner import FastLearner
from offbench.solvers.dqn.n_step import NStepQueue
from offbench.solvers.dqn.network import seeded_network
from offbench.solvers.dqn.reference_learner import ReferenceLearner
from offbench.solvers.dqn.replay import Replay, Transitions
from offbench.solvers.dqn.sampling import Prioritized, Uniform

Floats = NDArray[Any]


def filled(priorities: list[float], omega: float = 1.0, beta: float = 0.4) -> Prioritized:
    """Return a sampler whose slots have these priorities."""
    sampler = Prioritized(len(priorities), omega, beta)
    slots = np.arange(len(priorities))
    sampler.added(slots)
    sampler.learnt(slots, np.array(priorities, dtype=np.float32))
    return sampler


def counts(sampler: Prioritized | Uniform, size: int, draws: int) -> Floats:
    # Batches of one: within a batch draws are stratified, which a chi-square test doesn't expect.
    rng = np.random.default_rng(0)
    return np.bincount(np.concatenate([sampler.draw(size, 1, rng)[0] for _ in range(draws)]), minlength=size)


@pytest.mark.parametrize("omega", [0.0, 0.6, 1.0])
def test_slots_are_drawn_in_proportion_to_their_priorities(omega: float) -> None:
    priorities = [1.0, 2.0, 3.0, 10.0, 0.5, 7.0, 4.0]
    found = counts(filled(priorities, omega), 7, 20_000)
    expected = np.array(priorities) ** omega
    assert chisquare(found, expected / expected.sum() * 20_000).pvalue > 1e-4


def test_without_priorities_all_are_drawn_alike_with_weights_of_one() -> None:
    assert chisquare(counts(Uniform(), 7, 7000)).pvalue > 1e-4
    assert Uniform().draw(7, 100, np.random.default_rng(0))[1].tolist() == [1.0] * 100


def test_a_batch_may_have_a_slot_twice() -> None:
    sampler = filled([1.0, 1.0, 1.0, 1.0])
    sampler.learnt(np.array([2, 2, 0]), np.array([5.0, 3.0, 0.0], dtype=np.float32))
    # The last value counts: 0, 1, 3, 1. Every sum in the tree is that of its children.
    found = counts(sampler, 4, 5000)
    assert found[0] == 0
    assert chisquare(found[1:], np.array([1, 3, 1]) / 5 * 5000).pvalue > 1e-4
    tree = np.asarray(sampler.state()["tree"])
    assert [tree[i] for i in range(1, 4)] == [tree[2 * i] + tree[2 * i + 1] for i in range(1, 4)]


def test_new_slots_have_the_highest_priority_so_far() -> None:
    sampler = Prioritized(4, 1.0, 0.4)
    sampler.added(np.arange(2))
    sampler.learnt(np.arange(2), np.array([6.0, 2.0], dtype=np.float32))
    sampler.added(np.array([2]))
    assert chisquare(counts(sampler, 3, 5000), np.array([6, 2, 6]) / 14 * 5000).pvalue > 1e-4


@pytest.mark.parametrize("loss", ["mse", "huber"])
@pytest.mark.parametrize("kind", ["fast", "reference"])
def test_weighted_gradient_is_the_uniform_mean_at_beta_1(kind: str, loss: str) -> None:
    # 20 transitions, drawn by priorities that differ by a factor of 100; weights at beta 1 undo that in the mean.
    size, rows = 20, 20_000
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(2, size, 4)).astype(np.float32)
    actions, rewards = rng.integers(3, size=size), rng.normal(scale=2, size=size).astype(np.float32)
    sampler = filled(np.geomspace(0.1, 10, size).tolist(), beta=1.0)

    def gradient(slots: Floats, weights: Floats) -> Floats:
        batch = Batch.empty(len(slots), 4, 3)
        batch.observations[:] = np.concatenate([seen[0][slots], seen[1][slots]])
        batch.actions, batch.rewards, batch.weights = actions[slots], rewards[slots], weights.astype(np.float32)
        batch.discounts[:] = 0.8
        learning = Learning(Switches(True, True, True), 1e-3, "mse" if loss == "mse" else "huber", 100)
        network = seeded_network(np.random.default_rng(1), 4, (6, 5), 3, dueling=True)
        if kind == "fast":
            fast = FastLearner(network, learning, len(slots))
            fast.update(batch)
            return np.array(fast._gradient)
        slow = ReferenceLearner(network, learning, torch.device("cpu"))
        slow.update(batch)
        return np.concatenate([np.asarray(each.grad).reshape(-1) for each in slow.online.parameters()])

    uniform = gradient(np.arange(size), np.ones(size))
    slots, weights = sampler.draw(size, rows, rng)
    assert weights.max() == 1
    weighted = gradient(slots, weights) / weights.mean()
    assert np.linalg.norm(weighted - uniform) < 0.02 * np.linalg.norm(uniform)
    # Without the weights it is another one.
    assert np.linalg.norm(gradient(slots, np.ones(rows)) - uniform) > 0.2 * np.linalg.norm(uniform)


def transitions(states: list[int]) -> Transitions:
    """Return transitions from these states of tiny-chains, with the state as reward."""
    count = len(states)
    state = np.array(states)
    dynamic = np.ones((count, 1), dtype=np.float32)
    ones = np.ones(count, dtype=np.float32)
    return Transitions(state, dynamic, np.zeros(count, np.int64), state.astype(np.float32), ones, state + 1, dynamic)


def test_full_replay_forgets_the_oldest() -> None:
    replay = Replay(3, Observer([P1(load("tiny-chains"))]), Uniform())
    replay.add(transitions([0, 1]))
    replay.add(transitions([2, 3, 4]))
    assert replay.size == 3
    assert sorted(replay.state()["columns"][0].tolist()) == [2, 3, 4]
    assert replay.state()["columns"][0].tolist() == [3, 4, 2]


def test_batch_has_the_observations_the_environment_showed() -> None:
    problem = P1(load("tiny-graphs"))
    observer = Observer([problem])
    replay = Replay(10, observer, Uniform())
    replay.add(transitions([0, 1, 2]))
    batch = Batch.empty(16, observer.width, observer.n_servers)
    slots = replay.draw(batch, np.random.default_rng(0))
    for row, slot in enumerate(slots):
        dynamic = np.ones((1, 1), dtype=np.float32)
        assert batch.observations[row].tolist() == observer.compose(dynamic, np.array([slot]))[0].tolist()
        assert batch.observations[16 + row].tolist() == observer.compose(dynamic, np.array([slot + 1]))[0].tolist()
        assert batch.allowed[row].tolist() == problem.allowed[slot + 1].tolist()


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_rewards_of_n_steps_add_up_and_stop_at_the_end(n: int) -> None:
    # Episodes of 3, the second one begins a step later; reward = 10 * (row + 1) + step.
    gamma, length, made = 0.5, 3, []
    steps, decided = NStepQueue(n, gamma), np.zeros(2, dtype=np.int64)
    for time in range(7):
        active = np.array([True, time >= 1])
        before = decided.copy()
        decided += active
        rewards = np.where(active, 10.0 * (np.arange(2) + 1) + before, 0)
        ended = decided == length
        dynamic = np.zeros((2, 1), np.float32)
        state, after = before + 100 * np.arange(2), decided + 100 * np.arange(2)
        made.append(steps.add((state, dynamic), np.arange(2), rewards, (after, dynamic), ended, active))
        decided[ended] = 0
    every = Transitions.join(made)
    for i in range(len(every)):
        row, start = divmod(int(every.state[i]), 100)
        end = int(every.next_state[i]) - 100 * row
        assert end == min(start + n, length)
        assert every.action[i] == row
        assert every.reward[i] == pytest.approx(
            sum(gamma**j * (10 * (row + 1) + start + j) for j in range(end - start))
        )
        assert every.discount[i] == (0 if end == length else pytest.approx(gamma**n))
    # Two whole episodes of each row, and what is complete of the next.
    complete = {0: 1 if n == 1 else 0, 1: 0}
    for row in (0, 1):
        assert sum(every.state // 100 == row) == 2 * length + complete[row]
