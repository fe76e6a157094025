"""``-`` is stdin where something is read and stdout where something is written; folders that aren't there are made."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bench.stand_ins import here
from typer.testing import CliRunner, Result

from offbench import evaluate, load
from offbench.bench import runner
from offbench.cli import app

Run = Callable[..., Result]
NOWHERE = json.dumps({"servers": [["client"] * 3] * 2, "order": None})
TINY = load("tiny-graphs").to_text()
SUITE = 'name = "piped"\ninstances = ["tiny-chains"]\nsolvers = ["greedy"]\nmax_evaluations = 30\n'


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs offbench in a folder of its own, with a text on stdin."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "workers", here)

    def run(*line: object, stdin: str = "") -> Result:
        return CliRunner().invoke(app, [str(part) for part in line], input=stdin)

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="a shell's pipe")
def test_commands_make_a_pipe(tmp_path: Path) -> None:
    offbench = f"'{sys.executable}' -m offbench"
    pipe = (
        f"{offbench} instance make alexnet --output - | {offbench} solve --solver greedy - --output - "
        f"| {offbench} evaluate alexnet - --json"
    )
    done = subprocess.run(["sh", "-c", pipe], capture_output=True, text=True, cwd=tmp_path, timeout=180, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert done.stderr.startswith("offbench: greedy on alexnet-x1-e5-c5 (P1): feasible: Q ")
    assert f"Q {told['objective']:.6g}\n" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "stdin"),
    [
        (("evaluate", "tiny-graphs", "-"), NOWHERE),
        (("evaluate", "-", "p.json"), TINY),
        (("solve", "tiny-graphs", "--solver", "spt", "--placement", "-"), NOWHERE),
        (("solve", "-", "--solver", "greedy"), TINY),
        (("bound", "-", "--time-limit", "5"), TINY),
        (("bound", "tiny-graphs", "--placement", "-", "--time-limit", "5"), NOWHERE),
        (("pareto", "-", "--time-limit", "1", "--solver", "greedy", "--output", "front"), TINY),
        (("train", "-", "--solver", "ddpqn", "--steps", "12", "--output", "policy"), TINY),
        (("show", "-", "p.json"), TINY),
        (("show", "tiny-graphs", "-"), NOWHERE),
        (("instance", "show", "-"), TINY),
        (("instance", "check", "-"), TINY),
        (("instance", "edit", "-", "--name", "other"), TINY),
        (("bench", "-", "--dry-run"), SUITE),
        (("bench", "-"), SUITE),
        (("references", "show", "--file", "-"), '{"format": "offbench-references/1", "instances": {}}'),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_stdin_is_read(line: tuple[str, ...], stdin: str, run: Run) -> None:
    """And what is wrong in it, or that nothing comes, is told of ``<stdin>``."""
    Path("p.json").write_text(NOWHERE, encoding="utf-8")
    wrong = run(*line, stdin="{")
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (2, 1) and "<stdin>: " in wrong.stderr
    assert "<stdin>: is empty" in run(*line).stderr
    done = run(*line, stdin=stdin)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "line",
    [
        ("evaluate", "-", "-"),
        ("solve", "-", "--placement", "-", "--solver", "spt"),
        ("bound", "-", "--placement", "-"),
        ("train", "-", "alexnet", "-", "--solver", "ddpqn", "--output", "policy"),
        ("show", "-", "-"),
        ("instance", "make", "-", "-"),
        ("instance", "check", "-", "-"),
        ("bench", "-", "--instance", "-"),
    ],
    ids=" ".join,
)
def test_stdin_can_be_read_once(line: tuple[str, ...], run: Run) -> None:
    done = run(*line, stdin=TINY)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == "offbench: -: stands twice for stdin, which can be read once; name a file for one of them\n"


def test_file_alone_goes_to_stdout(run: Run) -> None:
    for line in (
        ("solve", "tiny-graphs", "--solver", "greedy"),
        ("instance", "make", "alexnet"),
        ("instance", "edit", "tiny-graphs", "--objective", "score"),
        ("references", "update", "tiny-graphs", "--solver", "greedy", "--time-limit", "1"),
    ):
        told = json.loads(run(*line, "--output", "-").stdout)
        assert {"servers", "instances"} & set(told), line
    assert run("bench", "-", stdin=SUITE).exit_code == 0
    page = run("report", "results/piped", "--output", "-").stdout
    assert page.startswith("<!doctype html>") and page.rstrip().endswith("</html>")
    table = run("export", "results/piped", "--output", "-").stdout
    assert table.count("\n") == 2 and table.startswith("instance,solver,")
    Path("p.json").write_text(NOWHERE, encoding="utf-8")
    assert run("show", "tiny-graphs", "p.json", "--output", "-").stdout.startswith("<!doctype html>")
    assert not Path("-").exists()


def test_two_things_for_stdout_are_refused(run: Run) -> None:
    for line in (("solve", "alexnet"), ("table", "results", "--format", "csv")):
        done = run(*line, "--json", "--output", "-")
        assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1) and "stdout" in done.stderr
    for line in (("pareto", "alexnet"), ("train", "alexnet", "--solver", "ddpqn"), ("bench", "smoke")):
        done = run(*line, "--output", "-")
        assert (done.exit_code, done.stderr) == (2, "offbench: -: stands for stdout, where a folder is wanted\n")


def test_missing_folders_are_made(run: Run) -> None:
    done = run("solve", "tiny-graphs", "--solver", "greedy", "--output", "a/b/p.json")
    assert done.exit_code == 0 and "wrote a/b/p.json" in done.stderr
    assert run("evaluate", "tiny-graphs", "a/b/p.json").exit_code == 0
    assert run("instance", "make", "alexnet", "--output", "c/d/i.json").exit_code == 0
    assert load("c/d/i.json").subtasks == load("alexnet").subtasks
    line = ("pareto", "tiny-graphs", "--solver", "greedy", "--time-limit", 1, "--output", "e/f")
    assert run(*line).exit_code == 0
    assert evaluate("tiny-graphs", "e/f/placements/greedy.json").feasible
    Path("s.toml").write_text(SUITE, encoding="utf-8")
    assert run("bench", "s.toml", "--output", "g/h").exit_code == 0
    assert run("report", "g/h", "--output", "i/j.html", "--figures", "k/l").exit_code == 0
    assert Path("i/j.html").is_file() and list(Path("k/l").glob("*.pdf"))
    assert run("export", "g/h", "--output", "m/n.csv").exit_code == 0
    assert run("table", "g/h", "--format", "csv", "--output", "o/p.csv").exit_code == 0


def test_no_folder_is_made_before_there_is_something_for_it(run: Run) -> None:
    for line in (
        ("solve", "no-such-instance", "--output", "a/p.json"),
        ("pareto", "no-such-instance", "--output", "a/front"),
        ("train", "no-such-instance", "--solver", "ddpqn", "--output", "a/policy", "--log-dir", "a/log"),
        ("bench", "smoke", "--instance", "no-such-instance", "--output", "a/results"),
        ("instance", "make", "no-such-network", "--output", "a/i.json"),
    ):
        assert run(*line).exit_code == 2, line
        assert not list(Path().iterdir()), line


@pytest.mark.parametrize(
    "line",
    [
        ("solve", "alexnet", "--output", "file/p.json"),
        ("solve", "alexnet", "--log-dir", "file/log"),
        ("train", "alexnet", "--solver", "ddpqn", "--output", "file/policy"),
        ("train", "alexnet", "--solver", "ddpqn", "--output", "policy", "--log-dir", "file"),
        ("pareto", "alexnet", "--output", "file/front"),
        ("instance", "edit", "alexnet", "--objective", "score", "--output", "file/i.json"),
    ],
    ids=" ".join,
)
def test_folder_that_cannot_be_made_is_refused_at_once(line: tuple[str, ...], run: Run) -> None:
    Path("file").touch()
    done = run(*line)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "can't be written: file is no folder" in done.stderr
