"""What lies in the current folder under the name of a module is not run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from offbench.runs.safe_path import environment, safe_path

HOME = Path(__file__).parents[2]
OTHERS = ("numpy", "numba", "pandas", "joblib", "torch", "typer", "pydantic", "rich", "psutil", "yaml", "sitecustomize")
# `python -m` itself imports this one, before anything of ours.
NAMES = [name for name in sys.stdlib_module_names if not name.startswith("_") and name != "importlib"] + list(OTHERS)
SUITE = 'name = "mini"\ninstances = ["tiny-chains"]\nsolvers = ["greedy", "client-only"]\nmax_evaluations = 30\n'
MINE = """from offbench import P1, Search, Solver


class Mine(Solver):
    def solve(self, problem: P1, search: Search) -> None:
        search.propose(problem.everything_on(problem.arrays.client))
"""
COMMANDS = [
    ("solve", "--solver", "random", "--max-evaluations", "9", "tiny-chains"),
    ("bench", "mini.toml", "--output", "one"),
    ("bench", "mini.toml", "--output", "two", "--jobs", "2"),
    ("check", "greedy"),
]


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Return a folder with a file in the name of each module, that tells when it is run."""
    for name in NAMES:
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'a').write('{name} ')", encoding="utf-8")
    (tmp_path / "mini.toml").write_text(SUITE, encoding="utf-8")
    return tmp_path


# As the installed script begins, whose own folder stands first in the path.
SCRIPT = f"import sys; sys.path.insert(0, {str(HOME)!r}); from offbench.cli import main; main()"
MODULE = ["-m", "offbench"]


@pytest.mark.parametrize(
    ("begin", "line"),
    [*((MODULE, line) for line in COMMANDS), (["-I", "-c", SCRIPT], COMMANDS[2])],
    ids=["solve", "bench", "two jobs", "check", "script"],
)
def test_modules_of_the_current_folder_are_not_run(begin: list[str], line: tuple[str, ...], hostile: Path) -> None:
    done = subprocess.run(
        [sys.executable, *begin, *line], cwd=hostile, env={**os.environ, "PYTHONPATH": str(HOME)}, capture_output=True,
        text=True, timeout=300, check=False,
    )  # fmt: skip
    ran = (hostile / "ran").read_text(encoding="utf-8") if (hostile / "ran").exists() else ""
    assert (ran, done.returncode) == ("", 0), done.stderr


def test_current_folder_stays_where_the_user_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", str(tmp_path), "/elsewhere"])
    for named, found in (
        ("", "/elsewhere"),
        (os.pathsep, "/elsewhere"),
        (".", f"{tmp_path}{os.pathsep}/elsewhere"),
        (f"/x{os.pathsep}{tmp_path}", f"{tmp_path}{os.pathsep}/elsewhere"),
    ):
        monkeypatch.setenv("PYTHONPATH", named)
        assert environment()["PYTHONPATH"] == found
    monkeypatch.delenv("PYTHONPATH")
    assert environment()["PYTHONPATH"] == "/elsewhere"


def test_others_processes_are_told_and_a_run_s_own_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
    with safe_path():
        assert os.environ["PYTHONSAFEPATH"]
        assert "PYTHONSAFEPATH" not in environment()
    assert "PYTHONSAFEPATH" not in os.environ
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    with safe_path():
        assert environment()["PYTHONSAFEPATH"] == "1"
    assert os.environ["PYTHONSAFEPATH"] == "1"


def test_modules_beside_a_script_are_found_in_its_processes_too(tmp_path: Path) -> None:
    """Python runs them with the script in any case."""
    (tmp_path / "beside.py").write_text("", encoding="utf-8")
    (tmp_path / "mine.py").write_text("import beside\n" + MINE, encoding="utf-8")
    (tmp_path / "mini.toml").write_text(SUITE.replace('"greedy"', '{ name = "mine.py" }'), encoding="utf-8")
    script = tmp_path / "script.py"
    script.write_text("from offbench.cli import main\nimport beside\nmain()\n", encoding="utf-8")
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONSAFEPATH"} | {"PYTHONPATH": str(HOME)}
    line = [sys.executable, str(script), "bench", "mini.toml", "--output", "out"]
    done = subprocess.run(line, cwd=tmp_path, env=environ, capture_output=True, text=True, check=False)
    assert (done.returncode, "2 runs made" in done.stdout) == (0, True), done.stderr
    rows = [json.loads(path.read_text(encoding="utf-8")) for path in (tmp_path / "out" / "runs").glob("*.json")]
    assert [row["status"] for row in rows] == ["feasible"] * 2
