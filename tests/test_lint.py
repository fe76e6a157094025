"""The linters hold what they are there for: what is planted in a copy of the tree, they find."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent
UPWARD = "Imports run upward only, and nothing imports a solver"
FACE = "Solvers use the core's public face"
LIBRARIES = "Only solvers import solver libraries"
DOOR = "The core doesn't use its own front door"
CIRCLES = "No circles in a room"

pytestmark = pytest.mark.skipif(not (BIN / "lint-imports").exists(), reason="the linters aren't installed")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the tree, with what the type checker remembers of it."""
    copy = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("__pycache__", "test_lint.py")
    for path in ROOT.iterdir():
        if path.is_file():
            shutil.copy2(path, copy)
        elif path.name == ".mypy_cache" or not (path.name.startswith(".") or path.name in ("build", "results")):
            shutil.copytree(path, copy / path.name, symlinks=True, ignore=ignored)
    return copy


def lint(tool: str, tree: Path) -> str:
    """Return what a linter of `make lint` says of a tree; empty if it passes."""
    env = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "COLUMNS")}
    done = subprocess.run([BIN / tool], cwd=tree, env=env, capture_output=True, text=True, timeout=600)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@contextmanager
def planted(tree: Path, file: str, text: str) -> Iterator[None]:
    """Write *text* at a file's end, or into a new file, until the body is done."""
    path = tree / file
    before = path.read_text(encoding="utf-8") if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{before or ''}\n\n{text}\n", encoding="utf-8")
    try:
        yield
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_text(before, encoding="utf-8")


def broken(report: str) -> list[str]:
    """Return the contracts that a report calls broken."""
    return re.findall(r"^(.+) BROKEN", report, flags=re.MULTILINE)


def test_nothing_planted_passes(tree: Path) -> None:
    assert lint("lint-imports", tree) == ""


@pytest.mark.parametrize(
    ("file", "text", "contract"),
    [
        ("offbench/bench/runner.py", "from offbench.solvers.greedy import Greedy", UPWARD),
        ("offbench/bench/runner.py", "def late() -> None:\n    from offbench.solvers.greedy import Greedy", UPWARD),
        ("offbench/bench/runner.py", "import offbench.solvers.greedy", UPWARD),
        ("offbench/bench/runner.py", "from offbench.solvers import greedy", UPWARD),
        ("offbench/bench/runner.py", "from ..solvers import greedy", UPWARD),
        ("offbench/cli/solve.py", "from offbench.solvers._shared.moves import move", UPWARD),
        ("offbench/__init__.py", "from offbench.solvers.greedy import Greedy", "import offbench imports no solver"),
        ("offbench/evaluation/kernel.py", "from offbench.bench.row import Row", UPWARD),
        ("offbench/model/problem.py", "def late() -> None:\n    import offbench.search.search", UPWARD),
        ("offbench/attic/__init__.py", "", UPWARD),
        ("offbench/model/problem.py", "from offbench import solve", DOOR),
        ("offbench/search/search.py", "import torch", LIBRARIES),
        ("offbench/learning/train.py", "def late() -> None:\n    from torch.nn import Linear", LIBRARIES),
        ("offbench/bounds/relaxation.py", "import ortools.sat.python.cp_model", LIBRARIES),
        ("offbench/search/budget.py", "from offbench.search.search import Search", CIRCLES),
        ("offbench/runs/summary.py", "from offbench.runs.solution import Solution", CIRCLES),
        ("offbench/runs/summary.py", "from offbench.runs.solve import solve", "A run's steps"),
        ("solvers/greedy.py", "from offbench.runs.solve import solve", FACE),
        ("solvers/greedy.py", "def late() -> None:\n    from offbench.cli import app", FACE),
        ("solvers/cp_sat/model.py", "import offbench.bench.runner", FACE),
        ("solvers/_shared/moves.py", "from offbench.evaluation.kernel import unpack", FACE),
        ("solvers/greedy.py", "from offbench.evaluation.references import lookup", FACE),
    ],
)
def test_wrong_import_fails(tree: Path, file: str, text: str, contract: str) -> None:
    with planted(tree, file, text):
        report = lint("lint-imports", tree)
    assert any(name.startswith(contract) for name in broken(report)), report


def test_call_that_makes_no_sense_fails(tree: Path) -> None:
    assert lint("mypy", tree) == ""
    nonsense = "\n".join(
        [
            "from offbench.solvers._shared.heat_bath import HeatBath as Bath",
            "from offbench.solvers.greedy import Greedy as Shortsighted",
            "def planted(bath: Bath) -> None:",
            '    bath.nonsense(1, "x")',
            "    Shortsighted().solve(1)",
        ]
    )
    with (
        planted(tree, "solvers/annealing.py", nonsense),
        planted(tree, "tests/solvers/test_annealing.py", nonsense),
    ):
        report = lint("mypy", tree)
    for file in ("solvers/annealing.py", "tests/solvers/test_annealing.py"):
        told = "\n".join(line for line in report.splitlines() if file in line)
        assert '"HeatBath" has no attribute "nonsense"' in told, report
        assert 'Missing positional argument "search"' in told, report
