"""What a run's key hashes: the code that decides the run, all of it, and nothing else."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import EntryPoint
from importlib.util import spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

import offbench.search.registry
from offbench.bench.code import PRESENTATION, digest
from offbench.bench.job import NOT_INSTALLED, code_of
from offbench.search.source import Source, find_source

Write = Callable[[str, Any], Path]

ROOT = Path(__file__).parents[2]
SOLVERS = ["annealing", "beam", "chain-exact", "ddpqn", "ddpqn-plus", "greedy", "greedy in two steps"]
CODES = f"""
import json
from offbench.bench.job import code_of
names = {SOLVERS!r}
print(json.dumps({{name: code_of(name.split(" ")[0], name.endswith("steps")) for name in names}}))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the package."""
    copy = tmp_path_factory.mktemp("tree")
    for name in ("offbench", "solvers", "instances"):
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def codes(tree: Path) -> dict[str, str]:
    """Return the fingerprints that a tree's code makes."""
    env = os.environ | {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run([sys.executable, "-c", CODES], env=env, cwd=tree, capture_output=True, text=True, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def before(tree: Path) -> dict[str, str]:
    """Return the fingerprints of the copy as it is."""
    return codes(tree)


LEARNING = {"ddpqn", "ddpqn-plus"}


@pytest.mark.parametrize(
    ("file", "old", "new", "changed"),
    [
        ("offbench/runs/summary.py", '"""', '# A comment.\n"""', set()),
        ("offbench/runs/summary.py", "\ndef ", "\nNEW = 1\n\n\ndef ", set()),
        ("offbench/search/search.py", '"""', '# A comment.\n"""', set()),
        ("offbench/search/search.py", "def check(self) -> None:", 'def check(self) -> "None":', set()),
        ("offbench/search/search.py", '"""Score one placement', '"""In other words: score one placement', set()),
        (
            "offbench/search/search.py",
            "self._evaluations = 0\n",
            "self._evaluations = (\n            0\n        )\n",
            set(),
        ),
        ("offbench/search/search.py", "self._evaluations = 0\n", "self._evaluations = 1\n", set(SOLVERS)),
        ("offbench/evaluation/kernel.py", "\ndef ", "\nNEW = 1\n\n\ndef ", set(SOLVERS)),
        ("offbench/bench/runner.py", "_LOSSES = 3", "_LOSSES = 4", set()),
        ("offbench/cli/bench.py", 'Path("results")', 'Path("result")', set()),
        ("offbench/runs/two_step.py", "\ndef ", "\nNEW = 1\n\n\ndef ", {"greedy in two steps"}),
        ("solvers/beam.py", "\nclass ", "\nNEW = 1\n\n\nclass ", {"beam"}),
        ("solvers/dqn/sampling.py", "\nimport ", "\nNEW = 1\nimport ", LEARNING),
        ("solvers/ddpqn_plus/network.py", "\nimport ", "\nNEW = 1\nimport ", {"ddpqn-plus"}),
        ("solvers/_shared/heat_bath.py", "\nimport ", "\nNEW = 1\nimport ", {"annealing", "beam"}),
        ("offbench/bounds/label_setting.py", "\nimport ", "\nNEW = 1\nimport ", {"beam", "chain-exact"}),
        ("offbench/environment/episodes.py", "\nimport ", "\nNEW = 1\nimport ", LEARNING),
    ],
)
def test_key_changes_with_what_decides_the_run(
    tree: Path, before: dict[str, str], file: str, old: str, new: str, changed: set[str]
) -> None:
    path = tree / file
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    try:
        after = codes(tree)
    finally:
        path.write_text(text, encoding="utf-8")
    assert {name for name in SOLVERS if after[name] != before[name]} == changed


def test_what_is_called_presentation_is_there() -> None:
    assert all(find_source(name) is not None for name in PRESENTATION)


ONE = '''
"""A file."""
from typing import TYPE_CHECKING
import numpy as np
if TYPE_CHECKING:
    from here import There

class A:
    """It."""
    x: int = 1
    """a number"""
    def f(self, a, *more, b=-0.5, **rest):
        """Do it."""
        return {**rest, "k": f"{a!r:>{b}} {self.x:{a}}", None: [True, 1, 1.0, b"x", ..., 2j]}
'''
SAME = """
# Otherwise laid out.
from typing import TYPE_CHECKING
import numpy as np
class A:
    x: int = 1
    def f(self, a, *more, b = - .5, **rest):
        return {
            **rest, 'k': f'{a!r:>{b}} {self.x:{a}}', None: [True, 1, 1.0, b'x', ..., 2j],
        }
"""


def test_layout_and_texts_for_people_do_not_count(write: Write) -> None:
    one, same = (Source.at(name, write(f"{name}.py", text)) for name, text in (("one", ONE), ("same", SAME)))
    assert digest(one) == digest(same)
    # Written down: another version of Python must make the same of it (3.11, 3.12 and 3.13 do).
    assert digest(one) == "49f8b6780973b1d4c44ce09895328204a1ceec7b955f92a855a31fbb1115f185"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("1.0", "1"),
        ("True", "1"),
        ("!r", "!s"),
        ("x: int", "x: float"),
        ("np", "num"),
        ("-0.5", "0.5"),
        ('b"x"', '"x"'),
    ],
)
def test_what_happens_counts(write: Write, old: str, new: str) -> None:
    one, other = Source.at("one", write("one.py", ONE)), Source.at("one", write("other.py", ONE.replace(old, new, 1)))
    assert digest(one) != digest(other)


MINE = """
from offbench import Solver


class Mine(Solver):
    '''Mine.'''

    def solve(self, problem, search):
        from helper import first

        search.propose(first(problem))
"""


def test_file_with_a_solver_counts_with_what_it_imports_from_beside_it(write: Write, tmp_path: Path) -> None:
    path = write("mine.py", MINE)
    alone = code_of(str(path))
    write("helper.py", "def first(problem): return problem.everything_on(0)\n")
    with_helper = code_of(str(path))
    write("helper.py", "def first(problem): return problem.everything_on(1)\n")
    assert len({alone, with_helper, code_of(str(path)), code_of("greedy")}) == 4
    write("helper.py", "def first(problem):\n    # a comment\n    return problem.everything_on(1)\n")
    changed = code_of(str(path))
    write("unrelated.py", "x = 1\n")
    assert code_of(str(path)) == changed
    write("mine.py", MINE.replace("'''Mine.'''", "'''It is mine.'''"))
    assert code_of(str(path)) == changed


def test_file_with_a_solver_counts_with_the_shipped_solver_that_it_extends(write: Write) -> None:
    path = write("mine.py", "from offbench.solvers.greedy import Greedy\nclass Mine(Greedy):\n    pass\n")
    other = write("other.py", "from offbench.solvers.beam import Beam\nclass Mine(Beam):\n    pass\n")
    assert code_of(str(path)) != code_of(str(other))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the folder of an installed package with a solver, `theirs`."""
    package = tmp_path / "site-packages" / "their_solvers"
    (package / "sub").mkdir(parents=True)
    files = {
        "__init__.py": "from their_solvers.parts import first\n" + MINE, "parts.py": "first = 1\n",
        "plugin.py": "x = 1\n", "sub/__init__.py": "", "sub/more.py": "x = 1\n", "fast.abi3.so": "\x7fELF\0 1",
        "notes.txt": "1",
    }  # fmt: skip
    for name, text in files.items():
        (package / name).write_text(text, encoding="utf-8")
    monkeypatch.syspath_prepend(package.parent)
    point = EntryPoint("theirs", "their_solvers:Mine", "offbench.solvers")
    monkeypatch.setattr(offbench.search.registry, "_points", lambda: (point,))
    yield package
    for name in [name for name in sys.modules if name.startswith("their_solvers")]:
        del sys.modules[name]


@pytest.mark.parametrize(
    ("file", "new", "changes"),
    [
        ("parts.py", "first = 2\n", True),
        ("plugin.py", "x = 2\n", True),  # which no import statement names
        ("sub/more.py", "x = 2\n", True),
        ("fast.abi3.so", "\x7fELF\0 2", True),
        ("new.py", "x = 1\n", True),
        ("plugin.py", "# The same.\nx = 1\n", False),
        ("notes.txt", "2", False),
    ],
)
def test_entry_point_counts_with_its_package(file: str, new: str, changes: bool, package: Path) -> None:
    before = code_of("theirs")
    assert "entry point" in before and code_of("theirs") == before
    (package / file).write_text(new, encoding="utf-8")
    assert (code_of("theirs") != before) is changes


def test_package_that_is_installed_editable_counts(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its installer leaves a finder of its own, as setuptools does."""
    away = tmp_path / "away" / "their_library"
    away.mkdir(parents=True)
    (away / "__init__.py").write_text("x = 1\n", encoding="utf-8")

    class Finder:
        @staticmethod
        def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
            return spec_from_file_location(name, away / "__init__.py") if name == "their_library" else None

    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder])
    path = write("mine.py", MINE.replace("from helper", "import their_library\n        from helper"))
    before = code_of(str(path))
    (away / "__init__.py").write_text("x = 22\n", encoding="utf-8")
    assert code_of(str(path)) != before


def test_solver_that_is_not_here_has_no_code() -> None:
    assert code_of("no-such-solver") == NOT_INSTALLED


def test_names_of_one_agent_have_one_code() -> None:
    assert code_of("ddpqn") == code_of("dqn")
