"""Learning where constraints bind: trainings of both sorts of instances, policies of one sort on the other."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from offbench import P1, OffbenchError, evaluate, load, solve
from offbench.learning.checkpoint import FILE, Checkpoint
from offbench.learning.policy_check import Learnt, look_at
from offbench.learning.train import train
from offbench.model.instance import Instance, parse

AGENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "ddpqn": ("ddpqn", {"batch": 32, "memory": 200, "episodes": 8, "penalty": 2.0}),
    "dqn-full": ("dqn", {"batch": 32, "memory": 200, "episodes": 8, "penalty": 2.0, "observation": "full"}),
    "ddpqn-plus": ("ddpqn-plus", {"batch": 32, "memory": 200, "episodes": 8, "penalty": 2.0}),
}
every_agent = pytest.mark.parametrize("agent", list(AGENTS))


def tight() -> Instance:
    """Return a network on three servers that hold two, three and three of its six layers."""
    data = load("tiny-graphs").model_dump(mode="json", exclude_none=True)
    data |= {"format": "offbench/2", "name": "tight"}
    for task in data["tasks"]:
        for layer in task["layers"]:
            layer["weights_mb"] = 1
    for server, memory_mb in zip(data["servers"], (2, 3, 3), strict=True):
        server["memory_mb"] = memory_mb
    data["limits"] = {"energy_j": 40}
    return parse(data)


def trained(folder: Path, agent: str, *instances: Instance, steps: int = 400, **more: Any) -> Checkpoint:
    solver, parameters = AGENTS[agent]
    return train(instances, solver, folder, parameters=parameters | more.pop("parameters", {}), steps=steps, **more)


def kept(folder: Path, made: Checkpoint, which: str) -> Any:
    return torch.load(folder / getattr(made, which), weights_only=True)


def same(one: Any, other: Any) -> bool:
    """Return whether the weights of two policies are."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    return all(torch.equal(one[name], other[name]) for name in one)


@every_agent
def test_both_sorts_are_learnt_from_together_and_a_resumed_training_ends_the_same(agent: str, tmp_path: Path) -> None:
    both = load("tiny-graphs"), tight()
    whole = trained(tmp_path / "whole", agent, *both)
    trained(tmp_path / "parts", agent, *both, steps=150)
    parts = trained(tmp_path / "parts", agent, *both, resume=True)
    assert parts.steps == whole.steps
    assert parts.parameters["penalty"] == 2.0
    weights = [kept(tmp_path / name, made, "policy")["weights"] for name, made in (("whole", whole), ("parts", parts))]
    assert same(*weights)
    for instance in both:
        assert solve(instance, policy=tmp_path / "whole", rollouts=16).feasible
    with pytest.raises(OffbenchError, match=r"parameter penalty was 2\.0, and is 3\.0 now"):
        trained(tmp_path / "whole", agent, *both, resume=True, parameters={"penalty": 3.0})


@pytest.mark.parametrize("agent", ["dqn-full", "ddpqn-plus"])
def test_a_policy_from_before_there_were_constraints_stays_what_it_was(agent: str, tmp_path: Path) -> None:
    made = trained(tmp_path / "now", agent, load("tiny-graphs"))
    folder = Path(shutil.copytree(tmp_path / "now", tmp_path / "then"))
    older = kept(folder, made, "policy")
    if agent == "ddpqn-plus":
        assert older["shape"].pop() is False
    else:
        assert older["observation"].pop("constrained") is False
    torch.save(older, folder / made.policy)
    for instance in (load("tiny-graphs"), tight()):
        one, other = (solve(instance, policy=tmp_path / name, rollouts=16, seed=1) for name in ("now", "then"))
        assert one.placement is not None
        assert other.placement is not None
        assert (one.placement.servers == other.placement.servers).all()


@every_agent
def test_a_training_from_before_there_were_constraints_goes_on(agent: str, tmp_path: Path) -> None:
    made = trained(tmp_path, agent, load("tiny-graphs"), steps=150, parameters={"penalty": None})
    older = kept(tmp_path, made, "training")
    for stage in older["rounds" if agent == "ddpqn-plus" else "stages"]:
        for name in ("violation", "used"):
            del stage["episodes"][name]
    torch.save(older, tmp_path / made.training)
    said = json.loads((tmp_path / FILE).read_text(encoding="utf-8"))
    del said["parameters"]["penalty"]
    (tmp_path / FILE).write_text(json.dumps(said), encoding="utf-8")
    resumed = trained(tmp_path, agent, load("tiny-graphs"), resume=True, parameters={"penalty": None})
    whole = trained(tmp_path / "whole", agent, load("tiny-graphs"))
    one, other = kept(tmp_path, resumed, "policy")["weights"], kept(tmp_path / "whole", whole, "policy")["weights"]
    assert same(one, other)


@every_agent
def test_penalty_is_what_is_learnt_by(agent: str, tmp_path: Path) -> None:
    weights = []
    for penalty in (0.0, 5.0):
        made = trained(tmp_path / str(penalty), agent, tight(), parameters={"penalty": penalty})
        weights.append(kept(tmp_path / str(penalty), made, "policy")["weights"])
    assert not same(*weights)
    with pytest.raises(OffbenchError, match="penalty"):
        solve(tight(), AGENTS[agent][0], parameters={"penalty": -1}, max_evaluations=10)


@pytest.mark.parametrize("solver", ["ddpqn", "ddpqn-plus", "sb3-maskable-ppo"])
def test_agents_find_the_best_feasible_placement(solver: str) -> None:
    if solver.startswith("sb3"):
        pytest.importorskip("sb3_contrib")
    problem = P1(tight())
    n = problem.n_subtasks
    rows = np.stack(np.meshgrid(*[np.arange(3)] * n, indexing="ij"), axis=-1).reshape(-1, n)
    rows = rows[problem.allowed[np.arange(n), rows].all(axis=1)]
    found = [evaluate(problem, row) for row in rows]
    best = min(each.objective for each in found if each.feasible)
    assert min(each.objective for each in found) < best
    solution = solve(tight(), solver, seed=1, max_evaluations=2000)
    assert solution.objective == pytest.approx(best)
    rewards = [reward for _, reward, *_ in solution.curves.get("reward", [])]
    assert not rewards or min(rewards) < -max(each.objective for each in found)  # what is broken is in them


def test_a_policy_that_breaks_constraints_is_said_to() -> None:
    problem = P1(tight())
    found = look_at(problem, problem.everything_on(0))
    assert found.violation == evaluate(problem, problem.everything_on(0)).violation > 0
    assert "client-only" not in found.baselines  # which breaks them, too
    assert all(np.isfinite(q) for q in found.baselines.values())
    warning = found.warnings[-1]
    assert warning.startswith("the policy, explored no further, breaks constraints (violation ")
    assert all(name in warning for name in found.baselines)
    assert Learnt(found.servers, 1.0, {"greedy": 2.0}, False).warnings == []


def test_shares_are_of_places_where_there_are_several_clients() -> None:
    solution = solve("phones", "ddpqn-plus", max_evaluations=3000, parameters={"episodes": 8, "batch": 32})
    facts = solution.to_dict()
    assert list(facts["shares"]) == list(facts["policy"]["shares"]) == ["client", "edge"]
    assert sum(facts["shares"].values()) == pytest.approx(1)
