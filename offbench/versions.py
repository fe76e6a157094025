"""The versions that a result is told with."""

import platform
import re
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

_TREE = Path(__file__).resolve().parent.parent


def own_version() -> str:
    """Return offbench's version: of the source tree that it is imported from, else of what is installed."""
    if _source_tree():
        return str(_source_tree()["version"])
    try:
        return version("offbench")
    except PackageNotFoundError:
        return "unknown"  # the package's folder was copied, without what belongs to it


def versions() -> dict[str, str]:
    """Return the versions of Python, offbench and the packages that it requires."""
    needed = _source_tree().get("dependencies") or [line for line in _installed() if "extra ==" not in line]
    found = {"python": platform.python_version(), "offbench": own_version()}
    for name in (re.split(r"[^A-Za-z0-9._-]", line)[0] for line in needed):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def _source_tree() -> dict[str, Any]:
    """Return what pyproject.toml says of the project; nothing where there is no source tree around the package.

    It comes before the metadata: those are of the last installation, or of another copy.
    """
    try:
        project = tomllib.loads((_TREE / "pyproject.toml").read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError):
        return {}
    return project if project.get("name") == "offbench" else {}


def _installed() -> list[str]:
    try:
        return requires("offbench") or []
    except PackageNotFoundError:
        return []
