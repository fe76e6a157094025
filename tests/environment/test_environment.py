"""The decision process: observations by hand and in plain Python, rewards that sum to -Q, Gymnasium's rules."""

import subprocess
import sys
import warnings

import gymnasium
import handmade
import numpy as np
import plain
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import Json, instances, placed

from offbench import P1, Instance, OffbenchError, evaluate, load, solve
from offbench.environment import LAYOUTS, Episodes, Layout, Observer, OffloadingEnv, OffloadingVectorEnv
from offbench.model.instance import parse

ENV_ID = "offbench/Offloading-v0"


def without_allowed(instance: str) -> Instance:
    """Return a shipped instance with every layer allowed everywhere."""
    data = load(instance).model_dump(mode="json", exclude_none=True)
    for task in data["tasks"]:
        for layer in task["layers"]:
            layer.pop("allowed", None)
    return parse(data)


def full_observation(instance: Json, servers: list[list[str]], decided: int) -> list[float]:
    """Return the full layout's numbers in plain Python, from its description and the reference evaluator."""
    prepared = plain.prepare(instance)
    subtasks, names = prepared.subtasks, list(prepared.servers)
    placed_on = [name for row in servers for name in row][:decided]
    scales = prepared.scales
    bookings = []
    if decided:
        prefix = plain.prepare(handmade.cut(instance, decided, scales))
        bookings = plain._book_first_come(prefix, placed_on)
    at_hand = subtasks[decided] if decided < len(subtasks) else None

    begins_task = at_hand is not None and at_hand.layer == 0
    numbers = [1.0 + names.index(prepared.client if begins_task else placed_on[-1])]
    for name, server in prepared.servers.items():
        here = [k for k in range(decided) if placed_on[k] == name]
        all_s = sum(subtask.gcycles / server.compute_ghz for subtask in subtasks)
        booked_s = sum(subtasks[k].gcycles / server.compute_ghz for k in here)
        numbers += [len(here) * len(names) / len(subtasks), booked_s / all_s if all_s else 0]
        if at_hand is None:
            numbers += [0] * 5
            continue
        # Slots are free from the latest completions on their server.
        ends_s = sorted([0.0] * server.pool + [bookings[k].completion_s for k in here])
        free_s = ends_s[-server.pool]
        complete_s, arrives_s, energy_j, cost_usd = [], [], 0.0, 0.0
        for source, mb in at_hand.inputs:
            is_task_input = source == plain.TASK_INPUT
            complete_s.append(at_hand.arrival_s if is_task_input else bookings[source].completion_s)
            link = prepared.links[prepared.client if is_task_input else placed_on[source], name]
            arrives_s.append(complete_s[-1] + mb / link.rate_mb_per_s)
            energy_j += link.transmit_power_w * mb / link.rate_mb_per_s
            cost_usd += mb / 1000 * link.price_per_gb
        critical = arrives_s.index(max(arrives_s))
        execution_s = at_hand.gcycles / server.compute_ghz
        energy_j += server.client_power_w * execution_s
        cost_usd += server.price_per_hour / 3600 * execution_s
        times_s = [max(0.0, free_s - max(complete_s)), execution_s, arrives_s[critical] - complete_s[critical]]
        numbers += [plain._normalised(time_s, scales["delay_s"]) for time_s in times_s]
        numbers += [plain._normalised(energy_j, scales["energy_j"]), plain._normalised(cost_usd, scales["cost_usd"])]

    into_mb = [sum(mb for _, mb in subtask.inputs) for subtask in subtasks]
    most_mb, most_gcycles = max(into_mb), max(subtask.gcycles for subtask in subtasks)
    ahead: list[float] = []
    for k in range(decided, len(subtasks)):
        if at_hand is not None and subtasks[k].task == at_hand.task:
            ahead += [plain._normalised(into_mb[k], most_mb), plain._normalised(subtasks[k].gcycles, most_gcycles)]
    longest = max(len(task["layers"]) for task in instance["tasks"])
    return numbers + ahead + [0.0] * (2 * longest - len(ahead))


@st.composite
def pinned(draw: st.DrawFn) -> tuple[Json, list[list[str]]]:
    """Draw an instance and servers; some or all layers are pinned to theirs."""
    instance, servers, _ = draw(placed())
    free = draw(st.sampled_from(["some", "none", "as drawn"]))
    for task, row in zip(instance["tasks"], servers, strict=True):
        for layer, name in zip(task["layers"], row, strict=True):
            if free == "none" or (free == "some" and draw(st.booleans())):
                layer["allowed"] = [name]
    return instance, servers


@given(pinned(), st.data())
def test_rewards_of_an_episode_sum_to_minus_the_objective(
    case: tuple[Json, list[list[str]]], data: st.DataObject
) -> None:
    problem = P1(parse(case[0]))
    env = OffloadingEnv(problem)
    env.reset()
    total, terminal, steps = 0.0, False, 0
    while not terminal:
        assert env.decided == problem.free[steps]
        action = data.draw(st.sampled_from(np.flatnonzero(env.action_masks()).tolist()))
        _, reward, terminal, truncated, _ = env.step(action)
        assert not truncated
        total += reward
        steps += 1
    objective = evaluate(problem, env.servers).objective
    assert total == pytest.approx(-objective, rel=1e-9, abs=1e-9)
    assert steps == len(problem.free)


def test_rewards_of_pinned_layers_go_to_the_decision_before_or_to_the_first() -> None:
    # tiny-chains with all on the client but the second and the fifth of its six layers: on the edge.
    data = load("tiny-chains").model_dump(mode="json", exclude_none=True)
    layers = [layer for task in data["tasks"] for layer in task["layers"]]
    on, names = [0, 1, 0, 0, 1, 0], [server["name"] for server in data["servers"]]
    for k in (0, 2, 3, 5):
        layers[k]["allowed"] = [names[0]]
    scales = plain.prepare(data).scales
    prefixes = [plain.evaluate(plain.prepare(handmade.cut(data, k, scales)), cut(names, on[:k])) for k in (4, 6)]
    env = OffloadingEnv(P1(parse(data)))
    env.reset()
    assert env.decided == 1
    _, first, terminal, *_ = env.step(1)
    assert (env.decided, terminal) == (4, False)
    _, second, terminal, *_ = env.step(1)
    assert terminal
    assert env.servers.tolist() == on
    q = [prefix["objective"] for prefix in prefixes]
    assert [first, second] == pytest.approx([-q[0], q[0] - q[1]])


def cut(names: list[str], on: list[int]) -> list[list[str]]:
    """Return the servers of tiny-chains' first subtasks, a row for each of its tasks."""
    named = [names[s] for s in on]
    return [row for row in (named[:3], named[3:]) if row]


@pytest.mark.parametrize("solver", ["ddpqn", "ddpqn-plus", "sb3-dqn", "sb3-maskable-ppo"])
@pytest.mark.parametrize("free", [[], [1], [0, 4, 5]])
def test_agents_place_what_is_free_of_a_pinned_problem(solver: str, free: list[int]) -> None:
    if solver.startswith("sb3"):
        pytest.importorskip("stable_baselines3")
    data = load("tiny-chains").model_dump(mode="json", exclude_none=True)
    layers = [layer for task in data["tasks"] for layer in task["layers"]]
    for k, layer in enumerate(layers):
        if k not in free:
            layer["allowed"] = [data["servers"][k % 3]["name"]]
    instance = parse(data)
    optimum, _ = plain.brute_force(data)
    found = solve(instance, solver, seed=1, max_evaluations=200)
    assert found.objective == pytest.approx(optimum)


def test_observation_is_previous_action_then_data_and_work_to_the_tasks_end() -> None:
    # tiny-chains: inputs 0.5, 1.0, 0.2 and 0.1, 0.3, 0.1 MB, at most 1.0; work 1.2, 0.1, 2.0 and
    # 0.4, 0.1, 0.8 Gcycles, at most 2.0; servers are numbered from 1, the client is the first.
    env = OffloadingEnv(P1(load("tiny-chains")))
    observation, _ = env.reset()
    assert observation == pytest.approx([1, 0.5, 0.6, 1.0, 0.05, 0.2, 1.0])
    observation, *_ = env.step(2)
    assert observation == pytest.approx([3, 1.0, 0.05, 0.2, 1.0, 0, 0])
    env.step(1)
    observation, *_ = env.step(1)  # the second task begins, its input at the client
    assert observation == pytest.approx([1, 0.1, 0.2, 0.3, 0.05, 0.1, 0.4])


def test_full_observation_has_a_row_of_numbers_for_each_server() -> None:
    # tiny-chains, the first task on the edge server: it completes there at 0.05 + 1.2/8, + 0.1/8, + 2/8 = 0.4625 s.
    # The second one's first layer then has 0.4 of 4.6 Gcycles and 0.1 MB at the client, from 0.2 s on.
    # Scales: 1.2 s and 60 W * 1 s + 0.04 J, the first fc on the client with its input from the cloud; and the
    # first pool's $ on the cloud with its input from the client.
    delay_s, energy_j, cost_usd = 1.2, 60.04, 0.0008 + 0.002 / 3600
    env = OffloadingEnv(P1(load("tiny-chains")), observation="full")
    env.reset()
    env.step(1)
    env.step(1)
    observation, *_ = env.step(1)
    client = [0, 0, 0, 0.2 / delay_s, 0, 12 / energy_j, 0]
    edge = [
        1.5, 3.3 / 4.6, 0.2625 / delay_s,
        0.05 / delay_s, 0.01 / delay_s, (0.5 + 0.002) / energy_j, (0.1 / 3600 + 0.00002) / cost_usd,
    ]  # fmt: skip
    cloud = [0, 0, 0, 0.008 / delay_s, 0.1 / delay_s, (0.08 + 0.02) / energy_j, (0.008 / 3600 + 0.00008) / cost_usd]
    assert observation == pytest.approx([1, *client, *edge, *cloud, 0.1, 0.2, 0.3, 0.05, 0.1, 0.4], abs=1e-6)


@given(pinned(), st.data())
def test_full_observation_is_what_plain_python_says(case: tuple[Json, list[list[str]]], data: st.DataObject) -> None:
    instance, servers = case
    names = [server["name"] for server in instance["servers"]]
    actions = [names.index(name) for row in servers for name in row]
    problem = P1(parse(instance))
    env = OffloadingEnv(problem, observation="full")
    observation, _ = env.reset()
    for k in problem.free[: data.draw(st.integers(0, len(problem.free)))]:
        observation, *_ = env.step(actions[k])
    assert observation == pytest.approx(full_observation(instance, servers, env.decided), rel=1e-5, abs=1e-5)


def test_next_slot_is_the_one_that_is_free_first() -> None:
    # Two slots: 3 s and 1 s of work start at 0, the 1 s that follows at 1; the slots are then free at 3 and 2.
    data = handmade.instance(
        [handmade.server("phone", "client"), handmade.server("edge", "edge", pool=2)],
        [handmade.link("client", "edge")],
        [handmade.task(f"task-{i}", handmade.layer("only", gcycles)) for i, gcycles in enumerate([3, 1, 1, 1])],
        weights=handmade.DELAY_ALONE,
        scales={"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1},
    )
    env = OffloadingEnv(P1(parse(data)), "full")
    observation, _ = env.reset()
    free_s = [observation[1 + 7 + 2]]
    for _ in range(3):
        observation, *_ = env.step(1)
        free_s.append(observation[1 + 7 + 2])
    assert free_s == [0, 0, 1, 2]


@given(pinned(), st.sampled_from(LAYOUTS), st.data())
def test_rows_are_episodes_of_their_own(
    case: tuple[Json, list[list[str]]], layout: Layout, data: st.DataObject
) -> None:
    problem = P1(parse(case[0]))
    n, count = problem.n_subtasks, 3
    episodes = Episodes(problem, count, Observer([problem], layout))
    singles = [OffloadingEnv(problem, layout) for _ in range(count)]
    seen = [env.reset()[0] for env in singles]
    for _ in range(n):
        # Some go on, the others stay as they are.
        active = np.array([env.decided < n and data.draw(st.booleans()) for env in singles])
        actions = np.array([data.draw(st.sampled_from(np.flatnonzero(row).tolist())) for row in episodes.masks()])
        rewards, ended = episodes.step(actions, active)
        for row, env in enumerate(singles):
            reward, terminal = 0.0, False
            if active[row]:
                seen[row], reward, terminal, *_ = env.step(actions[row])
            assert (rewards[row], ended[row]) == (reward, terminal)
            assert episodes.servers[row, : env.decided].tolist() == env.servers[: env.decided].tolist()
        assert np.array_equal(episodes.observe(), seen)


@given(instances())
def test_masks_are_what_the_layers_allow(instance: Json) -> None:
    everywhere = [server["name"] for server in instance["servers"]]
    allowed = [layer.get("allowed", everywhere) for task in instance["tasks"] for layer in task["layers"]]
    problem = P1(parse(instance))
    env = OffloadingEnv(problem)
    _, info = env.reset()
    for k in problem.free:
        names = allowed[k]
        assert env.action_masks().tolist() == [name in names for name in everywhere]
        assert info["action_mask"].tolist() == env.action_masks().tolist()
        *_, info = env.step(everywhere.index(names[0]))
    assert env.action_masks().all()


def test_action_that_is_not_allowed_is_refused() -> None:
    env = OffloadingEnv(P1(load("tiny-graphs")))
    env.reset()
    assert env.action_masks().tolist() == [True, True, False]
    with pytest.raises(OffbenchError, match=r"tasks\[0\].layers\[0\] \('stem'\) may not run on 'edge-2'"):
        env.step(2)


@pytest.mark.parametrize("action", [-1, 3])
def test_action_that_is_no_server_is_refused(action: int) -> None:
    env = OffloadingEnv(P1(load("tiny-graphs")))
    env.reset()
    with pytest.raises(OffbenchError, match=f"action {action}, but there are 3 servers"):
        env.step(action)


def test_step_past_the_end_is_refused() -> None:
    env = OffloadingEnv(P1(load("tiny-chains")))
    env.reset()
    for _ in range(6):
        env.step(0)
    with pytest.raises(OffbenchError, match="reset"):
        env.step(0)


def random_actions(masks: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.int64]:
    """Return an allowed action for each row."""
    return np.array([rng.choice(np.flatnonzero(mask)) for mask in masks])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_vector_environment_does_what_gymnasiums_own_does_with_single_ones(layout: Layout) -> None:
    ours, theirs = (
        gymnasium.make_vec(ENV_ID, num_envs=4, vectorization_mode=mode, instance="tiny-graphs", observation=layout)
        for mode in (None, "sync")
    )
    assert isinstance(ours.unwrapped, OffloadingVectorEnv)
    assert isinstance(theirs.unwrapped, gymnasium.vector.SyncVectorEnv)
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    rng = np.random.default_rng(0)
    one, info = ours.reset(seed=1)
    other, expected_info = theirs.reset(seed=1)
    for _ in range(3 * (P1(load("tiny-graphs")).n_subtasks + 1)):
        assert np.array_equal(one, other)
        assert info.keys() == expected_info.keys()
        assert all(np.array_equal(info[key], expected_info[key]) for key in info)
        actions = random_actions(info["action_mask"], rng)
        (one, *facts, info), (other, *expected, expected_info) = ours.step(actions), theirs.step(actions)
        assert all(np.array_equal(fact, right) for fact, right in zip(facts, expected, strict=True))


def test_no_transition_crosses_a_reset() -> None:
    prepared = plain.prepare(load("tiny-chains").model_dump(mode="json", exclude_none=True))
    names = list(prepared.servers)
    env = OffloadingVectorEnv(P1(load("tiny-chains")), 5, "full")
    first, _ = env.reset()
    rng = np.random.default_rng(0)
    for _ in range(3):
        total = np.zeros(5)
        for k in range(6):
            _, rewards, terminated, truncated, _ = env.step(random_actions(env.action_masks(), rng))
            total += rewards
            assert terminated.tolist() == [k == 5] * 5
            assert not truncated.any()
        for row, servers in enumerate(env.servers.tolist()):
            named = [names[s] for s in servers]
            assert total[row] == pytest.approx(-plain.evaluate(prepared, [named[:3], named[3:]])["objective"])
        # The next step begins anew, whatever its action.
        observations, rewards, terminated, truncated, info = env.step(np.full(5, 99))
        assert np.array_equal(observations, first)
        assert not (rewards.any() or terminated.any() or truncated.any() or info["objective"].any())


def test_reset_of_a_vector_environment_forgets_that_episodes_ended() -> None:
    env = OffloadingVectorEnv(P1(load("tiny-chains")), 2)
    first, _ = env.reset()
    for _ in range(6):
        env.step(np.zeros(2, dtype=np.int64))
    again, _ = env.reset()
    assert np.array_equal(again, first)
    _, rewards, *_ = env.step(np.zeros(2, dtype=np.int64))
    assert rewards.all()


def test_vector_environment_refuses_what_is_not_allowed_and_stays_as_it_was() -> None:
    env = OffloadingVectorEnv(P1(load("tiny-graphs")), 2)
    before, _ = env.reset()
    with pytest.raises(OffbenchError, match=r"tasks\[0\].layers\[0\] \('stem'\) may not run on 'edge-2'"):
        env.step(np.array([0, 2]))
    with pytest.raises(OffbenchError, match="action 3, but there are 3 servers"):
        env.step(np.array([0, 3]))
    assert np.array_equal(env._episodes.observe(), before)


def test_unknown_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="colour"):
        gymnasium.make(ENV_ID, instance="tiny-chains", colour=1)
    with pytest.raises(OffbenchError, match="unknown argument colour"):
        gymnasium.make_vec(ENV_ID, num_envs=2, instance="tiny-chains", colour=1)
    with pytest.raises(OffbenchError, match=r"'ful'.*did you mean 'full'"):
        gymnasium.make(ENV_ID, instance="tiny-chains", observation="ful")
    with pytest.raises(OffbenchError, match=r"'ful'.*did you mean 'full'"):
        gymnasium.make_vec(ENV_ID, num_envs=2, instance="tiny-chains", observation="ful")


def test_gymnasium_makes_it_by_module_and_name_in_a_fresh_process() -> None:
    # Gymnasium 1 has no entry points for plug-ins; the module before the colon is imported.
    code = (
        "import sys, gymnasium; assert 'offbench' not in sys.modules;"
        f"env = gymnasium.make('offbench.environment:{ENV_ID}', instance='tiny-chains', observation='full');"
        "env.reset(); env.step(1); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Checkers take any action of the space, so they get instances where every server is allowed.
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("instance", ["tiny-chains", "tiny-graphs"])
def test_gymnasium_finds_nothing_wrong(instance: str, layout: Layout) -> None:
    env = gymnasium.make(ENV_ID, instance=without_allowed(instance), observation=layout)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # The times of the full layout have no bound: scales may be stated by the instance, and queues are long.
        warnings.filterwarnings("ignore", message=".*space maximum value is infinity")
        check_env(env.unwrapped)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("instance", ["tiny-chains", "tiny-graphs"])
def test_stable_baselines_finds_nothing_wrong(instance: str, layout: Layout) -> None:
    checker = pytest.importorskip("stable_baselines3.common.env_checker")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        checker.check_env(OffloadingEnv(P1(without_allowed(instance)), layout))
