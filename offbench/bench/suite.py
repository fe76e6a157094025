"""What a suite file says: instances x solvers x seeds under one budget (TOML)."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, JsonValue, StringConstraints, Tag, field_validator, model_validator

from offbench.errors import OffbenchError, nearest
from offbench.files.json import check
from offbench.files.shipped import folders_of
from offbench.files.text import parse_toml, read_toml
from offbench.model.instance import Coordination, Count, Fact, Instance, Name, Positive, Weights, load
from offbench.model.objectives import with_objective

_MOST_SEEDS = 100_000  # of which a list is made

Seed = Annotated[int, Field(ge=0, strict=True)]
Seeds = Annotated[tuple[Seed, ...], Field(min_length=1)]
Servers = Annotated[int, Field(ge=0, strict=True)]
FolderName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class Composed(Fact):
    """An instance made as `offbench instance make` makes it."""

    networks: Annotated[tuple[Name, ...], Field(min_length=1)]
    """shipped names, or files with one task; tasks go through them in turn"""
    tasks: Count
    poisson: Positive | None = None
    """arrivals per second; all at once without"""
    seed: Seed = 0
    """of the arrivals"""
    edges: Servers = 5
    clouds: Servers = 5
    weights: Weights | None = None
    """of the objective; the paper's without"""
    coordination: Coordination | None = None
    """the reading that counts; the paper's without"""
    name: Name | None = None

    def instance(self, folder: Path) -> Instance:
        """Compose it; files are looked for beside the suite's own."""
        from offbench.model.composition import PAPER_WEIGHTS, arrivals, compose

        networks = [load(_beside(folder, network)) for network in self.networks]
        source = "" if self.poisson is None else f"arrivals: Poisson, {self.poisson:g} per s, seed {self.seed}"
        name = self.name or f"{'-'.join(network.name for network in networks)}-x{self.tasks}"
        return compose(
            name, networks, arrivals(self.tasks, None, self.poisson, self.seed), self.edges, self.clouds,
            self.weights or PAPER_WEIGHTS, self.coordination, source,
        )  # fmt: skip


# Told apart before they are checked, so that an error is of what was meant.
InstanceEntry = Annotated[
    Annotated[Name, Tag("name")] | Annotated[Composed, Tag("composed")],
    Discriminator(lambda value: "name" if isinstance(value, str) else "composed"),
]


class Entrant(Fact):
    """A solver with parameters, under a label of its own."""

    name: Name
    """a solver's name, or a file with one"""
    two_step: bool = False
    """in two steps (`two_step.solve_two_step`)"""
    policy: Name | None = None
    """the folder of a policy (`offbench train`), in place of a solver"""
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    label: Name
    """what tables call it: the name and the parameters that are set, if nothing else is said"""
    seeds: Seeds | None = None
    """instead of the suite's; one is enough for a solver that draws nothing"""

    @model_validator(mode="after")
    def _policy_alone(self) -> Self:
        if self.policy is not None and (self.two_step or self.parameters):
            raise ValueError("policy: its solver and parameters are those that it was trained with, in one step")
        return self

    @model_validator(mode="before")
    @classmethod
    def _labelled(cls, data: Any) -> Any:
        if isinstance(data, str):
            data = {"name": data}
        if isinstance(data, dict):
            data = {**data, "seeds": _listed(data.get("seeds"))}
            if "policy" in data:
                data.setdefault("name", f"policy {Path(str(data['policy'])).name}")
            set_ = data.get("parameters")
            if "label" not in data and isinstance(data.get("name"), str) and isinstance(set_, dict | None):
                settings = [f"{key}={value}" for key, value in (set_ or {}).items()]
                settings += ["two-step"] if data.get("two_step") is True else []
                name = data["name"]
                data["label"] = " ".join((Path(name).name if is_file(name) else name, *settings))
        return data


class Validation(Fact):
    """Which placements are run for real when the runs are done, and how (`offbench emulate`)."""

    models: Annotated[dict[Name, Name | dict[Name, Name]], Field(min_length=1)]
    """the ONNX file of each instance, or the files of its tasks; beside the suite's own"""
    shapes: dict[Name, tuple[Count, ...]] = Field(default_factory=dict)
    """of inputs with free dimensions"""
    compute: Literal["paced", "here"] = "paced"
    """at least the seconds that the instance says, or what this machine takes"""
    links: Literal["private", "shared"] = "private"
    """each transfer has the link's rate, as in the model, or all share it"""
    runs: Count = 5
    warm_up: Servers = 1
    seed: Seed = 0
    """of the inputs"""


class Suite(Fact):
    """Everything that a suite file says."""

    name: FolderName
    """its results go to ``results/NAME``"""
    description: str = ""
    instances: Annotated[tuple[InstanceEntry, ...], Field(min_length=1)]
    """shipped names, files, or instances to be composed"""
    objective: Name | None = None
    """what counts in all of them, instead of their own weights (`objectives.MEANINGS`)"""
    weights: Name | None = None
    """weights by name, such as ``delay=0.7,energy=0.3``, instead of theirs"""
    solvers: Annotated[tuple[Entrant, ...], Field(min_length=1)]
    """names, or tables with `name`, `parameters`, `two_step`, `policy`, `label`, `seeds`"""
    seeds: Seeds = (0,)
    """a list, or how many, from 0 on"""
    time_limit_s: Positive = 60.0
    """of each run, from before the solver's import to its end"""
    max_evaluations: Count | None = None
    validation: Validation | None = None
    """what is measured of the placements that were found; nothing without"""

    @field_validator("seeds", mode="before")
    @classmethod
    def _counted(cls, value: Any) -> Any:
        return _listed(value)

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        labels = [entrant.label for entrant in self.solvers]
        for place, names in (("solvers", labels), ("instances", [str(one) for one in self.instances])):
            twins = sorted(name for name, count in Counter(names).items() if count > 1)
            if twins:
                raise ValueError(f"{place}: '{twins[0]}' stands twice")
        return self

    def seeds_of(self, entrant: Entrant) -> tuple[int, ...]:
        """Return the seeds of one solver."""
        return entrant.seeds or self.seeds


def is_file(name: str) -> bool:
    """Tell a solver's or an instance's file, by its ending, from a name."""
    return name.partition(":")[0].endswith((".py", ".json"))


def _listed(seeds: Any) -> Any:
    """Turn a number of seeds into their list."""
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if seeds < 1:
            raise ValueError(f"seeds: must be at least 1, or a list, not {seeds}")
        if seeds > _MOST_SEEDS:
            raise ValueError(f"seeds: must be at most {_MOST_SEEDS:,}")
        return tuple(range(seeds))
    return seeds


def shipped_suites() -> dict[str, Path]:
    """Return the suites that come with the package, by name."""
    folder = folders_of("offbench.instances")[0] / "suites"
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_suite(suite: str | Path) -> Path:
    """Return the file of a suite, given as a path or as the name of a shipped one.

    Raises
    ------
    OffbenchError
        If there is none.
    """
    path = Path(suite)
    if path.is_file():
        return path
    known = shipped_suites()
    if str(suite) in known:
        return known[str(suite)]
    raise OffbenchError(
        f"{suite}: no such file, and no suite of that name{nearest(str(suite), list(known))}; "
        f"shipped: {', '.join(known)}"
    )


def read_suite(path: Path) -> Suite:
    """Read a suite file.

    Raises
    ------
    OffbenchError
        If it can't be read or breaks a rule; the message names file, field and rule.
    """
    return check(Suite, read_toml(path), str(path))


def parse_suite(text: str, source: str) -> Suite:
    """Read a suite that came from *source*; raises as `read_suite` does."""
    return check(Suite, parse_toml(text, source), source)


def instances_of(suite: Suite, folder: Path) -> list[Instance]:
    """Load and compose a suite's instances.

    Parameters
    ----------
    suite
        The suite.
    folder
        Where its file is; other files are looked for there.

    Raises
    ------
    OffbenchError
        If one can't be had, or two have the same name.
    """
    found = [
        _with_objective(one.instance(folder) if isinstance(one, Composed) else load(_beside(folder, one)), suite)
        for one in suite.instances
    ]
    names = [instance.name for instance in found]
    for name in names:
        if names.count(name) > 1:
            raise OffbenchError(f"suite '{suite.name}': instances: two are named '{name}'")
    return found


def _with_objective(instance: Instance, suite: Suite) -> Instance:
    """Return the instance with the suite's objective, under a name that tells it."""
    made = with_objective(instance, suite.objective, suite.weights)
    said = ",".join(filter(None, (suite.objective, suite.weights)))
    return made if made == instance else made.model_copy(update={"name": f"{instance.name}@{said}"})


def _beside(folder: Path, name: str) -> str:
    """Return a file's path as seen from the suite's folder; the name of a shipped instance as it is."""
    return str(folder / name) if is_file(name) else name


def restricted(
    suite: Suite,
    instances: Sequence[str] = (),
    solvers: Sequence[str] = (),
    seeds: int | None = None,
    time_limit_s: float | None = None,
    max_evaluations: int | None = None,
    objective: str | None = None,
    weights: str | None = None,
) -> Suite:
    """Return the suite with what the command line says instead.

    Instances and solvers that the suite names are chosen from it, with their parameters and seeds;
    others are added. A number of seeds holds for every solver, but for one that has a single seed.

    Raises
    ------
    OffbenchError
        If a value breaks a rule of the suite.
    """
    data = suite.model_dump(exclude_none=True)
    if instances:
        composed = {one.name: one for one in suite.instances if isinstance(one, Composed)}
        data["instances"] = [composed[name].model_dump() if name in composed else name for name in instances]
    if solvers:
        labels = {entrant.label: entrant for entrant in suite.solvers}
        named = {entrant.name: entrant for entrant in reversed(suite.solvers)}
        chosen = [labels.get(name) or named.get(name) for name in solvers]
        data["solvers"] = [
            name if entrant is None else entrant.model_dump(exclude_none=True)
            for name, entrant in zip(solvers, chosen, strict=True)
        ]
    if seeds is not None:
        data["seeds"] = seeds
        for entrant in data["solvers"]:
            if isinstance(entrant, dict) and len(entrant.get("seeds", ())) > 1:
                del entrant["seeds"]
    data |= {"time_limit_s": time_limit_s} if time_limit_s is not None else {}
    data |= {"max_evaluations": max_evaluations} if max_evaluations is not None else {}
    data |= {"objective": objective} if objective is not None else {}
    data |= {"weights": weights} if weights is not None else {}
    return check(Suite, data, f"suite '{suite.name}' with the command line's options")
