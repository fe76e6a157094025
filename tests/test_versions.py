"""The version told is that of the code that runs."""

import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import NoReturn

import pytest
from typer.testing import CliRunner

from offbench import versions
from offbench.cli import app

HOME = Path(__file__).parent.parent
PROJECT = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def not_installed(name: str) -> NoReturn:
    raise PackageNotFoundError(name)


def test_version_is_the_source_trees() -> None:
    assert CliRunner().invoke(app, ["--version"]).output == f"offbench {PROJECT['version']}\n"


def test_version_of_a_copy_is_the_copys_and_not_that_of_what_is_installed(tmp_path: Path) -> None:
    kept = shutil.ignore_patterns("__pycache__", "*.json", "*.csv")
    shutil.copytree(HOME / "offbench", tmp_path / "offbench", ignore=kept)
    text = (HOME / "pyproject.toml").read_text(encoding="utf-8")
    text = text.replace(f'version = "{PROJECT["version"]}"', 'version = "7.8.9"', 1)
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "offbench", "--version"]  # the working directory comes first
    assert (
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout == "offbench 7.8.9\n"
    )


def test_versions_are_told_where_nothing_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "version", not_installed)
    monkeypatch.setattr(versions, "requires", not_installed)
    assert versions.versions()["offbench"] == PROJECT["version"]
    monkeypatch.setattr(versions, "_source_tree", dict)
    assert versions.versions()["offbench"] == "unknown"
    assert CliRunner().invoke(app, ["--version"]).output == "offbench unknown\n"


def test_installed_package_tells_its_own_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "_source_tree", dict)
    monkeypatch.setattr(versions, "version", {"offbench": "4.5.6", "numpy": "2.0"}.__getitem__)
    monkeypatch.setattr(versions, "requires", lambda name: ["numpy>=1.26", 'ray>=2.40; extra == "ray"'])
    assert versions.own_version() == "4.5.6"
    assert set(versions.versions()) == {"python", "offbench", "numpy"}


def test_version_is_the_same_wherever_it_stands() -> None:
    cited = re.search(r"^version: (.*)$", (HOME / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    released = re.findall(r"^## \[(\d.*?)\]", (HOME / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited is not None
    assert {cited[1], released[0]} == {PROJECT["version"]}
