"""Which operators of a model file each layer of an instance stands for."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from offbench.errors import OffbenchError
from offbench.importers.granularity import GRANULARITIES, Granularity, grouped
from offbench.importers.imported import Shape
from offbench.importers.onnx import imported
from offbench.importers.onnx.model import inputs_of, read_model
from offbench.model.instance import Task

if TYPE_CHECKING:
    import onnx


@dataclass(frozen=True)
class Model:
    """A model of ONNX as the layers of a task."""

    path: Path
    graph: "onnx.ModelProto"
    """its shapes worked out; without the values of its larger weights"""
    granularity: Granularity
    """how fine the task's layers are"""
    layer_of: Mapping[str, str]
    """the layer that makes each tensor which depends on an input"""
    collecting: str | None
    """the task's last layer if it computes nothing, but collects what comes out"""

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it is given."""
        return tuple(one.name for one in inputs_of(self.graph.graph))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What comes out and depends on what it is given."""
        return tuple(one.name for one in self.graph.graph.output if one.name in self.layer_of)


Files = Mapping[str, str | Path] | str | Path
"""a file for each task by name, or one of all"""


def file_of(files: Files, task: Task, option: str) -> Path:
    """Return a task's file.

    Raises
    ------
    OffbenchError
        If it has none; the message names the option.
    """
    found = files if isinstance(files, str | Path) else files.get(task.name)
    if found is None:
        raise OffbenchError(f"{option}: task '{task.name}' has none; say {option} {task.name}=FILE")
    return Path(found)


def load_model(path: str | Path, task: Task, shapes: Mapping[str, Shape] | None = None) -> Model:
    """Return a model whose layers a task has.

    Parameters
    ----------
    path
        The model file that the task was imported from.
    task
        Whose layers are named as `offbench network import` names them, at any granularity.
    shapes
        Of inputs that have free dimensions.

    Raises
    ------
    OffbenchError
        If it is no model, or the task's layers aren't its own.
    """
    path = Path(path)
    if not path.is_file():
        raise OffbenchError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
    graph = read_model(path, shapes or {})
    found = imported(graph, path.stem, path)
    names = [layer.name for layer in task.layers]
    best: list[str] = []
    for granularity in GRANULARITIES:
        groups = grouped(found.network, granularity)
        members = {layer: group[0] for group in groups for layer in group}
        heads = [group[0] for group in groups]
        if set(heads) <= set(names):
            extra = [name for name in names if name not in set(heads)]
            if len(extra) <= 1 and extra == names[len(names) - len(extra) :]:
                of = {tensor: members[layer] for tensor, layer in found.tensors.items()}
                return Model(path, graph, granularity, of, extra[0] if extra else None)
        best = max(best, heads, key=lambda some: len(set(some) & set(names)))
    missing = next((name for name in names[:-1] if name not in best), None) or next(
        name for name in best if name not in names
    )
    whose = "the model" if missing in names else f"task '{task.name}'"
    raise OffbenchError(
        f"{path}: {whose} has no layer '{missing}'; the task's layers must be those that `offbench network import "
        f"{path.name}` names"
    )
