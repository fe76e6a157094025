"""Small models of ONNX that have what makes cutting hard, and a run of the parts of a folder in this process."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from offbench import Instance
from offbench.catalogue.catalogue import load_catalogue
from offbench.catalogue.deployment import deploy
from offbench.importers.registry import import_network


def _model(
    nodes: list[Any], inputs: dict[str, list[Any]], outputs: dict[str, list[Any]], weights: dict[str, Any]
) -> Any:
    graph = helper.make_graph(
        nodes, "net", [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in inputs.items()],
        [helper.make_tensor_value_info(k, TensorProto.FLOAT, v) for k, v in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )  # fmt: skip
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def chain(folder: Path) -> Path:
    """Matrices and activations in a row, with a free first dimension."""
    random = np.random.default_rng(1)
    nodes, weights, last = [], {}, "x"
    for k in range(6):
        weights[f"w{k}"] = random.normal(0, 0.5, (16, 16)).astype(np.float32)
        nodes.append(helper.make_node("MatMul", [last, f"w{k}"], [f"m{k}"], name=f"mul{k}"))
        nodes.append(helper.make_node("Tanh", [f"m{k}"], [f"t{k}"], name=f"tanh{k}"))
        last = f"t{k}"
    return _save(_model(nodes, {"x": ["batch", 16]}, {last: ["batch", 16]}, weights), folder / "chain.onnx")


def knots(folder: Path) -> Path:
    """Two inputs, several outputs of one operator, sizes that are worked out, weights that two share, two results."""
    random = np.random.default_rng(2)
    weights = {
        "w": random.normal(0, 0.5, (8, 8)).astype(np.float32), "parts": np.array([3, 5], np.int64),
        "one": np.array([1], np.int64), "half": np.array(0.5, np.float32),
    }  # fmt: skip
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="first"),
        helper.make_node("Split", ["a", "parts"], ["left", "right"], name="split", axis=1),
        helper.make_node("Relu", ["left"], ["l"], name="relu"),
        helper.make_node("Sigmoid", ["right"], ["r"], name="sigmoid"),
        helper.make_node("Concat", ["r", "l"], ["joined"], name="join", axis=1),
        helper.make_node("Shape", ["y"], ["sizes"], name="sizes"),
        helper.make_node("Reshape", ["joined", "sizes"], ["like"], name="like"),
        helper.make_node("Add", ["like", "y"], ["sum"], name="sum"),
        helper.make_node("Mul", ["half", "half"], ["quarter"], name="quarter"),
        helper.make_node("Mul", ["sum", "quarter"], ["scaled"], name="scaled"),
        helper.make_node("MatMul", ["a", "w"], ["again"], name="again"),
        helper.make_node("Reshape", ["again", "sizes"], ["flat"], name="flat"),
        helper.make_node("Add", ["flat", "scaled"], ["result"], name="result"),
        helper.make_node("Exp", ["r"], ["side"], name="side"),
    ]
    return _save(
        _model(nodes, {"x": [2, 8], "y": [4, 4]}, {"result": [4, 4], "side": [2, 5]}, weights), folder / "knots.onnx"
    )


def branches(folder: Path) -> Path:
    """Branches in branches around convolutions."""
    random = np.random.default_rng(3)
    nodes, weights = [], {}

    def convolution(name: str, source: str, size: int = 3) -> str:
        weights[f"{name}.w"] = random.normal(0, 0.3, (4, 4, size, size)).astype(np.float32)
        nodes.append(helper.make_node("Conv", [source, f"{name}.w"], [name], name=name, pads=[size // 2] * 4))
        nodes.append(helper.make_node("Relu", [name], [f"{name}.r"], name=f"{name}.r"))
        return f"{name}.r"

    def add(name: str, *sources: str) -> str:
        nodes.append(helper.make_node("Sum", list(sources), [name], name=name))
        return name

    stem = convolution("stem", "x")
    inner = convolution("a", stem)
    joined = add("inner", convolution("a1", inner), convolution("a2", inner, 1))
    last = add("outer", convolution("b", joined), convolution("c", stem, 1), stem)
    nodes.append(helper.make_node("GlobalAveragePool", [last], ["y"], name="pool"))
    return _save(_model(nodes, {"x": [1, 4, 12, 12]}, {"y": [1, 4, 1, 1]}, weights), folder / "branches.onnx")


def _save(model: Any, path: Path) -> Path:
    onnx.checker.check_model(model)
    onnx.save(model, path)
    return path


def deployed(path: Path, shapes: Mapping[str, tuple[int, ...]] | None = None, granularity: Any = None) -> Instance:
    """Return an instance of a model on three devices."""
    network = import_network(path, shapes=shapes, granularity=granularity).network
    return deploy(
        path.stem, [network], load_catalogue(), "raspberry-pi-4", ["jetson-orin-nano"], ["t4"], uplink="wifi-6",
        cloud_uplink="fibre-to-cloud",
    ).instance  # fmt: skip


def run_parts(folder: Path, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a folder's first task makes: each part alone, fed by messages and parts of its server alone."""
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    values: dict[str, dict[str, Any]] = {one["name"]: {} for one in manifest["servers"]}
    values[manifest["tasks"][0]["client"]].update(inputs)
    sent: set[int] = set()
    done: set[int] = set()

    def send(after: int | None, start: str) -> None:
        for one in manifest["messages"]:
            if one["after"] == after and one["from"] == start:
                values[one["to"]].update({name: values[start][name] for name in one["tensors"]})
                sent.add(one["number"])

    send(None, manifest["tasks"][0]["client"])
    while len(done) < len(manifest["parts"]):
        part = next(
            one for one in manifest["parts"]
            if one["number"] not in done and set(one["messages"]) <= sent and set(one["after"]) <= done
        )  # fmt: skip
        here = values[part["server"]]
        if part["file"]:
            onnx.checker.check_model(str(folder / part["file"]))
            session = onnxruntime.InferenceSession(str(folder / part["file"]), providers=["CPUExecutionProvider"])
            made = session.run(part["makes"], {name: here[name] for name in part["reads"]})
            here.update(zip(part["makes"], made, strict=True))
        done.add(part["number"])
        send(part["number"], part["server"])
    everything = {name: value for one in values.values() for name, value in one.items()}
    return {name: everything[name] for name in manifest["tasks"][0]["outputs"]}
