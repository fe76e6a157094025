"""Composing instances from networks."""

import handmade
import numpy as np
import pytest

from offbench import OffbenchError, load
from offbench.model.composition import arrivals, compose, paper_servers
from offbench.model.instance import Coordination, Instance, Weights, parse


def test_tasks_arrive_at_once_by_default() -> None:
    assert arrivals(3) == [0, 0, 0]


def test_tasks_arrive_at_a_fixed_interval() -> None:
    assert arrivals(4, interval_s=0.1) == [0, 0.1, 0.2, 0.3]


def test_poisson_arrivals_follow_the_seed() -> None:
    assert arrivals(5, per_s=2, seed=1) == arrivals(5, per_s=2, seed=1)
    assert arrivals(5, per_s=2, seed=1) != arrivals(5, per_s=2, seed=2)


def test_poisson_gaps_are_exponential_with_the_rate() -> None:
    times = np.array(arrivals(20_001, per_s=4, seed=0))
    gaps = np.diff(times)
    assert times[0] == 0
    assert (gaps >= 0).all()
    # Mean 1/4 with a standard error of 1/4/sqrt(20000), and deviation as large as the mean.
    assert gaps.mean() == pytest.approx(0.25, abs=0.01)
    assert gaps.std() == pytest.approx(0.25, abs=0.01)


@pytest.mark.parametrize("how", [{"interval_s": -1}, {"per_s": 0}, {"per_s": -2}], ids=str)
def test_impossible_arrivals_are_refused(how: dict[str, float]) -> None:
    with pytest.raises(OffbenchError):
        compose("made", [load("alexnet")], arrivals(3, **how))  # type: ignore[arg-type]


@pytest.mark.parametrize(("edges", "clouds"), [(0, 0), (0, 3), (2, 0), (1, 1), (10, 1)])
def test_servers_in_any_ratio(edges: int, clouds: int) -> None:
    instance = compose("made", [load("alexnet")], [0], edges=edges, clouds=clouds)
    kinds = [server.kind for server in instance.servers]
    assert [kinds.count(kind) for kind in ("client", "edge", "cloud")] == [1, edges, clouds]
    assert parse(instance.model_dump(exclude_none=True)) == instance


def test_servers_are_spaced_over_speed_and_price() -> None:
    _, *edges = paper_servers(edges=3, clouds=0)
    assert [server.compute_ghz for server in edges] == [4.2, 11.25, 18.3]
    assert [server.price_per_hour for server in edges] == [2.1, 2.265, 2.43]


def test_single_server_stands_in_the_middle() -> None:
    _, edge, cloud = paper_servers(edges=1, clouds=1)
    assert (edge.compute_ghz, edge.price_per_hour) == (11.25, 2.265)
    assert (cloud.compute_ghz, cloud.price_per_hour) == (80, 1.0125)


def test_tasks_take_the_networks_in_turn() -> None:
    networks = [load("alexnet"), load("vgg19")]
    instance = compose("made", networks, arrivals(5, interval_s=1))
    assert [len(task.layers) for task in instance.tasks] == [11, 24, 11, 24, 11]
    assert [task.arrival_s for task in instance.tasks] == [0, 1, 2, 3, 4]
    assert len({task.name for task in instance.tasks}) == 5
    assert instance.tasks[3].layers == networks[1].tasks[0].layers


@pytest.mark.parametrize("tasks", [2, 4])
def test_network_may_be_named_twice(tasks: int) -> None:
    instance = compose("made", [load("alexnet")] * 2, arrivals(tasks))
    assert len({task.name for task in instance.tasks}) == tasks


def test_objective_is_the_papers_unless_given() -> None:
    instance = compose("made", [load("alexnet")], [0])
    assert instance.weights == load("alexnet").weights
    weights = Weights(delay=1, energy=0, cost=0, score=1, coordination=0, balance=0)
    benefits = Coordination(indicators="benefits", root=3)
    instance = compose("made", [load("alexnet")], [0], weights=weights, coordination=benefits)
    assert (instance.weights, instance.coordination) == (weights, benefits)


def test_source_says_where_layers_come_from() -> None:
    instance = compose("made", [load("alexnet"), load("vgg19")], [0, 0], source="a test")
    assert "Lin et al." in instance.source
    assert "; a test; " in instance.source
    assert instance.source.count("Xue, Wu, Peng, Wolter") == 1


def test_network_of_several_tasks_is_refused() -> None:
    with pytest.raises(OffbenchError, match="'mixed-4' has 4 tasks"):
        compose("made", [load("mixed-4")], [0])


def test_layers_tied_to_servers_are_refused() -> None:
    data = handmade.phone()
    data["tasks"] = data["tasks"][:1]
    with pytest.raises(OffbenchError, match="'made-by-hand' ties layers to servers"):
        compose("made", [parse(data)], [0])


def test_no_networks_or_no_tasks_are_refused() -> None:
    with pytest.raises(OffbenchError):
        compose("made", [], [0.0])
    with pytest.raises(OffbenchError):
        compose("made", [load("alexnet")], [])


# Format 2


def camera() -> Instance:
    """Return a network of format 2: two clients, a task of the second, whose time is stated by name and by kind."""
    servers = [
        handmade.server("watch", "client"),
        {**handmade.server("camera", "client", ghz=3, power=5), "idle_power_w": 1, "memory_mb": 50},
        handmade.server("box", "edge"),
    ]
    measured = {**handmade.layer("a", 0, 1), "seconds": {"camera": 0.5, "box": 0.1, "edge": 0.2, "cloud": 0.05}}
    del measured["gcycles"]
    tasks = [{**handmade.task("t", measured, handmade.layer("b", 2, 0, ("a",))), "client": "camera", "deadline_s": 3}]
    links = [handmade.link("client", "edge")]
    return parse(handmade.instance(servers, links, tasks, format="offbench/2", name="seen"))


def test_network_of_format_2_brings_its_client_and_what_is_measured_elsewhere() -> None:
    made = compose("made", [camera()], [0, 1], edges=2, clouds=1)
    assert made.format == "offbench/2" and made.servers[0].name == "camera"
    assert made.servers[0].memory_mb == 50 and len(made.clients) == 1
    for task in made.tasks:
        assert task.deadline_s == 3
        assert task.layers[0].seconds == {"camera": 0.5, "edge": 0.2, "cloud": 0.05}
    assert parse(made.model_dump(mode="json", exclude_none=True)) == made


def test_each_task_has_a_client_of_its_own_where_wanted() -> None:
    made = compose("made", [camera(), load("alexnet")], [0] * 4, edges=1, clouds=1, own_clients=True)
    assert [made.servers[s].name for s in made.clients] == ["camera-1", "client-1", "camera-2", "client-2"]
    assert [task.client for task in made.tasks] == ["camera-1", "client-1", "camera-2", "client-2"]
    assert made.tasks[2].layers[0].seconds == {"camera-2": 0.5, "edge": 0.2, "cloud": 0.05}
    parse(made.model_dump(mode="json", exclude_none=True))


def test_networks_with_different_clients_share_none() -> None:
    made = compose("made", [camera(), load("alexnet")], [0] * 4, edges=1, clouds=1)
    assert [task.client for task in made.tasks] == ["camera", "client-1"] * 2


def test_format_1_stays_where_it_says_all() -> None:
    assert compose("made", [load("alexnet")], [0, 0]).format == "offbench/1"
    own = compose("made", [load("alexnet")], [0, 0], own_clients=True)
    assert own.format == "offbench/2" and len(own.clients) == 2
