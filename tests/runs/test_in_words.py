"""What a placement means, in a sentence."""

import handmade
import pytest

from offbench import P1, evaluate, load, solve
from offbench.evaluation.client_only import client_only
from offbench.evaluation.single_server import best_single_server
from offbench.model.instance import parse
from offbench.runs.in_words import addends, bought, in_words


def test_addends_add_up_to_q() -> None:
    for name in ("alexnet", "tiny-graphs", "phones"):
        instance = load(name)
        problem = P1(instance)
        found = evaluate(problem, problem.everything_on(1))
        assert sum(addends(instance, found).values()) == pytest.approx(found.objective, rel=1e-12)


def test_best_single_server_is_the_best_of_all_of_them() -> None:
    for name in ("alexnet", "tiny-wireless", "split"):
        problem = P1(name)
        remote = [s for s in range(problem.n_servers) if s != problem.arrays.client]
        scored = {problem.server_name(0, s): evaluate(problem, problem.everything_on(s)) for s in remote}
        found = best_single_server(problem)
        assert found is not None
        assert found.evaluation.objective == scored[found.server].objective
        feasible = [each.objective for each in scored.values() if each.feasible]
        if feasible:
            assert found.evaluation.objective == min(feasible)


def test_there_may_be_no_other_server() -> None:
    data = handmade.phone()
    data["servers"] = data["servers"][:1]
    data["links"] = []
    for layer in (layer for task in data["tasks"] for layer in task["layers"]):
        layer.pop("allowed", None)
    solution = solve(parse(data), "client-only")
    assert solution.best_single is None
    assert solution.in_words == "This is as fast as the device, with the same energy and the same cost."
    assert solution.to_dict()["best_single_server"] is None


def test_what_bought_q_is_told_where_delay_gets_worse() -> None:
    instance = load("resnet")
    problem = P1(instance)
    servers = [k % 6 for k in range(problem.n_subtasks)]  # a transfer at each layer, edges in turn
    found, device = evaluate(problem, servers), client_only(problem)
    assert found.delay_s > device.delay_s and found.objective < device.objective
    told = bought(instance, found, device)
    here, there = addends(instance, found), addends(instance, device)
    assert f"Q is lower by {device.objective - found.objective:.3g}" in told
    assert f"{found.delay_s / device.delay_s:.3g} times slower than the device" in told
    for name in ("score", "H", "Z"):
        if here[name] != there[name]:
            assert f"{name} {here[name] - there[name]:+.3g}" in told
    assert in_words(instance, found, device, None).endswith(told)


def test_nothing_is_bought_where_all_gets_better() -> None:
    solution = solve("alexnet", "greedy", objective="latency")
    assert solution.bought == ""
    device, found = solution.client_only, solution.evaluation
    assert found is not None
    assert f"{device.delay_s / found.delay_s:.3g} times faster than the device" in solution.in_words
    assert "the best single server" in solution.in_words
