"""The greedy: the best server for each subtask, given those before it, with nothing after it."""

from typing import Any

import handmade
import plain
import pytest
from hypothesis import given
from strategies import instances

from offbench import solve
from offbench.model.instance import parse

Json = dict[str, Any]


def prefix_objective(instance: Json, scales: Json, chosen: list[str]) -> float:
    """Return Q, in plain Python, of the first subtasks alone."""
    short = handmade.cut(instance, len(chosen), scales)
    names = iter(chosen)
    servers = [[next(names) for _ in task["layers"]] for task in short["tasks"]]
    return float(plain.evaluate(plain.prepare(short), servers)["objective"])


@given(instances(exact=True, max_layers=4))
def test_no_other_server_would_have_been_better_for_a_subtask(instance: Json) -> None:
    solution = solve(parse(instance), "greedy")
    assert solution.placement is not None
    scales = plain.prepare(instance).scales
    layers = [layer for task in instance["tasks"] for layer in task["layers"]]
    everywhere = [server["name"] for server in instance["servers"]]
    chosen = [everywhere[s] for s in solution.placement.servers]
    for k, layer in enumerate(layers):
        values = {
            name: prefix_objective(instance, scales, [*chosen[:k], name]) for name in layer.get("allowed", everywhere)
        }
        assert values[chosen[k]] <= min(values.values()) + 1e-9


def test_greedy_equals_the_same_rule_in_plain_python() -> None:
    instance = handmade.phone()
    scales = plain.prepare(instance).scales
    everywhere = [server["name"] for server in instance["servers"]]
    chosen: list[str] = []
    for task in instance["tasks"]:
        for layer in task["layers"]:
            allowed = layer.get("allowed", everywhere)
            chosen.append(min(allowed, key=lambda name: prefix_objective(instance, scales, [*chosen, name])))
    solution = solve(parse(instance), "greedy")
    assert solution.placement is not None
    assert [everywhere[s] for s in solution.placement.servers] == chosen
    assert solution.objective == pytest.approx(prefix_objective(instance, scales, chosen))
    assert solution.evaluations == 1


def test_greedy_does_not_look_ahead() -> None:
    # a takes 1 s on the client and 1.5 + 0.5 s on the edge, so it stays; its 9 MB then tie b to the client.
    instance = handmade.instance(
        [handmade.server("client", "client", ghz=1), handmade.server("edge", "edge", ghz=2)],
        [handmade.link("client", "edge", rate=1)],
        [handmade.task("t", handmade.layer("a", 1, 9), handmade.layer("b", 18, 0, ("a",)), input_mb=1.5)],
        weights=handmade.DELAY_ALONE,
    )
    # Then b takes 18 s on the client, or 9 + 9 s on the edge: 19 s. All on the edge is 1.5 + 0.5 + 9 = 11 s.
    solution = solve(parse(instance), "greedy")
    assert solution.evaluation is not None
    assert solution.evaluation.delay_s == 19
    assert plain.brute_force(instance)[1] == [["edge", "edge"]]
