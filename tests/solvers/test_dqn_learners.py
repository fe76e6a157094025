"""The two learners: targets by hand, weights in every loss, the fast one against autograd and finite differences."""

from itertools import product

import numpy as np
import pytest
import torch

from offbench.solvers.dqn.batch import Batch, Learner, Learning, Switches
from offbench.solvers.dqn.fast_learner import FastLearner
from offbench.solvers.dqn.network import QNetwork, seeded_network
from offbench.solvers.dqn.reference_learner import ReferenceLearner, bootstrap_target, weighted_loss

WIDTH, ACTIONS, ROWS = 7, 5, 32
ALL_SWITCHES = [Switches(*each) for each in product([False, True], repeat=3)]
every_combination = pytest.mark.parametrize(
    "learning", [Learning(switches, 1e-3, loss, 7) for switches in ALL_SWITCHES for loss in ("mse", "huber")], ids=str
)
both_losses = pytest.mark.parametrize("loss", ["mse", "huber"])


class Table(torch.nn.Module):
    """A network whose Q-values are given, whatever it sees."""

    def __init__(self, values: list[list[float]]) -> None:
        super().__init__()
        self.values = torch.tensor(values, dtype=torch.float32)

    def forward(self, observation: torch.Tensor) -> torch.Tensor:
        return self.values.clone()


def learners(learning: Learning) -> tuple[FastLearner, ReferenceLearner[QNetwork]]:
    """Return both, with the same first weights."""
    network = seeded_network(np.random.default_rng(3), WIDTH, (12, 9), ACTIONS, learning.switches.dueling)
    return FastLearner(network, learning, ROWS), ReferenceLearner(network, learning, torch.device("cpu"))


def drawn(rng: np.random.Generator, weighted: bool = True) -> Batch:
    """Return a batch with forbidden actions, ends, and errors on both sides of 1."""
    batch = Batch.empty(ROWS, WIDTH, ACTIONS)
    batch.observations[:] = rng.normal(size=(2 * ROWS, WIDTH))
    batch.actions = rng.integers(ACTIONS, size=ROWS)
    batch.rewards = rng.normal(scale=2, size=ROWS).astype(np.float32)
    batch.discounts = np.where(rng.random(ROWS) < 0.2, 0, 0.8).astype(np.float32)
    batch.allowed = rng.random((ROWS, ACTIONS)) < 0.7
    batch.allowed[:, 2] = True
    if weighted:
        batch.weights = rng.uniform(0.1, 1, size=ROWS).astype(np.float32)
    return batch


def flat_parameters(network: QNetwork) -> torch.Tensor:
    return torch.cat([parameter.detach().reshape(-1) for parameter in network.parameters()])


def test_doubles_target_is_the_target_networks_value_of_the_online_networks_action() -> None:
    online = Table([[1, 5, 3], [9, 2, 8], [1, 5, 3]])
    target = Table([[10, 20, 30], [40, 50, 60], [10, 20, 30]])
    facts = (
        torch.tensor([0.5, -1.0, 2.0]),
        torch.tensor([0.8, 0.8, 0.0]),
        torch.zeros(3, 1),
        torch.tensor([[True, True, True], [False, True, True], [True, True, True]]),
    )
    # In the first row the two differ: 20 is the target's value of what the online network likes best, 30 its own
    # best. In the second, action 0 is forbidden. The third ends the episode: its reward alone.
    assert bootstrap_target(online, target, *facts).tolist() == pytest.approx([0.5 + 0.8 * 20, -1 + 0.8 * 60, 2.0])
    assert bootstrap_target(None, target, *facts).tolist() == pytest.approx([0.5 + 0.8 * 30, -1 + 0.8 * 60, 2.0])


def test_forbidden_actions_dont_count_even_where_they_would_be_best() -> None:
    target = Table([[1, 99]])
    facts = (torch.tensor([0.0]), torch.tensor([1.0]), torch.zeros(1, 1), torch.tensor([[True, False]]))
    assert bootstrap_target(None, target, *facts).tolist() == [1]
    assert bootstrap_target(Table([[0, 5]]), target, *facts).tolist() == [1]


def test_value_is_the_mean_of_a_dueling_networks_q_values() -> None:
    network = seeded_network(np.random.default_rng(0), 4, (8, 6), 3, dueling=True)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(0))
    features = torch.relu(network.second(torch.relu(network.first(x))))
    value, advantage = network.head(features)[:, 3], network.head(features)[:, :3]
    assert torch.allclose(network(x).mean(dim=1), value, atol=1e-6)
    assert torch.allclose(network(x) - value[:, None], advantage - advantage.mean(dim=1, keepdim=True), atol=1e-6)


def test_losses_by_hand() -> None:
    goal, value, weight = torch.tensor([3.0, 0.5]), torch.tensor([0.0, 0.0]), torch.tensor([0.5, 1.0])
    assert weighted_loss(goal, value, weight, "mse").item() == pytest.approx((0.5 * 9 + 0.25) / 2)
    assert weighted_loss(goal, value, weight, "huber").item() == pytest.approx((0.5 * 2.5 + 0.125) / 2)


@both_losses
@pytest.mark.parametrize("which", [0, 1], ids=["fast", "reference"])
def test_a_transition_of_weight_0_teaches_nothing(which: int, loss: str) -> None:
    rng = np.random.default_rng(1)
    learning = Learning(Switches(True, True, True), 1e-3, "mse" if loss == "mse" else "huber", 100)
    one, other = learners(learning)[which], learners(learning)[which]
    batch = drawn(rng)
    batch.weights[:5] = 0
    first, _ = one.update(batch)
    batch.rewards[:5] += 100
    second, _ = other.update(batch)
    assert second[:5] - first[:5] == pytest.approx(np.full(5, 100), rel=1e-5)
    assert torch.equal(flat_parameters(one.network()), flat_parameters(other.network()))


@every_combination
def test_fast_learner_follows_the_reference_for_40_updates(learning: Learning) -> None:
    fast, reference = learners(learning)
    rng = np.random.default_rng(0)
    for step in range(1, 41):
        batch = drawn(rng, weighted=learning.switches.prioritized)
        errors, loss = fast.update(batch)
        expected_errors, expected_loss = reference.update(batch)
        assert errors == pytest.approx(expected_errors, rel=1e-3, abs=1e-4)
        assert loss == pytest.approx(expected_loss, rel=1e-3)
        assert fast.updates == reference.updates == step
    assert torch.allclose(flat_parameters(fast.network()), flat_parameters(reference.online), atol=2e-4)
    # The target network is that of update 35, not the online one.
    kept = torch.as_tensor(fast.state()["target"])
    assert torch.allclose(kept, flat_parameters(reference.target), atol=2e-4)
    assert not torch.allclose(kept, flat_parameters(reference.online), atol=2e-4)
    seen = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    assert fast.values(seen) == pytest.approx(reference.values(seen), abs=1e-3)


@every_combination
def test_fast_learners_gradient_is_that_of_finite_differences(learning: Learning) -> None:
    fast, _ = learners(learning)
    rng = np.random.default_rng(5)
    for _ in range(40):
        fast.update(drawn(rng))
    batch = drawn(rng)
    online, target = fast.network().double(), fast.network().double()
    torch.nn.utils.vector_to_parameters(torch.as_tensor(fast.state()["target"]).double(), target.parameters())
    both = torch.from_numpy(batch.observations).double()
    goal = bootstrap_target(
        online if learning.switches.double else None, target,
        torch.from_numpy(batch.rewards).double(), torch.from_numpy(batch.discounts).double(),
        both[ROWS:], torch.from_numpy(batch.allowed),
    )  # fmt: skip
    at = torch.nn.utils.parameters_to_vector(online.parameters()).detach()

    def loss_at(parameters: torch.Tensor) -> float:
        torch.nn.utils.vector_to_parameters(parameters, online.parameters())
        with torch.no_grad():
            value = online(both[:ROWS]).gather(1, torch.from_numpy(batch.actions)[:, None]).squeeze(1)
            return float(weighted_loss(goal, value, torch.from_numpy(batch.weights).double(), learning.loss))

    fast.update(batch)
    gradient = fast._gradient.double()
    for _ in range(8):
        direction = torch.from_numpy(rng.normal(size=len(at)))
        slope = (loss_at(at + 1e-6 * direction) - loss_at(at - 1e-6 * direction)) / 2e-6
        assert float(gradient @ direction) == pytest.approx(slope, rel=1e-3, abs=1e-4 * float(gradient.norm()))


@pytest.mark.parametrize("which", [0, 1], ids=["fast", "reference"])
def test_target_is_copied_every_so_many_updates(which: int) -> None:
    learner: Learner = learners(Learning(Switches(False, False, False), 1e-3, "mse", 5))[which]
    rng = np.random.default_rng(0)
    for update in range(1, 12):
        learner.update(drawn(rng))
        state = learner.state()
        online, target = (
            torch.cat([torch.as_tensor(part).reshape(-1) for part in each.values()])
            if isinstance(each, dict)
            else torch.as_tensor(each)
            for each in (state["online"], state["target"])
        )
        assert torch.equal(online, target) == (update % 5 == 0)
