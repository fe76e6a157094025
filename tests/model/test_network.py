"""A network by itself: its rules, its totals, its file."""

from typing import Any

import pytest

from offbench import OffbenchError
from offbench.model.network import Network, load_network, parse_network


def layer(name: str, *inputs: Any, **facts: Any) -> dict[str, Any]:
    """Return a layer that writes what it hands on."""
    return {
        "name": name, "operator": "convolution", "gflop": 1.0, "read_mb": 3.0, "written_mb": 2.0, "output_mb": 2.0,
        "inputs": list(inputs),
    } | facts  # fmt: skip


def network(*layers: dict[str, Any], **facts: Any) -> dict[str, Any]:
    return {"format": "offbench-network/1", "name": "n", "input_mb": 0.5, "layers": list(layers)} | facts


FORK = network(
    layer("stem"),
    layer("left", "stem", output_mb=1.0, weights_mb=4.0),
    layer("right", {"layer": "stem", "mb": 0.25}, output_mb=3.0, weights_mb=5.0, weights_id="head", gflop=None),
    layer("join", "left", "right", output_mb=0.1, weights_mb=5.0, weights_id="head"),
)


def test_totals_count_what_is_shared_once() -> None:
    made = parse_network(FORK)
    assert made.gflop == 3.0
    assert made.weights_mb == 9.0
    assert repr(made) == "<Network 'n': 4 layers, 3 GFLOP>"


def test_cuts_send_each_output_once() -> None:
    """Before stem the input; behind it stem's output, still read by right; then left and the part that right reads."""
    made = parse_network(FORK)
    assert made.cuts_mb() == [0.5, 2.0, 3.0, 4.0]
    assert made.largest_cut_mb == 4.0
    several = parse_network(network(layer("a", {"input_mb": 0.2}), layer("b", "a", {"input_mb": 0.3})))
    assert several.cuts_mb() == [0.5, 2.3]


def test_file_is_read_as_it_is_written(tmp_path: Any) -> None:
    made = parse_network(FORK)
    path = tmp_path / "n.json"
    path.write_text(made.to_text(), encoding="utf-8")
    assert load_network(path) == made
    assert load_network(path).hash == made.hash
    assert made.model_copy(update={"name": "m", "source": "elsewhere"}).hash == made.hash
    assert parse_network(network(layer("stem", output_mb=9.0))).hash != parse_network(network(layer("stem"))).hash


@pytest.mark.parametrize(
    ("data", "fragments"),
    [
        (network(layer("a"), layer("a", "a")), ["layers[1].name: 'a' is already the name of layers[0]"]),
        (network(layer("a"), layer("b", "c")), ["layers[1].inputs[0]: 'c' is no layer of this network"]),
        (network(layer("a", "b"), layer("b")), ["layers[0].inputs[0]: 'b' is no earlier layer than 'a'"]),
        (network(layer("a", operator="convolutoin")), ["layers[0].operator", "'convolution'"]),
        (network(layer("a", gflop=-1.0)), ["layers[0].gflop"]),
        (network(layer("a", launches=-1)), ["layers[0].launches"]),
        (network(layer("a"), outputs=["b"]), ["outputs[0]: 'b' is no layer of this network"]),
        (network(layer("a", seconds={"pi": -1.0})), ["layers[0].seconds"]),
        (
            network(layer("a", weights_mb=1.0, weights_id="w"), layer("b", "a", weights_mb=2.0, weights_id="w")),
            ["layers[1].weights_mb: 2, but layers[0] has 1"],
        ),
        (network(), ["layers"]),
        ({"servers": [], "tasks": []}, ["is an instance, where a network is asked for"]),
    ],
)
def test_mistakes_are_told_in_one_line(data: Any, fragments: list[str]) -> None:
    with pytest.raises(OffbenchError) as caught:
        parse_network(data, "n.json")
    text = str(caught.value)
    assert text.startswith("n.json: ") and "\n" not in text
    assert all(fragment in text for fragment in fragments), text


def test_network_is_a_fact() -> None:
    assert Network.model_validate(FORK).layers[0].inputs == ()
