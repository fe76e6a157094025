"""Stretches of layers on one server, and what is sent between them."""

import handmade
import pytest

from offbench import P1, Placement, load
from offbench.model.instance import parse
from offbench.runs.cuts import cuts, told


def test_a_chain_is_cut_where_the_server_changes() -> None:
    instance = load("alexnet")
    placement = Placement([1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 10])
    ((name, stretches),) = cuts(instance, placement)
    layers = [layer.name for layer in instance.tasks[0].layers]
    assert name == "alexnet"
    assert [stretch.layers for stretch in stretches] == [
        {"edge-1": layers[:3]}, {"client": layers[3:10]}, {"cloud-5": layers[10:]},
    ]  # fmt: skip
    sizes = [instance.tasks[0].input_mb, instance.tasks[0].layers[2].output_mb, instance.tasks[0].layers[9].output_mb]
    assert [stretch.sent_mb for stretch in stretches] == sizes
    # MB over MB/s of the paper's links: client to edge 10, client to cloud 0.5.
    assert [stretch.sent_s for stretch in stretches] == pytest.approx([sizes[0] / 10, sizes[1] / 10, sizes[2] / 0.5])
    (line,) = told(instance, placement)
    assert line.startswith(f"alexnet: input | {sizes[0]:.3g} MB")
    assert f"edge-1: {layers[0]} … {layers[2]} (3 layers)" in line and f"→ cloud-5: {layers[10]}" in line


def test_everything_on_the_client_is_one_stretch_and_nothing_is_sent() -> None:
    instance = load("googlenet")
    placement = Placement(P1(instance).everything_on(0))
    ((_, stretches),) = cuts(instance, placement)
    assert len(stretches) == 1 and stretches[0].sent_mb == stretches[0].sent_s == 0
    assert [len(names) for names in stretches[0].layers.values()] == [len(instance.tasks[0].layers)]


def test_a_module_that_is_spread_is_a_stretch_of_its_own() -> None:
    instance = parse(handmade.phone())  # the second task: fork, left and right, join
    servers = [0, 0, 0, 1, 1, 2, 1]
    (_, chain), (_, graph) = cuts(instance, Placement(servers))
    names = instance.names_of(1)
    assert len(chain) == 1
    assert [stretch.layers for stretch in graph] == [
        {names[1]: ["fork"]}, {names[1]: ["left"], names[2]: ["right"]}, {names[1]: ["join"]},
    ]  # fmt: skip
    fork = next(layer for layer in instance.tasks[1].layers if layer.name == "fork")
    assert graph[1].sent_mb == fork.output_mb  # to the right branch alone


def test_every_layer_stands_in_one_stretch() -> None:
    for name in ("inception-nested", "mixed-4", "phones", "camera"):
        instance = load(name)
        problem = P1(instance)
        servers = problem.everything_on(0)
        servers[::3] = problem.everything_on(problem.n_servers - 1)[::3]
        for (_, stretches), task in zip(cuts(instance, Placement(servers)), instance.tasks, strict=True):
            found = [layer for stretch in stretches for names in stretch.layers.values() for layer in names]
            assert sorted(found) == sorted(layer.name for layer in task.layers)


def test_a_transfer_takes_its_time_though_another_input_comes_later() -> None:
    """The join waits for the slow branch beside it; what the quick one sends takes its second all the same."""
    data = handmade.instance(
        [handmade.server("phone", "client"), handmade.server("edge", "edge", ghz=10)],
        [handmade.link("client", "edge", rate=1)],
        [
            handmade.task(
                "graph",
                handmade.layer("fork", 1),
                handmade.layer("slow", 50, 1, ("fork",)),
                handmade.layer("quick", 0.1, 1, ("fork",)),
                handmade.layer("join", 1, 0, ("slow", "quick")),
            )
        ],
    )
    *_, last = dict(cuts(parse(data), Placement([0, 1, 0, 1])))["graph"]
    assert last.layers == {"edge": ["join"]} and (last.sent_mb, last.sent_s) == (1, 1)
