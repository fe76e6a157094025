"""Compiled functions where no folder can be written, where what is inlined changes, where the cache is broken."""

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import offbench

PACKAGE = Path(offbench.__file__).parent
NAMES = "NUMBA_CACHE_DIR"
USES = """
from offbench.evaluation.compiled import compiled
from helper import LESS, twice

@compiled
def more(x):
    return twice(x) + 1

@compiled
def less(x):
    return twice(x) - LESS

if __name__ == "__main__":
    print(more(1), less(1))
"""
HELPER = """
from offbench.evaluation.compiled import inlined

LESS = 1

@inlined
def twice(x):
    return 2 * x
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder of two modules, one of which compiles in what the other has."""
    made = tmp_path / "made"
    made.mkdir()
    (made / "uses.py").write_text(USES, encoding="utf-8")
    (made / "helper.py").write_text(HELPER, encoding="utf-8")
    return made


def run(*command: str, home: Path, caches: str | None = None, path: Path | None = None) -> tuple[str, list[str]]:
    """Run Python without the right to write where the mode forbids it; return what it printed and noted."""
    environment = {name: value for name, value in os.environ.items() if name not in (NAMES, "XDG_CACHE_HOME")}
    environment |= {"HOME": str(home), "PYTHONPATH": str(path or PACKAGE.parent), "PYTHONDONTWRITEBYTECODE": "1"}
    environment |= {} if caches is None else {NAMES: caches}
    may_not: list[str] = []
    if os.geteuid() == 0:
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            pytest.skip("root may write anywhere")
        rights = "-dac_override,-dac_read_search,-fowner"
        may_not = [setpriv, "--bounding-set", rights, "--inh-caps", rights]
    done = subprocess.run(
        [*may_not, sys.executable, *command], env=environment, cwd=home, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr.splitlines()


@pytest.mark.parametrize("caches", [None, "unwritable"])
def test_no_folder_can_be_written(folder: Path, tmp_path: Path, caches: str | None) -> None:
    """Both functions are compiled, and it is noted once."""
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    folder.chmod(0o555)
    printed, notes = run(str(folder / "uses.py"), home=home, caches=None if caches is None else str(home / caches))
    assert printed == "3 1\n"
    assert len(notes) == 1
    assert NAMES in notes[0]


def test_a_folder_is_named(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    folder.chmod(0o555)
    caches = tmp_path / "caches"
    caches.mkdir()
    assert run(str(folder / "uses.py"), home=home, caches=str(caches)) == ("3 1\n", [])
    assert len(list(caches.rglob("*.nbc"))) == 2


def test_installed_where_nothing_can_be_written(tmp_path: Path) -> None:
    """The whole of it, as an unpacked wheel: the output is JSON and nothing else."""
    home, site = tmp_path / "home", tmp_path / "site"
    shutil.copytree(PACKAGE, site / "offbench", ignore=shutil.ignore_patterns("__pycache__"))
    home.mkdir(mode=0o555)
    for each in (site, *site.rglob("*")):
        each.chmod(0o555)
    command = ("-m", "offbench", "solve", "--solver", "greedy", "tiny-chains", "--json", "--quiet")
    printed, notes = run(*command, home=home, path=site)
    assert json.loads(printed)["evaluation"]["objective"] > 0
    assert len(notes) == 1
    assert NAMES in notes[0]
    for each in (site, *site.rglob("*")):
        each.chmod(0o755)


def test_what_is_inlined_changes(folder: Path, tmp_path: Path) -> None:
    """Numba alone looks at the file of the function itself, and runs what it has compiled before."""
    assert run(str(folder / "uses.py"), home=tmp_path)[0] == "3 1\n"
    (folder / "helper.py").write_text(HELPER.replace("2 * x", "5 * x"), encoding="utf-8")
    assert run(str(folder / "uses.py"), home=tmp_path)[0] == "6 4\n"
    (folder / "helper.py").write_text(HELPER.replace("LESS = 1", "LESS = 2"), encoding="utf-8")
    assert run(str(folder / "uses.py"), home=tmp_path)[0] == "3 0\n"


@pytest.mark.parametrize("kind", ["nbi", "nbc"])
@pytest.mark.parametrize("left", [0, 20])
def test_a_cache_cut_short(folder: Path, tmp_path: Path, kind: str, left: int) -> None:
    """It is compiled anew, and kept anew."""
    script = str(folder / "uses.py")
    assert run(script, home=tmp_path) == ("3 1\n", [])
    kept = list(folder.rglob(f"*.{kind}"))
    whole = {file: file.stat().st_size for file in kept}
    assert len(kept) == 2
    for file in kept:
        file.write_bytes(file.read_bytes()[:left])
    assert run(script, home=tmp_path) == ("3 1\n", [])
    assert {file: file.stat().st_size for file in kept} == whole


def test_a_cache_of_classes_that_have_another_place_since(folder: Path, tmp_path: Path) -> None:
    """As after an update: what a function took stood in a file that is no more."""
    script = str(folder / "uses.py")
    assert run(script, home=tmp_path) == ("3 1\n", [])
    for file in folder.rglob("*.nbi"):
        file.write_bytes(b"cno_such_module\nNoSuchClass\n.")  # a pickle of that class
    assert run(script, home=tmp_path) == ("3 1\n", [])


def test_a_cache_that_may_not_be_read(folder: Path, tmp_path: Path) -> None:
    script = str(folder / "uses.py")
    run(script, home=tmp_path)
    for file in folder.rglob("*.nb?"):
        file.chmod(0o000)
    printed, notes = run(script, home=tmp_path)
    assert printed == "3 1\n"
    assert len(notes) == 1


def test_all_is_compiled_this_way() -> None:
    """Nobody else imports a decorator of numba."""
    files = [file for file in PACKAGE.rglob("*.py") if file != PACKAGE / "evaluation" / "compiled.py"]
    files += (PACKAGE / "solvers").rglob("*.py")
    assert len(files) > 100
    for file in files:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.split(".")[0] == "numba" for name in names), file
