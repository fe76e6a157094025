"""Profiles of ONNX Runtime: their seconds go to the layers of the same model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from offbench import OffbenchError
from offbench.cli import app
from offbench.importers.imported import Imported
from offbench.importers.measured import aligned
from offbench.importers.onnxruntime import profile
from offbench.importers.registry import import_network
from offbench.model.network import load_network


def save(path: Path, nodes: list[Any], shape: list[int], **weights: list[int]) -> Path:
    """Write a model with input x; each node is a kind, its tensors, a name, and attributes."""
    made = [helper.make_node(kind, i.split(), [o], name=name, **more) for kind, i, o, name, more in nodes]
    graph = helper.make_graph(
        made, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info(nodes[-1][2], TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.zeros(each, np.float32), name) for name, each in weights.items()],
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(path))
    return path


def event(name: str, kind: str, index: int, start: float, us: float, **others: Any) -> dict[str, Any]:
    return {
        "cat": "Node", "ph": "X", "pid": 1, "tid": 1, "name": f"{name}_kernel_time", "ts": start, "dur": us,
        "args": {"op_name": kind, "node_index": str(index), "provider": "CPUExecutionProvider"}, **others,
    }  # fmt: skip


def written(tmp_path: Path, *runs: list[tuple[str, str, float]], name: str = "profile.json") -> Path:
    """Write a profile: in each run nodes by name and operator, with their microseconds."""
    events: list[dict[str, Any]] = [
        {"cat": "Session", "ph": "X", "pid": 1, "tid": 1, "name": "model_loading_uri", "ts": 1, "dur": 9, "args": {}}
    ]
    now = 100.0
    for run in runs:
        begun = now
        for k, (node_name, kind, us) in enumerate(run):
            events.append(event(node_name, kind, k, now, us))
            now += us + 1
        events.append(
            {"cat": "Session", "ph": "X", "name": "model_run", "ts": begun, "dur": now - begun + 10, "args": {}}
        )
    path = tmp_path / name
    path.write_text(json.dumps(events), encoding="utf-8")
    return path


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A convolution with normalisation and activation, pooling, a product of matrices."""
    nodes: list[Any] = [
        ("Conv", "x w", "conv", "/Conv", {"pads": [1, 1, 1, 1]}),
        ("BatchNormalization", "conv s b m v", "bn", "/BatchNormalization", {}),
        ("Relu", "bn", "relu", "/Relu", {}),
        ("MaxPool", "relu", "pool", "/MaxPool", {"kernel_shape": [2, 2], "strides": [2, 2]}),
        ("Flatten", "pool", "flat", "/Flatten", {}),
        ("Gemm", "flat f", "out", "/Gemm", {}),
    ]
    return save(
        tmp_path / "m.onnx", nodes, [1, 3, 8, 8], w=[4, 3, 3, 3], f=[64, 5], s=[4], b=[4], m=[4], v=[4]
    )  # fmt: skip


def seconds(found: Imported, device: str = "pi5") -> list[float | None]:
    return [None if one.seconds is None else one.seconds.get(device) for one in found.network.layers]


def test_fused_kernels_belong_to_what_they_were_made_of(tmp_path: Path, model: Path) -> None:
    """The convolution is named by what its chain hands on, as of layouts in blocks; layouts are changed in between."""
    path = written(
        tmp_path,
        *(
            [("relu_nchwc", "Conv", us), ("/MaxPool", "MaxPool", 20.0), ("ReorderOutput_token_7", "ReorderOutput", 5.0),
             ("/Flatten", "Reshape", 1.0), ("/Gemm/MatMulAddFusion", "Gemm", 30.0)]
            for us in (900.0, 100.0, 104.0)
        ),
    )  # fmt: skip
    fine = import_network(model, granularity="node", profiles={"pi5": path})
    assert seconds(fine) == pytest.approx([104e-6, 0, 0, 25e-6, 1e-6, 30e-6])
    layers = import_network(model, profiles={"pi5": path})
    assert [one.name for one in layers.network.layers] == ["/Conv", "/MaxPool", "/Gemm"]
    assert seconds(layers) == pytest.approx([104e-6, 26e-6, 30e-6])
    assert "median of 3 runs: 100.0% of it is given to layers (96.9% by name, 3.1% to the layer before)" in " ".join(
        layers.coverage.told()
    )


def test_what_has_no_name_is_matched_by_order(tmp_path: Path, model: Path) -> None:
    path = written(tmp_path, [("", "FusedConv", 100.0), ("", "MaxPool", 20.0), ("", "Gemm", 30.0)])
    found = import_network(model, profiles={"pi5": path})
    assert seconds(found) == pytest.approx([100e-6, 20e-6, 30e-6])
    assert "(100.0% by order)" in found.coverage.told()[-1]


def test_what_doesnt_fit_is_told_and_gets_no_seconds(tmp_path: Path, model: Path) -> None:
    path = written(tmp_path, [("/Conv", "Conv", 100.0), ("/Gemm", "Gemm", 30.0), ("magic", "Magic", 40.0)])
    found = import_network(model, profiles={"pi5": path})
    assert seconds(found) == [100e-6, None, 30e-6]
    assert "76.5% of it" in found.coverage.told()[-1] and "1 layer without a measured time" in found.coverage.told()[-1]
    other = written(tmp_path, [("a", "Magic", 100.0), ("/Gemm", "Gemm", 30.0)], name="other.json")
    with pytest.raises(OffbenchError, match="only 23% of its time fits the layers of 'm'"):
        import_network(model, profiles={"pi5": other})


def test_a_number_makes_another_layer(tmp_path: Path) -> None:
    """`Relu_2`, which a runtime named, is no part of `Relu`."""
    nodes: list[Any] = [
        ("Relu", "x", "a", "Relu", {}),
        ("Softmax", "a", "b", "Softmax", {}),
        ("Relu", "b", "c", "", {}),
    ]
    path = save(tmp_path / "m.onnx", nodes, [4])
    trace = written(tmp_path, [("Relu", "Relu", 1.0), ("Softmax", "Softmax", 2.0), ("Relu_2", "Relu", 4.0)])
    assert seconds(import_network(path, granularity="node", profiles={"pi5": trace})) == [1e-6, 2e-6, 4e-6]


def test_a_loops_body_is_in_its_time(tmp_path: Path) -> None:
    events = [
        {"cat": "Session", "name": "model_loading_uri", "ts": 0, "dur": 1, "args": {}},
        event("loop", "Loop", 1, 10, 100), event("body", "Relu", 0, 20, 30), event("body", "Relu", 0, 60, 30),
        event("after", "Relu", 2, 200, 5),
    ]  # fmt: skip
    path = tmp_path / "p.json"
    path.write_text(json.dumps(events), encoding="utf-8")
    timed = profile(path).timed
    assert [one.name for one in timed] == ["loop", "after"]
    assert [one.seconds for one in timed] == pytest.approx([100e-6, 5e-6])


def test_what_is_dear_is_aligned_first() -> None:
    assert aligned(["convolution", "activation"], ["activation", "convolution"]) == [(0, 1)]
    assert aligned(["pooling", None, "softmax"], ["pooling", "other", "softmax"]) == [(0, 0), (2, 2)]
    assert aligned([], ["pooling"]) == []


def test_command(tmp_path: Path, model: Path) -> None:
    path = written(tmp_path, [("/Conv", "Conv", 100.0), ("/MaxPool", "MaxPool", 20.0), ("/Gemm", "Gemm", 30.0)])
    target = tmp_path / "net.json"
    run = CliRunner().invoke(
        app, ["network", "import", str(model), "--profile", f"pi5={path}", "--output", str(target)]
    )
    assert run.exit_code == 0 and "pi5: 0.15 ms of 0.163 ms for a run by ONNX Runtime" in run.stdout
    assert [one.seconds for one in load_network(target).layers] == [{"pi5": 100e-6}, {"pi5": 20e-6}, {"pi5": 30e-6}]
    broken = tmp_path / "broken.json"
    broken.write_text('[{"name": "model_loading_uri"}, {"cat": "Node", "name": "a_kernel_time", "ts": 1, "dur": "1"}]')
    for arguments, fragment in (
        ([str(path)], "tells no graph; name its model: MODEL --profile DEVICE="),
        ([str(model), "--profile", str(path)], "must be DEVICE=FILE"),
        ([str(model), "--profile", "pi5=nosuch.json"], "nosuch.json: no such file"),
        ([str(model), "--profile", f"pi5={model}"], "is no profile that an importer knows; those of onnxruntime"),
        ([str(model), "--profile", f"pi5={broken}"], "event 'a_kernel_time': dur: must be a number from 0 up"),
    ):
        refused = CliRunner().invoke(app, ["network", "import", *arguments])
        assert refused.exit_code == 2 and fragment in refused.stderr and refused.stderr.count("\n") == 1
