"""Workflows of WfCommons (WfFormat from 1.4 on): tasks with the files that they read and write, and measured times."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from offbench.errors import OffbenchError
from offbench.files.json import check, read_json
from offbench.importers.imported import Coverage, Imported, Shape
from offbench.importers.order import in_order
from offbench.importers.peek import beginning
from offbench.model.facts import counted, some
from offbench.model.network import Network

GRANULARITY = "node"
"""a task is a layer"""
TELLS_SIZES = True
DEVICE = "measured"
"""where the file names no machine, or several for a task"""


class _Part(BaseModel):
    """What a workflow has; what else there is, isn't needed."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class _File(_Part):
    id: str = Field(min_length=1)
    sizeInBytes: float = Field(ge=0, allow_inf_nan=False)  # noqa: N815


class _Task(_Part):
    id: str = Field(min_length=1)
    parents: tuple[str, ...] = ()
    inputFiles: tuple[str, ...] = ()  # noqa: N815
    outputFiles: tuple[str, ...] = ()  # noqa: N815


class _Run(_Part):
    id: str
    runtimeInSeconds: float = Field(ge=0, allow_inf_nan=False)  # noqa: N815
    machines: tuple[str, ...] = ()


class _Specification(_Part):
    tasks: tuple[_Task, ...] = Field(min_length=1)
    files: tuple[_File, ...] = ()


class _Execution(_Part):
    tasks: tuple[_Run, ...] = ()


class _Workflow(_Part):
    specification: _Specification
    execution: _Execution | None = None


class _Instance(_Part):
    name: str | None = None
    workflow: _Workflow


def recognises(path: Path) -> bool:
    """Tell a workflow by its first fields."""
    start = beginning(path)
    return start.lstrip().startswith("{") and '"workflow"' in start and '"specification"' in start


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Return the network of a workflow, a layer for each task.

    Parameters
    ----------
    path
        The file.
    shapes
        None: the file tells its sizes.
    name
        Of the network; the workflow's if absent.

    Raises
    ------
    OffbenchError
        If a field is missing or wrong, or there is a cycle.
    """
    instance = check(_Instance, read_json(path), str(path))
    specification, execution = instance.workflow.specification, instance.workflow.execution or _Execution()
    for what, found in (("specification.tasks", specification.tasks), ("specification.files", specification.files),
                        ("execution.tasks", execution.tasks)):  # fmt: skip
        twin = next((key for key, count in Counter(each.id for each in found).items() if count > 1), None)
        if twin is not None:
            raise OffbenchError(f"{path}: workflow.{what}: id '{twin}' is there twice")
    tasks = {task.id: task for task in specification.tasks}
    mb = {file.id: file.sizeInBytes / 1e6 for file in specification.files}
    maker = {file: task.id for task in tasks.values() for file in task.outputFiles}
    unsized = sorted({task.id for task in tasks.values()
                      for file in (*task.inputFiles, *task.outputFiles) if file not in mb})  # fmt: skip
    reads: dict[str, dict[str, float]] = {}
    given: dict[str, list[str]] = {}
    for task in tasks.values():
        lost = next((parent for parent in task.parents if parent not in tasks), None)
        if lost is not None:
            raise OffbenchError(f"{path}: task '{task.id}': parents: no task has the id '{lost}'")
        reads[task.id] = dict.fromkeys(task.parents, 0.0)
        given[task.id] = [file for file in dict.fromkeys(task.inputFiles) if file not in maker]
        for file in dict.fromkeys(task.inputFiles):
            if file in maker and maker[file] != task.id:
                reads[task.id][maker[file]] = reads[task.id].get(maker[file], 0.0) + mb.get(file, 0.0)
    edges = [(source, reader) for reader, sources in reads.items() for source in sources]
    order = in_order(list(tasks), edges, str(path))
    input_mb = sum(mb.get(file, 0.0) for file in dict.fromkeys(file for files in given.values() for file in files))
    output = {key: sum(mb.get(file, 0.0) for file in dict.fromkeys(tasks[key].outputFiles)) for key in order}
    runs = {run.id: run for run in execution.tasks}
    layers: list[dict[str, Any]] = []
    for key in order:
        part = sum(mb.get(file, 0.0) for file in given[key])
        inputs: list[Any] = [
            one if size == output[one] else {"layer": one, "mb": size} for one, size in reads[key].items()
        ]
        if part and (inputs or part != input_mb):
            inputs.insert(0, {"input_mb": part})
        elif not part and not inputs and input_mb:  # it waits for nothing and reads nothing
            inputs = [{"input_mb": 0.0}]
        facts: dict[str, Any] = {
            "name": key, "operator": "other", "inputs": inputs, "output_mb": output[key],
            "read_mb": part + sum(reads[key].values()), "written_mb": output[key],
        }  # fmt: skip
        if key in runs:
            machines = runs[key].machines
            facts["seconds"] = {machines[0] if len(machines) == 1 else DEVICE: runs[key].runtimeInSeconds}
        layers.append(facts)
    network = {
        "name": name or instance.name or path.stem, "source": f"{path.name}, of WfCommons", "input_mb": input_mb,
        "layers": layers,
    }  # fmt: skip
    devices = sorted({device for layer in layers for device in layer.get("seconds", {})})
    notes = [f"the file tells no operations; its times are of {some(devices)}"] if devices else []
    if without := sum("seconds" not in layer for layer in layers):
        notes.append(f"{counted(without, 'task')} with neither operations nor a time")
    return Imported(
        check(Network, network, str(path)),
        Coverage(nodes=len(layers), without_shape=tuple(unsized), notes=tuple(notes)),
    )
