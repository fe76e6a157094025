"""The importer of ONNX: hand-made graphs with hand-computed numbers, and the networks that the onnx package ships."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from offbench import OffbenchError, load
from offbench.cli import app
from offbench.importers.granularity import told
from offbench.importers.imported import Imported
from offbench.importers.registry import import_network
from offbench.model.facts import LayerOutput, TaskInput
from offbench.model.network import load_network

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def save(path: Path, nodes: list[Any], inputs: dict[str, Any], outputs: list[str], weights: dict[str, Any]) -> Path:
    """Write a model of float32 tensors."""
    graph = helper.make_graph(
        nodes, "g",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in weights.items()],
    )  # fmt: skip
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid("mine", 1)]), str(path)
    )
    return path


def zeros(*shape: int) -> Any:
    return np.zeros(shape, dtype=np.float32)


def node(kind: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs.split(), outputs.split(), name=outputs.split()[0], **attributes)


def test_convolutions_are_counted_as_by_hand(tmp_path: Path) -> None:
    """3 x 8 x 8 in; 16 filters of 3 x 3 with bias; then one filter for each channel; then a product of matrices."""
    path = save(
        tmp_path / "m.onnx",
        [
            node("Conv", "x w b", "conv", pads=[1, 1, 1, 1]),
            node("Relu", "conv", "relu"),
            node("Conv", "relu d", "depthwise", pads=[1, 1, 1, 1], group=16),
            node("Flatten", "depthwise", "flat"),
            node("Gemm", "flat f", "out", transB=1),
        ],
        {"x": [1, 3, 8, 8]}, ["out"],
        {"w": zeros(16, 3, 3, 3), "b": zeros(16), "d": zeros(16, 1, 3, 3), "f": zeros(10, 1024)},
    )  # fmt: skip
    found = import_network(path, granularity="node")
    conv, relu, depthwise, flat, out = found.network.layers
    assert conv.gflop == pytest.approx((2 * 16 * 64 * 27 + 16 * 64) / 1e9)
    assert conv.read_mb == pytest.approx((3 * 64 + 16 * 27 + 16) * 4e-6) and conv.written_mb == pytest.approx(4096e-6)
    assert (conv.operator, conv.inputs) == ("convolution", ()) and conv.weights_mb == pytest.approx(448 * 4e-6)
    assert (relu.operator, relu.inputs) == ("activation", ("conv",)) and relu.gflop == pytest.approx(1024e-9)
    assert depthwise.operator == "depthwise-convolution" and depthwise.gflop == pytest.approx(2 * 1024 * 9 / 1e9)
    assert (flat.launches, flat.read_mb, flat.written_mb) == (0, 0, 0)
    assert out.gflop == pytest.approx(2 * 1024 * 10 / 1e9) and out.output_mb == pytest.approx(40e-6)
    assert found.coverage.parameters == 432 + 16 + 144 + 10240 and found.coverage.complete
    assert found.network.input_mb == pytest.approx(768e-6)
    # A runtime fuses the activation, and flattening is free.
    first, second, third = import_network(path).network.layers
    assert first.gflop == pytest.approx((2 * 16 * 64 * 27 + 2 * 16 * 64) / 1e9)
    assert (first.launches, second.launches, third.launches) == (1, 1, 1)
    assert first.read_mb == pytest.approx(conv.read_mb) and first.written_mb == pytest.approx(4096e-6)
    assert second.inputs == ("conv",) and third.inputs == ("depthwise",)


def test_what_each_reader_gets_has_its_own_size(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx",
        [
            node("Split", "x s", "small large", axis=1),
            node("Relu", "small", "a"),
            node("Sigmoid", "large", "b"),
            node("Concat", "a b y", "out", axis=1),
        ],
        {"x": [1, 10], "y": [1, 5]}, ["out"], {"s": np.array([2, 8])},
    )  # fmt: skip
    network = import_network(path, granularity="node").network
    split, a, b, out = network.layers
    assert split.inputs == (TaskInput(input_mb=40e-6),) and network.input_mb == pytest.approx(60e-6)
    assert split.output_mb == pytest.approx(40e-6)
    assert a.inputs == (LayerOutput(layer="small", mb=8e-6),)
    assert b.inputs == (LayerOutput(layer="small", mb=32e-6),)
    assert out.inputs == (TaskInput(input_mb=20e-6), "a", "b")


def test_what_no_input_has_a_say_in_is_weights(tmp_path: Path) -> None:
    path = save(
        tmp_path / "m.onnx",
        [
            node("Unsqueeze", "w axes", "wide"),
            node("Mul", "wide two", "scaled"),
            node("Add", "x scaled", "out"),
            node("Relu", "x", "unused"),
        ],
        {"x": [4, 4]}, ["out"], {"w": zeros(4), "axes": np.array([1]), "two": zeros(1)},
    )  # fmt: skip
    found = import_network(path, granularity="node")
    (layer,) = found.network.layers
    assert layer.name == "out" and layer.weights_mb == pytest.approx(16e-6)
    assert found.coverage.constant == 2 and found.coverage.parameters == 4


def test_what_isnt_understood_is_told(tmp_path: Path) -> None:
    branch = helper.make_graph(
        [node("Relu", "y", "z")], "then", [], [helper.make_tensor_value_info("z", TensorProto.FLOAT, [4])]
    )
    path = save(
        tmp_path / "m.onnx",
        [
            helper.make_node("Magic", ["x"], ["y"], name="magic", domain="mine"),
            helper.make_node("If", ["c"], ["out"], name="choice", then_branch=branch, else_branch=branch),
        ],
        {"x": [4]}, ["out"], {"c": np.array(True)},
    )  # fmt: skip
    found = import_network(path, granularity="node")
    magic, choice = found.network.layers
    assert (magic.operator, magic.gflop) == ("other", None) and (choice.operator, choice.gflop) == ("control", None)
    assert choice.inputs == ("magic",)
    said = " ".join(found.coverage.told())
    assert "Magic (1)" in said and "If 'choice'" in said


def test_free_dimensions_are_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "m.onnx", [node("Relu", "images", "out")], {"images": ["batch", 3, None]}, ["out"], {})
    with pytest.raises(OffbenchError, match=r"input 'images' has free dimensions \(batch,3,\?\).*--shape images=1,3,1"):
        import_network(path)
    network = import_network(path, shapes={"images": (2, 3, 5)}).network
    assert network.input_mb == pytest.approx(120e-6)
    for shapes, fragment in (
        ({"image": (1,)}, "no such input (did you mean 'images'?)"),
        ({"images": (1, 3)}, "has 2 dimensions, but the model's input has 3"),
        ({"images": (1, 4, 5)}, "dimension 1 is 3 in the model, not 4"),
    ):
        with pytest.raises(OffbenchError) as caught:
            import_network(path, shapes=shapes)
        assert fragment in str(caught.value) and "\n" not in str(caught.value)


# GFLOP and million parameters, from the networks' papers or, where these say less, from their structure: twice the
# multiply-adds that are told there.
PUBLISHED = {
    "bvlc_alexnet": (1.32, 61.0),
    "vgg19": (39.3, 143.7),
    "inception_v1": (3.0, 7.0),
    "resnet50": (7.7, 25.6),
    "densenet121": (5.7, 8.0),
    "squeezenet": (0.70, 1.24),
    "shufflenet": (0.27, 1.4),
}


def light(name: str) -> Imported:
    return import_network(LIGHT / f"light_{name}.onnx", granularity="node")


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_that_ship_with_onnx_are_as_published(name: str) -> None:
    gflop, parameters = PUBLISHED[name]
    found = light(name)
    assert found.coverage.complete
    assert found.network.gflop == pytest.approx(gflop, rel=0.08)
    assert found.coverage.parameters / 1e6 == pytest.approx(parameters, rel=0.03)
    assert found.network.input_mb == pytest.approx(3 * 224 * 224 * 4e-6)


@pytest.mark.parametrize("name", ["bvlc_alexnet", "densenet121", "inception_v2", "resnet50", "shufflenet", "zfnet512"])
def test_coarser_networks_compute_the_same(name: str) -> None:
    fine = light(name).network
    layers, blocks = told(fine, "layer"), told(fine, "block")
    assert len(fine.layers) > len(layers.layers) >= len(blocks.layers)
    for coarse in (layers, blocks):
        assert coarse.gflop == pytest.approx(fine.gflop)
        assert coarse.weights_mb == pytest.approx(fine.weights_mb)
        assert coarse.results[0].output_mb == pytest.approx(fine.results[0].output_mb)
        assert sum(one.read_mb for one in coarse.layers) <= sum(one.read_mb for one in fine.layers) + 1e-9
    # Whatever the grain, the network is cut where every path goes through: blocks have no forks left.
    names = [layer.name for layer in blocks.layers]
    assert all(layer.sources in ((), (names[j - 1],)) for j, layer in enumerate(blocks.layers))


def test_command_writes_a_network(tmp_path: Path) -> None:
    model = str(LIGHT / "light_squeezenet.onnx")
    target = tmp_path / "new" / "squeezenet.json"
    run = CliRunner().invoke(app, ["network", "import", model, "--output", str(target), "--name", "squeezenet"])
    assert run.exit_code == 0, run.stderr
    assert "0.7066 GFLOP" in run.stdout and "105 of 105 operators understood, 39 of them constant" in run.stdout
    assert load_network(target).name == "squeezenet"
    shown = CliRunner().invoke(app, ["network", "show", str(target)])
    assert shown.exit_code == 0 and "squeezenet" in shown.stdout
    checked = CliRunner().invoke(app, ["network", "check", str(target), model])
    assert checked.exit_code == 2 and "fine: 39 layers" in checked.stdout
    other, instance, code = tmp_path / "other.json", tmp_path / "instance.json", tmp_path / "nets.py"
    code.touch()
    other.write_text("{}", encoding="utf-8")
    instance.write_text(load("alexnet").to_text(), encoding="utf-8")
    for arguments, fragment in (
        (["nosuch.onnx"], "nosuch.onnx: no such file"),
        ([str(other)], "no importer knows this file"),
        ([str(instance)], "is an instance, where a model or a network is asked for"),
        (["alexnet"], "'alexnet' is a shipped instance"),
        ([str(code)], f"name what makes one behind a colon, {code}:factory"),
        ([str(target), "--shape", "x=1,2"], "--shape: the file tells its sizes"),
        ([model, "--granularity", "fine"], "--granularity"),
        ([model, "--shape", "x"], "--shape x: must be INPUT=N,N,..."),
        ([model, "--importer", "onx"], "'onnx'"),
    ):
        refused = CliRunner().invoke(app, ["network", "import", *arguments])
        assert refused.exit_code == 2 and fragment in refused.stderr and refused.stderr.count("\n") == 1
