"""An instance whose layers take what they take on this machine, wherever they run."""

from collections.abc import Mapping
from pathlib import Path

from offbench.emulate.nodes import Files, file_of, load_model
from offbench.importers.imported import Shape
from offbench.importers.registry import import_network
from offbench.model.instance import Instance, Layer, Task

_HERE = "here"
_KINDS = ("client", "edge", "cloud")


def as_here(
    instance: Instance,
    profiles: Files,
    models: Files,
    shapes: Mapping[str, Shape] | None = None,
) -> Instance:
    """Return an instance in which every server takes the seconds of a profile.

    Parameters
    ----------
    instance
        The instance.
    profiles, models
        The profile (`offbench profile`) and the model of each task by name, or one of all.
    shapes
        Of inputs that have free dimensions.

    Raises
    ------
    OffbenchError
        If one is missing, or a profile is of another model.
    """
    tasks = tuple(_task(task, file_of(profiles, task, "--profile"), file_of(models, task, "--model"), shapes)
                  for task in instance.tasks)  # fmt: skip
    return instance.model_copy(update={"format": "offbench/2", "tasks": tasks})


def _task(task: Task, profile: Path, model: Path, shapes: Mapping[str, Shape] | None) -> Task:
    loaded = load_model(model, task, shapes)
    network = import_network(model, "onnx", shapes, loaded.granularity, profiles={_HERE: profile}).network
    took = {layer.name: (layer.seconds or {}).get(_HERE, 0.0) for layer in network.layers}
    if loaded.collecting:
        took[loaded.collecting] = 0.0

    def layer(one: Layer) -> Layer:
        return one.model_copy(update={"seconds": dict.fromkeys(_KINDS, took[one.name])})

    return task.model_copy(update={"layers": tuple(map(layer, task.layers))})
