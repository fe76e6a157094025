"""Annealing: its draws, its temperatures, the optima of tiny instances."""

from pathlib import Path
from typing import Any

import handmade
import numpy as np
import plain
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from strategies import instances

import offbench.instances
from experiments._shared.binding import binding_data
from experiments._shared.brute_force import best, placements
from experiments._shared.exhaustive import Exhaustive
from offbench import P1, Budget, Search, SearchEnded, evaluate_many, load, solve
from offbench.evaluation.delta import segments_of
from offbench.evaluation.held_weights import cells_of
from offbench.files.json import read_json
from offbench.model.instance import parse
from offbench.solvers._shared.heat_bath import _STRIDE, HeatBath, choices_of, prices_of
from offbench.solvers._shared.walk import Moves, Walker, walk

FOLDER = Path(next(iter(offbench.instances.__path__)))


@pytest.mark.parametrize("name", ["tiny-chains", "tiny-graphs", "tiny-wireless"])
def test_tiny_optimum_is_reached(name: str) -> None:
    optimum = plain.brute_force(read_json(FOLDER / f"{name}.json"))[0]
    assert solve(name, "annealing", max_evaluations=20_000).objective <= optimum + 1e-12


@pytest.mark.parametrize("solver", ["annealing", "local-search", "genetic", "memetic", "nsga2"])
@pytest.mark.parametrize("seed", [3, 11, 22, 31, 57])
def test_feasible_where_constraints_bind(solver: str, seed: int) -> None:
    """At most a tenth of random placements are feasible; what is found is one, and no better than the optimum."""
    found = Exhaustive(binding_data(seed)).optimum()
    name, parameters = ("genetic", {"local_search": True}) if solver == "memetic" else (solver, {})
    solution = solve(parse(binding_data(seed)), name, parameters=parameters, max_evaluations=20_000)
    assert solution.evaluation is not None and solution.evaluation.feasible
    assert solution.objective >= found.objective - 1e-9 * abs(found.objective)
    if solver in ("annealing", "local-search", "memetic"):
        client = solution.client_only.objective
        assert solution.objective - found.objective <= 0.02 * abs(client - found.objective)


@settings(max_examples=25)
@given(instances(max_tasks=2, max_layers=3, max_edges=2, max_clouds=2), st.integers(0, 9))
def test_never_below_the_optimum(made: dict[str, Any], seed: int) -> None:
    instance = parse(made)
    problem = P1(instance)
    assume(placements(problem) <= 100_000)
    optimum = best(problem)[0]
    assert solve(instance, "annealing", seed=seed, max_evaluations=3_000).objective >= optimum - 1e-12


def test_stays_where_it_is_probable() -> None:
    """At one temperature, single moves lead to placements as often as Boltzmann says, of two tasks that wait."""
    problem = P1(load("tiny-chains"))
    layers, temperature, rng = problem.n_subtasks, 0.2, np.random.default_rng(1)
    order = np.arange(layers)
    servers = problem.everything_on(0)
    segments, choices = segments_of(problem), choices_of(problem)
    seen: dict[tuple[int, ...], int] = {}
    for _ in range(3_000):
        chance = rng.random((30, 3))  # steps, far enough apart to count as independent
        chance[:, 1] = 0  # move a subtask
        walker = Walker(servers, order, servers.copy(), order.copy(), np.empty(1), np.empty(3))
        moves = Moves(2, 1.0, temperature, chance, rng.gumbel(size=30 * 12))
        walk(*problem.packed, segments, cells_of(problem), choices, moves, prices_of(1.0), walker, True, 10**9)
        key = tuple(servers.tolist())
        seen[key] = seen.get(key, 0) + 1
    rows = np.array(np.meshgrid(*[np.flatnonzero(row) for row in problem.allowed])).reshape(layers, -1).T
    weight = np.exp(-evaluate_many(problem, rows, np.repeat(order[None], len(rows), axis=0)) / temperature)
    expected = weight / weight.sum() * 3_000
    observed = np.array([seen.get(tuple(row), 0) for row in rows.tolist()])
    often = expected >= 5
    observed = np.append(observed[often], observed[~often].sum())
    expected = np.append(expected[often], expected[~often].sum())
    assert chisquare(observed[expected > 0], expected[expected > 0]).pvalue > 1e-3


def test_compiled_bath_stays_where_it_is_probable() -> None:
    """Of one subtask every kind of move is a draw among its servers, and so independent of the last."""
    network = load("alexnet").tasks[0]
    instance = load("alexnet").model_copy(
        update={"tasks": (network.model_copy(update={"layers": network.layers[:1]}),)}
    )
    problem = P1(instance)
    bath = HeatBath(problem, Search(problem, seed=1), problem.everything_on(0), longest_run=2)
    seen = np.zeros(problem.n_servers)
    for _ in range(2_000):
        bath.steps(4, 0.2)  # an exchange with itself draws nothing, so four
        seen[bath.servers[0]] += 1
    weight = np.exp(-evaluate_many(problem, np.arange(problem.n_servers)[:, None]) / 0.2)
    assert chisquare(seen, weight / weight.sum() * seen.sum()).pvalue > 1e-3


def test_budget_of_evaluations_holds_for_those_scored_segment_by_segment() -> None:
    solution = solve("alexnet", "annealing", max_evaluations=30_000)
    assert 20_000 < solution.evaluations <= 30_000
    assert solution.stopped == "max-evaluations"


def test_temperature_falls_to_the_cold_one(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = P1(load("alexnet"))
    search = Search(problem, Budget(max_evaluations=20_000))
    bath = HeatBath(problem, search, problem.everything_on(0), longest_run=4)
    seen: list[float] = []
    progress: list[float] = []
    steps = HeatBath.steps

    def watched(self: HeatBath, count: int, temperature: float) -> float:
        seen.append(temperature)
        progress.append(search.progress)
        least: float = steps(self, 10, temperature)
        return least

    monkeypatch.setattr(HeatBath, "steps", watched)
    with pytest.raises(SearchEnded):
        bath.cool(1.0, 0.01)
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == 1.0
    assert seen[-1] == pytest.approx(0.01, rel=0.05)
    assert seen == pytest.approx([0.01**share for share in progress])  # geometric


def test_orders_are_searched_where_subtasks_wait() -> None:
    """A long layer and a short one on a slot: the short one first, though it comes second."""
    made = handmade.instance(
        [handmade.server("client", "client", ghz=1)],
        [],
        [handmade.task(name, handmade.layer("a", gcycles)) for name, gcycles in (("long", 8), ("short", 1))],
        weights=handmade.DELAY_ALONE,
    )
    solution = solve(parse(made), "annealing", max_evaluations=2_000)
    assert solution.evaluation is not None
    assert solution.evaluation.delay_s == pytest.approx(1 + 9)


def test_many_steps_at_once_end_with_the_clock() -> None:
    """Of ten tasks a step scores all of them, so the clock is looked at after a few, however many are asked for."""
    problem = P1(load("resnet-x10"))
    search = Search(problem, Budget(time_limit=1e-9))
    bath = HeatBath(problem, search, problem.everything_on(0), longest_run=4)
    asked = 100 * bath.stride
    with pytest.raises(SearchEnded):
        bath.steps(asked, 0.1)
    assert 0 < search.evaluations < asked


def test_clock_is_looked_at_as_often_where_a_network_is_one_wide_stretch() -> None:
    """All of it is scored for every placement that a step tries: the local search ran for 9 s of 2."""
    layers = [handmade.layer(f"l{k}", 1, inputs=("l0",) if k else ()) for k in range(1000)]
    servers = [handmade.server("me", "client"), handmade.server("e", "edge")]
    links = [handmade.link("client", "edge"), handmade.link("edge", "edge")]
    problem = P1(parse(handmade.instance(servers, links, [handmade.task("t", *layers)])))
    bath = HeatBath(problem, Search(problem), problem.everything_on(0), longest_run=9)
    assert bath.stride * problem.n_servers * problem.n_subtasks <= _STRIDE
