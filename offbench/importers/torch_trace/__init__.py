"""Traces of torch's profiler (`export_chrome_trace`): the time of each operator that a module calls, in order."""

import re
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from offbench.errors import OffbenchError
from offbench.files.json import read_json
from offbench.importers.imported import Imported, Shape
from offbench.importers.measured import Profile, Timed, tells_no_graph
from offbench.importers.peek import beginning
from offbench.importers.torch.operators import class_of

_LARGEST = sys.float_info.max  # whole numbers may be larger
_ON_DEVICE = ("kernel", "gpu_memcpy", "gpu_memset")


def recognises(path: Path) -> bool:
    """Tell a trace by its first fields."""
    start = beginning(path).lstrip()
    return start.startswith("{") and '"schemaVersion"' in start and re.search(
        r'"(traceEvents|deviceProperties|trace_id)"', start
    ) is not None  # fmt: skip


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Refuse to be a network: a trace doesn't tell what reads what."""
    raise tells_no_graph(path, "torch")


def profile(path: Path) -> Profile:
    """Return what was measured: the median over the runs of what each call took.

    Of operators that call others only the outermost are told. Runs are the profiler's steps, or where there are none,
    how often the same operators come one after the other. Where kernels ran on a device, their time counts.

    Raises
    ------
    OffbenchError
        If it is no such trace.
    """
    data = read_json(path)
    events = data.get("traceEvents") if isinstance(data, dict) else None
    if not isinstance(events, list):
        raise OffbenchError(f"{path}: traceEvents: must be a list of events")
    events = [event for event in events if isinstance(event, dict) and event.get("ph") == "X"]
    calls = sorted(
        (e for e in events if e.get("cat") == "cpu_op"), key=lambda e: (_us(e, "ts", path), -_us(e, "dur", path))
    )
    if not calls:
        raise OffbenchError(f"{path}: has no events of category 'cpu_op'; profile with ProfilerActivity.CPU")
    thread = Counter(map(_thread, calls)).most_common(1)[0][0]
    outer: list[dict[str, Any]] = []
    outer_of: dict[str | None, int] = {}
    """the outermost call that each is a part of, by what the trace calls it"""
    end = -1.0
    for event in (e for e in calls if _thread(e) == thread):
        if _us(event, "ts", path) >= end:
            outer.append(event)
            end = _us(event, "ts", path) + _us(event, "dur", path)
        outer_of[_id(event)] = len(outer) - 1
    times = [_us(event, "dur", path) for event in outer]
    kernels = [event for event in events if event.get("cat") in _ON_DEVICE]
    if kernels:
        times = [0.0] * len(outer)
        for event in kernels:
            if (k := outer_of.get(_id(event))) is not None and _id(event) is not None:
                times[k] += _us(event, "dur", path)
    runs = _runs(outer, events, path)
    names = [str(outer[k].get("name")) for k in runs[0]]
    if any([str(outer[k].get("name")) for k in run] != names for run in runs):
        raise OffbenchError(f"{path}: its steps call different operators; profile the model alone, in inference")
    timed = tuple(
        Timed(name, class_of(name), median(times[run[j]] for run in runs) / 1e6) for j, name in enumerate(names)
    )
    whole = [_us(outer[run[-1]], "ts", path) + _us(outer[run[-1]], "dur", path) - _us(outer[run[0]], "ts", path)
             for run in runs]  # fmt: skip
    return Profile("torch's profiler", timed, len(runs), None if kernels else median(whole) / 1e6)


def _runs(outer: Sequence[Mapping[str, Any]], events: Sequence[Mapping[str, Any]], path: Path) -> list[list[int]]:
    """Return the calls of each run, by number."""
    steps = sorted((_us(e, "ts", path), _us(e, "dur", path)) for e in events
                   if str(e.get("name")).startswith("ProfilerStep#") and e.get("cat") == "user_annotation")  # fmt: skip
    if steps:
        runs: list[list[int]] = [[] for _ in steps]
        for k, event in enumerate(outer):
            start = _us(event, "ts", path)
            step = bisect_right(steps, (start, float("inf"))) - 1
            if step >= 0 and start < sum(steps[step]):
                runs[step].append(k)
        if any(runs):
            return [run for run in runs if run]
    names = [event.get("name") for event in outer]
    period = next(n for n in range(1, len(names) + 1) if len(names) % n == 0 and names == names[:n] * (len(names) // n))
    return [list(range(start, start + period)) for start in range(0, len(names), period)]


def _id(event: Mapping[str, Any]) -> str | None:
    arguments = event.get("args")
    number = arguments.get("External id") if isinstance(arguments, dict) else None
    return None if number is None else str(number)


def _thread(event: Mapping[str, Any]) -> tuple[str, str]:
    return str(event.get("pid")), str(event.get("tid"))


def _us(event: Mapping[str, Any], field: str, path: Path) -> float:
    value = event.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise OffbenchError(f"{path}: event '{event.get('name')}': {field}: must be a number from 0 up, microseconds")
    return float(value)
