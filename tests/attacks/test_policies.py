"""Policies from strangers, on the command line: refused in a line, and nothing of theirs is run."""

import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from attacks.attack import Attack
from attacks.target import Target

EVIL = "from pathlib import Path\nPath({ran!r}).touch()\n"


class _Touch:
    """What makes a file when it is unpickled."""

    def __init__(self, ran: Path) -> None:
        self.ran = ran

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, str]]:
        return open, (str(self.ran), "w")


def _file_beside(folder: Path, ran: Path) -> None:
    (folder.parent / "evil.py").write_text(EVIL.format(ran=str(ran)), encoding="utf-8")
    _change(folder, solver="evil.py")


def _file_inside(folder: Path, ran: Path) -> None:
    (folder / "evil.py").write_text(EVIL.format(ran=str(ran)), encoding="utf-8")
    _change(folder, solver=f"{folder / 'evil.py'}:Evil")


def _path_outside(folder: Path, ran: Path) -> None:
    policy = json.loads((folder / "checkpoint.json").read_text(encoding="utf-8"))["policy"]
    shutil.copy(folder / policy, folder.parent / "outside.bin")
    _change(folder, policy="../outside.bin")


def _pickle(folder: Path, ran: Path) -> None:
    (folder / "policy-1.bin").write_bytes(pickle.dumps(_Touch(ran)))
    _change(folder, policy="policy-1.bin")


def _pipe(folder: Path, ran: Path) -> None:
    os.mkfifo(folder / "pipe")
    _change(folder, policy="pipe")


def _change(folder: Path, **facts: str) -> None:
    path = folder / "checkpoint.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | facts), encoding="utf-8")


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a policy that is one."""
    from offbench import load
    from offbench.learning.train import train

    folder = tmp_path_factory.mktemp("trained") / "policy"
    train([load("tiny-chains")], "ddpqn", folder, parameters={"batch": 32, "memory": 64, "episodes": 8}, steps=60)
    return folder


@pytest.mark.parametrize("made", [_file_beside, _pickle, _file_inside, _path_outside, _pipe])
def test_policy_that_would_run_code_is_refused(
    made: Callable[[Path, Path], None], trained: Path, tmp_path: Path, attack: Attack
) -> None:
    if attack.rounds == 1 and made not in (_file_beside, _pickle):
        pytest.skip("in the long attack")
    target = Target(tmp_path, attack)
    ran = tmp_path / "ran"
    made(Path(shutil.copytree(trained, tmp_path / "policy")), ran)
    suite = target.suite("policies", [{"name": "theirs", "label": "theirs", "policy": "policy"}], time_limit_s=30)
    lines: list[tuple[str, ...]] = [("solve", "--policy", "policy", "--time-limit", "30", "--quiet", "tiny-chains")]
    if attack.rounds > 1:
        lines.append(("bench", suite, "--output", "results"))
    for line in lines:
        command = target.begin(*line)
        code = command.wait(attack, at_most_s=120)
        assert not ran.exists(), line
        assert "Traceback" not in command.err, command.err
        if line[0] == "solve" or made is not _pickle:
            assert code == 2, (line, command.err)
            assert len(command.err.splitlines()) == 1, command.err
        else:  # which file is none is seen by the run that reads it
            assert code in (0, 1), command.err
            assert {row.status for row in target.rows().values()} <= {"refused", "error"}
    attack.count("hostile policies")
    assert not target.orphans()
