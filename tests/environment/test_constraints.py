"""The decision process of format 2: violations in rewards, masks by memory, several clients, measured seconds."""

import warnings
from copy import deepcopy
from typing import Any

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from handmade import DELAY_ALONE, PAPER_WEIGHTS

from offbench import P1, OffbenchError, evaluate
from offbench.environment import LAYOUTS, Episodes, Layout, Observer, OffloadingEnv, OffloadingVectorEnv, penalty_of
from offbench.environment.observation import FACT, width
from offbench.environment.outlook import CONSTRAINT
from offbench.evaluation.evaluator import prefix_totals
from offbench.evaluation.kernel import TOTAL
from offbench.model.instance import Instance, parse

Json = dict[str, Any]
ENV_ID = "offbench/Offloading-v0"

# Of two clients, an edge and a cloud: a network of three layers for each client, the first layers of both the same.
TWO_PHONES: Json = {
    "format": "offbench/2",
    "name": "two-phones",
    "servers": [
        {"name": "phone-1", "kind": "client", "compute_ghz": 2, "price_per_hour": 0, "client_power_w": 4, "pool": 1,
         "idle_power_w": 1, "memory_mb": 5},
        {"name": "edge", "kind": "edge", "compute_ghz": 8, "price_per_hour": 3.6, "client_power_w": 2, "pool": 1,
         "memory_mb": 8},
        {"name": "phone-2", "kind": "client", "compute_ghz": 1, "price_per_hour": 0, "client_power_w": 3, "pool": 1},
        {"name": "cloud", "kind": "cloud", "compute_ghz": 32, "price_per_hour": 7.2, "client_power_w": 2, "pool": 2},
    ],
    "links": [
        {"from": "client", "to": "edge", "rate_mb_per_s": 2, "latency_s": 0.25, "price_per_gb": 1,
         "transmit_power_w": 2},
        {"from": "edge", "to": "client", "rate_mb_per_s": 8, "latency_s": 0.125, "price_per_gb": 0,
         "transmit_power_w": 1},
        {"between": ["client", "cloud"], "rate_mb_per_s": 1, "latency_s": 0.5, "price_per_gb": 2,
         "transmit_power_w": 2},
        {"between": ["edge", "cloud"], "rate_mb_per_s": 16, "price_per_gb": 1, "transmit_power_w": 0},
    ],
    "tasks": [
        {"name": "one", "client": "phone-1", "deadline_s": 2, "input_mb": 1, "layers": [
            {"name": "a", "seconds": {"phone-1": 0.5, "edge": 0.25, "cloud": 0.125}, "output_mb": 2, "inputs": [],
             "weights_mb": 4, "weights_id": "a"},
            {"name": "b", "gcycles": 2, "output_mb": 1, "inputs": ["a"], "weights_mb": 6},
            {"name": "c", "gcycles": 1, "output_mb": 0, "inputs": [{"layer": "a", "mb": 0.5}, "b"], "weights_mb": 1}]},
        {"name": "two", "client": "phone-2", "arrival_s": 0.5, "deadline_s": 3, "input_mb": 2, "layers": [
            {"name": "a", "gcycles": 2, "output_mb": 2, "inputs": [], "weights_mb": 4, "weights_id": "a"},
            {"name": "b", "gcycles": 2, "output_mb": 1, "inputs": ["a", {"input_mb": 0.5}], "weights_mb": 3},
            {"name": "c", "gcycles": 1, "output_mb": 0, "inputs": ["b"]}]},
    ],
    "limits": {"energy_j": 8, "cost_usd": 0.01},
    "weights": PAPER_WEIGHTS,
}  # fmt: skip


def two_phones(**allowed: list[str]) -> Instance:
    """Return the instance; keywords pin layers, ``one_b=["edge"]``."""
    data = deepcopy(TWO_PHONES)
    for task in data["tasks"]:
        for layer in task["layers"]:
            if (names := allowed.get(f"{task['name']}_{layer['name']}")) is not None:
                layer["allowed"] = names
    return parse(data)


PINNED: list[dict[str, list[str]]] = [
    {},
    {"one_b": ["edge"], "two_c": ["phone-2"]},
    {"one_a": ["edge"], "one_b": ["edge"], "two_a": ["edge"]},  # the first decision has two before it
    {f"{task}_{layer}": ["edge"] for task in ("one", "two") for layer in "abc"},
]


@pytest.mark.parametrize("allowed", PINNED)
@pytest.mark.parametrize("penalty", [None, 0, 0.7, 30])
def test_rewards_sum_to_minus_q_and_the_penalty_of_what_is_broken(
    allowed: dict[str, list[str]], penalty: float | None
) -> None:
    problem, rng = P1(two_phones(**allowed)), np.random.default_rng(1)
    price = penalty_of(problem, penalty)
    single, vector = OffloadingEnv(problem, "full", penalty), OffloadingVectorEnv(problem, 3, "full", penalty)
    broken = 0
    for _ in range(40):
        single.reset()
        vector.reset()
        total, totals, terminal, before = 0.0, np.zeros(3), False, 0.0
        while not terminal:
            actions = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed[[single.decided] * 3]])
            _, reward, terminal, _, info = single.step(actions[0])
            _, rewards, *_ = vector.step(actions)
            total, totals = total + reward, totals + rewards
            # Each reward is what the step adds, what is pinned behind it included.
            found = prefix_totals(problem, single.servers[None, : single.decided])[0]
            after = found[TOTAL.objective] + price * found[TOTAL.violation]
            assert reward == pytest.approx(before - after, abs=1e-12)
            assert info["violation"] == found[TOTAL.violation]
            before = after
        for servers, summed in zip([single.servers, *vector.servers], [total, *totals], strict=True):
            right = evaluate(problem, servers)
            assert summed == pytest.approx(-(right.objective + price * right.violation), rel=1e-12, abs=1e-12)
            broken += right.violation > 0
    assert broken > 40


def test_penalty_is_no_matter_where_nothing_can_be_broken() -> None:
    data = deepcopy(TWO_PHONES)
    for each in (*data["servers"], *data["tasks"]):
        each.pop("memory_mb", None)
        each.pop("deadline_s", None)
    del data["limits"]
    problem = P1(parse(data))
    assert penalty_of(problem) == penalty_of(problem, 5.0) == 0
    actions = [0, 1, 2, 2, 1, 0]
    for penalty in (None, 100.0):
        env = OffloadingEnv(problem, "full", penalty)
        env.reset()
        rewards = [env.step(action)[1] for action in actions]
        assert sum(rewards) == pytest.approx(-evaluate(problem, actions).objective)
    assert len(env.reset()[0]) == width("full", 3, 3)


def test_penalty_is_by_default_what_everything_on_the_client_amounts_to() -> None:
    problem = P1(two_phones())
    found = evaluate(problem, problem.everything_on(0))
    assert penalty_of(problem) == pytest.approx(0.6 * found.score + 0.2 * found.coordination)
    assert penalty_of(problem, 0.0) == 0
    with pytest.raises(OffbenchError, match=r"penalty: must be a number from 0 on, not -1"):
        gymnasium.make(ENV_ID, instance=two_phones(), penalty=-1.0)
    with pytest.raises(OffbenchError, match=r"penalty: must be a number from 0 on, not nan"):
        gymnasium.make_vec(ENV_ID, 2, instance=two_phones(), penalty=float("nan"))


def test_servers_that_a_layer_alone_exceeds_are_masked_but_never_all() -> None:
    # phone-1 holds 5 MB and layer b of its task has 6; phone-2 holds anything.
    env = OffloadingEnv(P1(two_phones()))
    env.reset()
    masks = []
    for _ in range(6):
        masks.append(env.action_masks().tolist())
        env.step(2)
    assert masks == [[True] * 3, [False, True, True], *[[True] * 3] * 4]
    env.reset()
    env.step(2)
    env.step(0)  # masked, and no error
    env = OffloadingEnv(P1(two_phones(one_b=["phone-1"], one_a=["phone-1", "cloud"])))
    env.reset()
    assert env.action_masks().tolist() == [True, False, True]
    data = deepcopy(TWO_PHONES)
    data["tasks"][0]["layers"][1]["weights_mb"] = 100
    data["servers"][3]["memory_mb"] = 50
    env = OffloadingEnv(P1(parse(data)))
    env.reset()
    env.step(2)
    assert env.action_masks().all()  # it fits nowhere


def test_full_observation_by_hand() -> None:
    # Of task one a stands on the edge, b on the edge, so 4 + 6 of 8 MB, and c on the cloud; of task two a on the edge:
    # the same weights. At hand is its b, which reads 2 MB of a and 0.5 MB of the input.
    # a: its input takes 0.5 + 0.25 s, then 0.25 s, to 1; b: 2/8 s, to 1.25. c: 0.5/16 from a, 1/16 from b: 1.3125, then
    # 1/32 s, to 1.34375. a of two: arrives at 0.5, its 2 MB take 1 + 0.25 s: 1.75, then 2/8 s, to 2.
    problem = P1(two_phones())
    scales = problem.scales
    env = OffloadingEnv(problem, "full")
    seen, _ = env.reset()
    for action in (1, 1, 2, 1):
        seen, *_ = env.step(action)
    assert len(seen) == width("full", 3, 3, constrained=True) == 1 + 7 * 3 + 7 * 3 + 3 + 6
    facts = seen[1 + 7 * 3 : 1 + 14 * 3].reshape(3, 7)
    plain = seen[1 : 1 + 7 * 3].reshape(3, 7)
    # At the client: a's output takes 2/8 + 0.125 s, the input nothing; 2 s to run, so complete at 4.375. On the edge
    # the input takes 0.25 + 0.25 s, from 0.5 on, so all is there at 2; to 2.25. On the cloud 2/16 s against
    # 0.5 + 0.5 s: from 2.125 on; to 2.1875.
    done_s = np.array([4.375, 2.25, 2.1875])
    assert plain[:, FACT.execution] == pytest.approx(np.array([2, 0.25, 0.0625]) / scales.delay_s)
    assert plain[:, FACT.transmission] == pytest.approx(np.array([0.375, 0, 0.125]) / scales.delay_s)
    energy_j = np.array([6 + 0.25, 2 * 0.25 + 0.5, 2 * 0.0625 + 1])
    assert plain[:, FACT.energy] == pytest.approx(energy_j / scales.energy_j)
    cost_usd = np.array([0, 0.25 / 1000 + 0.5 / 1000, 0.0625 / 500 + 0.001 + 0.002])
    assert plain[:, FACT.cost] == pytest.approx(cost_usd / scales.cost_usd)
    right = np.zeros((3, 7))
    right[:, CONSTRAINT.memory_left] = 1, 1 - 10 / 8, 1
    right[:, CONSTRAINT.memory_taken] = 0, 3 / 8, 0
    right[:, CONSTRAINT.deadline_left] = 1 - (done_s - 0.5) / 3
    right[:, CONSTRAINT.energy_taken] = energy_j / 8
    right[:, CONSTRAINT.cost_taken] = cost_usd / 0.01
    # So far, J: 0.5 s of sending and 0.25 s of phone-1's idling at 1 W; b 0.25; c 1/32; and 2 + 2 * 0.25 of phone-2.
    used_j = 1 + 0.25 + 0.25 + 1 / 32 + 2 + 0.5
    used_usd = (0.001 + 0.25 / 1000) + 0.25 / 1000 + (0.0005 + 0.001 + 1 / 32 / 500) + 0.002 + 0.25 / 1000
    right[:, CONSTRAINT.breaks] = np.maximum(0, (used_j + energy_j) / 8 - 1)
    right[:2, CONSTRAINT.breaks] += 3.875 / 3 - 1, 3 / 8
    assert facts == pytest.approx(right, abs=1e-6)
    assert seen[1 + 14 * 3 : 1 + 14 * 3 + 3] == pytest.approx([1, 1 - used_j / 8, 1 - used_usd / 0.01])


def test_what_a_place_breaks_is_what_the_evaluator_adds_where_nothing_waits() -> None:
    data = deepcopy(TWO_PHONES)
    for server in data["servers"]:
        server["pool"] = 6
    problem, rng = P1(parse(data)), np.random.default_rng(2)
    n, m = problem.n_subtasks, problem.n_servers
    for _ in range(100):
        servers = rng.integers(m, size=n)
        env = OffloadingEnv(problem, "full")
        seen, _ = env.reset()
        before = 0.0
        for k in range(n):
            rows = np.repeat(servers[None, : k + 1], m, axis=0)
            rows[:, k] = np.arange(m)
            after = prefix_totals(problem, rows)[:, TOTAL.violation]
            breaks = seen[1 + 7 * m : 1 + 14 * m].reshape(m, 7)[:, CONSTRAINT.breaks]
            assert breaks == pytest.approx(after - before, abs=1e-5)
            before = after[servers[k]]
            seen, *_ = env.step(servers[k])


def test_no_number_grows_with_the_clients() -> None:
    data = deepcopy(TWO_PHONES)
    phone, task = data["servers"][0], data["tasks"][1]
    for i in range(100):
        data["servers"].append({**phone, "name": f"more-{i}"})
        data["tasks"].append({**task, "name": f"more-{i}", "client": f"more-{i}"})
    few, many = OffloadingEnv(P1(two_phones()), "full"), OffloadingEnv(P1(parse(data)), "full")
    assert many.action_space == few.action_space == gymnasium.spaces.Discrete(3)
    assert many.observation_space.shape == few.observation_space.shape
    # Those of other clients don't wait for one another at the client, and its memory is each one's own.
    many.reset()
    for _ in range(300):
        seen, *_ = many.step(0)
    facts = seen[1 + 7 * 3 : 1 + 8 * 3]
    assert facts[CONSTRAINT.memory_left] == 1
    assert seen[1 + FACT.free] == 0


def test_wrong_actions_are_told_by_the_names_that_the_task_sees() -> None:
    env = OffloadingEnv(P1(two_phones(two_a=["phone-2", "edge"])))
    env.reset()
    for _ in range(3):
        env.step(0)
    with pytest.raises(OffbenchError, match=r"may not run on 'cloud'; allowed: phone-2, edge"):
        env.step(2)


def loose() -> Instance:
    """Return the instance with memories that any layer fits in: checkers take any action."""
    data = deepcopy(TWO_PHONES)
    data["servers"][0]["memory_mb"] = 7
    return parse(data)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gymnasium_and_stable_baselines_find_nothing_wrong(layout: Layout) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*space m(ax|in)imum value is (-)?infinity")
        check_env(gymnasium.make(ENV_ID, instance=loose(), observation=layout, penalty=2.0).unwrapped)
        checker = pytest.importorskip("stable_baselines3.common.env_checker")
        checker.check_env(OffloadingEnv(P1(loose()), layout))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_vector_environment_does_what_single_ones_do(layout: Layout) -> None:
    ours, theirs = (
        gymnasium.make_vec(ENV_ID, num_envs=4, vectorization_mode=mode, instance=loose(), observation=layout, penalty=3)
        for mode in (None, "sync")
    )
    assert ours.observation_space == theirs.observation_space
    rng = np.random.default_rng(0)
    one, info = ours.reset(seed=1)
    other, expected_info = theirs.reset(seed=1)
    for _ in range(30):
        assert np.array_equal(one, other)
        assert info.keys() == expected_info.keys()
        assert all(np.array_equal(info[key], expected_info[key]) for key in info)
        actions = np.array([rng.choice(np.flatnonzero(mask)) for mask in info["action_mask"]])
        (one, *facts, info), (other, *expected, expected_info) = ours.step(actions), theirs.step(actions)
        assert all(np.array_equal(fact, right) for fact, right in zip(facts, expected, strict=True))


def test_an_observer_of_both_sorts_shows_all_the_same_facts() -> None:
    data = deepcopy(TWO_PHONES)
    for each in (*data["servers"], *data["tasks"]):
        each.pop("memory_mb", None)
        each.pop("deadline_s", None)
    del data["limits"]
    data["weights"] = DELAY_ALONE
    free, bound = P1(parse(data)), P1(two_phones())
    observer = Observer([free, bound], "full")
    for i, problem in enumerate((free, bound)):
        seen = Episodes(problem, 2, observer, i).observe()
        assert seen.shape == (2, width("full", 3, 3, constrained=True))
        alone = OffloadingEnv(problem, "full").reset()[0]
        assert np.isin(alone, seen[0]).all()
    facts = Episodes(free, 1, observer).observe()[0, 1 + 21 : 1 + 42].reshape(3, 7)
    assert facts.tolist() == [[1, 0, 1, 0, 0, 0, 0]] * 3
