"""The best known objective and bound of each shipped instance, and where they come from.

They stand in `references.json` beside the instances. `update` makes them better.
"""

import datetime
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from offbench.errors import OffbenchError, nearest
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import evaluate
from offbench.evaluation.gaps import certified, contradict, is_optimal, relative_gap
from offbench.files.json import check, layout, read_json
from offbench.files.shipped import folders_of
from offbench.model.instance import REFERENCES, Fact, Instance, Name, shipped
from offbench.model.objectives import MEANINGS, named
from offbench.model.placement import Placement, PlacementFile, parse_placement
from offbench.model.problem import P1

FORMAT: Literal["offbench-references/1"] = "offbench-references/1"

Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Hash = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]

_ROUNDING = 1e-12


class Origin(Fact):
    """Where a number comes from."""

    by: Name
    """a solver, a relaxation, or in words"""
    kind: Literal["solver", "relaxation", "elsewhere"]
    parameters: dict[str, JsonValue] = Field(default_factory=dict)
    seed: int | None = None
    version: Name
    """of offbench"""
    date: datetime.date

    def __str__(self) -> str:
        return f"{self.by} ({self.kind}), {self.date}"


class Reference(Fact):
    """What is known of one instance: the best placement and the best bound on all of them (P1)."""

    hash: Hash
    """of the instance (`Instance.hash`)"""
    best_objective: Number | None
    """the least objective known of a feasible placement, that of *placement*; null if none is known"""
    best_bound: Number | None
    """the greatest lower bound known; null if there is none"""
    proven: bool
    """whether the two meet (`gaps.is_optimal`)"""
    client_only: Number
    """objective of everything on the client; what may not run there stands where it first may"""
    objective_from: Origin | None
    bound_from: Origin | None
    placement: PlacementFile | None
    infeasible_from: Origin | None = None
    """who has proven that no placement is feasible, if somebody has"""

    @property
    def relative_gap(self) -> float | None:
        """Between objective and bound; None without a bound, or next to 0."""
        if self.best_bound is None or self.best_objective is None:
            return None
        gap = relative_gap(self.best_objective, self.best_bound, client_only=self.client_only)
        return gap if gap is None else max(0.0, gap)

    @property
    def certified(self) -> float | None:
        """Share of the possible improvement that is missed at most; None if undefined, or without a bound."""
        if self.best_bound is None or self.best_objective is None:
            return None
        return certified(self.best_objective, self.client_only, self.best_bound)

    def to_dict(self) -> dict[str, Any]:
        """Return everything and the gaps as one JSON object."""
        return self.model_dump(mode="json") | {"relative_gap": self.relative_gap, "certified": self.certified}


class References(Fact):
    """The file: a reference for each instance's name, and for names with an objective (`objectives.named`)."""

    format: Literal["offbench-references/1"] = FORMAT
    instances: dict[Name, Reference] = Field(default_factory=dict)

    def to_text(self) -> str:
        """Return the file's text, in the order of the names."""
        rows = dict(sorted(self.model_dump(mode="json")["instances"].items()))
        for row in rows.values():
            if row["infeasible_from"] is None:  # of nearly all
                del row["infeasible_from"]
        return layout({"format": self.format, "instances": rows}) + "\n"


def shipped_path() -> Path:
    """Return where the shipped references are."""
    return folders_of("offbench.instances")[0] / REFERENCES


def read_references(path: Path) -> References:
    """Read a file of references.

    Raises
    ------
    OffbenchError
        If it can't be read or breaks a rule of the format; the message names file, field and rule.
    """
    return check(References, read_json(path), str(path))


@cache
def references() -> References:
    """Return the shipped references, read once."""
    path = shipped_path()
    return read_references(path) if path.is_file() else References()


def lookup(instance: Instance) -> Reference | None:
    """Return what is known of an instance, recognised by its facts whatever its name; None if it isn't shipped."""
    shape = [len(task.layers) for task in instance.tasks]
    # Shapes first: hashing a large instance takes a while.
    alike = [
        one
        for one in references().instances.values()
        if one.placement is None or list(map(len, one.placement.servers)) == shape
    ]
    wanted = instance.hash if alike else None
    return next((one for one in alike if one.hash == wanted), None)


def placement_of(reference: Reference, instance: Instance) -> Placement:
    """Return the reference's placement, checked against its instance.

    Raises
    ------
    OffbenchError
        If it has none, or it doesn't fit.
    """
    if reference.placement is None:
        raise OffbenchError(f"'{instance.name}': no feasible placement is known")
    return parse_placement(reference.placement.model_dump(), instance, "placement")


def faults(found: References) -> Iterator[tuple[str, str]]:
    """Yield the name of an instance and what is wrong with its reference, for everything that is wrong.

    Each placement is evaluated once more; hashes, bounds and proofs must agree with what they say.
    """
    known = shipped()
    for name in known:
        if name not in found.instances:
            yield name, "has no reference"
    for name, reference in found.instances.items():
        base, _, objective = name.partition("@")
        if base not in known:
            yield name, f"is no shipped instance{nearest(base, known)}"
        elif objective and objective not in MEANINGS:
            yield name, f"'{objective}' is no objective{nearest(objective, list(MEANINGS))}"
        else:
            for fault in faults_of(reference, named(name)):
                yield name, fault


def faults_of(reference: Reference, instance: Instance) -> Iterator[str]:
    """Yield what is wrong with one reference."""
    if reference.hash != instance.hash:
        yield f"hash: is {reference.hash[:12]}..., but the instance's is {instance.hash[:12]}...: it has changed"
    problem = P1(instance)
    known = (reference.best_objective, reference.objective_from, reference.placement)
    if any((each is None) != (reference.placement is None) for each in known):
        yield "placement: comes with best_objective and objective_from"
    if reference.placement is not None and reference.infeasible_from is not None:
        yield "infeasible_from: but there is a placement"
    yield from _faults_of_placement(reference, problem)
    found = client_only(problem).objective
    yield from _differs("client_only", reference.client_only, "everything on the client has", found, abs(found))
    if (reference.best_bound is None) != (reference.bound_from is None):
        yield "bound_from: comes with best_bound"
    if (
        reference.best_bound is not None
        and reference.best_objective is not None
        and contradict(reference.best_objective, reference.best_bound, client_only=reference.client_only)
    ):
        yield f"best_bound: {reference.best_bound!r} lies above best_objective {reference.best_objective!r}"
    if reference.proven != meets(reference.best_objective, reference.best_bound, reference.client_only):
        gap = reference.relative_gap
        why = "there is no bound" if reference.best_bound is None else f"the relative gap is {gap or 0:.3g}"
        yield f"proven: is {str(reference.proven).lower()}, but {why}"


def _faults_of_placement(reference: Reference, problem: P1) -> Iterator[str]:
    if reference.placement is None or reference.best_objective is None:
        return
    try:
        evaluation = evaluate(problem, placement_of(reference, problem.instance))
    except OffbenchError as error:
        yield str(error)
        return
    objective = evaluation.objective
    size = max(abs(objective), abs(reference.client_only))
    yield from _differs("best_objective", reference.best_objective, "the placement's is", objective, size)
    if not evaluation.feasible:
        yield f"placement: breaks constraints, by a violation of {evaluation.violation:.4g}"


def meets(objective: float | None, bound: float | None, client_only: float) -> bool:
    """Tell whether there is a bound that proves the objective optimal."""
    return objective is not None and bound is not None and is_optimal(objective, bound, client_only=client_only)


def _differs(field: str, told: float, what: str, found: float, size: float) -> Iterator[str]:
    if abs(told - found) > _ROUNDING * size:
        yield f"{field}: is {told!r}, but {what} {found!r}"
