"""Network files as models: seconds and names of devices come later, and mean what they mean at the import."""

import json
from pathlib import Path
from typing import Any

import onnx
import pytest
from typer.testing import CliRunner

from offbench import OffbenchError
from offbench.cli import app
from offbench.importers.granularity import Granularity
from offbench.importers.registry import import_network
from offbench.model.network import Network, load_network, parse_network, with_device_names

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def profile_of(network: Network, tensors: dict[str, str], file: Path) -> Path:
    """Write a profile of ONNX Runtime in which each node is called after what it makes, the second branch first."""
    made = {layer: tensor for tensor, layer in tensors.items()}
    events: list[dict[str, Any]] = [{"cat": "Session", "name": "model_loading_uri", "dur": 1, "ts": 0, "ph": "X"}]
    events.append({"cat": "Session", "name": "model_run", "dur": 10**6, "ts": 0, "ph": "X"})
    kinds = {"convolution": "Conv", "pooling": "MaxPool", "activation": "Relu", "softmax": "Softmax"}
    for j, layer in reversed(list(enumerate(network.layers))):
        kind = kinds.get(layer.operator)
        if kind is not None:
            name = f"{made.get(layer.name, layer.name)}_kernel_time"
            events.append({"cat": "Node", "name": name, "dur": 100 + j, "ts": j, "args": {"op_name": kind}})
    file.write_text(json.dumps(events), encoding="utf-8")
    return file


@pytest.mark.parametrize("granularity", ["node", "layer", "block"])
def test_a_profile_can_come_after_the_import(granularity: Granularity, tmp_path: Path) -> None:
    from offbench.importers import onnx as importer

    model = LIGHT / "light_squeezenet.onnx"
    nodes = importer.read(model, {})
    profile = profile_of(nodes.network, dict(nodes.tensors), tmp_path / "p.json")
    at_once = import_network(model, granularity=granularity, profiles={"pi": profile}).network
    file = tmp_path / "network.json"
    file.write_text(import_network(model, granularity=granularity).network.to_text(), encoding="utf-8")
    later = import_network(file, profiles={"pi": profile, "other": profile}).network
    assert [layer.name for layer in later.layers] == [layer.name for layer in at_once.layers]
    for one, other in zip(at_once.layers, later.layers, strict=True):
        assert other.seconds is not None and one.seconds is not None
        assert other.seconds["pi"] == other.seconds["other"] == pytest.approx(one.seconds["pi"], abs=1e-12)
    timed = sum((layer.seconds or {})["pi"] for layer in later.layers)
    events = json.loads(profile.read_text(encoding="utf-8"))
    assert timed == pytest.approx(sum(event["dur"] for event in events if event["cat"] == "Node") / 1e6)


def test_names_for_profiles_change_no_hash() -> None:
    network = import_network(LIGHT / "light_squeezenet.onnx").network
    assert any(layer.aliases for layer in network.layers)
    bare = tuple(layer.model_copy(update={"aliases": None}) for layer in network.layers)
    assert network.model_copy(update={"layers": bare}).hash == network.hash
    assert parse_network(json.loads(network.to_text())) == network


def measured() -> Network:
    layer = {"operator": "other", "read_mb": 1, "written_mb": 1, "output_mb": 1}
    layers = [
        layer | {"name": "a", "inputs": [], "seconds": {"cpu": 2.0, "accelerator": 0.5}},
        layer | {"name": "b", "inputs": ["a"], "seconds": {"cpu": 1.0}},
        layer | {"name": "c", "inputs": ["b"]},
    ]
    return parse_network({"name": "n", "input_mb": 1, "layers": layers})


def test_devices_get_other_names() -> None:
    renamed = with_device_names(measured(), {"cpu": "raspberry-pi-5"})
    assert [layer.seconds for layer in renamed.layers] == [
        {"raspberry-pi-5": 2.0, "accelerator": 0.5}, {"raspberry-pi-5": 1.0}, None
    ]  # fmt: skip
    assert with_device_names(measured(), {"cpu": "accelerator", "accelerator": "cpu"}).layers[0].seconds == {
        "accelerator": 2.0, "cpu": 0.5
    }  # fmt: skip
    for names, told in (
        ({"gpu": "v100"}, "must be one of accelerator, cpu, not 'gpu'"),
        ({"cpu": "accelerator"}, "device name 'accelerator': two devices would have it"),
    ):
        with pytest.raises(OffbenchError, match=told):
            with_device_names(measured(), names)


def test_the_command_renames_devices_of_a_network_file(tmp_path: Path) -> None:
    file, target = tmp_path / "n.json", tmp_path / "renamed.json"
    file.write_text(measured().to_text(), encoding="utf-8")
    words = ["network", "import", str(file), "--output", str(target), "--quiet", "--device-name"]
    done = CliRunner().invoke(app, [*words, "cpu=t4"])
    assert done.exit_code == 0 and load_network(target).devices == ["accelerator", "t4"]
    for word, told in (("cpu", "must be OLD=NEW"), ("x=t4", "must be one of accelerator, cpu")):
        refused = CliRunner().invoke(app, [*words, word])
        assert refused.exit_code == 2 and told in refused.stderr and refused.stderr.count("\n") == 1
