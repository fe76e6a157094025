"""One run to be made, and the key that its row is kept under."""

import json
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import JsonValue

import offbench
from offbench.errors import OffbenchError
from offbench.model.instance import Fact
from offbench.search.registry import PACKAGE, catalogue, locate

NOT_INSTALLED = "not installed"

if TYPE_CHECKING:
    from hashlib import _Hash as Hash

# Rooms whose code changes no run.
_APART = ("bench", "report", "paper", "cli", "importers", "instances", "solvers")


class Job(Fact):
    """What is run: instance, solver, parameters, seed, budget, code."""

    instance: str
    instance_hash: str
    solver: str
    """the label that tables show"""
    name: str
    """the solver's name, or a file with one"""
    two_step: bool = False
    policy: str | None = None
    """the folder of a policy, in place of a solver"""
    parameters: dict[str, JsonValue]
    seed: int
    time_limit_s: float
    max_evaluations: int | None
    code: str
    """fingerprint of the code that runs (`code_of`)"""

    @property
    def cell(self) -> tuple[str, str, int]:
        """Its place in tables: instance, solver, seed."""
        return self.instance, self.solver, self.seed

    @property
    def key(self) -> str:
        """SHA-256, shortened, of all that decides the outcome; labels and folders don't."""
        facts = self.model_dump(mode="json", exclude={"instance", "solver", "policy"})
        facts["name"] = Path(self.name).name
        return sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:20]

    @property
    def hard_limit_s(self) -> float:
        """When a run is ended from outside: at twice its limit, or 5 s over it, whichever is sooner."""
        return min(2 * self.time_limit_s, self.time_limit_s + 5)


def code_of(solver: str) -> str:
    """Return a fingerprint of the code that a run of *solver* goes through.

    The core's files and the solver's own; so a change of one solver makes the others' rows no
    older. Versions of libraries don't count, but stand in each row.

    Parameters
    ----------
    solver
        A solver's name, or a file with one. `NOT_INSTALLED` is returned if there is none, or a
        library of it is missing.
    """
    try:
        source, _ = locate(solver)
    except OffbenchError:
        return NOT_INSTALLED
    if isinstance(source, Path):
        return _digest([source])
    if not source.startswith(f"{PACKAGE}."):
        return f"{_digest([])} {catalogue()[solver].where} {_version_of(source)}"
    return _digest(_own(source.removeprefix(f"{PACKAGE}.").split(".")[0]))


@cache
def _core() -> bytes:
    (folder,) = offbench.__path__
    paths = sorted(Path(folder).rglob("*.py"))
    return _sum(path for path in paths if path.relative_to(folder).parts[0] not in _APART).digest()


def code_of_policy(folder: Path) -> str:
    """Return a fingerprint of the core and of the files of a trained policy.

    Raises
    ------
    OffbenchError
        If there is no policy.
    """
    from offbench.learning.checkpoint import Checkpoint

    kept = Checkpoint.read(folder)
    return f"{code_of(kept.solver)} {_sum([folder / kept.policy]).hexdigest()[:12]}"


def _own(stem: str) -> list[Path]:
    """Return the files of a solver, and the ones that solvers share."""
    from importlib.util import find_spec

    spec = find_spec(PACKAGE)
    folders = [Path(folder) for folder in (spec.submodule_search_locations or [])] if spec is not None else []
    return sorted(
        path
        for folder in folders
        for path in (*folder.glob(f"{stem}.py"), *folder.glob("_*.py"), *(folder / stem).rglob("*.py"))
    )


def _digest(own: list[Path]) -> str:
    """Return the fingerprint of the core and a solver's own files."""
    return sha256(_core() + _sum(own).digest()).hexdigest()[:12]


def _sum(paths: Iterable[Path]) -> "Hash":
    found = sha256()
    for path in paths:
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found


def _version_of(module: str) -> str:
    from importlib.metadata import packages_distributions, version

    package = module.split(".")[0]
    return next((version(name) for name in packages_distributions().get(package, ())), "")
