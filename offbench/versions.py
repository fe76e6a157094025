"""The versions that a result is told with."""

import platform
import re
from importlib.metadata import PackageNotFoundError, requires, version


def versions() -> dict[str, str]:
    """Return the versions of Python, offbench and the packages that it requires."""
    found = {"python": platform.python_version()}
    try:
        needed = [line for line in requires("offbench") or [] if "extra ==" not in line]
    except PackageNotFoundError:  # run from a source tree that isn't installed
        needed = []
    for name in ("offbench", *(re.split(r"[^A-Za-z0-9._-]", line)[0] for line in needed)):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
