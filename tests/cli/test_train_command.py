"""`offbench train` and what it leaves: signals, TensorBoard, what is printed."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from trainable import __file__ as mine
from typer.testing import CliRunner

from offbench.cli import app
from offbench.learning.checkpoint import FILE

OFFBENCH = [sys.executable, "-m", "offbench"]
SOLVER = ["--solver", str(mine)]


def run(*line: str) -> Any:
    return CliRunner().invoke(app, line)


def state(folder: Path) -> tuple[bytes, bytes, Any]:
    """Return everything of a checkpoint but its seconds."""
    said = json.loads((folder / FILE).read_text(encoding="utf-8"))
    del said["seconds"]
    return (folder / said["policy"]).read_bytes(), (folder / said["training"]).read_bytes(), said


def begin(folder: Path, steps: int, *more: str) -> "subprocess.Popen[str]":
    line = ["train", *SOLVER, "tiny-graphs", "--output", str(folder), "--steps", str(steps), *more]
    return subprocess.Popen(
        [*OFFBENCH, *line], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # tests in the background have it ignored
    )  # fmt: skip


def wait_for(file: Path) -> None:
    """Wait for a file, a minute at most."""
    for _ in range(600):
        if file.exists():
            return
        time.sleep(0.1)
    raise TimeoutError(file)


def test_kill_9_and_resume_end_where_an_uninterrupted_training_ends(tmp_path: Path) -> None:
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    process = begin(killed, 10**9, "--save-every", "0.01")
    wait_for(killed / FILE)
    time.sleep(0.3)  # in the middle of learning or writing
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    steps = str(json.loads((killed / FILE).read_text(encoding="utf-8"))["steps"] + 5000)
    line = ("train", *SOLVER, "tiny-graphs", "--steps", steps, "--output")
    assert run(*line, str(killed), "--resume").exit_code == 0
    assert run(*line, str(whole)).exit_code == 0
    assert state(killed) == state(whole)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_ctrl_c_ends_with_a_checkpoint_that_can_be_resumed(number: signal.Signals, code: int, tmp_path: Path) -> None:
    folder, whole = tmp_path / "it", tmp_path / "whole"
    process = begin(folder, 10**9, "--save-every", "0.01", "--json")
    wait_for(folder / FILE)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert "Traceback" not in err
    assert "--resume goes on from step" in err
    facts = json.loads(out)
    assert facts["interrupted"] is True
    assert facts["steps"] == json.loads((folder / FILE).read_text(encoding="utf-8"))["steps"]
    line = ("train", *SOLVER, "tiny-graphs", "--steps", str(facts["steps"] + 1000), "--output")
    assert run(*line, str(folder), "--resume").exit_code == 0
    assert run(*line, str(whole)).exit_code == 0
    assert state(folder) == state(whole)


def test_trained_and_used(tmp_path: Path) -> None:
    folder = str(tmp_path / "policy")
    done = run("train", *SOLVER, "tiny-graphs", "--output", folder, "--steps", "1000")
    assert done.exit_code == 0, done.stderr
    assert f"policy in {folder}" in " ".join(done.stdout.split())
    assert "offbench solve --solver " in done.stdout  # a file, which no policy alone has run
    solved = run("solve", *SOLVER, "--policy", folder, "--rollouts", "20", "--json", "tiny-graphs")
    assert solved.exit_code == 0, solved.stderr
    found = json.loads(solved.stdout)
    assert found["evaluations"] == 20
    assert found["policy"]["met_in_training"] is True
    refused = run("solve", *SOLVER, "--policy", folder, "alexnet")
    assert refused.exit_code == 2
    assert re.fullmatch(
        r"offbench: .*policy: doesn't fit 'alexnet': it was trained for 3 servers, not for 11\n", refused.stderr
    )


def test_facts_are_json(tmp_path: Path) -> None:
    done = run("train", *SOLVER, "tiny-graphs", "--output", str(tmp_path / "it"), "--steps", "1000", "--json")
    facts = json.loads(done.stdout)
    assert facts["steps"] >= 1000
    assert [seen["name"] for seen in facts["instances"]] == ["tiny-graphs"]
    assert facts["curves"]["reward"]
    assert facts["training_seconds"] > 0


def test_tensorboard_reads_what_is_logged(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    log = tmp_path / "log"
    line = ["train", *SOLVER, "tiny-graphs", "--output", str(tmp_path / "it"), "--steps", "1000"]
    facts = json.loads(run(*line, "--json", "--log-dir", str(log)).stdout)
    read = EventAccumulator(str(log))
    read.Reload()
    scalars = [(event.step, event.value) for event in read.Scalars("reward")]
    assert scalars == [(step, pytest.approx(value)) for step, value in facts["curves"]["reward"]]
    solved = run("solve", *SOLVER, "tiny-graphs", "--max-evaluations", "20", "--log-dir", str(tmp_path / "solve"))
    assert solved.exit_code == 0
    assert any((tmp_path / "solve").iterdir())


def test_without_tensorboard_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard.compat.proto.event_pb2", None)
    done = run("train", *SOLVER, "tiny-graphs", "--output", str(tmp_path / "it"), "--log-dir", str(tmp_path / "log"))
    assert done.exit_code == 2
    assert done.stderr == "offbench: --log-dir: needs TensorBoard: pip install 'offbench[tensorboard]'\n"
    assert not (tmp_path / "it").exists()


def test_bar_shows_what_is_learnt() -> None:
    from offbench.cli.shared.state import learning_state
    from offbench.search.metrics import Diary

    diary = Diary()
    for name, value in {"episode": 1200.0, "loss": 0.0123456, "epsilon": 0.1, "reward": -1.0}.items():
        diary.tell(name, value, 1)
    assert learning_state(diary) == ["episode 1,200", "epsilon 0.1", "loss 0.01235"]
