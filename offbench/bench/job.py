"""One run to be made, and the key that its row is kept under."""

import json
from hashlib import sha256
from pathlib import Path

from pydantic import JsonValue

from offbench.bench.code import files, fingerprint, package_files
from offbench.bench.imported import Stamp, stamp
from offbench.errors import OffbenchError
from offbench.model.instance import Fact
from offbench.search.entries import PACKAGE
from offbench.search.registry import IMPORTED_AS, catalogue, locate
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


class NotInstalledError(OffbenchError):
    """There is no such solver here, or a library of it is missing."""


class Code:
    """The code that decides a run, as its files are now.

    That is the solver's file and what it imports, and what a run imports of the core (`code.files`); so a change of
    one solver makes the others' rows no older. Versions of libraries don't count, but stand in each row. Of an entry
    point all files of code of its package count, and the package's version.

    Parameters
    ----------
    solver
        A solver's name, or a file with one.
    two_step
        Whether it runs in two steps.
    policy
        In place of a solver: the folder of a trained policy, which counts, too.

    Raises
    ------
    NotInstalledError
        If there is no such solver, or a library of it is missing.
    OffbenchError
        If there is no such policy.
    """

    def __init__(self, solver: str, two_step: bool = False, policy: Path | None = None) -> None:
        self.others: dict[str, Stamp | None] = {}
        """stamps of the policy's files, by path"""
        more: list[str] = []
        if policy is not None:
            solver, learnt = self._read(policy)
            more = [learnt]
        try:
            source, _ = locate(solver)
        except OffbenchError as error:
            raise NotInstalledError(str(error)) from None
        name, beside = "", None
        if isinstance(source, Path):
            path = source.resolve()
            name, beside, own = path.stem, path.parent, [Source.at(path.stem, path)]
        elif source.startswith(f"{PACKAGE}."):
            own = [found for found in [find_source(source)] if found is not None]
        else:
            own = package_files(source)
            more = [catalogue()[solver].where, _version_of(source), *more]
        sources = files(own, two_step, beside)
        self.modules = {
            f"{IMPORTED_AS}{name}" if module == name else module: each.stamp for module, each in sources.items()
        }
        """stamps of the files, by the modules that a run imports them as"""
        self._text = " ".join([fingerprint(sources), *filter(None, more)])

    def __str__(self) -> str:
        """Return its fingerprint."""
        return self._text

    def _read(self, policy: Path) -> tuple[str, str]:
        """Return the solver of a policy, and a hash of what it has learnt."""
        from offbench.learning.checkpoint import FILE, Checkpoint

        self.others[str(policy / FILE)] = stamp(str(policy / FILE))
        kept = Checkpoint.of_policy(policy)
        self.others[str(policy / kept.policy)] = stamp(str(policy / kept.policy))
        return kept.solver, kept.digest(policy)[:12]


def code_of(solver: str, two_step: bool = False, policy: Path | None = None) -> str:
    """Return a fingerprint of the code that decides a run (`Code`), or `NOT_INSTALLED`.

    Raises
    ------
    OffbenchError
        If there is no such policy.
    """
    try:
        return str(Code(solver, two_step, policy))
    except NotInstalledError:
        return NOT_INSTALLED


def _version_of(module: str) -> str:
    from importlib.metadata import packages_distributions, version

    package = module.split(".")[0]
    return next((version(name) for name in packages_distributions().get(package, ())), "")
