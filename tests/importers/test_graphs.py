"""Graphs with measured times: PipeDream's, msr-fiddle's, WfCommons'."""

import json
from pathlib import Path
from typing import Any

import pytest

from offbench import OffbenchError
from offbench.importers.imported import Imported
from offbench.importers.registry import import_network
from offbench.model.facts import LayerOutput, TaskInput

PIPEDREAM = """\
node10 -- Linear(in_features=8, out_features=4, bias=True) -- forward_compute_time=2.000, backward_compute_time=3.000, \
activation_size=16.000, parameter_size=144.000 -- stage_id=0
node2 -- Conv2d(3, 8, kernel_size=(3, 3)) -- forward_compute_time=1.500, backward_compute_time=3.000, \
activation_size=[64.0; 32.0], parameter_size=896.000
node3 -- Conv2d(8, 8, kernel_size=(3, 3), groups=8) -- forward_compute_time=0.500, backward_compute_time=3.000, \
activation_size=32.000, parameter_size=0.000
node1 -- Input -- forward_compute_time=635.902, backward_compute_time=0.000, activation_size=1000.000, \
parameter_size=0.000
node4 -- hidden -- forward_compute_time=0.000, backward_compute_time=0.000, activation_size=8.000, parameter_size=0.000
\tnode3 -- node10
\tnode2 -- node10
\tnode4 -- node10
\tnode1 -- node2
\tnode2 -- node3
"""


def read(tmp_path: Path, content: Any, name: str = "graph.txt", **more: Any) -> Imported:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return import_network(path, **more)


def test_pipedream(tmp_path: Path) -> None:
    found = read(tmp_path, PIPEDREAM)
    conv, depthwise, hidden, linear = found.network.layers
    assert conv.name == "node2 Conv2d(3, 8, kernel_size=(3, 3))" and conv.inputs == ()
    assert (conv.operator, depthwise.operator) == ("convolution", "depthwise-convolution")
    assert conv.output_mb == pytest.approx(96e-6) and conv.seconds == pytest.approx({"profiled": 1.5e-3})
    assert conv.read_mb == pytest.approx(1896e-6) and conv.weights_mb == pytest.approx(896e-6) and conv.gflop is None
    assert hidden.inputs == (TaskInput(input_mb=0.0),) and linear.operator == "matrix-product"
    assert set(linear.inputs) == {conv.name, depthwise.name, hidden.name}
    assert found.network.input_mb == pytest.approx(1e-3) and found.network.name == tmp_path.name
    assert found.coverage.parameters == 260 and "no operations" in found.coverage.told()[0]


FIDDLE: dict[str, Any] = {
    "maxSizePerFPGA": 100.0, "maxFPGAs": 1, "maxCPUs": 1,
    "nodes": [
        {"id": 7, "name": "Softmax1", "supportedOnFpga": 0, "cpuLatency": 1.0, "fpgaLatency": 0.0, "size": 8.0},
        {"id": 3, "name": "Conv1", "supportedOnFpga": 1, "cpuLatency": 20.0, "fpgaLatency": 2.0, "size": 4e6,
         "colorClass": 1},
        {"id": 4, "supportedOnFpga": True, "cpuLatency": 5.0, "fpgaLatency": 0.5, "size": 0, "isBackwardNode": 1,
         "colorClass": 1},
    ],
    "edges": [
        {"sourceId": 3, "destId": 4, "cost": 2.0, "size": 4e6}, {"sourceId": 4, "destId": 7, "cost": 1.0, "size": 2e6},
        {"sourceId": 3, "destId": 7, "cost": 1.0, "size": 2e6},
    ],
}  # fmt: skip


def test_fiddle(tmp_path: Path) -> None:
    found = read(tmp_path, FIDDLE, "resnet.json")
    conv, other, softmax = found.network.layers
    assert [one.name for one in found.network.layers] == ["Conv1", "node (4)", "Softmax1"]
    assert conv.seconds == pytest.approx({"cpu": 0.02, "accelerator": 0.002})
    assert softmax.seconds == pytest.approx({"cpu": 0.001}) and softmax.operator == "softmax"
    assert (conv.output_mb, conv.weights_mb, other.inputs) == (4.0, 4.0, ("Conv1",))
    assert set(softmax.inputs) == {"node (4)", LayerOutput(layer="Conv1", mb=2.0)}
    said = " ".join(found.coverage.told())
    for fragment in ("2,000 MB/s", "1 node of the way backward", "2 nodes must share a device", "no input"):
        assert fragment in said
    unsized = FIDDLE | {"edges": [{"sourceId": 3, "destId": 4, "cost": 2.0}]}
    assert "sizes of 1 layers can't be told and count as 0: Conv1" in read(tmp_path, unsized).coverage.told()[0]


WORKFLOW: dict[str, Any] = {
    "name": "flow", "schemaVersion": "1.5",
    "workflow": {
        "specification": {
            "tasks": [
                {"name": "join", "id": "join", "parents": ["left", "first"], "children": [],
                 "inputFiles": ["l", "table", "b"], "outputFiles": ["out"]},
                {"name": "first", "id": "first", "parents": [], "children": [], "inputFiles": ["in", "table"],
                 "outputFiles": ["a", "b"]},
                {"name": "left", "id": "left", "parents": ["first"], "children": [], "inputFiles": ["a"],
                 "outputFiles": ["l"]},
                {"name": "signal", "id": "signal", "parents": ["join"], "children": []},
                {"name": "alone", "id": "alone", "parents": [], "children": []},
            ],
            "files": [{"id": name, "sizeInBytes": mb * 1_000_000} for name, mb in
                      {"in": 5, "table": 3, "a": 1, "b": 2, "l": 7, "out": 4}.items()],
        },
        "execution": {"tasks": [
            {"id": "first", "runtimeInSeconds": 1.5, "machines": ["m1"]}, {"id": "left", "runtimeInSeconds": 2},
            {"id": "join", "runtimeInSeconds": 3, "machines": ["m1", "m2"]},
        ]},
    },
}  # fmt: skip


def test_wfcommons(tmp_path: Path) -> None:
    found = read(tmp_path, WORKFLOW, "flow.json")
    layers = {layer.name: layer for layer in found.network.layers}
    assert list(layers) == ["first", "left", "join", "signal", "alone"]
    assert found.network.input_mb == 8 and found.network.name == "flow"
    assert layers["first"].inputs == () and layers["first"].output_mb == 3
    assert layers["left"].inputs == (LayerOutput(layer="first", mb=1),)
    assert set(layers["join"].inputs) == {TaskInput(input_mb=3), "left", LayerOutput(layer="first", mb=2)}
    assert layers["signal"].inputs == (LayerOutput(layer="join", mb=0.0),)  # it waits, and reads nothing
    assert layers["alone"].inputs == (TaskInput(input_mb=0.0),)
    assert [one.seconds for one in found.network.layers] == [{"m1": 1.5}, {"measured": 2}, {"measured": 3}, None, None]
    said = " ".join(found.coverage.told())
    assert "its times are of m1, measured" in said and "2 tasks with neither operations nor a time" in said


def changed(graph: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Return the workflow with a task's fields set."""
    copy: dict[str, Any] = json.loads(json.dumps(graph))
    copy["workflow"]["specification"]["tasks"][1].update(more)
    return copy


@pytest.mark.parametrize(
    ("content", "fragment"),
    [
        (PIPEDREAM + "\tnode10 -- node2\n", "a cycle: "),
        (PIPEDREAM + "\tnode10 -- node99\n", "'node99' is read or reads, but no line tells of it"),
        (PIPEDREAM + "node10\n", "line 11: must be 'nodeN -- WHAT"),
        (PIPEDREAM.replace("parameter_size=144.000", "parameter_size=many"), "not 'many'"),
        (FIDDLE | {"edges": [{"sourceId": 3, "destId": 5, "cost": 0}]}, "edges[0]: no node has the id 5"),
        (FIDDLE | {"edges": [{"sourceId": a, "destId": b, "cost": 0} for a, b in ((3, 4), (4, 3))]}, "a cycle: "),
        (FIDDLE | {"nodes": [*FIDDLE["nodes"], FIDDLE["nodes"][0]]}, "id 7 is there twice"),
        (FIDDLE | {"nodes": [{"id": 1, "cpuLatency": -1, "fpgaLatency": 0, "size": 0}]}, "nodes[0].cpuLatency"),
        (FIDDLE | {"nodes": [{"id": 1, "fpgaLatency": 0, "size": 0}]}, "nodes[0].cpuLatency"),
        (changed(WORKFLOW, parents=["lft"]), "task 'first': parents: no task has the id 'lft'"),
        (changed(WORKFLOW, parents=["left"]), "a cycle: "),
        ({"workflow": {"specification": {"tasks": []}}}, "workflow.specification.tasks"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, content: Any, fragment: str) -> None:
    with pytest.raises(OffbenchError) as caught:
        read(tmp_path, content)
    assert fragment in str(caught.value) and str(caught.value).startswith(str(tmp_path / "graph.txt"))
    assert "\n" not in str(caught.value)
    with pytest.raises(OffbenchError, match="--shape: the file tells its sizes"):
        read(tmp_path, content, shapes={"x": (1,)})
