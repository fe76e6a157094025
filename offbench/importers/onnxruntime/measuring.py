"""A model's layers measured here with ONNX Runtime, on the processor."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, thread_time
from typing import TYPE_CHECKING, Any, NamedTuple

from offbench.errors import OffbenchError
from offbench.files.plain import plain
from offbench.files.processor import processor
from offbench.importers.imported import Shape
from offbench.importers.measured import Profile
from offbench.importers.onnx.model import inputs_of, read_model
from offbench.importers.onnxruntime import CONDITIONS, profile_of
from offbench.model.facts import counted

if TYPE_CHECKING:
    import numpy as np
    import onnx

# A profile of more events is longer than what is read again; ONNX Runtime itself keeps a million of them.
_MOST_EVENTS = 400_000
_MESSAGE = 300  # characters of what ONNX Runtime says


@dataclass
class Progress:
    """How far it is, while it runs."""

    total: int
    """runs in all, those for warm-up too"""
    done: int = 0
    kept: int = 0
    """those that count"""
    what: str = "loading the model"
    stop: bool = False
    """set from outside: no more runs than are there, or one"""


class Spread(NamedTuple):
    """Seconds of some runs."""

    median_s: float
    low_s: float
    """the lower quartile"""
    high_s: float
    """the upper quartile"""
    runs: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> "Spread":
        """Return what some runs took."""
        low, _, high = quantiles(seconds, n=4, method="inclusive") if len(seconds) > 1 else (seconds[0],) * 3
        return cls(median(seconds), low, high, len(seconds))


@dataclass(frozen=True)
class Measured:
    """What was measured, and how."""

    profile: Profile
    """the median of each kernel"""
    profiled: Spread
    """of the whole network, as called from Python, while each kernel was timed"""
    plain: Spread
    """of the whole network without profiling"""
    slowdown: float
    """by which share profiling makes the network slower: the median of the runs, each against the next one without"""
    conditions: dict[str, Any]
    """as the file says them: version of the runtime, threads, processor and the like; `processor_share`"""
    events: list[dict[str, Any]] = field(repr=False)
    """of the file"""

    @property
    def sum_against_whole(self) -> float:
        """By which share the sum of the layers is above the network's time without profiling."""
        return self.profile.seconds / self.plain.median_s - 1

    @property
    def processor_share(self) -> float:
        """For how much of the time the calling thread had a processor.

        The rest went to other programs, or to threads more than cores.
        """
        return float(self.conditions["processor_share"])

    def to_text(self) -> str:
        """Return a profile as ONNX Runtime writes it (Chrome's trace format), with one event more, an event a line."""
        return "[\n" + ",\n".join(json.dumps(event) for event in self.events) + "\n]\n"


def measure(
    path: Path,
    shapes: Mapping[str, Shape],
    *,
    device: str,
    runs: int = 20,
    warm_up: int = 5,
    threads: int = 1,
    time_limit: float | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Measured:
    """Measure a model of ONNX, in turn with profiling and, in a session of its own, without.

    In turn, because devices get warm and others compute on them: what disturbs one disturbs the other. The model is in
    memory twice.

    Parameters
    ----------
    path
        The model.
    shapes
        Of inputs that have free dimensions.
    device
        What the file calls the device.
    runs, warm_up
        How many runs count, and how many before them don't; each is one with profiling and one without.
    threads
        That ONNX Runtime computes an operator with; operators run one after another.
    time_limit
        Seconds for all runs; one that counts is always made.
    seed
        Of the inputs: numbers from 0 to 1, and of integers 0 and 1, which are indices of any table.
    progress
        Is told how far it is.

    Raises
    ------
    OffbenchError
        If ONNX Runtime isn't installed or can't run the model, or a shape is missing or wrong.
    """
    runtime = _runtime()
    model = read_model(path, shapes)
    nodes = len(model.graph.node)
    if (runs + warm_up) * nodes > _MOST_EVENTS:
        raise OffbenchError(
            f"--runs: with those for warm-up at most {_MOST_EVENTS // nodes:,} fit into a profile of "
            f"{counted(nodes, 'operator')}"
        )
    feeds = drawn_inputs(model, seed, str(path))
    del model  # with its weights
    sizes = _free_sizes(path, shapes)
    now = progress or Progress(runs + warm_up)
    limit = math.inf if time_limit is None else time_limit

    with TemporaryDirectory(prefix="offbench-") as folder:
        profiling = _Session(runtime, path, threads, sizes, Path(folder))
        plain_one = _Session(runtime, path, threads, sizes)
        now.what = "warming up"
        begun = perf_counter()
        skipped, pairs = 0, list[tuple[float, float]]()
        while skipped < warm_up and not now.stop and perf_counter() - begun < limit * warm_up / (warm_up + runs):
            profiling.run(feeds), plain_one.run(feeds)
            skipped += 1
            now.done += 1
        now.done, now.what = warm_up, "measuring"
        computed = thread_time()
        while not pairs or (len(pairs) < runs and not now.stop and perf_counter() - begun < limit):
            pairs.append((profiling.run(feeds), plain_one.run(feeds)))
            now.done += 1
            now.kept += 1
        computed = thread_time() - computed
        events = profiling.end_profiling()
    with_profiling, without = zip(*pairs, strict=True)

    conditions = {
        "device": device,
        "version": str(runtime.__version__),
        "threads": threads,
        "processor": processor(),
        "runs": len(pairs),
        "warm_up": skipped,
        "seed": seed,
        "inputs": {name: f"{values.dtype}{list(values.shape)}" for name, values in feeds.items()},
        "processor_share": min(1.0, computed / (sum(with_profiling) + sum(without))),
        "median_s_without_profiling": median(without),
    }
    kept = [*_of_runs(events, skipped), {"name": CONDITIONS, "ph": "M", "pid": 0, "args": conditions}]
    return Measured(
        profile=profile_of(kept, str(path)),
        profiled=Spread.of(with_profiling),
        plain=Spread.of(without),
        slowdown=median(one / other for one, other in pairs) - 1,
        conditions=conditions,
        events=kept,
    )


def _runtime() -> Any:
    try:
        import onnxruntime
    except ImportError:
        raise OffbenchError("onnxruntime isn't installed, which measures: pip install 'offbench[profile]'") from None
    return onnxruntime


class _Session:
    """A model that ONNX Runtime has loaded."""

    def __init__(
        self, runtime: Any, path: Path, threads: int, sizes: Mapping[str, int], profile_in: Path | None = None
    ) -> None:
        self._path = path
        options = runtime.SessionOptions()
        options.log_severity_level = 4  # what it refuses it raises as well
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        for name, size in sizes.items():
            options.add_free_dimension_override_by_name(name, size)
        if profile_in is not None:
            options.enable_profiling, options.profile_file_prefix = True, str(profile_in / "profile")
        try:
            self._session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # of classes of its own
            raise self._refused("load", error) from None

    def run(self, feeds: Mapping[str, Any]) -> float:
        """Return the seconds of a run."""
        begun = perf_counter()
        try:
            self._session.run(None, feeds)
        except Exception as error:
            raise self._refused("run", error) from None
        return perf_counter() - begun

    def end_profiling(self) -> list[dict[str, Any]]:
        """Return the events that were written."""
        file = Path(self._session.end_profiling())
        try:
            return list(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError):
            raise OffbenchError(f"{file.parent}: ONNX Runtime couldn't write its profile here; is it full?") from None

    def _refused(self, what: str, error: Exception) -> OffbenchError:
        said = " ".join(re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", str(error)).split())
        return OffbenchError(f"{self._path}: ONNX Runtime can't {what} it: {plain(said, _MESSAGE)}")


def drawn_inputs(model: "onnx.ModelProto", seed: int, source: str) -> "dict[str, np.ndarray[Any, Any]]":
    """Return inputs for a model whose dimensions are all known.

    Fractions are drawn from 0 to 1, integers of one byte from all, larger ones, which may be indices, from 0 and 1.

    Raises
    ------
    OffbenchError
        If one is of a type that nothing can be drawn of.
    """
    import numpy as np
    import psutil
    from onnx import TensorProto, helper

    random = np.random.default_rng(seed)
    found = {}
    for one in inputs_of(model.graph):
        kind = one.type.tensor_type
        numbers = math.prod(dim.dim_value for dim in kind.shape.dim)
        if 8 * numbers > psutil.virtual_memory().available:  # they are drawn as double precision
            raise OffbenchError(f"{source}: input '{one.name}': there isn't memory for its {numbers:,} numbers")
        numeric = one.type.HasField("tensor_type") and kind.elem_type not in (TensorProto.UNDEFINED, TensorProto.STRING)
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(kind.elem_type)) if numeric else np.dtype(object)
        shape = tuple(dim.dim_value for dim in kind.shape.dim)
        if dtype.kind == "f":
            found[one.name] = random.random(shape).astype(dtype)
        elif dtype.kind in "iu" and dtype.itemsize == 1:
            found[one.name] = random.integers(0, 256, shape, dtype=np.uint8).astype(dtype)
        elif dtype.kind in "iub":
            found[one.name] = random.integers(0, 2, shape).astype(dtype)
        else:
            raise OffbenchError(f"{source}: input '{one.name}': is of a type that no numbers can be drawn of")
    return found


def _free_sizes(path: Path, shapes: Mapping[str, Shape]) -> dict[str, int]:
    """Return the sizes of free dimensions that the model names: the runtime plans with them as with fixed ones."""
    if not shapes:
        return {}
    import onnx

    sizes = {}
    for one in inputs_of(onnx.load(str(path), format="protobuf", load_external_data=False).graph):
        for dim, size in zip(one.type.tensor_type.shape.dim, shapes.get(one.name, ()), strict=False):
            if dim.dim_param:
                sizes[dim.dim_param] = size
    return sizes


def _of_runs(events: Sequence[Mapping[str, Any]], skipped: int) -> list[dict[str, Any]]:
    """Return the events of all runs but the first ones, with what is read of them again."""
    begins = sorted(event["ts"] for event in events if event["name"] == "model_run")[skipped:]
    first = begins[0] if begins else math.inf
    found = []
    for event in events:
        loading = event["name"].startswith(("model_loading", "session_initialization"))  # tells what file it is
        if not loading and (event["ts"] < first or (event["cat"] != "Node" and event["name"] != "model_run")):
            continue
        arguments = {
            name: event["args"][name] for name in ("op_name", "node_index", "provider") if name in event["args"]
        }
        found.append(
            {name: event[name] for name in ("cat", "ph", "pid", "tid", "name", "ts", "dur")} | {"args": arguments}
        )
    return found
