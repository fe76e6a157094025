"""What a placement means, in a sentence."""

import handmade
import pytest

from offbench import P1, evaluate, load, solve
from offbench.evaluation.client_only import client_only
from offbench.evaluation.single_server import best_single_server
from offbench.model.instance import parse
from offbench.runs.in_words import _more_or_less, addends, bought, in_words
from offbench.runs.summary import as_text


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
    assert solution.in_words == "This is no different from the device."
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


def test_what_is_compared_with_is_told_to_be_no_choice() -> None:
    words = solve("board", "greedy").in_words  # 548 MB of weights, a board for 80 of them
    assert "than the device (not feasible), with" in words
    assert "everything on cloud, the best single server, with" in words
    words = solve("split", "greedy").in_words  # too late on the device and on the cloud
    assert "than the device (not feasible), with" in words
    assert "everything on cloud, the best single server (not feasible), with" in words
    assert "than the devices (not feasible), with" in solve("phones", "greedy").in_words


def test_layers_that_stand_elsewhere_are_told() -> None:
    data = handmade.phone()
    data["tasks"][0]["layers"][0]["allowed"] = ["edge-1", "edge-2"]  # not on the phone, nor on the cloud
    data["tasks"][1]["layers"][0]["allowed"] = ["phone"]
    solution = solve(parse(data), "greedy")
    single, words, shown = solution.best_single, solution.in_words, as_text(solution)
    assert single is not None
    counts = {"edge-1": 1, "edge-2": 2, "cloud-1": 3}
    assert single.elsewhere == counts[single.server]
    assert "the device (but for 1 layer that may not run there)" in words
    layers = f"{single.elsewhere} layer{'s' if single.elsewhere > 1 else ''}"
    assert f"(but for {layers} that may not run there)" in words.partition(f"everything on {single.server}")[2]
    assert f"all on {single.server}*" in shown
    assert f"* not everything on {single.server}: {layers} may not run there" in shown


def test_a_single_server_is_no_best_one_where_h_or_z_chose_it() -> None:
    solution = solve("resnet", "client-only")
    single = solution.best_single
    assert single is not None
    problem = P1("resnet")
    faster = evaluate(problem, problem.everything_on(5))
    ours = single.evaluation
    assert (faster.delay_s, faster.energy_j, faster.cost_usd) < (ours.delay_s, ours.energy_j, ours.cost_usd)
    assert f"everything on {single.server}, the single server of the lowest Q, with" in solution.in_words
    assert "the best single server" in solve("resnet", "client-only", objective="score").in_words


def test_what_breaks_constraints_is_called_that() -> None:
    data = handmade.phone() | {"format": "offbench/2", "weights": handmade.DELAY_ALONE}
    data["limits"] = {"energy_j": 1e-9}
    instance = parse(data)
    problem = P1(instance)
    found, device = evaluate(problem, problem.everything_on(1)), client_only(problem)
    assert not found.feasible
    told = in_words(instance, found, device, best_single_server(problem))
    assert told.startswith("This breaks constraints and is ")
    assert "the device (not feasible)" in told and "best single server (not feasible)" in told
    assert bought(instance, found, device) == ""


def test_hardly_any_is_not_nothing_and_thousands_are_written_out() -> None:
    assert _more_or_less(0.013, 53.65, "J", "energy") == "0.024% of the energy"
    assert _more_or_less(53.65, 0.013, "J", "energy") == "4,127 times the energy"
