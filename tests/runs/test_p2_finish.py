"""A dispatch order after P1: `--p2`, and the solvers of P2 that it can name."""

import json

import handmade
import plain
import pytest
from typer.testing import CliRunner

from offbench import OffbenchError, evaluate, load, solve
from offbench.cli import app
from offbench.model.instance import Instance, parse
from offbench.model.placement import parse_placement
from offbench.model.problem import P1


def one_slot() -> Instance:
    """A long task comes first on the only slot, though a short one waits: 8 + 9 s, or 1 + 9 s the other way round."""
    tasks = [handmade.task(name, handmade.layer("a", work)) for name, work in (("long", 8), ("short", 1))]
    servers = [handmade.server("client", "client")]
    return parse(handmade.instance(servers, [], tasks, weights=handmade.DELAY_ALONE))


@pytest.mark.parametrize("p2", ["spt", "search", "srpt", "cp-sat"])
def test_gain_is_what_the_order_saves(p2: str) -> None:
    solution = solve(one_slot(), "client-only", p2=p2, time_limit=20, max_evaluations=500)
    assert solution.evaluation is not None
    assert solution.placement is not None
    assert solution.evaluation.delay_s == 10
    assert solution.p2 is not None
    assert solution.p2.gain == pytest.approx((17 - 10) / 8)  # the scale is the longest layer
    assert solution.p2.objective_before is not None and solution.p2.gain is not None
    assert solution.objective == pytest.approx(solution.p2.objective_before - solution.p2.gain)
    assert solution.trace[-1].objective == solution.objective
    assert solution.problem == "P1"


def test_an_order_that_is_no_better_changes_nothing() -> None:
    plainly, finished = solve("tiny-graphs", "greedy"), solve("tiny-graphs", "greedy", p2="fcfs")
    assert finished.placement is not None
    assert finished.placement.order is None
    assert finished.p2 is not None
    assert finished.p2.gain == 0
    assert finished.objective == plainly.objective


def test_both_keep_one_budget() -> None:
    solution = solve("mixed-4", "annealing", p2="search", max_evaluations=3_000)
    assert solution.p2 is not None
    assert solution.evaluations == 3_000
    assert 200 <= solution.p2.evaluations <= 400
    assert solution.p2.gain is not None and solution.p2.gain >= 0
    assert solution.placement is not None
    assert evaluate(P1(solution.instance), solution.placement).objective == solution.objective


@pytest.mark.parametrize("name", ["tiny-chains", "tiny-graphs"])
def test_search_finds_the_best_order_of_a_tiny_instance(name: str) -> None:
    instance = load(name)
    data = json.loads(instance.to_text())
    servers = [["client"] * len(task.layers) for task in instance.tasks]
    best, _ = plain.brute_force_orders(data, servers)
    placement = parse_placement({"servers": servers}, instance)
    solution = solve(instance, "search", placement=placement, max_evaluations=5_000)
    assert solution.objective == pytest.approx(best)


def test_search_begins_with_the_order_that_is_given() -> None:
    instance = one_slot()
    placement = parse_placement({"servers": [["client"], ["client"]], "order": [[1, 0], [0, 0]]}, instance)
    assert solve(instance, "search", placement=placement, max_evaluations=1).evaluation.delay_s == 10  # type: ignore[union-attr]


def test_what_cannot_follow() -> None:
    with pytest.raises(OffbenchError, match="'greedy' solves P1"):
        solve("tiny-graphs", "greedy", p2="greedy")
    for arguments in (["--p2", "serch"], ["--p2", "spt", "--two-step"], ["--p2", "greedy"]):
        result = CliRunner().invoke(app, ["solve", "--solver", "greedy", *arguments, "alexnet"])
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1


def test_command_reports_the_gain() -> None:
    result = CliRunner().invoke(app, ["solve", "--solver", "greedy", "--p2", "spt", "--json", "alexnet-x10"])
    assert json.loads(result.stdout)["p2"]["solver"] == "spt"
    told = CliRunner().invoke(app, ["solve", "--solver", "greedy", "--p2", "spt", "alexnet-x10"]).stdout
    assert "dispatch order by spt (P2)" in told
