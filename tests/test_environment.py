"""The decision process: observations by hand, rewards that sum to -Q."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from strategies import Json, instances

from offbench import P1, OffbenchError, evaluate, load
from offbench.environment import OffloadingEnv
from offbench.instance import parse


@given(instances(), st.data())
def test_rewards_of_an_episode_sum_to_minus_the_objective(instance: Json, data: st.DataObject) -> None:
    problem = P1(parse(instance))
    env = OffloadingEnv(problem)
    env.reset()
    total, terminal = 0.0, False
    while not terminal:
        action = data.draw(st.sampled_from(np.flatnonzero(env.action_masks()).tolist()))
        _, reward, terminal, truncated, _ = env.step(action)
        assert not truncated
        total += reward
    objective = evaluate(problem, env.servers).objective
    assert total == pytest.approx(-objective, rel=1e-9, abs=1e-9)


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


def test_gymnasium_finds_nothing_wrong() -> None:
    env: gymnasium.Env[np.ndarray, np.int64] = OffloadingEnv(P1(load("tiny-chains")))
    check_env(env, skip_render_check=True)
