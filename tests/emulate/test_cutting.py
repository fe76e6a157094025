"""Parts of real networks make what the uncut network makes, wherever the layers lie."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from emulate.emulated_networks import branches, chain, deployed, knots, run_parts
from experiments._shared.weighted import light_networks, weighted
from offbench import P1, Instance, OffbenchError, Placement
from offbench.emulate.manifest import cut
from offbench.importers.onnxruntime.measuring import drawn_inputs

SMALL = {"chain": chain, "knots": knots, "branches": branches}
SHAPES = {"chain": {"x": (3, 16)}}


def scattered(instance: Instance, seed: int, stretches: int | None = None) -> Placement:
    """Return a placement drawn at random, layer by layer or in stretches."""
    problem, rng = P1(instance), np.random.default_rng(seed)
    n = problem.n_subtasks
    blocks = np.arange(n) if stretches is None else np.sort(rng.integers(0, stretches, n))
    wanted = rng.integers(0, problem.n_servers, blocks.max() + 1)[blocks]
    return Placement(np.where(problem.allowed[np.arange(n), wanted], wanted, problem.allowed.argmax(axis=1)))


def uncut(path: Path, inputs: dict[str, Any], names: list[str]) -> dict[str, Any]:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return dict(zip(names, session.run(names, inputs), strict=True))


def check(path: Path, instance: Instance, placement: Placement, folder: Path, shapes: Any = None) -> int:
    """Compare cut and uncut, and return how many parts there are."""
    made = cut(instance, placement, path, folder, shapes)
    inputs = drawn_inputs(made.models[0].graph, 5, path.name)
    found = run_parts(folder, inputs)
    for name, right in uncut(path, inputs, list(found)).items():
        assert right.std() > 0  # else any network would do
        np.testing.assert_allclose(found[name], right, rtol=1e-4, atol=1e-5 * np.abs(right).max())
    assert list(found) == [one.name for one in onnx.load(path).graph.output]
    return len(made.parts.pieces)


@pytest.mark.parametrize("granularity", ["node", "layer", "block"])
@pytest.mark.parametrize("name", SMALL)
def test_small_networks(name: str, granularity: str, tmp_path: Path) -> None:
    path, shapes = SMALL[name](tmp_path), SHAPES.get(name)
    instance = deployed(path, shapes, granularity)
    most = 0
    for seed in range(6):
        most = max(most, check(path, instance, scattered(instance, seed), tmp_path, shapes))
    layers = len(instance.tasks[0].layers)
    assert 2 < most <= layers if layers > 3 else most


@pytest.mark.parametrize("name", ["squeezenet", "shufflenet", "inception_v1"])
def test_networks_of_others(name: str, tmp_path: Path) -> None:
    path = weighted(light_networks()[name], tmp_path / f"{name}.onnx")
    instance = deployed(path)
    assert check(path, instance, scattered(instance, 1, stretches=5), tmp_path) >= 3


def test_on_one_server_there_is_one_part(tmp_path: Path) -> None:
    path = branches(tmp_path)
    instance = deployed(path)
    # But for the layer that collects the results on the device, which nothing is computed for.
    assert check(path, instance, Placement(P1(instance).everything_on(1)), tmp_path) == 2
    assert check(path, instance, Placement(P1(instance).everything_on(0)), tmp_path) == 1


def test_layers_of_another_model_are_named(tmp_path: Path) -> None:
    instance = deployed(branches(tmp_path))
    with pytest.raises(OffbenchError, match=r"knots\.onnx: the model has no layer 'stem'"):
        cut(instance, scattered(instance, 0), knots(tmp_path), tmp_path)
    with pytest.raises(OffbenchError, match=r"no such task; tasks: branches"):
        cut(instance, scattered(instance, 0), {"other": knots(tmp_path)}, tmp_path)


def control(folder: Path) -> Path:
    branch = helper.make_graph([helper.make_node("Relu", ["x"], ["z"])], "branch", [], [_info("z")])
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["total"], keepdims=0),
        helper.make_node("Cast", ["total"], ["yes"], to=TensorProto.BOOL),
        helper.make_node("If", ["yes"], ["y"], name="either", then_branch=branch, else_branch=branch),
    ]
    return _saved(nodes, folder / "control.onnx")


def unknown_size(folder: Path) -> Path:
    nodes = [
        helper.make_node("NonZero", ["x"], ["where"], name="where"),
        helper.make_node("Cast", ["where"], ["y"], name="cast", to=TensorProto.FLOAT),
    ]
    return _saved(nodes, folder / "unknown.onnx")


def drawn(folder: Path) -> Path:
    nodes = [
        helper.make_node("RandomNormalLike", ["x"], ["noise"], name="noise"),
        helper.make_node("Add", ["x", "noise"], ["y"], name="add"),
    ]
    return _saved(nodes, folder / "drawn.onnx")


def test_weights_that_are_mostly_zero_go_with_their_part(tmp_path: Path) -> None:
    values = helper.make_tensor("w", TensorProto.FLOAT, [2], [3.0, 4.0])
    places = helper.make_tensor("places", TensorProto.INT64, [2], [1, 5])
    nodes = [
        helper.make_node("Tanh", ["x"], ["a"], name="tanh"), helper.make_node("Add", ["a", "w"], ["b"], name="add"),
        helper.make_node("Relu", ["b"], ["y"], name="relu"),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes, "net", [_info("x")], [_info("y")], sparse_initializer=[helper.make_sparse_tensor(values, places, [2, 3])]
    )
    path = tmp_path / "sparse.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    instance = deployed(path, granularity="node")
    check(path, instance, Placement(np.array([0, 1, 0, 0])[: P1(instance).n_subtasks]), tmp_path)


def test_an_instance_that_leaves_out_what_a_layer_reads_is_refused(tmp_path: Path) -> None:
    path = branches(tmp_path)
    instance = deployed(path)
    task = instance.tasks[0]
    reader = next(one for one in task.layers if len(one.inputs or ()) > 1)
    less = reader.model_copy(update={"inputs": tuple(reader.inputs or ())[:-1]})
    layers = tuple(less if one is reader else one for one in task.layers)
    instance = instance.model_copy(update={"tasks": (task.model_copy(update={"layers": layers}),)})
    with pytest.raises(OffbenchError, match=rf"layer '{reader.name}' reads what '.*' makes, which the instance's"):
        cut(instance, scattered(instance, 0), path, tmp_path)


def _info(name: str) -> Any:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, [2, 3])


def _saved(nodes: list[Any], path: Path) -> Path:
    graph = helper.make_graph(nodes, "net", [_info("x")], [_info("y")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
    return path


@pytest.mark.parametrize(
    ("make", "fragment"),
    [
        (control, "If 'either' is control flow, which can't be cut"),
        (drawn, "RandomNormalLike 'noise' draws at random"),
        (unknown_size, "'where', which NonZero makes, can't be sent: its size isn't known before it runs"),
    ],
)
def test_what_cant_be_cut_is_named(make: Callable[[Path], Path], fragment: str, tmp_path: Path) -> None:
    path = make(tmp_path)
    instance = deployed(path)
    servers = np.arange(P1(instance).n_subtasks) % 2
    servers[-1] = 0
    with pytest.raises(OffbenchError, match=fragment):
        cut(instance, Placement(servers), path, tmp_path)
