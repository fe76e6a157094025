"""What is installed from a wheel: everything that runs, once, and nothing else."""

import json
import os
import shutil
import site
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools")

ROOT = Path(__file__).parents[1]
PARTS = ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "offbench", "solvers", "instances", "tests")


def python(*arguments: object, cwd: Path, **env: str) -> str:
    """Run Python in a folder, with no way to the source tree, and return what it prints."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | env
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=kept, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return done.stdout


def alone(tree: Path) -> str:
    """Return a path on which Python finds a tree and the libraries, but with ``-S`` no other tree of ours."""
    return os.pathsep.join([str(tree), *site.getsitepackages()])


def wheel_of(source: Path, out: Path) -> Path:
    """Build the wheel of a source tree, offline."""
    python(
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--wheel-dir",
        out,
        source,
        cwd=out,
    )
    (wheel,) = out.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the source tree, with its links, as a checkout has it."""
    tree = tmp_path_factory.mktemp("source")
    for name in PARTS:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, symlinks=True)
        else:
            shutil.copy2(ROOT / name, tree)
    return tree


@pytest.fixture(scope="module")
def wheel(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the wheel."""
    return wheel_of(source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with what the wheel installs."""
    target = tmp_path_factory.mktemp("installed")
    python("-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", target, wheel, cwd=target)
    return target


def names(wheel: Path) -> set[str]:
    """Return the files of a wheel."""
    found = zipfile.ZipFile(wheel).namelist()
    assert len(set(found)) == len(found)
    return set(found)


def test_wheel_has_the_packages_files_once_and_no_others(source: Path, wheel: Path) -> None:
    here = {
        path.relative_to(source).as_posix()
        for folder in ("offbench", "offbench/solvers", "offbench/instances")
        for path in (source / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert {name for name in names(wheel) if ".dist-info/" not in name} == here
    assert {name.split("/")[0] for name in here} == {"offbench"}  # no solvers/ beside, no tests/
    assert {"offbench/solvers/chain_exact/__init__.py", "offbench/instances/suites/smoke.toml"} <= here


def test_source_archive_makes_the_same_wheel(source: Path, wheel: Path, tmp_path: Path) -> None:
    build = f"from setuptools import build_meta; print(build_meta.build_sdist({str(tmp_path)!r}))"
    python("-c", build, cwd=source)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as packed:
        packed.extractall(tmp_path, filter="data")
    (tree,) = (path for path in tmp_path.iterdir() if path.is_dir())
    (out := tmp_path / "out").mkdir()
    assert names(wheel_of(tree, out)) == names(wheel)


def test_what_is_installed_runs_from_anywhere(installed: Path, tmp_path: Path) -> None:
    env = {"PYTHONPATH": alone(installed)}
    told = python(
        "-c", "import offbench, offbench.solvers as s; print(offbench.__file__, *s.__path__)", cwd=tmp_path, **env
    )
    assert all(path.startswith(str(installed)) for path in told.split())

    def offbench(*arguments: str) -> str:
        return python("-S", "-m", "offbench", *arguments, cwd=tmp_path, **env)

    found = json.loads(offbench("solve", "alexnet", "--solver", "chain-exact", "--json"))
    known = json.loads(offbench("references", "show", "alexnet", "--json"))
    assert found["status"] == "optimal"
    assert found["objective"] == pytest.approx(known["alexnet"]["best_objective"])
    offbench(
        "bench", "smoke", "--instance", "tiny-chains", "--solver", "client-only", "--seeds", "1", "--quiet",
        "--output", "out",
    )  # fmt: skip
    offbench("report", "out", "--output", "page.html")
    assert "client-only" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("link", ["solvers", "instances"])
@pytest.mark.parametrize("left", ["a text", "nothing"])
def test_tree_without_its_links_is_told(source: Path, tmp_path: Path, link: str, left: str) -> None:
    shutil.copytree(source / "offbench", tmp_path / "offbench", symlinks=True)
    for name in ("solvers", "instances"):
        shutil.copytree(source / name, tmp_path / name)
    (tmp_path / "offbench" / link).unlink()
    if left == "a text":  # what git and some archives make of a link where there are none
        (tmp_path / "offbench" / link).write_text(f"../{link}", encoding="utf-8")
    env = os.environ | {"PYTHONPATH": alone(tmp_path)}
    command = [sys.executable, "-S", "-m", "offbench", "solve", "alexnet", "--solver", "greedy"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=600)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"offbench: {tmp_path / 'offbench' / link}: ")
    assert f"copy the folder {link} there" in line
