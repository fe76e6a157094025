"""DDPQN-plus: the shared network against torch, its observation against the evaluator, windows by hand."""

import subprocess
import sys
from io import BytesIO
from itertools import permutations, product
from typing import Any, Literal

import numpy as np
import pytest
import torch
from handmade import DELAY_ALONE, instance, layer, link, server, task
from torch import Tensor, nn

from experiments._shared.drawn import perturbed
from offbench import P1, Placement, Search, evaluate, load, solve
from offbench.environment import Episodes, Observer
from offbench.evaluation.evaluator import prefix_totals
from offbench.evaluation.kernel import TOTAL
from offbench.model.arrays import WEIGHT
from offbench.model.instance import Instance
from offbench.search.metrics import Diary
from offbench.solvers.ddpqn_plus import DdpqnPlus, network
from offbench.solvers.ddpqn_plus.agent import Agent
from offbench.solvers.ddpqn_plus.episodes import WindowedEpisodes
from offbench.solvers.ddpqn_plus.features import (
    FACT,
    GLOBAL,
    LIMIT,
    SERVER,
    ProblemFeatures,
    ServerObserver,
    Widths,
    onward_costs,
    onward_times,
)
from offbench.solvers.ddpqn_plus.learner import SharedLearner, values
from offbench.solvers.ddpqn_plus.network import Shape
from offbench.solvers.ddpqn_plus.orders import Orders
from offbench.solvers.ddpqn_plus.policy import SharedPolicy, draw, ladder
from offbench.solvers.dqn.batch import Batch, Learning, Switches
from offbench.solvers.dqn.reference_learner import ReferenceLearner

SMALL: dict[str, Any] = {"episodes": 8, "batch": 16, "memory": 512, "hidden": (6, 5)}
MOST, ROWS = 4, 24
NARROW = Widths()


class Shared(nn.Module):
    """The shared network as the docstring of `network` has it."""

    def __init__(self, shape: Shape, weights: np.ndarray) -> None:
        super().__init__()
        self.dueling, self.widths = shape.dueling, shape.widths
        sizes = [int(np.prod(each)) for each in shape.layers()]
        parts = torch.split(torch.from_numpy(weights.copy()), sizes)
        self.parts = nn.ParameterList(part.view(size) for part, size in zip(parts, shape.layers(), strict=True))

    def forward(self, observation: Tensor) -> Tensor:
        a, b, a0, c, c0, d, d0, e, e0, v, w = self.parts
        server_, rest = self.widths
        f, g = observation[..., :-rest].reshape(len(observation), -1, server_), observation[..., -rest:]
        there = f[..., 0]
        number = there.sum(-1, keepdim=True)
        x = torch.relu(f @ a + (g @ b)[..., None, :] + a0)
        y = torch.relu(x @ c + c0) * there[..., None]
        p = torch.relu((y.sum(-2) / number) @ d + d0)
        z = torch.relu(y @ e + p[..., None, :])
        advantage = (z @ e0) * there
        level = w
        if self.dueling:
            level = w + (p @ v)[..., None] - advantage.sum(-1, keepdim=True) / number
        q: Tensor = (advantage + level) * there
        return q


def observations(rng: np.random.Generator, rows: int, seen: Widths = NARROW) -> np.ndarray:
    """Return observations of 2 to MOST servers, as anything but the first fact may be."""
    drawn = rng.normal(size=(rows, MOST * seen.server + seen.rest)).astype(np.float32)
    facts = drawn[:, : MOST * seen.server].reshape(rows, MOST, seen.server)
    there = np.arange(MOST) < rng.integers(2, MOST + 1, size=rows)[:, None]
    facts[..., 0] = 1
    facts[~there] = 0
    return drawn


def flat(network: Shared) -> np.ndarray:
    return torch.cat([part.detach().reshape(-1) for part in network.parts]).numpy()


@pytest.mark.parametrize("constrained", [False, True])
@pytest.mark.parametrize("dueling", [False, True])
def test_the_compiled_network_is_the_one_of_its_docstring(dueling: bool, constrained: bool) -> None:
    rng = np.random.default_rng(1)
    shape = Shape(6, 5, dueling, constrained)
    weights = shape.draw(rng)
    seen = observations(rng, 50, shape.widths)
    with torch.no_grad():
        expected = Shared(shape, weights)(torch.from_numpy(seen)).numpy()
    np.testing.assert_allclose(values(shape, weights, seen), expected, atol=1e-6)


LOSSES: list[Literal["mse", "huber"]] = ["mse", "huber"]


# Any two of the three are tried in every combination; each is compiled for some ten seconds.
@pytest.mark.parametrize(
    "learning",
    [
        Learning(Switches(double, dueling, True), 1e-3, LOSSES[double != dueling], 7)
        for double, dueling in product([False, True], [False, True])
    ],
    ids=str,
)
@pytest.mark.parametrize("constrained", [False, True])
def test_forty_updates_follow_autograd(learning: Learning, constrained: bool) -> None:
    rng = np.random.default_rng(2)
    shape = Shape(6, 5, learning.switches.dueling, constrained)
    server_, rest = shape.widths
    weights = shape.draw(rng)
    fast = SharedLearner(shape, weights, learning)
    network = Shared(shape, weights)
    slow = ReferenceLearner(network, learning, torch.device("cpu"))
    for _ in range(40):
        batch = Batch.empty(ROWS, MOST * server_ + rest, MOST)
        batch.observations[:] = observations(rng, 2 * ROWS, shape.widths)
        there = batch.observations[:, : MOST * server_ : server_] > 0
        batch.actions = np.array([rng.choice(np.flatnonzero(row)) for row in there[:ROWS]])
        batch.rewards = rng.normal(scale=2, size=ROWS).astype(np.float32)
        batch.discounts = np.where(rng.random(ROWS) < 0.2, 0, 0.9).astype(np.float32)
        batch.allowed = there[ROWS:] & (rng.random((ROWS, MOST)) < 0.8)
        batch.allowed[:, 0] = True
        batch.weights = rng.uniform(0.1, 1, size=ROWS).astype(np.float32)
        errors, loss = fast.update(batch)
        expected_errors, expected_loss = slow.update(batch)
        np.testing.assert_allclose(errors, expected_errors, atol=1e-3)
        assert loss == pytest.approx(expected_loss, abs=1e-3)
    np.testing.assert_allclose(fast.weights, flat(network), atol=2e-4)


@pytest.mark.parametrize("dueling", [False, True])
@pytest.mark.parametrize("constrained", [False, True])
def test_the_policy_gradient_is_autograds(dueling: bool, constrained: bool) -> None:
    rng, rows, bonus = np.random.default_rng(1), 40, 0.3
    shape = Shape(6, 5, dueling, constrained)
    weights = shape.draw(rng)
    seen = observations(rng, rows, shape.widths)
    allowed = (seen[:, : MOST * shape.widths.server : shape.widths.server] > 0) & (rng.random((rows, MOST)) < 0.7)
    allowed[:, 0] = True
    actions = randomly(allowed, rng)
    advantages = rng.normal(size=rows).astype(np.float32)
    gradient = np.ones_like(weights)
    found = network.reinforce(weights, *shape, seen, allowed, actions, advantages, np.float32(bonus), gradient)

    shared = Shared(shape, weights)
    q = shared(torch.from_numpy(seen)).masked_fill(torch.from_numpy(~allowed), -torch.inf)
    log_policy = torch.log_softmax(q, -1)
    entropy = -(log_policy.exp() * log_policy.clamp(min=-1e9)).sum(-1)
    chosen = log_policy.gather(-1, torch.from_numpy(actions)[:, None])[:, 0]
    loss = -torch.from_numpy(advantages) * chosen - bonus * entropy
    grads = torch.autograd.grad(loss.mean(), list(shared.parts), materialize_grads=True)
    expected = torch.cat([grad.reshape(-1) for grad in grads]).numpy()
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
    assert found == pytest.approx(float(entropy.detach().mean()), abs=1e-5)


def test_q_goes_with_the_servers_whatever_their_order() -> None:
    rng = np.random.default_rng(3)
    shape = Shape(6, 5, True)
    weights = shape.draw(rng)
    seen = observations(rng, 1)
    seen[0, : MOST * SERVER : SERVER] = 1
    expected = values(shape, weights, seen)[0]
    for order in permutations(range(MOST)):
        shuffled = seen.copy()
        shuffled[0, : MOST * SERVER] = seen[0, : MOST * SERVER].reshape(MOST, SERVER)[list(order)].ravel()
        np.testing.assert_allclose(values(shape, weights, shuffled)[0], expected[list(order)], atol=1e-6)


def test_an_instance_with_its_servers_in_another_order_looks_the_same() -> None:
    problem = P1(load("tiny-graphs"))
    order = np.random.default_rng(4).permutation(problem.n_servers)
    facts = problem.instance.model_dump(mode="json", exclude_none=True)
    facts["servers"] = [facts["servers"][s] for s in order]
    other = P1(Instance.model_validate(facts))
    servers = randomly(problem.allowed, np.random.default_rng(5))
    mapped = order.argsort()[servers]
    for decided in range(problem.n_subtasks):
        one, two = observed(problem, servers, decided), observed(other, mapped, decided)
        np.testing.assert_allclose(two[0][: -len(one[1])].reshape(-1, SERVER), one[2][order], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(two[1], one[1], rtol=1e-5, atol=1e-6)


def observed(problem: P1, servers: np.ndarray, decided: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return an observation, its part of all, and its part of each server."""
    episodes = Episodes(problem, 1)
    for server_ in servers[:decided]:
        episodes.step(np.array([server_]))
    facts = ProblemFeatures(problem, problem.everything_on(problem.arrays.client))
    seen = facts.observe(episodes, ServerObserver([problem]))[0]
    return seen, seen[-GLOBAL:], seen[:-GLOBAL].reshape(-1, SERVER)


def test_what_comes_later_is_the_best_of_all_ways_on_without_queues_and_balance() -> None:
    problem = chain()
    a = problem.arrays
    q = np.full((problem.n_servers,) * 3, np.inf)
    for placed in product(range(problem.n_servers), repeat=3):
        if all(problem.allowed[k, s] for k, s in enumerate(placed)):
            evaluation = evaluate(problem, placed)
            q[placed] = evaluation.objective - a.weights[WEIGHT.balance] * evaluation.balance
    # The first subtask's own part depends on nothing after it.
    first = np.array([q[s].min() for s in range(3)])
    own = np.array([alone(problem, s) for s in range(3)])
    later = np.where(np.isfinite(first), first - own, 0)
    onward = onward_costs(*problem.packed, problem.allowed)
    possible = problem.allowed[0]
    np.testing.assert_allclose(
        onward[0][possible] - onward[0][possible].min(), later[possible] - later[possible].min(), atol=1e-9
    )


def alone(problem: P1, s: int) -> float:
    """Return Q of the first subtask on server *s*, balance apart."""
    episode = Episodes(problem, 1)
    return float(-episode.step(np.array([s]))[0][0]) if problem.allowed[0, s] else 0.0


def chain() -> P1:
    """Return a chain of three on a client and two edges of one kind, whose balance is nothing."""
    servers = [
        server("phone", "client", ghz=1, power=5),
        server("edge", "edge", ghz=3, price=4, power=1),
        server("cloud", "cloud", ghz=9, price=9, power=1),
    ]
    links = [
        link("client", "edge", rate=2, price=3, power=1),
        link("client", "cloud", rate=1, price=5, power=2),
        link("edge", "cloud", rate=3, price=2),
    ]
    layers = [layer("a", 2, 3), {**layer("b", 6, 1, ("a",)), "allowed": ["phone", "edge"]}, layer("c", 4, 1, ("b",))]
    return P1(Instance.model_validate(instance(servers, links, [task("t", *layers, input_mb=2)])))


def rounds_of(problem: P1, **settings: Any) -> WindowedEpisodes:
    chosen = DdpqnPlus(**{**SMALL, "scaled": False, "merge": False, "reorder": 0, **settings})
    return WindowedEpisodes(Search(problem), ServerObserver([problem]), 0, chosen, np.random.default_rng(0))


def test_undiscounted_returns_of_a_whole_episode_are_what_is_left_of_minus_q() -> None:
    problem, rng = P1(load("tiny-graphs")), np.random.default_rng(6)
    rounds = rounds_of(problem, longest=0, steps=100)
    rounds.begin()
    while rounds.under_way:
        transitions = rounds.step(randomly(rounds.masks(), rng))
    assert len(transitions) == problem.n_subtasks * SMALL["episodes"]
    assert not transitions.discount.any()
    from_start = transitions.reward[transitions.state == 0]
    servers = rounds.placements
    np.testing.assert_allclose(from_start, [-evaluate(problem, row).objective for row in servers], rtol=1e-5)
    assert set(transitions.state.tolist()) == set(range(problem.n_subtasks))


@pytest.mark.parametrize("free", [[0, 1, 2, 3, 4, 5], [1, 2, 4]])
@pytest.mark.parametrize("limits", [None, {"energy_j": 5.0, "delay_s": 0.5}])
def test_rewards_of_a_window_by_hand(free: list[int], limits: dict[str, float] | None) -> None:
    data = load("tiny-chains").model_dump(mode="json", exclude_none=True)
    data |= {"format": "offbench/2", "limits": limits} if limits else {}
    problem, rng = P1(Instance.model_validate(data)), np.random.default_rng(7)
    assert problem.constrained is (limits is not None)
    n, gamma = problem.n_subtasks, 0.5
    problem.allowed[np.delete(np.arange(n), free), 1:] = False
    rounds = rounds_of(problem, longest=3, whole=0, steps=2, gamma=gamma, penalty=2.0)
    for _ in range(12):
        rounds.begin()  # the first round is one of whole episodes
        base, first, parts = rounds.base.copy(), rounds.first.copy(), []
        while rounds.under_way:
            parts.append(rounds.step(randomly(rounds.masks(), rng)))
        length = len(parts)
        for row, servers in enumerate(rounds.placements):
            window = slice(first[row], first[row] + length)
            outside = np.delete(np.arange(n), free[window])
            assert (servers[outside] == base[outside]).all()
            q = to_decisions(problem, servers)
            steps = -np.diff(q)[window]
            steps[-1] = q[window.stop - 1] - q[-1]
            expected = [steps[i] + (gamma * steps[i + 1] if i + 1 < length else 0) for i in range(length)]
            got = {
                int(state): (reward, discount)
                for part in parts
                for state, reward, discount, at in zip(
                    part.state, part.reward, part.discount, np.arange(len(part)) % SMALL["episodes"], strict=True
                )
                if at == row
            }
            for i in range(length):
                reward, discount = got[free[first[row] + i]]
                assert reward == pytest.approx(expected[i], rel=1e-4, abs=1e-6)
                assert discount == (0 if i + 2 >= length else gamma**2)


@pytest.mark.parametrize("name", ["board", "phones"])
def test_undiscounted_returns_are_less_by_the_penalty_of_what_is_broken(name: str) -> None:
    data = load(name).model_dump(mode="json", exclude_none=True)
    for each in data["tasks"]:
        each["deadline_s"] = each.get("deadline_s", 1.0) / 4
    problem, rng = P1(Instance.model_validate(data)), np.random.default_rng(15)
    rounds = rounds_of(problem, longest=0, steps=1000, penalty=3.0)
    rounds.begin()
    while rounds.under_way:
        transitions = rounds.step(randomly(rounds.masks(), rng))
    found = [evaluate(problem, row) for row in rounds.placements]
    assert max(each.violation for each in found) > 0.01
    np.testing.assert_allclose(
        transitions.reward[transitions.state == problem.free[0]],
        [-(each.objective + 3 * each.violation) for each in found],
        rtol=1e-5,
    )


def test_windows_are_in_what_breaks_least_as_long_as_anything_is_broken() -> None:
    problem, rng = P1(load("board")), np.random.default_rng(16)
    rounds = rounds_of(problem, longest=4, whole=0, merge=True, heat=0, episodes=16)
    rounds.base = problem.everything_on(0)  # 73 MB too much for the board
    rounds._base_merit = float(problem.merit(*np.array([[q] for q in of(problem, rounds.base)]))[0])
    violations = [of(problem, rounds.base)[1]]
    while violations[-1] > 0 and len(violations) < 200:
        rounds.begin()
        while rounds.under_way:
            actions = rounds.exact_actions()
            rounds.step(randomly(rounds.masks(), rng) if actions is None else actions)
        violations.append(of(problem, rounds.base)[1])
    assert violations[0] > violations[-1] == 0
    assert violations == sorted(violations, reverse=True)


def of(problem: P1, servers: np.ndarray) -> tuple[float, float]:
    found = evaluate(problem, servers)
    return found.objective, found.violation


def test_what_is_about_constraints_stands_behind_the_rest_and_changes_none_of_it() -> None:
    problem = P1(load("tiny-graphs"))
    episodes = Episodes(problem, 1)
    facts = ProblemFeatures(problem, problem.everything_on(0))
    narrow, wide = ServerObserver([problem]), ServerObserver([problem, P1(load("camera"))])
    assert (narrow.widths.server, narrow.widths.rest) == (SERVER, GLOBAL)
    for k in range(problem.n_subtasks):
        small, large = facts.observe(episodes, narrow)[0], facts.observe(episodes, wide)[0]
        servers = large[: 3 * wide.widths.server].reshape(3, -1)
        rest = large[3 * wide.widths.server :]
        assert (servers[:, :SERVER].ravel() == small[:-GLOBAL]).all()
        assert (rest[:GLOBAL] == small[-GLOBAL:]).all()
        log2 = float(np.float32(np.log(2)))  # what a whole share is when it is squashed
        assert servers[:, SERVER:].tolist() == [[log2, 0, log2, 0, 0, 0, 0]] * 3
        assert rest[GLOBAL:].tolist() == [*[log2] * 5, 0]
        episodes.step(np.array([int(problem.allowed[k].argmax())]))


def unsquashed(values: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.sign(values) * np.expm1(np.abs(values))
    return found


@pytest.mark.parametrize("name", ["camera", "phones", "board", "split"])
def test_what_is_about_constraints_is_what_the_full_layout_says_less_the_least_time_to_come(name: str) -> None:
    problem, rng = P1(load(name)), np.random.default_rng(17)
    a, m = problem.arrays, problem.n_servers
    onward_s = onward_times(*problem.packed, problem.allowed)
    full = Episodes(problem, 1, Observer([problem], "full"))
    facts, observer = ProblemFeatures(problem, problem.everything_on(0), penalty=2.0), ServerObserver([problem])
    for _ in range(problem.n_subtasks):
        k = int(full.decided[0])
        right = full.observe()[0, 1 + 7 * m :][: 7 * m + 3]
        servers = right[: 7 * m].reshape(m, 7).astype(np.float64)
        servers[:, 2] -= onward_s[k] / a.deadline_s[problem.task_of[k]]
        servers[:, 6] *= 2 / facts.unit
        seen = facts.observe(full, observer)[0]
        got = seen[: m * observer.widths.server].reshape(m, -1)[:, SERVER:]
        np.testing.assert_allclose(unsquashed(got), servers, rtol=1e-4, atol=1e-4)
        rest = unsquashed(seen[m * observer.widths.server + GLOBAL :])
        np.testing.assert_allclose(rest[: LIMIT.energy_spare], right[7 * m :], rtol=1e-4, atol=1e-4)
        full.step(np.array([rng.choice(np.flatnonzero(problem.allowed[k]))]))


def test_a_place_that_breaks_constraints_looks_worse() -> None:
    # Everything but memory is the same at both edges.
    data = instance(
        [server("phone", "client"), *(server(f"edge-{i}", "edge", ghz=4) for i in (1, 2))],
        [link("client", "edge"), link("edge", "edge")],
        [task("t", {**layer("a", 4), "weights_mb": 3}, {**layer("b", 4, inputs=("a",)), "weights_mb": 3})],
        weights=DELAY_ALONE,
        format="offbench/2",
    )
    data["servers"][1]["memory_mb"] = 4
    problem = P1(Instance.model_validate(data))
    episodes = Episodes(problem, 1)
    facts, observer = ProblemFeatures(problem, np.array([0, 0]), penalty=5.0), ServerObserver([problem])
    episodes.step(np.array([1]))
    seen = facts.observe(episodes, observer)[0][: 3 * observer.widths.server].reshape(3, -1)
    now = unsquashed(seen[:, FACT.now])
    # Twice 3 MB in 4: a violation of a half. A server's own change is what parts them else, 0 s of transfer.
    assert now[1] - now[2] == pytest.approx(5 * 0.5 / facts.unit, rel=1e-4)


def test_least_times_to_come_are_those_of_the_fastest_ways_on() -> None:
    problem = chain()
    onward_s = onward_times(*problem.packed, problem.allowed)
    wide = {**DELAY_ALONE}
    fast = P1(Instance.model_validate({**problem.instance.model_dump(mode="json", exclude_none=True), "weights": wide}))
    for s in np.flatnonzero(problem.allowed[0]):
        delays = [
            evaluate(fast, (s, d, e)).delay_s
            for d in np.flatnonzero(problem.allowed[1])
            for e in np.flatnonzero(problem.allowed[2])
        ]
        first = evaluate(fast, (s, 0, 0)).subtasks[0]["completion_s"]
        assert onward_s[0, s] == pytest.approx(min(delays) - first)


def to_decisions(problem: P1, servers: np.ndarray) -> np.ndarray:
    """Return Q and twice the violation of what is placed when each decision is made, 0 before the first, and of all."""
    ends = [*problem.free[1:], problem.n_subtasks]
    totals = np.array([prefix_totals(problem, servers[None, :end])[0] for end in ends])
    return np.array([0.0, *(totals[:, TOTAL.objective] + 2 * totals[:, TOTAL.violation])])


def randomly(masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    actions: np.ndarray = np.where(masks, rng.random(masks.shape), -1).argmax(axis=1)
    return actions


def test_windows_that_improve_are_merged_only_where_they_do_not_overlap() -> None:
    problem, rng = P1(load("resnet")), np.random.default_rng(8)
    rounds = rounds_of(problem, longest=4, whole=0, merge=True, heat=0, episodes=64)
    search, improved = rounds.search, 0
    while search.evaluations < 20_000:
        rounds.begin()
        before, base, first = search.objective, rounds.base.copy(), rounds.first.copy()
        while rounds.under_way:
            rounds.step(randomly(rounds.masks(), rng))
        if search.objective == before:
            continue
        assert search.incumbent is not None
        improved += 1
        for k in np.flatnonzero(search.incumbent.servers != base):  # each change is some window's
            inside = (first <= k) & (k < first + rounds.length)
            assert (rounds.placements[inside, k] == search.incumbent.servers[k]).any()
    assert improved > 10


def test_the_last_subtask_of_a_window_goes_where_the_objective_is_least() -> None:
    problem, rng = P1(load("tiny-graphs")), np.random.default_rng(13)
    rounds, tried = rounds_of(problem, longest=3, whole=0, heat=0), 0
    for _ in range(20):
        rounds.begin()
        while rounds.under_way:
            actions = rounds.exact_actions()
            if actions is None:
                rounds.step(randomly(rounds.masks(), rng))
                continue
            rows, last = rounds.placements.copy(), rounds.first + rounds.length - 1
            rounds.step(actions)
            for row, k, action in zip(rows, last, actions, strict=True):
                q = [np.inf] * problem.n_servers
                for s in np.flatnonzero(problem.allowed[k]):
                    row[k] = s
                    q[s] = evaluate(problem, row).objective
                assert q[action] == min(q)
                tried += 1
    assert tried > 100


def test_the_best_dispatch_order_is_found_with_the_servers_given() -> None:
    # Two tasks on one slot. First come, first served takes 9 s of the long one, the short one, the other 9 s; better is
    # the short one first, for which the slot waits till 0.5 s.
    servers = [server("phone", "client", ghz=1)]
    tasks = [task("long", layer("a", 9), layer("b", 9, inputs=("a",))), task("short", layer("c", 1), arrival_s=0.5)]
    data = instance(servers, [], tasks, weights=DELAY_ALONE)
    found = [
        solve(Instance.model_validate(data), "ddpqn-plus", seed=1, max_evaluations=500, parameters={"reorder": share})
        for share in (0, 0.5)
    ]
    assert [each.evaluation.delay_s for each in found if each.evaluation] == pytest.approx([19 + 9.5, 19.5 + 1])


def test_a_dispatch_order_moves_one_subtask_between_its_inputs_and_readers() -> None:
    problem, rng = P1(load("mixed-4")), np.random.default_rng(14)
    orders = Orders(problem)
    servers = problem.everything_on(problem.arrays.client)
    orders.follow(servers, None)
    base = orders.place.argsort()
    subtasks = rng.integers(problem.n_subtasks, size=400)
    moved = 0
    for row, (k, order) in enumerate(zip(subtasks, orders.moved(subtasks, rng).argsort(axis=1), strict=True)):
        evaluate(problem, Placement(servers, order))  # one that can't be would be an error
        assert (order[order != k] == base[base != k]).all()
        if row % 2 == 0:
            assert (order == base).all()
        moved += (order != base).any()
    assert moved > 50


def test_what_is_warmed_up_is_what_runs() -> None:
    code = (
        "import sys, offbench as ob; from offbench.search.registry import find; find('ddpqn-plus')().warm_up();"
        "from offbench.evaluation.evaluator import warm_up, score; warm_up(); warmed = len(score.signatures);"
        "assert 'torch' not in sys.modules;"
        "from offbench.solvers.ddpqn_plus import features, network;"
        "from offbench.environment import episodes; from offbench.evaluation import appending;"
        "small = {'max_evaluations': 5000, 'parameters': {'batch': 16}};"
        "[ob.solve(name, 'ddpqn-plus', **small) for name in ('tiny-graphs', 'camera')];"
        "assert len(score.signatures) == warmed;"
        "ours = (features._observe, features.onward_costs, network.values, network.learn, network.reinforce, "
        "episodes._decide, episodes._reward, appending.begin, appending.walk);"
        "assert [len(each.signatures) for each in ours] == [1] * 9"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


SWITCHES: list[dict[str, Any]] = [
    {},
    *({name: False} for name in ("double", "dueling", "shared")),
    *({name: False} for name in ("onward", "scaled", "merge", "exact", "keep")), {"reorder": 0},
    {"steps": 1}, {"gamma": 0.8}, {"longest": 0}, {"heat": 0}, {"explore": 1}, {"every": 0}, {"loss": "mse"},
]  # fmt: skip


@pytest.mark.parametrize("settings", SWITCHES, ids=str)
def test_every_switch_works_and_the_same_seed_gives_the_same_run(settings: dict[str, Any]) -> None:
    runs = [
        solve("tiny-graphs", "ddpqn-plus", parameters=SMALL | settings, seed=3, max_evaluations=400) for _ in range(2)
    ]
    assert runs[0].objective == runs[1].objective
    assert [point[1:] for point in runs[0].trace] == [point[1:] for point in runs[1].trace]


def learnt(seed: int = 1, **settings: Any) -> bytes:
    """Return the weights after 300 moves, enough for the two networks to choose otherwise."""
    search = Search(P1(load("tiny-graphs")), seed=seed)
    agent = Agent(DdpqnPlus(**{**SMALL, **settings}), [search], search.rng, Diary())
    for _ in range(300):
        agent.learn()
    assert isinstance(agent.learner, SharedLearner)
    return bytes(agent.learner.weights.tobytes())


def test_each_switch_and_each_seed_changes_what_is_learnt() -> None:
    switches = [each for each in SWITCHES if "shared" not in each and "merge" not in each]
    assert len({learnt(**each) for each in switches}) == len(switches)
    assert learnt(seed=2) != learnt(seed=1) == learnt(seed=1)


def test_only_allowed_servers_are_drawn() -> None:
    rng = np.random.default_rng(9)
    masks = rng.random((500, 6)) < 0.4
    masks[:, 3] = True
    q = rng.normal(size=masks.shape).astype(np.float32) + 10 * ~masks
    drawn = draw(q.astype(np.float32), masks, ladder(500, 2.0), rng)
    assert masks[np.arange(500), drawn].all()
    assert drawn[0] == np.where(masks[0], q[0], -np.inf).argmax()


def test_the_draw_is_by_the_softmax_of_values_over_their_deviation() -> None:
    q = np.tile(np.array([0.0, 1.0, 3.0], dtype=np.float32), (30_000, 1))
    drawn = draw(q, np.ones(q.shape, dtype=np.bool_), np.ones((len(q), 1)), np.random.default_rng(10))
    expected = np.exp(q[0] / q[0].std())
    np.testing.assert_allclose(np.bincount(drawn) / len(q), expected / expected.sum(), atol=0.01)


def test_one_policy_places_instances_of_any_size() -> None:
    rng = np.random.default_rng(11)
    policy = SharedPolicy(Shape(6, 5, True), Shape(6, 5, True).draw(rng))
    kept = BytesIO()
    policy.save(kept)
    kept.seek(0)
    again = DdpqnPlus().load_policy(kept)
    for name in ("tiny-chains", "tiny-wireless", "alexnet"):
        problem = P1(load(name))
        placed = policy.place(problem, 3, np.random.default_rng(0))
        assert placed.shape == (3, problem.n_subtasks)
        assert problem.allowed[np.arange(problem.n_subtasks), placed].all()
        assert (placed == again.place(problem, 3, np.random.default_rng(0))).all()


def test_a_training_on_instances_of_different_sizes_goes_on_bit_for_bit() -> None:
    problems = [P1(perturbed(seed)) for seed in (1, 2)]
    assert problems[0].n_servers != problems[1].n_servers

    def begun() -> Agent:
        return DdpqnPlus(**SMALL).training(problems, np.random.default_rng(12), Diary())

    through, stopped, resumed = begun(), begun(), begun()
    kept = BytesIO()
    for moves in range(700):
        through.learn()
        if moves < 433:
            stopped.learn()
    stopped.save(kept)
    kept.seek(0)
    resumed.load(kept)
    while resumed.steps < through.steps:
        resumed.learn()
    ends = [BytesIO(), BytesIO()]
    through.save(ends[0])
    resumed.save(ends[1])
    assert ends[0].getvalue() == ends[1].getvalue()
    assert through.learner.updates > 100
