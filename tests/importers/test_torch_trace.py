"""Traces of torch's profiler: by hand, and one that is made here."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from offbench import OffbenchError
from offbench.importers.registry import import_network, read_profile


def call(name: str, start: float, us: float, number: int, cat: str = "cpu_op", thread: int = 1) -> dict[str, Any]:
    return {"ph": "X", "cat": cat, "name": name, "ts": start, "dur": us, "pid": 1, "tid": thread,
            "args": {"External id": number}}  # fmt: skip


def trace(tmp_path: Path, *events: dict[str, Any]) -> Path:
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"schemaVersion": 1, "deviceProperties": [], "traceEvents": events}), encoding="utf-8")
    return path


def test_the_outermost_call_counts_and_runs_are_steps(tmp_path: Path) -> None:
    events = []
    for step, us in enumerate((90.0, 10.0, 12.0)):
        start = 1000.0 * (step + 1)
        events += [
            call(f"ProfilerStep#{step}", start, 500, 0, "user_annotation"),
            call("aten::mm", start + 12, us / 2, 2), call("aten::linear", start + 10, us, 1),
            call("aten::relu", start + 200, 5, 3), call("aten::relu", start + 201, 1, 9, thread=2),
        ]  # fmt: skip
    found = read_profile(trace(tmp_path, call("aten::randn", 100, 5, 99), *events[::-1]))
    assert found.runs == 3 and [one.name for one in found.timed] == ["aten::linear", "aten::relu"]
    assert [one.seconds for one in found.timed] == pytest.approx([12e-6, 5e-6])
    assert [one.operator for one in found.timed] == ["matrix-product", "activation"]


def test_without_steps_runs_are_what_repeats(tmp_path: Path) -> None:
    events = [call(name, 100.0 * k, us, k) for k, (name, us) in enumerate(
        [("aten::relu", 1), ("aten::relu", 2), ("aten::mm", 3), ("aten::relu", 5), ("aten::relu", 6), ("aten::mm", 7)]
    )]  # fmt: skip
    found = read_profile(trace(tmp_path, *events))
    assert found.runs == 2 and [one.seconds for one in found.timed] == pytest.approx([3e-6, 4e-6, 5e-6])


def test_kernels_on_a_device_count_where_there_are_some(tmp_path: Path) -> None:
    found = read_profile(
        trace(
            tmp_path, call("aten::linear", 0, 10, 1), call("aten::addmm", 2, 5, 2), call("aten::relu", 20, 3, 3),
            call("gemm", 50, 400, 2, "kernel", 7), call("copy", 450, 100, 1, "gpu_memcpy", 7),
            call("relu", 600, 30, 3, "kernel", 7),
        )
    )  # fmt: skip
    assert [one.seconds for one in found.timed] == pytest.approx([500e-6, 30e-6])


def test_mistakes_are_told(tmp_path: Path) -> None:
    path = trace(tmp_path, call("aten::mm", 0, 1, 1))
    with pytest.raises(OffbenchError, match="is a profile of torch, which tells no graph"):
        import_network(path)
    with pytest.raises(OffbenchError, match="has no events of category 'cpu_op'"):
        read_profile(trace(tmp_path))
    with pytest.raises(OffbenchError, match="'aten::mm': dur: must be a number"):
        read_profile(trace(tmp_path, call("aten::mm", 0, 1, 1) | {"dur": None}))
    assert len(read_profile(trace(tmp_path, call("aten::mm", 0, 1, 1) | {"tid": {}, "args": []})).timed) == 1
    steps = [call("ProfilerStep#0", 0, 10, 0, "user_annotation"), call("ProfilerStep#1", 20, 10, 0, "user_annotation")]
    with pytest.raises(OffbenchError, match="its steps call different operators"):
        read_profile(trace(tmp_path, *steps, call("aten::mm", 1, 1, 1), call("aten::add", 21, 1, 1)))


def test_a_trace_made_here_fits_the_module(tmp_path: Path) -> None:
    code = tmp_path / "made.py"
    code.write_text(
        "from torch import nn\n\ndef make():\n    return nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), "
        "nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(72, 4), nn.Softmax(-1))\n",
        encoding="utf-8",
    )
    space: dict[str, Any] = {}
    exec(code.read_text(encoding="utf-8"), space)
    module = space["make"]().eval()
    with torch.no_grad(), torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        for _ in range(3):
            module(torch.empty(1, 3, 8, 8))
    path = tmp_path / "trace.json"
    profiler.export_chrome_trace(str(path))
    found = import_network(f"{code}:make", shapes={"input": (1, 3, 8, 8)}, profiles={"here": path})
    assert [one.operator for one in found.network.layers] == ["convolution", "pooling", "matrix-product", "softmax"]
    seconds = [one.seconds["here"] for one in found.network.layers if one.seconds]
    assert len(seconds) == 4 and all(each > 0 for each in seconds)
    assert sum(seconds) == pytest.approx(read_profile(path).seconds)
    assert "median of 3 runs" in found.coverage.told()[-1]
