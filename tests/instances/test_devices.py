"""The shipped instances of format 2: what their sources say, and that each is hard where it says so."""

from itertools import product

import numpy as np
import pytest

from offbench import P1, evaluate, load, solve
from offbench.evaluation.evaluator import totals_of_many
from offbench.evaluation.kernel import TOTAL
from offbench.instances.devices import ALEXNET, VGG19
from offbench.model.problem import FEASIBLE


def held_mb(name: str) -> dict[str, float]:
    """Return the weights of each layer of an instance's first task."""
    return {layer.name: layer.weights_mb for layer in load(name).tasks[0].layers if layer.weights_mb}


def memory_mb(name: str) -> dict[str, float]:
    """Return the memory of each server that has a limited one."""
    return {server.name: server.memory_mb for server in load(name).servers if server.memory_mb is not None}


def test_weights_are_those_of_the_published_networks() -> None:
    """60,965,224 and 143,667,240 numbers, as every library that has these networks counts them."""
    assert sum(ALEXNET.values()) == 60_965_224
    assert sum(VGG19.values()) == 143_667_240
    assert sum(held_mb("board").values()) == pytest.approx(548.05, abs=0.1)
    assert sum(held_mb("phones").values()) == pytest.approx(232.56, abs=0.1)


def test_phones_need_the_edge_and_it_holds_their_network_once() -> None:
    memory, weights = memory_mb("phones"), held_mb("phones")
    assert all(weights["fc6"] > memory[name] for name in ("phone-1", "phone-2", "phone-3"))
    total = sum(weights.values())
    assert total <= memory["edge"] < 2 * total
    everything = evaluate("phones", P1(load("phones")).everything_on(1))
    assert everything.memory_violation == 0


def test_board_needs_the_cloud_for_one_layer() -> None:
    weights = held_mb("board")
    assert [name for name, mb in weights.items() if mb > max(memory_mb("board").values())] == ["fc6"]
    assert sum(mb for name, mb in weights.items() if name.startswith("conv")) <= memory_mb("board")["board"]


def test_camera_is_slower_than_its_gpu_by_28_and_8_times() -> None:
    for layer in load("camera").tasks[0].layers:
        assert layer.seconds is not None
        times = 28 if layer.name.startswith("conv") else 8
        assert layer.seconds["camera"] / layer.seconds["gpu"] == pytest.approx(times, rel=1e-3)


def test_only_a_split_meets_the_deadline() -> None:
    """By all 2048 placements; the optimum is theirs."""
    problem = P1(load("split"))
    servers = np.array(list(product((0, 1), repeat=problem.n_subtasks)))
    totals = totals_of_many(problem, servers)
    feasible = totals[:, TOTAL.violation] <= FEASIBLE
    assert feasible.any()
    assert not feasible[0]  # the device alone
    assert not feasible[-1]  # the cloud alone
    found = solve(problem.instance, "cp-sat", time_limit=60)
    assert found.status == "optimal"
    assert found.objective == pytest.approx(totals[feasible, TOTAL.objective].min())


@pytest.mark.parametrize("name", ["board", "camera", "phones", "split"])
def test_device_alone_is_not_feasible(name: str) -> None:
    problem = P1(load(name))
    assert not evaluate(problem, problem.everything_on(problem.arrays.client)).feasible
