"""The importer of torch: modules by name, hand-computed numbers, and networks as published; no weights take memory."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from offbench import OffbenchError
from offbench.cli import app
from offbench.importers.imported import Imported
from offbench.importers.registry import import_network
from offbench.model.facts import LayerOutput, TaskInput

CODE = '''
import torch
from torch import nn
from torch.nn import functional as F


class Small(nn.Module):
    """Convolutions, normalisation, in place activation, a matrix."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 16, 3, padding=1)
        self.norm = nn.BatchNorm2d(16)
        self.relu = nn.ReLU(inplace=True)
        self.depthwise = nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.head = nn.Linear(256, 10)

    def forward(self, x):
        x = self.conv(x)
        self.relu(self.norm(x).add_(0.0))
        return self.head(self.pool(self.depthwise(x)).flatten(1))


class Around(nn.Module):
    """A normalisation that nothing is fused with."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.BatchNorm2d(3) for _ in range(2))

    def forward(self, x):
        return self.norms[0](x) + self.norms[1](x)


class InPlace(nn.Module):
    def forward(self, x):
        y = F.gelu(x)
        y.relu_()
        z = torch.zeros(4, 4)
        z[1] = x[1]
        return F.softmax(y, dim=-1) @ z


class Tied(nn.Module):
    def __init__(self, bias=True):
        super().__init__()
        self.table = nn.Embedding(1000, 64)
        self.out = nn.Linear(64, 1000, bias=bias)
        self.out.weight = self.table.weight

    def forward(self, ids):
        return self.out(self.table(ids))


class Parts(nn.Module):
    def forward(self, x, y):
        small, large = x.split([2, 8], dim=1)
        return torch.cat([F.relu(small), F.sigmoid(large), y], dim=1)


class Many(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 16)
        self.register_buffer("table", torch.ones(4, 8))

    def forward(self, x):
        x = x + self.table.t().mean(dim=1)
        y, _ = self.lstm(x)
        q = y.transpose(0, 1).unsqueeze(1)
        return F.scaled_dot_product_attention(q, q, q)


class Branch(nn.Module):
    def forward(self, x):
        return torch.cond(x.sum() > 0, lambda a: a.relu(), lambda a: a.sigmoid(), (x,)).erfinv()


class Huge(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(100_000, 100_000, bias=False) for _ in range(3)))

    def forward(self, x):
        return self.layers(x)


def looks_at_values():
    made = Small()
    made.scale = torch.linspace(0, 1, 3)[1].item()
    return made


def fails():
    raise ValueError("no such\\nthing")


def talks():
    print("hello")
    return Small()


def leaves():
    print("bye")
    raise SystemExit(3)


number = 3
'''


@pytest.fixture
def code(tmp_path: Path) -> str:
    path = tmp_path / "networks_of_mine.py"
    path.write_text(CODE, encoding="utf-8")
    return str(path)


def network(code: str, factory: str, granularity: str = "node", **shapes: tuple[int, ...]) -> Imported:
    return import_network(f"{code}:{factory}", None, shapes, granularity)  # type: ignore[arg-type]


@pytest.mark.parametrize("factory", ["Small", "looks_at_values"])
def test_layers_are_counted_as_by_hand(code: str, factory: str) -> None:
    found = network(code, factory, x=(1, 3, 8, 8))
    layers = {layer.name: layer for layer in found.network.layers}
    assert list(layers) == ["conv", "depthwise", "pool", "view", "head"]  # nothing reads what is normalised
    conv, depthwise, pool, flat, head = layers.values()
    assert conv.operator == "convolution" and conv.gflop == pytest.approx(2 * 16 * 64 * 27 / 1e9)
    assert conv.inputs == () and conv.read_mb == pytest.approx((3 * 64 + 16 * 27 + 16) * 4e-6)
    assert conv.weights_mb == pytest.approx(448 * 4e-6) and conv.written_mb == pytest.approx(4096e-6)
    assert depthwise.operator == "depthwise-convolution" and depthwise.gflop == pytest.approx(2 * 1024 * 9 / 1e9)
    assert pool.operator == "pooling" and pool.gflop == pytest.approx(256 * 4 / 1e9)
    assert (flat.launches, flat.read_mb, flat.written_mb) == (0, 0, 0) and flat.output_mb == pytest.approx(1024e-6)
    assert head.gflop == pytest.approx(2 * 2560 / 1e9) and head.inputs == ("view",)
    assert found.network.input_mb == pytest.approx(768e-6) and found.network.name == factory
    assert found.coverage.complete and found.coverage.parameters == 448 + 144 + 2570


def test_what_only_reads_otherwise_moves_nothing(code: str) -> None:
    """Pooling and flattening in one read and write what pooling does, in a block as well."""
    fine = {layer.name: layer for layer in network(code, "Small", x=(1, 3, 8, 8)).network.layers}
    coarse = {layer.name: layer for layer in network(code, "Small", "layer", x=(1, 3, 8, 8)).network.layers}
    assert list(coarse) == ["conv", "depthwise", "pool", "head"]
    for name in ("pool", "head"):
        assert coarse[name].read_mb == pytest.approx(fine[name].read_mb)
        assert coarse[name].written_mb == pytest.approx(fine[name].written_mb)
        assert coarse[name].output_mb == pytest.approx(fine[name].output_mb)
    # Of what is split and put together again, a block reads all from outside, and writes it.
    (block,) = network(code, "Parts", "block", x=(1, 10), y=(1, 5)).network.layers
    assert block.read_mb == pytest.approx(60e-6) and block.written_mb == pytest.approx(60e-6)


def test_who_reads_what_was_changed_in_place_waits_for_the_change(code: str) -> None:
    layers = network(code, "InPlace", x=(4, 4)).network.layers
    gelu, relu, softmax, product = (one for one in layers if one.operator != "movement")
    assert relu.inputs == (gelu.name,) and softmax.inputs == (relu.name,)
    inserted = next(layer for layer in layers if layer.name == product.inputs[1])
    assert product.inputs[0] == softmax.name and inserted.operator == "movement" and inserted.sources


def test_tied_weights_are_held_once(code: str) -> None:
    found = network(code, "Tied", ids=(1, 7))
    table, out = found.network.layers
    assert table.operator == "embedding" and out.operator == "matrix-product"
    assert table.weights_id == out.weights_id == "table.weight"
    assert found.network.weights_mb == pytest.approx(0.256) and found.coverage.parameters == 65000
    assert "0.004 MB of weights" in found.coverage.told()[-1]  # the bias
    assert found.network.input_mb == pytest.approx(56e-6)  # whole numbers of 8 bytes
    assert table.read_mb == pytest.approx(7 * 64 * 4e-6 + 56e-6) and table.weights_mb == pytest.approx(0.256)


def test_what_each_reader_gets_has_its_own_size(code: str) -> None:
    layers = network(code, "Parts", x=(1, 10), y=(1, 5)).network.layers
    split, relu, sigmoid, cat = layers
    assert split.inputs == (TaskInput(input_mb=40e-6),) and split.launches == 0
    assert split.output_mb == pytest.approx(40e-6)
    assert relu.inputs == (LayerOutput(layer=split.name, mb=8e-6),)
    assert sigmoid.inputs == (LayerOutput(layer=split.name, mb=32e-6),)
    assert cat.inputs == (TaskInput(input_mb=20e-6), relu.name, sigmoid.name)


def test_outputs_that_nothing_reads_arent_sent(code: str) -> None:
    first, second = network(code, "Around", x=(1, 3, 8, 8)).network.layers[:2]
    assert (first.output_mb, second.output_mb) == (3 * 64 * 4e-6, 3 * 64 * 4e-6)  # not the mean and the deviation


def test_recurrent_layers_attention_and_constants(code: str) -> None:
    found = network(code, "Many", x=(5, 2, 8))
    layers = {layer.operator: layer for layer in found.network.layers}
    assert layers["recurrent"].gflop == pytest.approx(2 * 5 * 2 * 4 * 16 * (8 + 16) / 1e9)
    assert layers["recurrent"].weights_mb == pytest.approx((4 * 16 * 24 + 2 * 64) * 4e-6)
    assert layers["matrix-product"].gflop == pytest.approx(2 * (2 * 2 * 5 * 5 * 16) / 1e9)  # two products
    # What follows from what is stored alone is worked out before.
    add = next(layer for layer in found.network.layers if layer.name.startswith("add"))
    assert add.operator == "elementwise" and add.inputs == () and add.weights_mb == pytest.approx(128e-6)
    assert found.coverage.constant >= 2 and found.coverage.parameters == 4 * 16 * 24 + 128


def test_what_isnt_understood_is_told(code: str) -> None:
    found = network(code, "Branch", x=(4, 4))
    said = " ".join(found.coverage.told())
    assert "erfinv (1)" in said and "cond '" in said
    operators = [layer.operator for layer in found.network.layers]
    assert operators[-2:] == ["control", "other"] and found.network.layers[-1].gflop is None


def test_weights_take_no_memory(code: str) -> None:
    """120 GB of them, more than there is."""
    found = network(code, "Huge", x=(1, 100_000))
    assert found.network.weights_mb == pytest.approx(3 * 4e4) and found.coverage.parameters == 3 * 10**10
    assert [layer.name for layer in found.network.layers] == ["layers.0", "layers.1", "layers.2"]


@pytest.mark.parametrize(
    ("what", "shapes", "fragment"),
    [
        ("Small", {}, "input 'x': say how large it is, such as --shape x=1,3,224,224"),
        ("Small", {"y": (1,)}, "--shape y: no such input"),
        ("Small", {"x:float": (1,)}, "can't follow it"),
        ("Small", {"x:floaty": (1,)}, "'floaty' is no type of torch"),
        ("Smal", {}, "has no 'Smal' (did you mean 'Small'?)"),
        ("fails", {}, "fails when called without arguments: ValueError: no such"),
        ("leaves", {}, "fails when called without arguments: SystemExit: 3"),
        ("number", {}, "must be a class or a function"),
        ("torch", {}, "must be a class or a function"),
        ("F.relu", {}, "fails when called without arguments"),
        ("Small", {"x": (1, 4, 8, 8)}, "torch.export can't follow it"),
    ],
)
def test_mistakes_are_told(code: str, what: str, shapes: dict[str, tuple[int, ...]], fragment: str) -> None:
    with pytest.raises(OffbenchError) as caught:
        import_network(f"{code}:{what}", shapes=shapes)
    assert fragment in str(caught.value) and str(caught.value).startswith(f"{code}:{what}")
    assert "\n" not in str(caught.value)


def test_a_module_that_can_be_imported_does_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    assert import_network("networks_of_mine:Parts", "torch", {"x": (1, 10), "y": (1, 5)}).network.name == "Parts"
    for name, fragment in (("nosuch_module:f", "no module named 'nosuch_module'"), ("nosuch.py:f", "no such file")):
        with pytest.raises(OffbenchError, match=fragment):
            import_network(name)


# Two floating-point operations for each multiply-add that is told of them, and million parameters.
PUBLISHED: dict[str, tuple[str, str, dict[str, tuple[int, ...]], float, float]] = {
    "ViT": ("ViTConfig(num_labels=1000)", "ViTForImageClassification", {"pixel_values": (1, 3, 224, 224)}, 35.2, 86.6),
    "MobileNetV2": (
        "MobileNetV2Config(num_labels=1001)", "MobileNetV2ForImageClassification",
        {"pixel_values": (1, 3, 224, 224)}, 0.60, 3.5,
    ),
    "ResNet50": ("ResNetConfig(num_labels=1000)", "ResNetForImageClassification",
                 {"pixel_values": (1, 3, 224, 224)}, 8.2, 25.6),
    "BERT": ("BertConfig()", "BertModel", {"input_ids": (1, 128)}, 22.5, 109.5),
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED)
def test_networks_are_as_published(name: str, tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    config, model, shapes, gflop, parameters = PUBLISHED[name]
    path = tmp_path / "published.py"
    path.write_text(f"from transformers import *\n\ndef make():\n    return {model}({config})\n", encoding="utf-8")
    found = import_network(f"{path}:make", shapes=shapes)
    assert found.coverage.complete
    assert found.network.gflop == pytest.approx(gflop, rel=0.05)
    assert found.coverage.parameters / 1e6 == pytest.approx(parameters, rel=0.02)


def test_command(code: str, tmp_path: Path) -> None:
    target = tmp_path / "n.json"
    run = CliRunner().invoke(
        app, ["network", "import", f"{code}:Small", "--shape", "x=1,3,8,8", "--output", str(target)]
    )
    assert run.exit_code == 0 and "Small: 4 layers" in run.stdout and "operators understood" in run.stdout
    alone = CliRunner().invoke(
        app, ["network", "import", f"{code}:talks", "--shape", "x=1,3,8,8", "--output", "-", "--quiet"]
    )
    assert alone.exit_code == 0 and json.loads(alone.stdout)["name"] == "talks" and "hello" in alone.stderr
