"""The shipped instances: what the paper and its data set say, mended as MODEL.md section 6 says."""

import csv
import json
import re
from pathlib import Path

import plain
import pytest

import offbench.instances
from offbench import P1, evaluate, load
from offbench.instances import inception
from offbench.instances.build import build
from offbench.instances.inception import inception_v4
from offbench.model.instance import Instance, parse, shipped

FOLDER = Path(next(iter(offbench.instances.__path__)))
TINY = [name for name in shipped() if name.startswith("tiny")]
DEVICES = ["board", "camera", "phones", "split"]
MADE = [name for name in shipped() if name not in TINY]
LAYERS = {"alexnet": 11, "vgg19": 24, "googlenet": 83, "resnet": 136}


@pytest.fixture(scope="module")
def built() -> dict[str, Instance]:
    """Return the instances, freshly made from the profiles."""
    built: dict[str, Instance] = build()
    return built


def rows(network: str) -> list[dict[str, str]]:
    """Return the profile of a network as the data set has it."""
    with (FOLDER / "dnn_profiles.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["model"] == network]


def successors(name: str) -> dict[int, set[int]]:
    """Return the successors of each layer number, from 1, of a shipped network."""
    layers = load(name).tasks[0].layers
    number = {layer.name: j + 1 for j, layer in enumerate(layers)}
    found: dict[int, set[int]] = {j: set() for j in number.values()}
    for layer in layers:
        for source in layer.sources:
            found[number[source]].add(number[layer.name])
    return found


def test_every_shipped_instance_but_the_tiny_ones_is_made_by_the_script(built: dict[str, Instance]) -> None:
    assert sorted(built) == MADE


@pytest.mark.parametrize("name", MADE)
def test_shipped_file_is_what_the_script_makes(built: dict[str, Instance], name: str) -> None:
    assert (FOLDER / f"{name}.json").read_text(encoding="utf-8") == built[name].to_text()


@pytest.mark.parametrize("name", [name for name in shipped() if name not in DEVICES])
def test_shipped_instance_is_valid_and_agrees_with_plain_python(name: str) -> None:
    data = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    instance = parse(data)
    assert instance.name == name
    servers = [server.name for server in instance.servers]
    placed = [
        [
            next(s for s in servers[(i + j) % len(servers) :] + servers if s in (layer.allowed or servers))
            for j, layer in enumerate(task.layers)
        ]
        for i, task in enumerate(instance.tasks)
    ]
    expected = plain.evaluate(plain.prepare(data), placed)
    result = evaluate(P1(instance), [servers.index(name) for row in placed for name in row])
    assert result.objective == pytest.approx(expected["objective"], rel=1e-9)
    assert result.delay_s == pytest.approx(expected["delay_s"], rel=1e-9)


@pytest.mark.parametrize(("name", "layers"), LAYERS.items())
def test_networks_have_their_layers(name: str, layers: int) -> None:
    (task,) = load(name).tasks
    assert len(task.layers) == layers
    assert task.input_mb == 0.574
    assert task.layers[0].inputs == ()
    assert all(layer.inputs for layer in task.layers[1:])
    # Every layer but the last is read: nothing is computed for nobody.
    assert [j for j, readers in successors(name).items() if not readers] == [layers]


def test_work_is_time_by_the_speed_of_the_machine_measured_on() -> None:
    alexnet, resnet = load("alexnet").tasks[0].layers, load("resnet").tasks[0].layers
    assert [alexnet[0].name, alexnet[0].gcycles, alexnet[0].output_mb] == ["conv1", pytest.approx(0.155 * 3.2), 1.1]
    assert [alexnet[8].name, alexnet[8].gcycles, alexnet[8].output_mb] == ["fc6", pytest.approx(0.762 * 3.2), 0.02]
    first = rows("ResNet101")[0]
    assert first["measured_on_ghz"] == "2.9"
    assert resnet[0].gcycles == pytest.approx(float(first["execution_time_s"]) * 2.9)


@pytest.mark.parametrize("name", ["alexnet", "vgg19"])
def test_chains_are_chains(name: str) -> None:
    assert successors(name) == {j: {j + 1} for j in range(1, LAYERS[name])} | {LAYERS[name]: set()}


# The mends, one by one


@pytest.mark.parametrize(("layer", "mended", "slip"), [(84, 85, "84"), (97, 98, "8"), (104, 105, "150")])
def test_resnet_slips_of_the_pen_are_mended(layer: int, mended: int, slip: str) -> None:
    assert rows("ResNet101")[layer - 1]["successors"] == slip
    assert successors("resnet")[layer] == {mended}


def test_resnet_first_layer_of_a_later_block_feeds_its_second_branch() -> None:
    layers = load("resnet").tasks[0].layers
    firsts = [layer.name for layer in layers if layer.name.endswith("_branch1")]
    assert len(firsts) == 33
    inputs = {layer.name: layer.inputs for layer in layers}
    for first in firsts:
        fed = inputs[first.replace("_branch1", "_branch2a")]
        assert fed == (("pool1",) if first == "res2a_branch1" else (first,)), first


def test_resnet_first_layer_of_a_block_keeps_its_way_around() -> None:
    for row in rows("ResNet101"):
        if row["layer"].endswith("_branch1"):
            number, around = int(row["number"]), int(row["successors"])
            second = set() if row["layer"] == "res2a_branch1" else {number + 1}
            assert successors("resnet")[number] == {around} | second


def test_resnet_pool_feeds_both_branches_of_the_first_block() -> None:
    inputs = {layer.name: layer.inputs for layer in load("resnet").tasks[0].layers}
    assert inputs["res2a_branch1"] == ("pool1",)
    assert inputs["res2a_branch2a"] == ("pool1",)


def test_googlenet_module_4b_is_shifted_back() -> None:
    found = successors("googlenet")
    assert {j: found[j] for j in range(32, 40)} == {
        32: {33, 34, 36, 38}, 33: {40}, 34: {35}, 35: {40}, 36: {37}, 37: {40}, 38: {39}, 39: {40},
    }  # fmt: skip


def test_googlenet_modules_have_four_branches() -> None:
    layers = load("googlenet").tasks[0].layers
    joins = [layer for layer in layers if layer.name.endswith("DepthConcat")]
    assert len(joins) == 9
    assert all(len(layer.inputs) == 4 for layer in joins)


@pytest.mark.parametrize(("name", "network", "mended"), [
    ("alexnet", "AlexNet", set()), ("vgg19", "VGG19", set()), ("googlenet", "GoogleNet", set(range(32, 40))),
    ("resnet", "ResNet101", {2, 84, 97, 104}),
])  # fmt: skip
def test_nothing_else_is_changed(name: str, network: str, mended: set[int]) -> None:
    found = successors(name)
    for row in rows(network):
        number = int(row["number"])
        if number not in mended and not row["layer"].endswith("_branch1"):
            assert found[number] == {int(n) for n in row["successors"].split() if n != "-"}, number


# The paper's environment


@pytest.mark.parametrize("name", [name for name in MADE if name not in DEVICES])
def test_environment_is_the_papers(name: str) -> None:
    instance = load(name)
    servers = {server.name: server for server in instance.servers}
    assert [server.kind for server in instance.servers] == ["client", *["edge"] * 5, *["cloud"] * 5]

    def facts(name: str) -> tuple[float, float, float, int]:
        server = servers[name]
        return server.compute_ghz, server.price_per_hour, server.client_power_w, server.pool

    assert facts("client") == (2.3, 0, 70, 1)
    assert facts("edge-1") == (4.2, 2.1, 10, 2)
    assert facts("edge-3") == (11.25, 2.265, 10, 2)
    assert facts("edge-5") == (18.3, 2.43, 10, 2)
    assert facts("cloud-1") == (40, 0.225, 10, 4)
    assert list(facts("cloud-2")) == [60, pytest.approx(0.61875), 10, 4]
    assert facts("cloud-5") == (120, 1.8, 10, 4)
    links = {
        frozenset(link.ends): (link.rate_mb_per_s, link.price_per_gb, link.transmit_power_w) for link in instance.links
    }
    assert links == {
        frozenset(["cloud"]): (5, 0.4, 0),
        frozenset(["cloud", "edge"]): (0.5, 0.8, 0),
        frozenset(["client", "cloud"]): (0.5, 0.8, 0.2),
        frozenset(["edge"]): (10, 0.16, 0),
        frozenset(["client", "edge"]): (10, 0.16, 0.2),
    }
    weights = instance.weights
    assert (weights.delay, weights.energy, weights.cost) == (0.5, 0.3, 0.2)
    assert (weights.score, weights.coordination, weights.balance) == (0.6, 0.2, 0.2)
    assert instance.coordination.model_dump() == {"indicators": "costs", "root": 2, "lambdas": (0.33, 0.33, 0.34)}
    assert instance.scales is None


def test_mixed_four_is_all_networks_at_once() -> None:
    tasks = load("mixed-4").tasks
    assert [len(task.layers) for task in tasks] == [11, 24, 83, 136]
    assert [task.arrival_s for task in tasks] == [0] * 4


@pytest.mark.parametrize(("name", "layers"), [("alexnet-x10", 11), ("resnet-x10", 136)])
def test_ten_tasks_come_one_after_another(name: str, layers: int) -> None:
    tasks = load(name).tasks
    assert [len(task.layers) for task in tasks] == [layers] * 10
    assert [task.arrival_s for task in tasks] == pytest.approx([0.1 * i for i in range(10)])


@pytest.mark.parametrize("name", shipped())
def test_source_is_told(name: str) -> None:
    assert load(name).source


@pytest.mark.parametrize("name", TINY)
def test_tiny_instances_can_be_enumerated(name: str) -> None:
    instance = load(name)
    assert [len(task.layers) for task in instance.tasks] == [3, 3]
    assert len(instance.servers) == 3


# Inception-v4, whose layer times are ours


def test_inception_is_the_published_network() -> None:
    """149 convolutions (Szegedy et al., 2017), 12.3 G multiply-adds; the grids have 384, 1024 and 1536 channels."""
    net = inception_v4()
    assert len([layer for layer in net.layers if re.search(r"/\dx\d(_s2)?$", layer.name)]) == 149 + 1  # and pool/8x8
    assert net.macs == pytest.approx(12.3e9, rel=0.01)
    sizes = {layer.name: layer.output_mb * 2**20 / 4 for layer in net.layers}
    assert sizes["stem6/concat"] == sizes["a4/concat"] == 35 * 35 * 384
    assert sizes["reduction-a/concat"] == sizes["b7/concat"] == 17 * 17 * 1024
    assert sizes["reduction-b/concat"] == sizes["c3/concat"] == 8 * 8 * 1536


def test_inception_rates_are_googlenets_as_a_whole() -> None:
    """By GoogLeNet's own table: 1.58 G multiply-adds in convolutions, 1.024 M in the last layer."""
    layers = load("googlenet").tasks[0].layers
    convolutions = [layer for layer in layers if "conv" in layer.name]
    assert sum(layer.gcycles or 0 for layer in convolutions) / 1.58 == pytest.approx(inception.CYCLES_PER_MAC, rel=0.01)
    moved = [layer for layer in layers if "pool" in layer.name.split("/")[0] or "Concat" in layer.name]
    moved = [layer for layer in moved if "conv" not in layer.name]
    rate = sum(layer.gcycles or 0 for layer in moved) / sum(layer.output_mb for layer in moved)
    assert rate == pytest.approx(inception.GCYCLES_PER_MB, rel=0.02)
    assert layers[-1].gcycles is not None
    assert layers[-1].gcycles * 1e3 / 1.024 == pytest.approx(inception.CYCLES_PER_MAC_LAST, rel=0.01)
