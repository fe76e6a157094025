"""DDPQN: its parts against exact values, and what it learns against brute force."""

import json

import numpy as np
import plain
import pytest
import torch
from offbench.solvers.ddpqn import Ddpqn
from offbench.solvers.ddpqn.network import DuelingNetwork, double_target
from offbench.solvers.ddpqn.replay import PrioritisedReplay, Transitions
from offbench.solvers.ddpqn.training import Agent, candidates, run_episode
from scipy.stats import chisquare

import offbench as ob
from offbench import P1, OffbenchError, Search
from offbench.environment import OffloadingEnv
from offbench.instance import parse


class Table(torch.nn.Module):
    """A network whose Q-values are given, whatever it sees."""

    def __init__(self, values: list[list[float]]) -> None:
        super().__init__()
        self.values = torch.tensor(values, dtype=torch.float32)

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        return self.values


def test_target_is_the_target_networks_value_of_the_online_networks_action() -> None:
    online = Table([[1, 5, 3], [9, 2, 8], [1, 5, 3]])
    target = Table([[10, 20, 30], [40, 50, 60], [10, 20, 30]])
    goal = double_target(
        online,
        target,
        reward=torch.tensor([0.5, -1.0, 2.0]),
        next_observation=torch.zeros(3, 1),
        next_allowed=torch.tensor([[True, True, True], [False, True, True], [True, True, True]]),
        terminal=torch.tensor([False, False, True]),
        gamma=0.8,
    )
    # DQN would take 30 in the first row. In the second, action 0 is forbidden. A terminal state is worth its reward.
    assert goal.tolist() == pytest.approx([0.5 + 0.8 * 20, -1 + 0.8 * 60, 2.0])


def test_value_is_the_mean_of_a_dueling_networks_q_values() -> None:
    torch.manual_seed(0)
    network = DuelingNetwork(4, (8, 6), 3)
    x = torch.randn(5, 4)
    features = torch.relu(network.second(torch.relu(network.first(x))))
    value = network.heads(features)[:, 3]
    assert torch.allclose(network(x).mean(dim=1), value, atol=1e-6)


def filled(priorities: list[float], omega: float = 1.0, beta: float = 0.4) -> PrioritisedReplay:
    """Return a replay whose transitions have these priorities."""
    replay = PrioritisedReplay(Transitions(len(priorities), 1, 2), omega, beta, np.random.default_rng(0))
    for i in range(len(priorities)):
        replay.add(np.zeros(1, np.float32), 0, float(i), np.zeros(1, np.float32), np.ones(2, bool), False)
    replay.update(np.arange(len(priorities)), np.array(priorities, dtype=np.float32))
    return replay


@pytest.mark.parametrize("omega", [0.0, 0.6, 1.0])
def test_transitions_are_drawn_in_proportion_to_their_priorities(omega: float) -> None:
    priorities = [1.0, 2.0, 3.0, 10.0, 0.5, 7.0, 4.0]
    replay = filled(priorities, omega)
    # Batches of one: within a batch draws are stratified, which a chi-square test doesn't expect.
    drawn = np.concatenate([replay.sample(1)[0] for _ in range(20_000)])
    counts = np.bincount(drawn, minlength=len(priorities))
    expected = np.array(priorities) ** omega
    assert chisquare(counts, expected / expected.sum() * len(drawn)).pvalue > 1e-4


def test_importance_weights_undo_the_priorities_at_beta_1() -> None:
    replay = filled([1.0, 2.0, 3.0, 10.0], beta=1.0)
    indices, weights = replay.sample(4096)
    values = np.array([5.0, -1.0, 2.0, 7.0])
    assert np.average(values[indices], weights=weights) == pytest.approx(values.mean(), rel=0.02)


def test_a_batch_may_set_one_transition_twice() -> None:
    replay = filled([1.0, 1.0, 1.0, 1.0])
    replay.update(np.array([2, 2, 0]), np.array([5.0, 3.0, 0.0], dtype=np.float32))
    # The last value counts: 0, 1, 3, 1.
    drawn = np.concatenate([replay.sample(1)[0] for _ in range(5000)])
    counts = np.bincount(drawn, minlength=4)
    assert counts[0] == 0
    assert chisquare(counts[1:], np.array([1, 3, 1]) / 5 * len(drawn)).pvalue > 1e-4


def test_full_replay_forgets_the_oldest() -> None:
    replay = filled([1.0, 1.0, 1.0])
    replay.add(np.zeros(1, np.float32), 1, 9.0, np.zeros(1, np.float32), np.ones(2, bool), True)
    assert replay.size == 3
    assert replay.transitions.reward.tolist() == [9.0, 1.0, 2.0]


def test_policy_learns_the_best_placement_of_a_chain() -> None:
    # One chain without balance: the next cost depends on the previous action alone, which the agent sees.
    data = json.loads(ob.load("tiny-chains").to_text())
    data["tasks"] = data["tasks"][:1]
    data["weights"] |= {"score": 1, "coordination": 0, "balance": 0}
    optimum, servers = plain.brute_force(data)
    worst = plain.evaluate(plain.prepare(data), [["cloud", "client", "cloud"]])["objective"]
    problem = P1(parse(data))
    search = Search(problem, seed=1)
    env = OffloadingEnv(problem)
    agent = Agent(Ddpqn(candidates=1, batch=64, gamma=1), env.width, problem.n_servers, search.rng)
    for _ in range(400):
        run_episode(agent, env, search)
    greedy = search.propose(candidates(agent, env, search)[0])
    assert greedy == pytest.approx(optimum, abs=0.02 * (worst - optimum)), servers


def test_actions_that_are_not_allowed_are_never_taken() -> None:
    problem = P1(ob.load("tiny-graphs"))
    solution = ob.solve("tiny-graphs", "ddpqn", max_evaluations=2000, parameters={"greedy": 0.2})
    assert solution.placement is not None
    env = OffloadingEnv(problem)
    search = Search(problem)
    agent = Agent(Ddpqn(), env.width, problem.n_servers, search.rng)
    rows = candidates(agent, env, search)
    assert problem.allowed[np.arange(problem.n_subtasks), rows].all()


def test_same_seed_same_run() -> None:
    one, two, other = (
        ob.solve("alexnet", "ddpqn", seed=seed, max_evaluations=60 * 9, parameters={"candidates": 8, "batch": 32})
        for seed in (5, 5, 6)
    )
    assert one.placement is not None
    assert two.placement is not None
    assert [point[1:] for point in one.trace] == [point[1:] for point in two.trace]
    assert one.placement.servers.tolist() == two.placement.servers.tolist()
    assert [point[1:] for point in one.trace] != [point[1:] for point in other.trace]


def test_settings_are_the_papers() -> None:
    paper = {"hidden": (50, 20), "lr": 0.001, "batch": 256, "gamma": 0.8, "greedy": 0.9, "copy_every": 100}
    assert Ddpqn().model_dump(include=set(paper)) == paper


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_device_that_is_not_there_is_a_users_mistake() -> None:
    with pytest.raises(OffbenchError, match="no CUDA device"):
        ob.solve("tiny-chains", "ddpqn", parameters={"device": "cuda"})


def test_memory_smaller_than_a_batch_is_refused() -> None:
    with pytest.raises(OffbenchError, match="parameter memory: must hold a batch of 256, not 100"):
        ob.solve("tiny-chains", "ddpqn", parameters={"memory": "100"})
