"""One run to be made, and the key that its row is kept under."""

import json
from hashlib import sha256
from pathlib import Path

from pydantic import JsonValue

from offbench.bench.code import fingerprint
from offbench.errors import OffbenchError
from offbench.model.instance import Fact
from offbench.search.entries import PACKAGE
from offbench.search.registry import catalogue, locate
from offbench.search.source import Source, find_source

NOT_INSTALLED = "not installed"


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


def code_of(solver: str, two_step: bool = False) -> str:
    """Return a fingerprint of the code that decides a run of *solver*.

    That is the solver's file and what it imports, and what a run imports of the core (`code.fingerprint`); so a
    change of one solver makes the others' rows no older. Versions of libraries don't count, but stand in each
    row; an entry point has the version of its package in it.

    Parameters
    ----------
    solver
        A solver's name, or a file with one. `NOT_INSTALLED` is returned if there is none, or a
        library of it is missing.
    two_step
        Whether it runs in two steps.
    """
    try:
        source, _ = locate(solver)
    except OffbenchError:
        return NOT_INSTALLED
    if isinstance(source, Path):
        return fingerprint([Source.at(source.stem, source.resolve())], two_step, beside=source.resolve().parent)
    found = find_source(source)
    own = fingerprint([] if found is None else [found], two_step)
    return own if source.startswith(f"{PACKAGE}.") else f"{own} {catalogue()[solver].where} {_version_of(source)}"


def code_of_policy(folder: Path) -> str:
    """Return a fingerprint of the code that runs a trained policy, and of the policy.

    Raises
    ------
    OffbenchError
        If there is no policy.
    """
    from offbench.learning.checkpoint import Checkpoint

    kept = Checkpoint.of_policy(folder)
    return f"{code_of(kept.solver)} {kept.digest(folder)[:12]}"


def _version_of(module: str) -> str:
    from importlib.metadata import packages_distributions, version

    package = module.split(".")[0]
    return next((version(name) for name in packages_distributions().get(package, ())), "")
