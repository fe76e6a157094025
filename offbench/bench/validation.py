"""A suite's placements run for real: what was measured of each, kept beside the rows (`emulate`)."""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from offbench.bench.damage import Damage, names
from offbench.bench.row import Row
from offbench.bench.suite import Suite, Validation
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole, writing
from offbench.model.facts import Fact
from offbench.model.instance import Instance
from offbench.model.placement import PlacementFile, parse_placement

if TYPE_CHECKING:
    import pandas as pd

    from offbench.bench.store import Store

FORMAT: Literal["offbench-measured/1"] = "offbench-measured/1"
_FOLDER = "measured"


class Measured(Fact):
    """What a placement took when it was run."""

    format: Literal["offbench-measured/1"] = FORMAT
    key: str
    instance: str
    instance_hash: str
    placement: PlacementFile
    compute: Literal["paced", "here"]
    links: Literal["private", "shared"]
    predicted_delay_s: float
    """D, the sum over tasks"""
    measured_delay_s: tuple[float, ...] = ()
    """the same of each run"""
    message: str = ""
    """why it ended early, or wasn't run"""
    conditions: dict[str, Any] = Field(default_factory=dict)
    """version of the runtime, processor, seed, runs for warm-up"""


def wanted(rows: Iterable[Row], suite: Suite, folder: Path) -> dict[str, Row]:
    """Return the placements that a suite wants measured, one row for each, by key.

    Parameters
    ----------
    rows
        Of the suite.
    suite
        Which names models.
    folder
        Where its file is.

    Raises
    ------
    OffbenchError
        If a model file is missing.
    """
    said = suite.validation
    if said is None:
        return {}
    digests = {name: _digest(said, name, folder) for name in said.models}
    return {
        _key(row, said, digests[row.job.instance]): row
        for row in rows
        if row.job.instance in digests and row.feasible and row.placement is not None
    }


def models_of(said: Validation, instance: str, folder: Path) -> Path | dict[str, str | Path]:
    """Return the model file of an instance, or of each of its tasks."""
    models = said.models[instance]
    return folder / models if isinstance(models, str) else {task: folder / file for task, file in models.items()}


def _digest(said: Validation, instance: str, folder: Path) -> str:
    models = models_of(said, instance, folder)
    found = hashlib.sha256()
    for name, path in sorted({"": models}.items() if isinstance(models, Path) else models.items()):
        try:
            found.update(name.encode() + b"\0" + hashlib.sha256(Path(path).read_bytes()).digest())
        except OSError as error:
            raise OffbenchError(
                f"{path}: model of '{instance}' in the suite's validation: {error.strerror or error}"
            ) from None
    return found.hexdigest()


def _key(row: Row, said: Validation, models: str) -> str:
    assert row.placement is not None
    how = said.model_dump(exclude={"models"})
    facts = [FORMAT, row.job.instance_hash, row.placement.model_dump(), models, how]
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:24]


def measure(row: Row, key: str, instance: Instance, suite: Suite, folder: Path) -> Measured:
    """Run a row's placement and return what came of it; what can't be run says why."""
    from offbench.emulate.measuring import emulate

    said = suite.validation
    assert said is not None
    assert row.placement is not None
    facts: dict[str, Any] = {
        "key": key, "instance": row.job.instance, "instance_hash": row.job.instance_hash, "placement": row.placement,
        "compute": said.compute, "links": said.links, "predicted_delay_s": row.indicators["delay_s"],
    }  # fmt: skip
    try:
        found = emulate(
            instance, parse_placement(row.placement.model_dump(), instance, row.job.key),
            models_of(said, row.job.instance, folder), shapes=said.shapes, compute=said.compute, links=said.links,
            runs=said.runs, warm_up=said.warm_up, seed=said.seed,
        )  # fmt: skip
    except OffbenchError as error:
        return Measured(**facts, message=str(error))
    return Measured(
        **facts, measured_delay_s=tuple(found.delay.sum(axis=1).tolist()), message=found.error or "",
        conditions=found.conditions,
    )  # fmt: skip


def measured(folder: Path) -> dict[str, Measured]:
    """Return what a folder of results has, by key; what can't be read is left out."""
    damage = Damage(folder)
    found = {}
    for name in names(folder / _FOLDER, ".json"):
        one = damage.read(folder / _FOLDER / name, lambda content: Measured.model_validate_json(content))
        if one is not None and one.key == Path(name).stem:
            found[one.key] = one
    return found


def validate(
    store: "Store", rows: Iterable[Row], suite: Suite, folder: Path, watch: Callable[[int, int], bool]
) -> Iterator[Measured]:
    """Measure what a suite wants and isn't there yet, one after another, and keep each that could be run.

    Parameters
    ----------
    store
        Of the results.
    rows
        Of the suite.
    suite
        What it says.
    folder
        Where its file is.
    watch
        Told how many are done, of how many, before each; whether to go on.
    """
    todo = {key: row for key, row in wanted(rows, suite, folder).items() if key not in measured(store.folder)}
    for done, (key, row) in enumerate(todo.items()):
        if not watch(done, len(todo)):
            return
        one = measure(row, key, store.instance(row.job.instance_hash), suite, folder)
        if one.measured_delay_s:  # what failed is tried again
            path = store.folder / _FOLDER / f"{key}.json"
            with writing(path):
                path.parent.mkdir(exist_ok=True)
            write_whole(path, one.model_dump_json() + "\n")
        yield one


def compared(rows: Iterable[Row], found: Mapping[str, Measured]) -> "pd.DataFrame":
    """Return predicted and measured delays of rows whose placement was measured, one for each placement and way."""
    import pandas as pd

    of = {(one.instance_hash, one.placement.model_dump_json()): [] for one in found.values()}  # type: ignore[var-annotated]
    for one in found.values():
        of[one.instance_hash, one.placement.model_dump_json()].append(one)
    lines = []
    for row in rows:
        if row.placement is None:
            continue
        for one in of.get((row.job.instance_hash, row.placement.model_dump_json()), ()):
            middle = float(pd.Series(one.measured_delay_s, dtype="float64").median())
            lines.append({
                "instance": row.job.instance, "solver": row.job.solver, "seed": row.job.seed, "compute": one.compute,
                "links": one.links, "predicted_s": one.predicted_delay_s, "measured_s": middle,
                "off": middle / one.predicted_delay_s - 1 if one.predicted_delay_s > 0 else float("nan"),
                "why": one.message,
            })  # fmt: skip
    columns = ["instance", "solver", "seed", "compute", "links", "predicted_s", "measured_s", "off", "why"]
    frame = pd.DataFrame(lines, columns=columns)
    return frame.sort_values(["instance", "compute", "links", "predicted_s", "solver", "seed"], ignore_index=True)
