"""Files that are made to harm who imports them: refused in a line, in seconds and little memory, or read right."""

import json
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper

from offbench import OffbenchError
from offbench.importers.names import Names
from offbench.importers.onnx import shapes as onnx_shapes
from offbench.importers.registry import import_network, read_profile

node = helper.make_node


def tensor(name: str, *dims: int, data_type: int = TensorProto.FLOAT, outside: str = "") -> Any:
    """Return weights without values, or with values in another file."""
    made = TensorProto(name=name, data_type=data_type, dims=dims)
    if outside:
        made.data_location = TensorProto.EXTERNAL
        made.external_data.add(key="location", value=outside)
    return made


def model(folder: Path, nodes: Sequence[Any], weights: Sequence[Any] = (), x: Any = (4,), kind: int = 1) -> Path:
    """Write a model that makes y of x."""
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("x", kind, x)],
        [helper.make_tensor_value_info("y", kind, None)], weights,
    )  # fmt: skip
    path = folder / "m.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    return path


REFUSED: dict[str, tuple[list[Any], list[Any], Any, str]] = {
    "more numbers than there can be": (
        [node("Relu", ["x"], ["y"])], [], [2**62] * 20, "tensor 'x': no tensor is of shape 4611686018427387904,",
    ),
    "weights less than nothing": (
        [node("Add", ["x", "w"], ["y"])], [tensor("w", -5, 7)], [4], "tensor 'w': no tensor is of shape -5,7",
    ),
    "weights of no type": (
        [node("Add", ["x", "w"], ["y"])], [tensor("w", 4, data_type=999)], [4], "tensor 'w': there is no type 999",
    ),
    "cycle": (
        [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])], [], [4],
        "operator 'Add': reads 'b', which is made by no operator before it",
    ),
    "itself": ([node("Add", ["x", "y"], ["y"])], [], [4], "operator 'Add': reads 'y', which is made by no operator"),
    "nothing": ([node("Add", ["x", "z"], ["y"])], [], [4], "operator 'Add': reads 'z', which is no tensor"),
    "made twice": ([node("Relu", ["x"], ["y"]), node("Tanh", ["x"], ["y"])], [], [4], "tensor 'y' is made twice"),
    "no output": ([node("Relu", ["x"], ["z"])], [], [4], "no operator makes an output"),
    "makes nothing": (
        [node("Mine", ["x"], [""]), node("Relu", ["x"], ["y"])], [], [4], "operator 'Mine': makes no tensor",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_graph_that_is_none_is_refused_in_a_line(name: str, tmp_path: Path) -> None:
    nodes, weights, x, told = REFUSED[name]
    with pytest.raises(OffbenchError) as caught:
        import_network(model(tmp_path, nodes, weights, x))
    assert str(caught.value).startswith(f"{tmp_path / 'm.onnx'}: {told}")


@pytest.mark.parametrize(
    "operator",
    [
        node("Einsum", ["x", "x"], ["y"], equation="zz,q"),
        node("Einsum", ["x"], ["y"]),
        node("MaxPool", ["x"], ["y"], kernel_shape=[-3, 1]),
        node("MaxPool", ["x"], ["y"], kernel_shape=[2**62] * 20),
        node("Conv", ["x", "w"], ["y"], group="evil"),
    ],
    ids=lambda made: made.op_type,
)
def test_operator_with_wrong_attributes_has_no_cost(operator: Any, tmp_path: Path) -> None:
    graph = helper.make_graph(
        [operator], "g", [helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("y", 1, [1, 3, 8, 8])], [tensor("w", 3, 3, 1, 1)],
    )  # fmt: skip
    path = tmp_path / "m.onnx"
    path.write_bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
    try:
        (layer,) = import_network(path).network.layers
    except OffbenchError as error:  # where the onnx package itself sees it
        assert "shapes can't be worked out" in str(error)
    else:
        assert layer.gflop is None


def test_shapes_that_follow_from_values_without_end_are_given_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onnx_shapes, "AT_MOST_MB", 700)
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("ConstantOfShape", ["s"], ["r"], value=helper.make_tensor("v", TensorProto.INT64, [1], [3])),
        node("Add", ["r", "r"], ["q"]),
        node("Reshape", ["x", "q"], ["z"]),
        node("Relu", ["x"], ["y"]),
    ]
    with pytest.raises(OffbenchError, match=r"shapes can't be worked out: that takes (too much|more)"):
        import_network(model(tmp_path, nodes, x=[2**40]))


def test_functions_that_call_themselves_are_refused(tmp_path: Path) -> None:
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]
    one = helper.make_function("mine", "f", ["a"], ["b"], [node("f", ["a"], ["b"], domain="mine")], opsets)
    made = onnx.load(model(tmp_path, [node("f", ["x"], ["y"], domain="mine")]))
    made.functions.append(one)
    del made.opset_import[:]
    made.opset_import.extend(opsets)
    (tmp_path / "m.onnx").write_bytes(made.SerializeToString())
    with pytest.raises(OffbenchError, match="shapes can't be worked out: Cycle detected"):
        import_network(tmp_path / "m.onnx")


def test_files_outside_that_a_model_names_are_not_read(tmp_path: Path) -> None:
    """Its weights count by what the model says of them; values that shapes would follow from are unknown."""
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_bytes(b"\2\0\0\0\0\0\0\0" * 2)
    weights = [tensor("w", 4, outside="../secret"), tensor("s", 2, data_type=TensorProto.INT64, outside="../secret")]
    path = model(tmp_path / "inside", [node("Add", ["x", "w"], ["a"]), node("Reshape", ["a", "s"], ["y"])], weights)
    found = import_network(path, granularity="node")
    assert found.network.weights_mb == (4 * 4 + 2 * 8) / 1e6
    assert found.coverage.without_shape == ("y",)


def test_names_that_look_like_those_of_twins_are_told_apart(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Tanh", ["a"], ["b"]), node("Sigmoid", ["b"], ["y"])]
    for each, name in zip(nodes, ("n", "n", "n (2)"), strict=True):
        each.name = name
    layers = import_network(model(tmp_path, nodes), granularity="node").network.layers
    assert [layer.name for layer in layers] == ["n", "n (2)", "n (2) (2)"]
    taken = Names()
    assert [taken.new(name) for name in ("a (2)", "a", "a", "a")] == ["a (2)", "a", "a (3)", "a (4)"]


def test_input_whose_rank_is_not_told_is_of_the_shape_that_is_given(tmp_path: Path) -> None:
    path = model(tmp_path, [node("Relu", ["x"], ["y"])], x=None)
    assert import_network(path, shapes={"x": (1, 3, 5)}).network.input_mb == 60 / 1e6


def test_what_was_not_understood_is_told_briefly(tmp_path: Path) -> None:
    nodes = [node("k" * 10_000 + str(k), ["x"], [f"a{k}"]) for k in range(100)]
    found = import_network(model(tmp_path, [*nodes, node("Sum", [f"a{k}" for k in range(100)], ["y"])]))
    assert len(found.coverage.without_cost) == 100
    assert max(map(len, found.coverage.told())) < 2000


def test_large_graphs_are_read_in_seconds(tmp_path: Path) -> None:
    """Each of many layers was looked for among all of them."""
    names = ["x", *(f"a{k}" for k in range(10_000)), "y"]
    path = model(tmp_path, [node("Conv", [a, "w"], [b]) for a, b in pairwise(names)], [tensor("w", 4)])
    assert len(import_network(path, granularity="node").network.layers) == 10_001


def trace(*events: Any) -> str:
    return json.dumps({"schemaVersion": 1, "deviceProperties": [], "traceEvents": events})


def call(ts: Any, dur: Any, name: Any = "aten::relu") -> dict[str, Any]:
    return {"ph": "X", "cat": "cpu_op", "name": name, "ts": ts, "dur": dur, "pid": 1, "tid": 1}


def kernel(ts: Any, dur: Any, name: str = "a") -> dict[str, Any]:
    arguments = {"op_name": "Relu", "node_index": "0"}
    return {"cat": "Node", "name": f"{name}_kernel_time", "ts": ts, "dur": dur, "args": arguments}


def session(*events: Any) -> str:
    return json.dumps([{"cat": "Session", "name": "model_loading_uri", "ts": 0, "dur": 1}, *events])


TFLITE = (
    "=== Run Order ===\n[node type]\t[first]\t[avg ms]\t[%]\t[times called]\t[Name]\nCONV_2D\t0.0\t{}\t50%\t{}\t[a]:0\n"
)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (trace(call(1, 10**400)), "dur: must be a number from 0 up"),
        (trace(call(10**400, 1)), "ts: must be a number from 0 up"),
        (trace(call(0, 1.7e308), call(1.7e308, 1.7e308, "b")), "its times must be finite"),
        (session(kernel(1, 10**400)), "dur: must be a number from 0 up"),
        (TFLITE.format("0.5", "nan"), "its times must be finite"),
        (TFLITE.format("1e308", "1e308"), "its times must be finite"),
    ],
)  # fmt: skip
def test_profile_whose_numbers_are_none_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "profile"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OffbenchError, match=told):
        read_profile(path)


TABLE = "name,inputs,output_mb,operator\ninput,,1,\na_1,input,1,activation\n"


def test_profile_with_endless_names_and_with_very_many_is_held_against_a_model_in_seconds(tmp_path: Path) -> None:
    table, profile = tmp_path / "m.csv", tmp_path / "profile.json"
    table.write_text(TABLE, encoding="utf-8")
    profile.write_text(
        session(kernel(1, 1, "a_" * 1_000_000), kernel(3, 9, "a_1_" + "_" * 1_000_000)), encoding="utf-8"
    )
    (layer,) = import_network(table, profiles={"d": profile}).network.layers
    assert layer.seconds is not None and layer.seconds["d"] == pytest.approx(9e-6)
    rows = "".join(f"l{k},{'input' if not k else f'l{k - 1}'},1,activation\n" for k in range(1000))
    table.write_text(f"name,inputs,output_mb,operator\ninput,,1,\n{rows}", encoding="utf-8")
    profile.write_text(session(*(kernel(k, 1, f"q{k}") for k in range(30_000))), encoding="utf-8")
    with pytest.raises(OffbenchError, match=r"30,000 of its parts have no name that the model has"):
        import_network(table, profiles={"d": profile})


def pipedream(*names: str) -> str:
    facts = "forward_compute_time=1.0, backward_compute_time=1.0, activation_size=8.0, parameter_size=4.0"
    return "".join(f"{name} -- {'Input' if name == 'node1' else 'ReLU'} -- {facts}\n" for name in names)


def workflow(tasks: Sequence[str], files: Sequence[str] = (), runs: Sequence[str] = ()) -> str:
    specification = {"tasks": [{"id": each} for each in tasks], "files": [{"id": f, "sizeInBytes": 1} for f in files]}
    execution = {"tasks": [{"id": each, "runtimeInSeconds": 1} for each in runs]}
    return json.dumps({"name": "w", "workflow": {"specification": specification, "execution": execution}})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (TABLE + "input,,2,\n", "line 4: name 'input' is there twice"),
        (TABLE + "input:2,,1e308,\ninput:3,,1e308,\n", "its numbers are too large"),
        (pipedream("node1", "node2", "node2"), "line 3: 'node2' is there twice"),
        (workflow("aa"), "workflow.specification.tasks: id 'a' is there twice"),
        (workflow("a", "ff"), "workflow.specification.files: id 'f' is there twice"),
        (workflow("a", "f", "aa"), "workflow.execution.tasks: id 'a' is there twice"),
    ],
)
def test_what_is_there_twice_is_refused(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(OffbenchError, match=told):
        import_network(path)


def test_importer_of_another_package_that_fails_breaks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from offbench.importers import registry

    class Broken:
        name = "broken"

        def load(self) -> Callable[[], None]:
            raise ImportError("no module named 'missing'")

    monkeypatch.setattr(registry, "entry_points", lambda group: [Broken()])
    registry.importers.cache_clear()
    try:
        with pytest.warns(UserWarning, match="importer 'broken' can't be loaded: ImportError: no module"):
            assert "onnx" in registry.importers()
    finally:
        registry.importers.cache_clear()
