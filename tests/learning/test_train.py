"""Train once, solve many: checkpoints, what doesn't fit them, and going on from one."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trainable as foreign

from offbench import OffbenchError, Placement, load, solve
from offbench.learning.checkpoint import FILE, Checkpoint
from offbench.learning.train import Watched, train
from offbench.model.instance import Instance, parse

MINE = foreign.__file__
AGENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "foreign": (str(MINE), {}),
    "ddpqn": ("ddpqn", {"batch": 32, "memory": 200, "episodes": 8, "updates": 1, "copy_every": 7}),
    "dqn-full": ("dqn", {"batch": 32, "memory": 200, "episodes": 8, "updates": 1, "observation": "full"}),
}
OWN = {"foreign": MINE}
"""the files that must be named with their policies"""
every_agent = pytest.mark.parametrize("agent", list(AGENTS))


def trained(folder: Path, agent: str = "foreign", steps: int = 500, **more: Any) -> Checkpoint:
    solver, parameters = AGENTS[agent]
    names = more.pop("names", ("tiny-graphs", "tiny-wireless"))
    return train([load(name) for name in names], solver, folder, parameters=parameters, steps=steps, **more)


def content(folder: Path) -> dict[str, Any]:
    """Return everything that a checkpoint says, but for seconds."""
    said = json.loads((folder / FILE).read_text(encoding="utf-8"))
    del said["seconds"]
    return {"said": said, **{kind: _bare(folder / said[kind]) for kind in ("policy", "training")}}


def _bare(file: Path) -> Any:
    """Return a file's numbers: archives may differ in what names them."""
    if file.read_bytes()[:2] != b"PK":
        return file.read_bytes()
    import torch

    def plain(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return (str(value.dtype), value.shape, value.numpy().tobytes())
        if isinstance(value, dict):
            return {name: plain(each) for name, each in value.items()}
        return [plain(each) for each in value] if isinstance(value, list | tuple) else value

    return plain(torch.load(file, weights_only=True))


SLOW_TO_COMPILE = """
from time import sleep
from trainable import Frequencies

compiled = []

class Slow(Frequencies):
    def warm_up(self):
        sleep(3)
        compiled.append(True)

    def training(self, *arguments):
        assert compiled, "a training would pay for it"
        return super().training(*arguments)
"""


def test_compiling_is_done_before_a_training_and_counts_for_none(
    tmp_path: Path, write: Callable[[str, Any], Path]
) -> None:
    made = train([load("tiny-graphs")], str(write("slow.py", SLOW_TO_COMPILE)), tmp_path / "policy", time_limit=0.5)
    assert 0.5 <= made.seconds < 3


@every_agent
def test_interrupted_and_resumed_ends_where_an_uninterrupted_one_ends(agent: str, tmp_path: Path) -> None:
    whole, halves = tmp_path / "whole", tmp_path / "halves"
    trained(whole, agent, steps=800, save_every_s=0.1)
    trained(halves, agent, steps=400)
    assert content(whole) != content(halves)
    trained(halves, agent, steps=800, resume=True)
    assert content(whole) == content(halves)
    assert {path.name for path in halves.iterdir()} == {
        FILE,
        *(content(halves)["said"][k] for k in ("policy", "training")),
    }


@every_agent
def test_policy_solves_without_learning(agent: str, tmp_path: Path) -> None:
    made = trained(tmp_path / "it", agent)
    solution = solve("tiny-graphs", OWN.get(agent), policy=tmp_path / "it", rollouts=130)
    assert (solution.evaluations, solution.stopped) == (130, "finished")
    assert solution.solver == made.solver or agent == "foreign"
    facts = solution.to_dict()
    assert facts["policy"]["met_in_training"] is True
    assert facts["policy"]["trained_on"] == ["tiny-graphs", "tiny-wireless"]
    assert facts["policy"]["training_seconds"] == made.seconds
    assert 0 < facts["policy"]["inference_seconds"] <= facts["seconds"]
    assert "was met in training" in " ".join(str(solution.summary()).split())  # a long path breaks the line anywhere
    greedy = solve("tiny-graphs", OWN.get(agent), policy=tmp_path / "it")
    assert greedy.placement is not None
    assert greedy.learnt is not None
    assert greedy.placement.servers.tolist() == greedy.learnt.servers.tolist()
    assert solution.objective <= greedy.objective
    again = solve("tiny-graphs", OWN.get(agent), policy=tmp_path / "it", rollouts=130)
    assert [point[1:] for point in again.trace] == [point[1:] for point in solution.trace]


def changed(**changes: Any) -> Instance:
    return parse({**load("tiny-graphs").model_dump(mode="json", exclude_none=True), **changes})


def test_instance_is_met_whatever_its_name(tmp_path: Path) -> None:
    trained(tmp_path)
    other = {"weights": {"delay": 1, "energy": 0, "cost": 0, "score": 1, "coordination": 0, "balance": 0}}
    for instance, met in ((changed(name="x"), True), (changed(**other), False)):
        solution = solve(instance, MINE, policy=tmp_path)
        assert solution.trained is not None
        assert solution.trained.met is met


@pytest.mark.parametrize(
    ("agent", "instance", "why"),
    [
        ("foreign", "alexnet", "trained for 3 servers, not for 11"),
        ("ddpqn", "alexnet", "trained for 3 servers, not for 11"),
        ("ddpqn", "long", "room for tasks of 3 subtasks, not for one of 40"),
    ],
)
def test_policy_that_does_not_fit_says_why(agent: str, instance: str, why: str, tmp_path: Path) -> None:
    trained(tmp_path, agent)
    data = load("tiny-graphs").model_dump(mode="json", exclude_none=True)
    data["tasks"][0]["layers"] += [
        {"name": f"more-{i}", "gcycles": 1, "output_mb": 1, "inputs": []}
        for i in range(40 - len(data["tasks"][0]["layers"]))
    ]
    with pytest.raises(OffbenchError, match=why):
        solve(parse(data) if instance == "long" else instance, OWN.get(agent), policy=tmp_path)


def test_checkpoint_is_not_overwritten(tmp_path: Path) -> None:
    trained(tmp_path)
    with pytest.raises(OffbenchError, match="holds a checkpoint already; --resume"):
        trained(tmp_path)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"seed": 1}, "seed was 0, and is 1 now"),
        ({"names": ("tiny-graphs", "tiny-chains")}, "instance tiny-wireless was"),
        ({"names": ("tiny-graphs",)}, "number of instances was 2, and is 1 now"),
        ({"agent": "ddpqn"}, "solver was"),
    ],
)
def test_only_the_same_training_is_resumed(changes: dict[str, Any], why: str, tmp_path: Path) -> None:
    trained(tmp_path)
    with pytest.raises(OffbenchError, match=f"can't be resumed: {why}"):
        trained(tmp_path, resume=True, **changes)


def test_other_parameters_are_not_resumed(tmp_path: Path) -> None:
    trained(tmp_path)
    with pytest.raises(OffbenchError, match="parameter batch was 10, and is 11 now"):
        train([load("tiny-graphs")], str(MINE), tmp_path, parameters={"batch": "11"}, resume=True, steps=1000)


def test_what_was_trained_before_a_parameter_was_there_goes_on_with_its_default(tmp_path: Path) -> None:
    def trained(folder: Path, steps: int, **more: Any) -> Checkpoint:
        chosen = {"hidden": (4, 3), "episodes": 8, "memory": 200, "batch": 16} | more.pop("parameters", {})
        return train([load("tiny-graphs")], "ddpqn-plus", folder, parameters=chosen, steps=steps, **more)

    trained(tmp_path / "old", 800)
    said = json.loads((tmp_path / "old" / FILE).read_text(encoding="utf-8"))
    del said["parameters"]["gradient"], said["parameters"]["rollouts"]
    (tmp_path / "old" / FILE).write_text(json.dumps(said), encoding="utf-8")
    with pytest.raises(OffbenchError, match=r"parameter gradient was 0.5, and is 1.0 now"):
        trained(tmp_path / "old", 1600, resume=True, parameters={"gradient": 1})
    assert solve("tiny-graphs", policy=tmp_path / "old").status == "feasible"
    trained(tmp_path / "old", 1600, resume=True)
    trained(tmp_path / "whole", 1600)
    assert content(tmp_path / "old") == content(tmp_path / "whole")


def test_what_was_trained_before_parameters_were_dropped_solves_and_goes_on(tmp_path: Path) -> None:
    def trained(folder: Path, steps: int, **more: Any) -> Checkpoint:
        chosen = {"hidden": (4, 3), "episodes": 8, "memory": 200, "batch": 16} | more.pop("parameters", {})
        return train([load("tiny-graphs")], "ddpqn-plus", folder, parameters=chosen, steps=steps, **more)

    trained(tmp_path / "old", 800)
    before = solve("tiny-graphs", policy=tmp_path / "old", rollouts=20)
    said = json.loads((tmp_path / "old" / FILE).read_text(encoding="utf-8"))
    dropped = {"prioritized": True, "omega": 0.6, "beta": 0.4, "baseline": False}
    assert not dropped.keys() & said["parameters"].keys()
    said["parameters"] |= dropped
    (tmp_path / "old" / FILE).write_text(json.dumps(said), encoding="utf-8")
    after = solve("tiny-graphs", policy=tmp_path / "old", rollouts=20)
    assert [point[1:] for point in after.trace] == [point[1:] for point in before.trace]
    # What a user names must be there.
    for request in ({"folder": tmp_path / "new"}, {"folder": tmp_path / "old", "resume": True}):
        with pytest.raises(OffbenchError, match="has no parameter 'prioritized'"):
            trained(steps=1600, parameters={"prioritized": True}, **request)
    trained(tmp_path / "old", 1600, resume=True)
    trained(tmp_path / "whole", 1600)
    assert content(tmp_path / "old") == content(tmp_path / "whole")


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (lambda folder: (folder / FILE).unlink(), "holds no checkpoint"),
        (lambda folder: next(folder.glob("policy-*")).unlink(), r"policy-.*: can't be read"),
        (lambda folder: next(folder.glob("policy-*")).write_bytes(b"nonsense"), r"policy-.*: can't be read"),
        (lambda folder: (folder / FILE).write_text("{}", encoding="utf-8"), "checkpoint.json: .*missing"),
    ],
)
def test_damage_is_told_in_one_line(damage: Callable[[Path], object], why: str, tmp_path: Path) -> None:
    trained(tmp_path, "ddpqn", steps=100)
    damage(tmp_path)
    with pytest.raises(OffbenchError, match=why):
        solve("tiny-graphs", policy=tmp_path)


def test_file_that_runs_code_is_refused(tmp_path: Path) -> None:
    import torch

    class Evil:
        def __reduce__(self) -> tuple[Any, ...]:
            return Path.touch, (tmp_path / "ran",)

    made = trained(tmp_path, "ddpqn", steps=100)
    torch.save({"weights": Evil()}, tmp_path / made.policy)
    with pytest.raises(OffbenchError, match=r"can't be read: UnpicklingError"):
        solve("tiny-graphs", policy=tmp_path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("dies_at", [1, 2, 3])
def test_dying_while_writing_leaves_the_last_checkpoint(
    dies_at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained(tmp_path, steps=1000)
    before = content(tmp_path)
    writes = []

    def fatal(file: int) -> None:
        writes.append(file)
        if len(writes) == dies_at:
            (temporary,) = tmp_path.glob(".*.tmp")
            temporary.with_name(temporary.name.replace(".tmp", "-killed.tmp")).write_bytes(b"half a f")
            raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", fatal)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path, steps=1500, resume=True)
    assert content(tmp_path) == before
    monkeypatch.undo()
    trained(tmp_path, steps=2000, resume=True)
    trained(tmp_path / "whole", steps=2000)
    assert content(tmp_path) == content(tmp_path / "whole")
    assert len(list(tmp_path.glob("*.bin*"))) == 2
    assert not list(tmp_path.glob("*.tmp"))


def test_training_stops_when_it_is_told_to(tmp_path: Path) -> None:
    seen: list[Watched] = []

    def watch(now: Watched) -> None:
        seen.append(now)
        now.diary.listeners.append(lambda name, step, value: setattr(now, "stop", step >= 1000))

    made = trained(tmp_path, steps=10**9, on_start=watch)
    assert 1000 <= made.steps < 2000
    assert seen[0].progress < 1


def test_seconds_add_up_over_a_resume(tmp_path: Path) -> None:
    first = trained(tmp_path, steps=1000)
    second = trained(tmp_path, steps=20_000, resume=True)
    assert second.seconds > first.seconds
    done = trained(tmp_path, steps=20_000, resume=True)
    assert done.steps == second.steps


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({"solver": "greedy"}, "solver 'greedy' can't be trained"),
        ({"solver": "ddpqnn"}, "unknown solver 'ddpqnn'"),
        ({"steps": 0}, "steps: must be a positive number, not 0"),
        ({"time_limit": -1.0}, "time limit: must be a positive number"),
        ({"seed": -1}, "seed: must be 0 or more"),
        ({"resume": True}, "holds no checkpoint"),
    ],
)
def test_mistakes_are_told(arguments: dict[str, Any], why: str, tmp_path: Path) -> None:
    request = {"solver": str(MINE), "steps": 100, **arguments}
    with pytest.raises(OffbenchError, match=why):
        train([load("tiny-graphs")], folder=tmp_path / "new", **request)


def test_instances_with_different_servers_cant_be_learnt_together(tmp_path: Path) -> None:
    with pytest.raises(OffbenchError, match=r"instances with \[3, 11\] servers can't share one"):
        trained(tmp_path, "ddpqn", names=("tiny-graphs", "alexnet"))


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        ({"placement": Placement([0] * 6)}, "name a solver, or the folder of a policy"),
        ({"solver": "greedy", "rollouts": 2}, "rollouts: of a policy only"),
        ({"policy": "here", "solver": "greedy"}, "name none"),
        ({"policy": "here", "rollouts": 0}, "at least 1, not 0"),
        ({"policy": "here"}, "holds no checkpoint"),
    ],
)
def test_mistakes_with_a_policy_are_told(request_: dict[str, Any], why: str) -> None:
    with pytest.raises(OffbenchError, match=why):
        solve("tiny-graphs", **request_)


def test_foreign_agent_is_an_ordinary_solver_too() -> None:
    solution = solve("tiny-graphs", str(MINE), max_evaluations=50)
    assert solution.learnt is not None
    assert isinstance(solution.learnt.servers, np.ndarray)
    assert solution.curves["reward"]
