"""Advice: break-even points against a fine grid and by hand, regret by hand, and what is printed."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from offbench import P1, OffbenchError, Placement, evaluate, load, solve, with_objective
from offbench.cli import app
from offbench.model.instance import Instance
from offbench.model.ranges import load_ranges
from offbench.model.variations import (
    VARIATIONS,
    with_clients,
    with_device_speed,
    with_rate,
    with_round_trip,
    with_scales,
)
from offbench.runs.advice.advice import RANGES, advise, facts, held
from offbench.runs.advice.break_even import exactly, sampled
from offbench.runs.advice.robust import Robustness, Spread, draw, parse_spread, regret
from offbench.runs.advice.time_shares import time_shares


def chain(name: str = "alexnet", objective: str = "latency") -> Instance:
    instance = with_objective(load(name), objective)
    return with_scales(instance, P1(instance).scales)


def best(instance: Instance) -> tuple[Placement, bool]:
    found = solve(instance, "graph-exact", time_limit=60)
    assert found.placement is not None
    return found.placement, found.status == "optimal"


def test_a_variation_changes_what_it_says() -> None:
    """Everything on edge-5 sends the input once, and nothing back."""
    instance = chain()
    problem = P1(instance)
    servers = problem.everything_on(5)
    sent_s = 0.574 / 10
    there = evaluate(problem, servers).delay_s
    assert evaluate(P1(with_rate(instance, 0.5)), servers).delay_s == pytest.approx(there + sent_s)
    assert evaluate(P1(with_round_trip(instance, 0.3)), servers).delay_s == pytest.approx(there + 0.15)
    alone = problem.everything_on(0)
    once = evaluate(problem, alone).delay_s
    assert evaluate(P1(with_device_speed(instance, 2)), alone).delay_s == pytest.approx(once / 2)
    assert evaluate(P1(with_device_speed(instance, 2)), servers).delay_s == pytest.approx(there)
    # Three clients alone don't disturb one another; on one edge with two slots the third waits.
    three = P1(with_clients(instance, 3))
    assert three.instance.format == "offbench/2" and three.n_tasks == 3
    assert evaluate(three, np.tile(alone, 3)).delay_s == pytest.approx(3 * once)
    assert evaluate(three, np.tile(servers, 3)).delay_s > 3 * there


@pytest.mark.parametrize("name", ["bandwidth", "round-trip", "device-speed"])
@pytest.mark.parametrize("network", ["alexnet", "vgg19"])
def test_changes_are_where_a_fine_grid_sees_them(network: str, name: str) -> None:
    instance, variation = chain(network), VARIATIONS[name]
    low, high = RANGES[name]
    curve = exactly(instance, variation, low, high, best)
    assert curve.exact
    # Either side of a change both cuts are as good; a little further only its own one is.
    for change in curve.changes:
        here = P1(variation.of(instance, change.x))
        values = [evaluate(here, one.placement).objective for one in (change.before, change.after)]
        assert values[0] == pytest.approx(values[1], rel=1e-6)
    edges = [low, *(change.x for change in curve.changes), high]
    owners = [curve.changes[0].before if curve.changes else curve.points[0], *(one.after for one in curve.changes)]
    for a, b, owner in zip(edges, edges[1:], owners, strict=False):
        for x in np.linspace(a, b, 5)[1:-1]:
            made = variation.of(instance, float(x))
            placement, proven = best(made)
            assert proven
            least = evaluate(P1(made), placement).objective
            assert evaluate(P1(made), owner.placement).objective == pytest.approx(least, rel=1e-6)


def test_samples_close_in_on_the_same_changes() -> None:
    instance, variation = chain(), VARIATIONS["bandwidth"]
    exact = exactly(instance, variation, *RANGES["bandwidth"], best)
    xs = [float(x) for x in np.geomspace(*RANGES["bandwidth"], 33)]
    found = sampled(instance, variation, xs, best)
    assert not found.exact
    assert [change.x for change in found.changes] == pytest.approx([change.x for change in exact.changes], rel=0.02)


def test_a_cut_holds_around_what_is_as_it_is() -> None:
    instance = chain()
    curve = exactly(instance, VARIATIONS["bandwidth"], *RANGES["bandwidth"], best)
    placement, _ = best(instance)
    low, high = held(curve, placement)
    assert low < 1 < high and {low, high} <= {change.x for change in curve.changes}
    nowhere = Placement(np.full(11, 7))
    assert all(map(math.isnan, held(curve, nowhere)))


def test_regret_is_counted_as_by_hand() -> None:
    instance, rng = chain(), np.random.default_rng(3)
    device = Placement(P1(instance).everything_on(0))
    found = regret(instance, device, best, Spread(), rng, draws=4)
    assert found is not None and found.draws == 4 and found.proven
    again = np.random.default_rng(3)
    over = []
    for _ in range(4):
        drawn = draw(instance, Spread(), again)
        least = evaluate(P1(drawn), best(drawn)[0]).objective
        over.append(evaluate(P1(drawn), device).objective / least - 1)
    assert found.recommended.mean_regret == pytest.approx(np.mean(over))
    assert found.recommended.worst_regret == pytest.approx(max(over))
    assert found.recommended.within == 0 and found.most_robust.within > 0
    assert regret(instance, device, best, Spread(), rng, go_on=lambda: False) is None


def test_draws_stay_in_their_range_and_move_a_servers_layers_together() -> None:
    instance = chain()
    spread = Spread(rate=2, latency=1.5, seconds=1.5, layer_seconds=1.0)
    drawn = draw(instance, spread, np.random.default_rng(0))
    rates = [
        new.rate_mb_per_s / old.rate_mb_per_s
        for new, old in zip(drawn.links, instance.links, strict=True)
        if new.rate_mb_per_s is not None and old.rate_mb_per_s is not None
    ]
    assert len(rates) == 5 and all(0.5 <= rate <= 2 for rate in rates) and len(set(rates)) == 5
    ratio = P1(drawn).arrays.execution_s / P1(instance).arrays.execution_s
    assert np.allclose(ratio, ratio[0]) and (ratio[0] != 1).all() and (ratio >= 1 / 1.5).all() and (ratio <= 1.5).all()


def test_advice_on_a_chain_is_proven_and_tells_its_limits() -> None:
    found = advise("alexnet", objective="latency", time_limit=15, draws=5)
    assert found.solution.status == "optimal" and set(found.curves) == set(VARIATIONS)
    names = [one.name for one in found.choices]
    assert names == ["fastest", "most frugal", "cheapest", "balanced"]
    assert found.choices[0].evaluation.delay_s == pytest.approx(found.solution.evaluation.delay_s)  # type: ignore[union-attr]
    assert min(one.evaluation.energy_j for one in found.choices) == found.choices[1].evaluation.energy_j
    told = facts(found)
    assert told["curves"]["bandwidth"]["exact"] and told["regret"]["draws"] == 5
    json.dumps(told, allow_nan=False)


def test_command_says_it_in_words() -> None:
    result = CliRunner().invoke(
        app, ["advise", "split", "--time-limit", "8", "--draws", "3", "--quiet", "--objective", "latency"]
    )
    assert result.exit_code == 0, result.stderr
    for part in ("Recommended", "that is proven", "Up to where it is the best cut", "In ", "Constraints"):
        assert part in result.stdout
    wrong = CliRunner().invoke(app, ["advise", "split", "--draws", "0"])
    assert wrong.exit_code == 2 and wrong.stderr.count("\n") == 1


def ranges_file(folder: Path, text: str) -> Path:
    file = folder / "ranges.json"
    file.write_text(text, encoding="utf-8")
    return file


def test_ranges_win_over_the_spread_each_for_its_own_number(tmp_path: Path) -> None:
    instance = chain()
    first, second = instance.links[:2]
    a, b = first.ends
    text = {
        "format": "offbench-ranges/1",
        "servers": {"edge-5": {"low": 3, "high": 3}},
        "links": [{"from": b, "to": a, "rate": {"low": 0.25, "high": 0.25}}],
    }
    ranges = load_ranges(ranges_file(tmp_path, json.dumps(text)), instance)
    drawn = draw(instance, Spread(1.5, 1.0, 1.0, 1.0), np.random.default_rng(0), ranges)
    assert first.between is not None and first.rate_mb_per_s is not None and second.rate_mb_per_s is not None
    assert drawn.links[0].rate_mb_per_s == pytest.approx(first.rate_mb_per_s / 4)  # of both directions, so either order
    others = [
        (new.rate_mb_per_s or 0) / (old.rate_mb_per_s or 1)
        for new, old in zip(drawn.links, instance.links, strict=True)
    ][1:]
    assert all(1 / 1.5 <= one <= 1.5 and one != 1 for one in others)
    ratio = (P1(drawn).arrays.execution_s / P1(instance).arrays.execution_s)[0]
    edge = next(k for k, server in enumerate(instance.servers) if server.name == "edge-5")
    assert ratio[edge] == pytest.approx(3) and np.allclose(np.delete(ratio, edge), 1)


@pytest.mark.parametrize(
    ("text", "fragment"),
    [
        ('{"servers": {"edge-55": {"low": 1, "high": 2}}}', "did you mean 'edge-5'?"),
        ('{"servers": {"edge-5": {"low": 3, "high": 2}}}', "low 3 is above high 2"),
        ('{"links": [{"from": "edge-5", "to": "moon"}]}', "no link from 'edge-5' to 'moon'"),
    ],
)
def test_ranges_of_something_else_are_refused_in_a_line(tmp_path: Path, text: str, fragment: str) -> None:
    with pytest.raises(OffbenchError) as caught:
        load_ranges(ranges_file(tmp_path, text), chain())
    assert fragment in str(caught.value) and "\n" not in str(caught.value)


def test_a_spread_is_parsed_or_refused_in_a_line() -> None:
    assert parse_spread("rate=3, layer_seconds=1") == Spread(rate=3, layer_seconds=1)
    for text, fragment in (
        ("rate", "is no NAME=FACTOR"), ("rate=2,rate=3", "twice"), ("rates=2", "did you mean 'rate'?"),
        ("rate=0.5", "at least 1"), ("rate=inf", "finite"), ("rate=nan", "at least 1"),
    ):  # fmt: skip
        with pytest.raises(OffbenchError) as caught:
            parse_spread(text)
        assert fragment in str(caught.value) and "\n" not in str(caught.value)


def test_a_cut_that_breaks_a_constraint_in_a_draw_is_told_so() -> None:
    found = Robustness(Placement(np.zeros(1, dtype=int)), (0.0, math.inf, 0.1))
    assert found.within == pytest.approx(1 / 3)
    assert (found.broken, found.worst_regret) == (1, 0.1)
    assert math.isnan(Robustness(found.placement, (math.inf,)).mean_regret)


@pytest.mark.parametrize("name", ["alexnet", "googlenet", "mixed-4", "phones", "camera"])
def test_what_the_time_is_made_of_adds_up_to_the_delay(name: str) -> None:
    problem = P1(load(name))
    rng = np.random.default_rng(1)
    for _ in range(20):
        servers = np.array([rng.choice(np.flatnonzero(row)) for row in problem.allowed])
        placement = Placement(servers)
        evaluation = evaluate(problem, placement)
        found = time_shares(problem, placement, evaluation)
        assert sum(vars(found).values()) == pytest.approx(evaluation.delay_s)
    alone = Placement(problem.everything_on(0))
    assert time_shares(problem, alone, evaluate(problem, alone)).transfers_s == 0


def test_ties_are_no_changes_and_none_between_two_samples_is_missed() -> None:
    """Googlenet's best cuts over bandwidth: several lie between two samples, and cuts of the same delay alternate."""
    instance = chain("googlenet")
    curve = sampled(instance, VARIATIONS["bandwidth"], [0.25, 4.0], best)
    assert len(curve.changes) > 1
    for earlier, later in pairwise(curve.changes):
        assert earlier.after.same_cut(later.before) and earlier.x < later.x
    assert curve.changes[-1].after.same_cut(curve.points[-1])
    for change in curve.changes:
        here = P1(with_rate(instance, change.x))
        assert evaluate(here, change.after.placement).objective < evaluate(here, change.before.placement).objective


def test_where_the_time_is_up_the_values_nearest_to_todays_are_there() -> None:
    instance, left = chain(), iter([True] * 4 + [False] * 99)
    xs = [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
    curve = sampled(instance, VARIATIONS["bandwidth"], xs, best, lambda: next(left))
    assert [point.x for point in curve.points] == [0.2, 0.5, 1.0, 2.0, 5.0]


def test_advice_in_next_to_no_time_is_still_one() -> None:
    found = advise("phones", time_limit=0.5, draws=2)
    assert all(len(curve.points) > 1 for curve in found.curves.values())
    assert found.solution.feasible
