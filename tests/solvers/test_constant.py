"""Everything in one place."""

from copy import deepcopy
from typing import Any

import handmade
import plain
import pytest
from hypothesis import given, settings
from strategies import instances

from offbench import solve
from offbench.model.instance import parse

Json = dict[str, Any]


def all_on(instance: Json, name: str) -> float:
    """Return Q, in plain Python, of everything on a server."""
    servers = [[name] * len(task["layers"]) for task in instance["tasks"]]
    return float(plain.evaluate(plain.prepare(instance), servers)["objective"])


def free(instance: Json) -> Json:
    """Return the instance without `allowed`."""
    copy = deepcopy(instance)
    for task in copy["tasks"]:
        for layer in task["layers"]:
            layer.pop("allowed", None)
    return copy


@settings(max_examples=30)
@given(instances(exact=True))
def test_each_is_the_best_constant_placement(drawn: Json) -> None:
    instance = free(drawn)
    for solver, kind in (("client-only", "client"), ("best-edge", "edge"), ("best-cloud", "cloud")):
        names = [server["name"] for server in instance["servers"] if server["kind"] == kind]
        solution = solve(parse(instance), solver)
        if names:
            best = min(all_on(instance, name) for name in names)
            assert solution.objective == pytest.approx(best, rel=1e-9, abs=1e-12)
            assert solution.evaluations == len(names)
        else:
            assert (solution.status, solution.evaluations) == ("no-placement", 0)
            assert solution.reason == f"the instance has no {kind} server"


@pytest.mark.parametrize("solver", ["client-only", "best-edge", "best-cloud"])
def test_layer_that_may_not_run_there_runs_where_it_first_may(solver: str) -> None:
    data = handmade.phone()
    data["tasks"][0]["layers"][1]["allowed"] = ["edge-2"]
    solution = solve(parse(data), solver)
    assert solution.placement is not None
    pinned = solution.placement.servers[1]
    others = {int(s) for k, s in enumerate(solution.placement.servers) if k != 1}
    assert pinned == 2
    assert len(others) == 1
