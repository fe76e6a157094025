"""The agents of stable-baselines3 and sb3-contrib: what is ours about them, and that they learn at all."""

import importlib.util
import random
import subprocess
import sys
from typing import Any

import numpy as np
import plain
import pytest
from handmade import DELAY_ALONE, instance, layer, link, server, task

import offbench as ob
from offbench import P1, OffbenchError, Search
from offbench.model.instance import parse
from offbench.search import entries, registry
from offbench.search.parameters import configure
from offbench.search.registry import find

torch = pytest.importorskip("torch")
pytest.importorskip("stable_baselines3")
pytest.importorskip("sb3_contrib")

# Updates early enough for runs of some hundred episodes.
QUICK: dict[str, dict[str, Any]] = {
    "sb3-dqn": {"batch_size": 32, "learning_starts": 32},
    "sb3-maskable-ppo": {"n_envs": 4, "n_steps": 32, "batch_size": 64},
}
both = pytest.mark.parametrize("solver", list(QUICK))


def made(solver: str, parameters: dict[str, Any]) -> ob.Solver:
    """Return a solver with parameters."""
    return configure(find(solver), solver, parameters)


@both
def test_optimum_of_two_short_chains_is_met(solver: str) -> None:
    tiny = ob.load("tiny-chains")
    optimum, _ = plain.brute_force(tiny.model_dump(mode="json", exclude_none=True))
    solution = ob.solve(tiny, solver, seed=2, max_evaluations=400, parameters=QUICK[solver])
    assert solution.objective == pytest.approx(optimum)


@both
def test_policy_is_better_than_chance(solver: str) -> None:
    # Of the last placements of a short training, most are better than most random ones: 3 servers, 6 subtasks.
    problem = P1(ob.load("tiny-chains"))
    proposed: list[float] = []

    class Remembering(Search):
        def propose(self, placement: Any) -> float:
            proposed.append(ob.evaluate(self.problem, placement).objective)
            return super().propose(placement)

    search = Remembering(problem, ob.Budget(max_evaluations=400))
    with pytest.raises(ob.SearchEnded):
        made(solver, QUICK[solver]).solve(problem, search)
    rows = np.random.default_rng(0).integers(3, size=(1000, 6))
    assert np.median(proposed[-100:]) < np.quantile(ob.evaluate_many(problem, rows), 0.1)


@both
@pytest.mark.parametrize("layout", ["paper", "full"])
def test_same_seed_same_run(solver: str, layout: str) -> None:
    one, two, other = (
        ob.solve("alexnet", solver, seed=seed, max_evaluations=40, parameters=QUICK[solver] | {"observation": layout})
        for seed in (5, 5, 6)
    )
    assert one.evaluations == 40
    assert [point[1:] for point in one.trace] == [point[1:] for point in two.trace]
    assert [point[1:] for point in one.trace] != [point[1:] for point in other.trace]


@both
def test_random_states_and_threads_are_left_alone(solver: str) -> None:
    threads = torch.get_num_threads()
    python, array, tensor = random.getstate(), np.random.get_state(legacy=False), torch.random.get_rng_state()  # noqa: NPY002
    ob.solve("tiny-chains", solver, max_evaluations=100, parameters=QUICK[solver])
    assert random.getstate() == python
    assert np.random.get_state(legacy=False)["state"]["key"].tolist() == array["state"]["key"].tolist()  # noqa: NPY002
    assert torch.equal(torch.random.get_rng_state(), tensor)
    assert torch.get_num_threads() == threads


@both
def test_only_allowed_servers_are_used(solver: str) -> None:
    problem = P1(ob.load("tiny-graphs"))
    assert not problem.allowed.all()
    # The search refuses a placement with a server that isn't allowed.
    solution = ob.solve("tiny-graphs", solver, max_evaluations=100, parameters=QUICK[solver])
    assert solution.evaluations == 100


def test_first_allowed_server_stands_in_for_a_forbidden_one() -> None:
    from offbench.solvers._shared.sb3 import UnmaskedEnv

    problem = P1(ob.load("tiny-graphs"))
    search = Search(problem)
    env = UnmaskedEnv(problem, "paper", None, search)
    env.reset()
    assert env.action_masks().tolist() == [True, True, False]
    _, forbidden, *_ = env.step(2)
    env.reset()
    _, first, *_ = env.step(0)
    env.reset()
    _, second, *_ = env.step(1)
    assert forbidden == first != second


@both
def test_one_subtask_on_two_servers(solver: str) -> None:
    data = instance(
        [server("phone", "client", ghz=1), server("edge", "edge", ghz=4)],
        [link("client", "edge", rate=1)],
        [task("single", layer("only", 2), input_mb=1)],
        weights=DELAY_ALONE,
    )
    solution = ob.solve(parse(data), solver, max_evaluations=50, parameters=QUICK[solver])
    assert solution.placement is not None
    assert solution.placement.servers.tolist() == [1]  # 1 s of transmission and 0.5 s against 2 s


@both
def test_time_limit_is_kept(solver: str) -> None:
    assert ob.solve("alexnet", solver, time_limit=3).seconds < 4


def test_settings_are_the_papers() -> None:
    paper = {"net_arch": (50, 20), "learning_rate": 0.001, "batch_size": 256, "gamma": 0.8}
    assert made("sb3-maskable-ppo", {}).model_dump(include=set(paper)) == paper
    paper |= {"exploration_final_eps": 0.1, "target_update_interval": 100}
    assert made("sb3-dqn", {}).model_dump(include=set(paper)) == paper


@both
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_device_that_is_not_there_is_a_users_mistake(solver: str) -> None:
    with pytest.raises(OffbenchError, match=f"'{solver}'.*no CUDA device"):
        ob.solve("tiny-chains", solver, parameters={"device": "cuda"})


@both
def test_without_the_library_it_is_listed_as_not_installed(solver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = importlib.util.find_spec
    libraries = ("stable_baselines3", "sb3_contrib")
    monkeypatch.setattr(entries, "find_spec", lambda name: None if name in libraries else known(name))
    registry._own_entries.cache_clear()
    try:
        assert registry.catalogue()[solver].missing
        with pytest.raises(OffbenchError, match=r"is not installed: it needs (sb3_contrib|stable_baselines3)"):
            registry.find(solver)
    finally:
        registry._own_entries.cache_clear()


@both
def test_its_parameters_are_read_without_the_library(solver: str) -> None:
    code = (
        f"import sys; from offbench.search.registry import find; find('{solver}').model_fields;"
        "assert not {'torch', 'stable_baselines3', 'sb3_contrib', 'gymnasium'} & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
