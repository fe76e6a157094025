"""Networks on devices of the catalogue: what an instance says is what the catalogue and the cost model say."""

import json
from pathlib import Path

import onnx
import pytest
from typer.testing import CliRunner

from offbench import P1, OffbenchError, evaluate
from offbench.catalogue.catalogue import load_catalogue
from offbench.catalogue.cost_model import CostModel
from offbench.catalogue.deployment import deploy
from offbench.cli import app
from offbench.model.instance import load
from offbench.model.network import Network, parse_network
from offbench.model.ranges import load_ranges

SQUEEZENET = Path(onnx.__file__).parent / "backend/test/data/light/light_squeezenet.onnx"


def network(name: str = "net") -> Network:
    facts = {"operator": "convolution", "gflop": 1.0, "read_mb": 4.0, "written_mb": 2.0, "output_mb": 2.0}
    layers = [
        facts | {"name": "a", "inputs": [], "weights_mb": 3.0},
        facts | {"name": "b", "inputs": ["a"], "output_mb": 0.5, "seconds": {"raspberry-pi-5": 0.25}},
        facts | {"name": "c", "inputs": ["a"], "output_mb": 0.25},
    ]
    return parse_network({"format": "offbench-network/1", "name": name, "input_mb": 1.5, "layers": layers})


def test_numbers_are_the_catalogues() -> None:
    catalogue = load_catalogue()
    made = deploy("mine", [network()], catalogue, "raspberry-pi-5", ["jetson-orin-nano"], ["a6000"], "lte").instance
    assert [server.name for server in made.servers] == ["raspberry-pi-5", "jetson-orin-nano", "a6000"]
    a, b, c, result = made.tasks[0].layers
    model = CostModel(catalogue)
    for layer, told in zip(network().layers, (a, b, c), strict=True):
        assert told.seconds == {name: model.layer(layer, name).seconds for name in told.seconds or {}}
    assert b.seconds is not None and b.seconds["raspberry-pi-5"] == 0.25  # what is measured wins
    # The results go home.
    assert (result.name, result.inputs, result.allowed) == ("result", ("b", "c"), ("raspberry-pi-5",))
    lte = catalogue.link("lte")
    up = next(link for link in made.links if link.ends == ("raspberry-pi-5", "a6000"))
    down = next(link for link in made.links if link.ends == ("a6000", "raspberry-pi-5"))
    assert (up.rate_mb_per_s, down.rate_mb_per_s) == (lte.up_mb_per_s.value, lte.down_mb_per_s.value)
    assert up.latency_s == down.latency_s == lte.latency_s.value
    # By hand: the input goes up, everything runs there in turn, the larger result comes last.
    there = evaluate(P1(made), [2, 2, 2, 0])
    seconds = [(layer.seconds or {})["a6000"] for layer in (a, b, c)]
    up_s = 1.5 / lte.up_mb_per_s.value + lte.latency_s.value
    b_home = up_s + sum(seconds[:2]) + 0.5 / lte.down_mb_per_s.value + lte.latency_s.value
    c_home = up_s + sum(seconds) + 0.25 / lte.down_mb_per_s.value + lte.latency_s.value
    assert there.delay_s == pytest.approx(max(b_home, c_home))
    pi = catalogue.device("raspberry-pi-5")
    assert pi.busy_power_w is not None and made.servers[0].client_power_w == pi.busy_power_w.value


def test_several_of_a_kind_have_numbers_and_results_may_stay() -> None:
    catalogue = load_catalogue()
    made = deploy(
        "mine", [network("n"), network("n")], catalogue, "raspberry-pi-4", ["jetson-nano"] * 2, result=False
    ).instance
    assert [server.name for server in made.servers[1:]] == ["jetson-nano-1", "jetson-nano-2"]
    assert [task.name for task in made.tasks] == ["n-1", "n-2"]
    assert [layer.name for layer in made.tasks[0].layers] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("client", "edges", "uplink", "fragment"),
    [
        ("raspbery-pi-5", ["jetson-nano"], "lte", "did you mean 'raspberry-pi-5'?"),
        ("raspberry-pi-5", ["jetson-nanno"], "lte", "did you mean 'jetson-nano'?"),
        ("raspberry-pi-5", ["jetson-nano"], "ltee", "did you mean 'lte'?"),
    ],
)
def test_what_the_catalogue_lacks_is_told(client: str, edges: list[str], uplink: str, fragment: str) -> None:
    with pytest.raises(OffbenchError) as caught:
        deploy("mine", [network()], load_catalogue(), client, edges, uplink=uplink)
    assert fragment in str(caught.value) and "\n" not in str(caught.value)


def test_two_commands_from_a_model_to_an_answer(tmp_path: Path) -> None:
    target = tmp_path / "mine.json"
    devices = ["--client", "raspberry-pi-5", "--edge", "jetson-orin-nano", "--cloud", "a6000", "--uplink", "lte"]
    made = CliRunner().invoke(
        app, ["instance", "make", "--network", str(SQUEEZENET), *devices, "--output", str(target)]
    )
    assert made.exit_code == 0, made.stderr
    assert "105 of 105 operators understood" in made.stderr
    instance = load(target)
    assert instance.format == "offbench/2" and instance.weights.score == 1
    advice = CliRunner().invoke(app, ["advise", str(target), "--time-limit", "15", "--draws", "2", "--json", "--quiet"])
    assert advice.exit_code == 0, advice.stderr
    told = json.loads(advice.stdout)
    assert told["recommended"]["status"] == "optimal" and told["regret"]["draws"] in (1, 2)  # as time allows


ON = ["--client", "raspberry-pi-5", "--edge", "jetson-nano"]


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["--network", str(SQUEEZENET)], "--client: name the device"),
        (["--network", str(SQUEEZENET), "--client", "raspberry-pi-5"], "--edge, --cloud: name at least one server"),
        (["alexnet", "--network", str(SQUEEZENET)], "in one way or the other"),
        ([], "name a network"),
        (["--network", str(SQUEEZENET), *ON, "--deadline", "0"], "--deadline: must be above 0 and finite, not 0"),
        (["--network", str(SQUEEZENET), *ON, "--deadline", "nan"], "--deadline: must be above 0"),
        (["--network", str(SQUEEZENET), *ON, "--tasks", "5"], "--tasks: doesn't go with --network"),
        (["--network", str(SQUEEZENET), *ON, "--indicators", "benefits"], "--indicators: doesn't go with --network"),
        (["--network", "alexnet", *ON], "'alexnet' is a shipped instance"),
        (["alexnet", "--uplink", "lte"], "--uplink: goes with --network alone"),
        (["alexnet", *ON], "--client: goes with --network alone"),
        (["--network", str(SQUEEZENET), *ON, "--uplink", "6g"], "no link '6g'; there are wifi-4, wifi-5"),
        (["--network", str(SQUEEZENET), *ON, "--edge", "mars"], "no device 'mars'; there are raspberry-pi-3-b-plus"),
        ([str(SQUEEZENET)], "is a model, where an instance is asked for; `offbench instance make --network"),
    ],
)
def test_mistakes_are_told_in_one_line(arguments: list[str], fragment: str) -> None:
    refused = CliRunner().invoke(app, ["instance", "make", *arguments])
    assert refused.exit_code == 2 and refused.stderr.count("\n") == 1 and fragment in refused.stderr


def test_ranges_are_the_catalogues_and_the_cost_models(tmp_path: Path) -> None:
    catalogue = load_catalogue()
    ranges = deploy("mine", [network()], catalogue, "raspberry-pi-5", ["jetson-orin-nano"], ["a6000"], "lte").ranges
    lte, model = catalogue.link("lte"), CostModel(catalogue)
    by_ends = ranges.by_ends
    up = by_ends["raspberry-pi-5", "a6000"]
    assert up.rate.low == lte.up_mb_per_s.low / lte.up_mb_per_s.value
    assert by_ends["a6000", "raspberry-pi-5"].rate.high == lte.down_mb_per_s.high / lte.down_mb_per_s.value
    assert up.latency.high == lte.latency_s.high / lte.latency_s.value
    assert len(by_ends) == 5
    spread = model.spread("a6000", model.speed("a6000")[1])
    assert (ranges.servers["a6000"].low, ranges.servers["a6000"].high) == pytest.approx((spread.low, spread.high))
    # A layer that was measured there isn't off, so all together are off by less.
    fitted = model.spread("raspberry-pi-5", "fitted")
    assert fitted.low < ranges.servers["raspberry-pi-5"].low < 1 < ranges.servers["raspberry-pi-5"].high < fitted.high
    instance, file = tmp_path / "mine.json", tmp_path / "ranges.json"
    command = ["instance", "make", "--network", str(SQUEEZENET), "--client", "raspberry-pi-5", "--cloud", "a6000"]
    made = CliRunner().invoke(app, [*command, "--output", str(instance), "--ranges", str(file)])
    assert made.exit_code == 0, made.stderr
    assert set(load_ranges(file, load(instance)).servers) == {"raspberry-pi-5", "a6000"}
    refused = CliRunner().invoke(app, ["instance", "make", "alexnet", "--ranges", str(file)])
    assert refused.exit_code == 2 and "--network" in refused.stderr


def test_measured_times_of_other_devices_are_told_as_unused() -> None:
    catalogue = load_catalogue()
    own = deploy("mine", [network()], catalogue, "raspberry-pi-5", ["jetson-nano"])
    other = deploy("mine", [network()], catalogue, "raspberry-pi-4", ["jetson-nano"])
    assert not any("measured times" in note for note in own.notes)
    (told,) = (note for note in other.notes if "measured times" in note)
    assert told.startswith("net: its measured times are of raspberry-pi-5, which is none of these devices")


def test_layers_of_which_nothing_is_known_are_counted() -> None:
    layer = {"name": "a", "operator": "other", "read_mb": 1, "written_mb": 1, "output_mb": 1, "inputs": []}
    bare = parse_network({"name": "n", "input_mb": 1, "layers": [layer]})
    notes = deploy("mine", [bare], load_catalogue(), "raspberry-pi-5", ["jetson-nano"]).notes
    assert any(note.startswith("1 layer with neither") for note in notes)


def test_an_instance_that_would_be_wrong_is_refused_in_a_line() -> None:
    with pytest.raises(OffbenchError, match="deadline: must be above 0 and finite, not 0"):
        deploy("mine", [network()], load_catalogue(), "raspberry-pi-5", ["jetson-nano"], deadline_s=0)
    with pytest.raises(OffbenchError, match="the instance would be wrong: name") as caught:
        deploy("", [network()], load_catalogue(), "raspberry-pi-5", ["jetson-nano"])
    assert "\n" not in str(caught.value)
