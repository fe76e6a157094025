"""Profiles of ONNX Runtime (`SessionOptions.enable_profiling`): a node's time in each run, in Chrome's trace format."""

import sys
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from offbench.errors import OffbenchError
from offbench.files.json import read_json
from offbench.files.plain import plain
from offbench.importers.imported import Imported, Shape
from offbench.importers.measured import Profile, Timed, tells_no_graph
from offbench.importers.onnx.operators import class_of
from offbench.importers.peek import beginning

TOOL = "ONNX Runtime"
CONDITIONS = "measured by offbench"
"""name of an event that ONNX Runtime doesn't write; its arguments say how was measured"""

_LARGEST = sys.float_info.max  # whole numbers may be larger
_TOOL_CHARACTERS = 200
_TIME = "_kernel_time"
_CONTROL = ("If", "Loop", "Scan")


def recognises(path: Path) -> bool:
    """Tell a profile by its first events, those of a session."""
    start = beginning(path).lstrip()
    return start.startswith("[") and ('"model_loading' in start or '"session_initialization"' in start)


def read(path: Path, shapes: Mapping[str, Shape], name: str | None = None) -> Imported:
    """Refuse to be a network: a profile of ONNX Runtime doesn't tell what reads what."""
    raise tells_no_graph(path, "ONNX Runtime")


def profile(path: Path) -> Profile:
    """Return what was measured: the median over the runs of each node's time.

    Raises
    ------
    OffbenchError
        If it is no such profile.
    """
    return profile_of(read_json(path), path)


def profile_of(events: Any, path: str | Path) -> Profile:
    """Return what was measured, from the events of a profile; *path* is what errors call it.

    Raises
    ------
    OffbenchError
        If they are none.
    """
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise OffbenchError(f"{path}: is no profile of ONNX Runtime: must be a list of events")
    runs = [_us(event, path) for event in events if event.get("name") == "model_run"]
    nodes = [event for event in events if event.get("cat") == "Node" and str(event.get("name", "")).endswith(_TIME)]
    if not nodes:
        raise OffbenchError(f"{path}: has no events of category 'Node' with kernel times")
    count = max(1, len(runs))
    of: dict[tuple[str, str], list[float]] = {}
    kinds: dict[tuple[str, str], str] = {}
    inside = 0.0  # what runs in a branch or a loop is in the time of that
    for event in sorted(nodes, key=lambda event: (_number(event, "ts", path), -_us(event, path))):
        arguments = event.get("args")
        if not isinstance(arguments, dict):
            raise OffbenchError(f"{path}: event '{event['name']}': args: must be an object with op_name and node_index")
        start = _number(event, "ts", path)
        if start < inside:
            continue
        kind = str(arguments.get("op_name", ""))
        if kind in _CONTROL:
            inside = start + _us(event, path)
        key = str(event["name"]).removesuffix(_TIME), str(arguments.get("node_index", ""))
        of.setdefault(key, []).append(_us(event, path))
        kinds[key] = kind
    timed = tuple(
        Timed(name, class_of(kinds[name, index]), _each_run(times, count) / 1e6) for (name, index), times in of.items()
    )
    return Profile(_tool(events), timed, count, median(runs) / 1e6 if runs else None)


def _tool(events: list[dict[str, Any]]) -> str:
    """Return what measured, as `offbench profile` wrote it."""
    told = next((event.get("args") for event in events if event.get("name") == CONDITIONS), None)
    if not isinstance(told, dict) or not all(name in told for name in ("version", "threads", "processor")):
        return TOOL
    return plain(f"{TOOL} {told['version']}, threads: {told['threads']}, {told['processor']}", _TOOL_CHARACTERS)


def _each_run(times: list[float], runs: int) -> float:
    """Return the median over the runs of what a node took in each."""
    each, rest = divmod(len(times), runs)
    if rest or not each:  # not the same in every run
        return sum(times) / runs
    return float(median(sum(times[k * each : (k + 1) * each]) for k in range(runs)))


def _us(event: Mapping[str, Any], path: str | Path) -> float:
    return _number(event, "dur", path)


def _number(event: Mapping[str, Any], field: str, path: str | Path) -> float:
    value = event.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LARGEST:
        raise OffbenchError(f"{path}: event '{event.get('name')}': {field}: must be a number from 0 up, microseconds")
    return float(value)
