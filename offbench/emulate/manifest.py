"""A placement's parts in a folder: ONNX files, and a manifest that says who runs and sends what."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from offbench.emulate.cutting import Cutter
from offbench.emulate.nodes import Files, Model, file_of, load_model
from offbench.emulate.parts import Partition, parts_of, ranks
from offbench.emulate.worker import FORMAT
from offbench.errors import OffbenchError
from offbench.files.atomic import write_whole
from offbench.importers.imported import Shape
from offbench.model.arrays import LINK
from offbench.model.instance import Instance
from offbench.model.placement import Placement
from offbench.model.problem import P1, Problem
from offbench.runs.schedule import Schedule, schedule


@dataclass(frozen=True)
class Cut:
    """A placement that has been cut."""

    problem: Problem
    predicted: Schedule
    parts: Partition
    models: tuple[Model, ...]
    """one for each task"""
    folder: Path
    manifest: dict[str, Any]
    """as in `manifest.json`"""


def cut(
    instance: Instance,
    placement: Placement,
    models: Files,
    folder: Path,
    shapes: Mapping[str, Shape] | None = None,
) -> Cut:
    """Cut networks where a placement says, into ONNX files and a manifest.

    Parameters
    ----------
    instance
        The instance.
    placement
        Where its layers run.
    models
        The model file of each task by name, or one of all.
    folder
        Where to write; it is there, and files of the same name are replaced.
    shapes
        Of inputs that have free dimensions.

    Raises
    ------
    OffbenchError
        If a model isn't the task's, or can't be cut there.
    """
    problem = P1(instance)
    predicted = schedule(instance, placement)
    loaded = _loaded(instance, models, shapes)
    cutters: dict[int, Cutter] = {}
    for model in loaded:
        if id(model) not in cutters:
            cutters[id(model)] = Cutter(model)
    names = [(i, layer.name) for i, task in enumerate(instance.tasks) for layer in task.layers]
    reads = [set(cutters[id(loaded[i])].read_by(layer)) for i, layer in names]
    _check_sources(problem, names, loaded, reads)
    n = problem.n_subtasks

    def sent(source: int, reader: int) -> list[str]:
        model = loaded[names[reader][0]]
        if source >= n:
            return [name for name in model.inputs if name in reads[reader]]
        return [name for name in reads[reader] if model.layer_of.get(name) == names[source][1]]

    parts = parts_of(problem, predicted, sent)
    manifest = _manifest(problem, predicted, parts, loaded, cutters, names, folder)
    write_whole(folder / "manifest.json", json.dumps(manifest, indent=1, allow_nan=False) + "\n")
    return Cut(problem, predicted, parts, tuple(loaded), folder, manifest)


def _check_sources(
    problem: Problem, names: Sequence[tuple[int, str]], models: Sequence[Model], reads: Sequence[Iterable[str]]
) -> None:
    """Refuse an instance in which a layer isn't said to read what it reads in the model: it would never come."""
    number = {name: k for k, name in enumerate(names)}
    for k, (i, layer) in enumerate(names):
        model, known = models[i], set(problem.sources_of(k))
        for name in reads[k]:
            maker = model.layer_of.get(name)
            if (problem.n_subtasks + i if maker is None else number[i, maker]) not in known and maker != layer:
                whose = f"'{name}', the model's input" if maker is None else f"what '{maker}' makes"
                raise OffbenchError(
                    f"{model.path}: layer '{layer}' reads {whose}, which the instance's '{layer}' of task "
                    f"'{problem.instance.tasks[i].name}' doesn't read"
                )


def _loaded(instance: Instance, models: Files, shapes: Mapping[str, Shape] | None) -> list[Model]:
    """Return the model of each task; tasks of the same file and layers share one."""
    known = {task.name for task in instance.tasks}
    for name in () if isinstance(models, str | Path) else models:
        if name not in known:
            raise OffbenchError(f"--model {name}: there is no such task; tasks: {', '.join(sorted(known))}")
    kept: dict[tuple[Path, tuple[str, ...]], Model] = {}
    found = []
    for task in instance.tasks:
        path = file_of(models, task, "--model")
        key = path, tuple(layer.name for layer in task.layers)
        if key not in kept:
            kept[key] = load_model(path, task, shapes)
        found.append(kept[key])
    return found


def _manifest(
    problem: Problem,
    predicted: Schedule,
    parts: Partition,
    models: Sequence[Model],
    cutters: Mapping[int, Cutter],
    names: Sequence[tuple[int, str]],
    folder: Path,
) -> dict[str, Any]:
    import onnx

    instance, a = problem.instance, problem.arrays
    order = list(dict.fromkeys(id(model) for model in models))
    files: dict[tuple[int, int, tuple[str, ...]], tuple[str | None, list[str], list[str]]] = {}
    rank = ranks(parts)
    used = sorted({part.server for part in parts.pieces} | set(instance.client_of))
    told: list[dict[str, Any]] = []
    seconds = predicted.end - predicted.start
    for part in parts.pieces:
        model = models[part.task]
        layers = tuple(names[k][1] for k in part.subtasks)
        key = order.index(id(model)), part.server, layers
        if key not in files:
            own = [layer for layer in layers if layer != model.collecting]
            if own:
                made, reads, makes = cutters[id(model)].cut(own)
                name = f"{used.index(part.server)}-{len(files)}.onnx"
                try:
                    onnx.save(made, str(folder / name))
                except OSError as error:
                    raise OffbenchError(f"{folder / name}: can't be written: {error.strerror or error}") from None
                files[key] = name, reads, makes
            else:
                files[key] = None, [], []
        file, reads, makes = files[key]
        told.append({
            "number": part.number, "task": part.task, "server": instance.servers[part.server].name,
            "slot": part.slot, "rank": rank[part.number], "file": file, "layers": list(layers),
            "reads": reads, "makes": makes, "seconds": float(seconds[list(part.subtasks)].sum()),
            "after": list(part.after),
            "messages": [one.number for one in parts.messages if part.number in one.readers],
            "given": any(
                u >= problem.n_subtasks and instance.client_of[part.task] == part.server
                for k in part.subtasks for u in problem.sources_of(k)
            ),
        })  # fmt: skip
    links = {(one.start, one.end): a.link[_link(problem, one.task, one.start, one.end)] for one in parts.messages}
    return {
        "format": FORMAT,
        "instance": instance.name,
        "ordered": predicted.placement.order is not None,
        "servers": [
            {"number": number, "name": instance.servers[s].name, "slots": _slots(predicted, instance, s)}
            for number, s in enumerate(used)
        ],
        "links": [
            {
                "from": instance.servers[start].name, "to": instance.servers[end].name,
                "rate_mb_per_s": float(link[LINK.rate_mb_per_s]), "latency_s": float(link[LINK.latency_s]),
            }
            for (start, end), link in links.items()
        ],
        "tensors": [
            _tensors(cutters[one], (
                name for part in parts.messages if id(models[part.task]) == one for name in part.tensors
            ))
            for one in order
        ],
        "tasks": [
            {
                "name": task.name, "model": order.index(id(model)), "arrival_s": task.arrival_s,
                "client": instance.servers[client].name, "inputs": list(model.inputs), "outputs": list(model.outputs),
            }
            for task, model, client in zip(instance.tasks, models, instance.client_of, strict=True)
        ],
        "parts": told,
        "messages": [
            {
                "number": one.number, "task": one.task, "from": instance.servers[one.start].name,
                "to": instance.servers[one.end].name, "after": one.after, "readers": list(one.readers),
                "tensors": list(one.tensors),
            }
            for one in parts.messages
        ],
    }  # fmt: skip


def _slots(predicted: Schedule, instance: Instance, server: int) -> int:
    """Return how many slots a server needs: as many as it has, but no more than ever have something to do."""
    return max(1, min(instance.servers[server].pool, int((predicted.servers == server).sum())))


def _tensors(cutter: Cutter, sent: Iterable[str]) -> dict[str, Any]:
    """Return what goes in, is sent, and comes out, by name."""
    names = dict.fromkeys((*cutter.model.inputs, *sent, *cutter.model.outputs))
    return {name: cutter.tensor(name) for name in names}


def _link(problem: Problem, task: int, start: int, end: int) -> tuple[int, int, int]:
    """Return where the link between two servers stands in the arrays, for a task."""
    a, instance = problem.arrays, problem.instance
    place = {s: a.client if s == instance.client_of[task] else instance.places.index(s) for s in (start, end)}
    return int(a.links_of[problem.subtasks_of(task).start]), place[start], place[end]
