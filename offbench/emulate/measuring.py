"""A cut network run several times, with what was measured of each part, message and task."""

import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from offbench.emulate.cluster import Cluster, Ended
from offbench.emulate.manifest import Cut, cut
from offbench.emulate.nodes import Files, Model
from offbench.emulate.wire import Array
from offbench.errors import OffbenchError
from offbench.files.processor import processor
from offbench.importers.imported import Shape
from offbench.importers.onnxruntime.measuring import drawn_inputs
from offbench.model.instance import Instance
from offbench.model.placement import Placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

Compute = Literal["paced", "here"]
Links = Literal["private", "shared"]
TOLERANCE = 1e-3
"""by how much an output may differ from the uncut network's, as a share of the largest number in it"""


@dataclass
class Progress:
    """How far it is, while it runs."""

    total: int
    done: int = 0
    what: str = "cutting"
    stop: bool = False
    """set from outside: no more runs than are there"""


@dataclass
class Emulation:
    """What was measured; times in seconds from the beginning of a run, a row for each run that counts."""

    cut: Cut
    compute: Compute
    links: Links
    conditions: dict[str, Any]
    ready: "NDArray[np.float64]"
    """when each part's last input was there, shape (runs, parts); likewise the next three"""
    start: "NDArray[np.float64]"
    computed: "NDArray[np.float64]"
    """when its computing was done; it may be held back to its pace"""
    end: "NDArray[np.float64]"
    sent: "NDArray[np.float64]"
    """when each message could be sent, shape (runs, messages)"""
    came: "NDArray[np.float64]"
    """when its last byte was there, before the link's latency"""
    there: "NDArray[np.float64]"
    """when it could be read"""
    difference: float
    """the largest one of an output to the uncut network's, as a share of the largest number in it"""
    whole_s: dict[str, float] = field(default_factory=dict)
    """what the uncut network takes here, by model file"""
    error: str | None = None
    """why it ended early"""

    @property
    def runs(self) -> int:
        """How many count."""
        return len(self.start)

    @property
    def delay(self) -> "NDArray[np.float64]":
        """From each task's arrival to its end, shape (runs, tasks)."""
        instance = self.cut.problem.instance
        found = np.empty((self.runs, len(instance.tasks)))
        for i, task in enumerate(instance.tasks):
            mine = [part.number for part in self.cut.parts.pieces if part.task == i]
            found[:, i] = self.end[:, mine].max(axis=1) - task.arrival_s
        return found


def emulate(
    instance: Instance,
    placement: Placement,
    models: Files,
    *,
    shapes: Mapping[str, Shape] | None = None,
    compute: Compute = "paced",
    links: Links = "private",
    runs: int = 10,
    warm_up: int = 2,
    timeout_s: float | None = None,
    seed: int = 0,
    folder: Path | None = None,
    progress: Progress | None = None,
) -> Emulation:
    """Cut a network where a placement says, and run its parts on processes that send over shaped links.

    Parameters
    ----------
    instance
        The instance.
    placement
        Where its layers run, and in which order if it says so.
    models
        The model file of each task by name, or one of all.
    shapes
        Of inputs that have free dimensions.
    compute
        ``paced``: a part takes at least the seconds that the instance says; ``here``: as long as this machine takes.
    links
        ``private``: each transfer has the link's whole rate, as in the model; ``shared``: all on it share the rate.
    runs, warm_up
        How many runs count, and how many before them don't. At least 1 and 0.
    timeout_s
        For each run; ten times what is predicted and ten seconds more, if absent.
    seed
        Of the inputs.
    folder
        Where to keep the parts; nowhere if absent.
    progress
        Is told how far it is.

    Raises
    ------
    OffbenchError
        If the model can't be cut there or onnxruntime isn't installed, a server can't start, or the cut network's
        outputs differ from the uncut one's. What ends later is told with what was measured until then.
    """
    now = progress or Progress(runs + warm_up)
    with ExitStack() as until_loaded:
        where = folder or Path(until_loaded.enter_context(TemporaryDirectory(prefix="offbench-")))
        made = cut(instance, placement, models, where, shapes)
        inputs = {id(model): drawn_inputs(model.graph, seed, str(model.path)) for model in made.models}
        now.what = "running the uncut network"
        uncut = {id(model): _uncut(model, inputs[id(model)]) for model in made.models}
        limit = timeout_s if timeout_s is not None else 10 * float(made.predicted.end.max()) + 10.0
        parts, messages = list["NDArray[np.float64]"](), list["NDArray[np.float64]"]()
        error, difference = None, math.nan
        now.what = "starting the servers"
        with Cluster(made.manifest, where, paced=compute == "paced", shared=links == "shared") as cluster:
            until_loaded.close()  # so that nothing is left over, even if this process is killed
            for i, model in enumerate(made.models):
                cluster.give(i, inputs[id(model)])
            try:
                now.what = "warming up"
                for number in range(warm_up + runs):
                    begun, events = cluster.run(limit)
                    if number == 0:
                        difference = _difference(made, cluster, {key: one[0] for key, one in uncut.items()})
                    if number >= warm_up:
                        parts.append(_times("part", 4, len(made.parts.pieces), events, begun))
                        messages.append(_times("message", 3, len(made.parts.messages), events, begun))
                        now.what = "measuring"
                    now.done += 1
                    if now.stop and parts:
                        break
            except Ended as why:
                error = str(why)
    of_parts = np.array(parts).reshape(len(parts), len(made.parts.pieces), 4)
    of_messages = np.array(messages).reshape(len(messages), len(made.parts.messages), 3)
    return Emulation(
        made, compute, links, _conditions(seed, warm_up),
        ready=of_parts[..., 0], start=of_parts[..., 1], computed=of_parts[..., 2], end=of_parts[..., 3],
        sent=of_messages[..., 0], came=of_messages[..., 1], there=of_messages[..., 2], difference=difference,
        whole_s={str(model.path): uncut[id(model)][1] for model in made.models}, error=error,
    )  # fmt: skip


def _conditions(seed: int, warm_up: int) -> dict[str, Any]:
    import onnxruntime

    return {"seed": seed, "warm_up": warm_up, "onnxruntime": onnxruntime.__version__, "processor": processor()}


def _uncut(model: Model, inputs: Mapping[str, Array]) -> tuple[dict[str, Array], float]:
    """Return what the uncut network makes, and how long it takes here (the fastest of three, one thread)."""
    try:
        import onnxruntime
    except ImportError:
        raise OffbenchError("onnxruntime isn't installed, which runs parts: pip install 'offbench[profile]'") from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(str(model.path), options, providers=["CPUExecutionProvider"])
        names, took = list(model.outputs), []
        for _ in range(3):
            begun = perf_counter()
            made = session.run(names, dict(inputs))
            took.append(perf_counter() - begun)
    except Exception as error:  # of classes of its own
        raise OffbenchError(f"{model.path}: ONNX Runtime can't run it: {' '.join(str(error).split())[:300]}") from None
    return dict(zip(names, made, strict=True)), min(took)


def _difference(made: Cut, cluster: Cluster, expected: Mapping[int, Mapping[str, Array]]) -> float:
    """Return by how much outputs differ from the uncut network's.

    Raises
    ------
    OffbenchError
        If it is more than rounding.
    """
    worst = 0.0
    for i, (task, model) in enumerate(zip(made.problem.instance.tasks, made.models, strict=True)):
        found = cluster.outputs(i)
        for name, right in expected[id(model)].items():
            if name not in found:
                raise OffbenchError(f"task '{task.name}': the cut network doesn't make '{name}'")
            a, b = found[name].astype(np.float64), right.astype(np.float64)
            scale = float(np.abs(b[np.isfinite(b)]).max(initial=0.0)) or 1.0
            same = (a == b) | (np.isnan(a) & np.isnan(b))
            with np.errstate(invalid="ignore"):
                apart = float(np.where(same, 0.0, np.abs(a - b)).max(initial=0.0)) / scale
            if not apart <= TOLERANCE:
                raise OffbenchError(
                    f"task '{task.name}': the cut network's '{name}' differs from the uncut one's by {apart:.2g} of "
                    "its largest number"
                )
            worst = max(worst, apart)
    return worst


def _times(kind: str, columns: int, count: int, events: list[list[Any]], begun: float) -> "NDArray[np.float64]":
    """Return the times of all parts, or of all messages, from when a run began."""
    found = np.full((count, columns), np.nan)
    for what, number, *times in events:
        if what == kind:
            found[number] = np.array(times) - begun
    return found
