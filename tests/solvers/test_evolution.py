"""genetic, nsga2, pso-ga: operators by what they must keep, tiny optima, formulas."""

import itertools
from typing import Any

import handmade
import numpy as np
import plain
import pytest
from deap import tools
from hypothesis import given
from hypothesis import strategies as st
from strategies import instances

from offbench import P1, Budget, Search, SearchEnded, evaluate, evaluate_many, load, solve
from offbench.evaluation.references import shipped_path
from offbench.files.json import read_json
from offbench.model.instance import Instance, parse
from offbench.search.archive import Front, dominated
from offbench.solvers._shared.evolution import Individual, ends_of, exchange, first_population, move_run
from offbench.solvers.genetic import Fitness, Genetic
from offbench.solvers.nsga2 import Nsga2
from offbench.solvers.pso_ga import adaptive_inertia


@pytest.mark.parametrize("name", ["tiny-chains", "tiny-graphs", "tiny-wireless"])
@pytest.mark.parametrize("solver", ["genetic", "pso-ga", "local-search"])
def test_tiny_optimum_is_reached(solver: str, name: str) -> None:
    optimum = plain.brute_force(read_json(shipped_path().parent / f"{name}.json"))[0]
    assert solve(name, solver, max_evaluations=20_000).objective <= optimum + 1e-12


@given(instances(), st.integers(0, 99))
def test_operators_stay_within_allowed(made: dict[str, Any], seed: int) -> None:
    problem = P1(parse(made))
    search = Search(problem, Budget(), seed)
    one, other = first_population(problem, search, 40, False, Fitness)[-2:]
    before = np.sort(np.array([one.servers, other.servers]), axis=0)
    exchange(search.rng, np.arange(problem.n_subtasks + 1), one, other)
    assert (np.sort(np.array([one.servers, other.servers]), axis=0) == before).all()  # subtask by subtask
    held = one.servers.copy()
    move_run(problem, search.rng, 3, one)
    changed = np.flatnonzero(one.servers != held)
    assert len(set(one.servers[changed].tolist())) <= 1
    assert set(changed) <= set(problem.free)
    assert changed.size == 0 or np.ptp(np.searchsorted(problem.free, changed)) < 3
    evaluate_many(problem, np.array([one.servers, other.servers]))  # refuses what isn't allowed


@pytest.mark.parametrize("by_segment", [False, True])
def test_a_stretch_ends_where_something_is_free(by_segment: bool) -> None:
    """Of GoogLeNet with one module free, 60 and 69: no exchange between pinned subtasks alone."""
    problem = P1(pinned("googlenet", [60, 69]))
    ends = ends_of(problem, by_segment)
    stretches = [set(range(a, b)) & {60, 69} for a, b in itertools.pairwise(ends.tolist())]
    assert all(stretches)
    assert set.union(*stretches) == {60, 69}


@pytest.mark.parametrize(
    ("solver", "parameters"),
    [("genetic", {}), ("genetic", {"local_search": True}), ("pso-ga", {}), ("nsga2", {})],
)
def test_only_what_is_free_is_searched(solver: str, parameters: dict[str, object]) -> None:
    """Two subtasks of 83 are free, 121 placements: 3 000 proposals find the best, which over 83 they would not."""
    instance = pinned("googlenet", [60, 69])
    problem = P1(instance)
    rows = np.repeat(problem.everything_on(0)[None], problem.n_servers**2, axis=0)
    rows[:, [60, 69]] = np.indices((problem.n_servers,) * 2).reshape(2, -1).T
    optimum = evaluate_many(problem, rows).min()
    found = solve(instance, solver, parameters=parameters, max_evaluations=3_000)
    assert found.objective <= optimum + 1e-12


def pinned(name: str, free: list[int]) -> Instance:
    """Return a network with all other layers pinned to the client."""
    instance = load(name)
    (task,) = instance.tasks
    layers = [
        layer if k in free else layer.model_copy(update={"allowed": ("client",)}) for k, layer in enumerate(task.layers)
    ]
    return instance.model_copy(update={"tasks": (task.model_copy(update={"layers": tuple(layers)}),)})


def test_orders_survive_the_crossover() -> None:
    """Segments change hands with their part of the dispatch order, which stays one."""
    problem = P1(load("googlenet"))
    search = Search(problem, Budget(), 1)
    toolbox = Genetic(population=20).toolbox(problem, search)
    population = toolbox.population()
    for _ in range(50):
        one, other = population[search.rng.integers(20)], population[search.rng.integers(20)]
        toolbox.mate(one, other)
    for each in population:
        search.propose_many(each.servers[None], each.order[None])  # refuses what is no order


def test_the_best_never_gets_lost_and_the_logbook_says_so() -> None:
    problem = P1(load("alexnet"))
    search = Search(problem, Budget(max_evaluations=5_000), 1)
    best, logbook = tools.HallOfFame(2), tools.Logbook()
    with pytest.raises(SearchEnded):
        Genetic().evolve(problem, search, best, logbook)
    least = logbook.select("least")
    assert len(least) > 20
    assert least == sorted(least, reverse=True)
    assert best[0].fitness.values[0] == pytest.approx(search.objective, abs=0.05)


def test_memetic_reaches_the_proven_optimum() -> None:
    solution = solve("alexnet", "genetic", parameters={"local_search": True}, max_evaluations=200_000)
    assert solution.missed_improvement == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("parameters", [{}, {"local_search": True}, {"elite": 100}])
def test_evolves_where_all_individuals_are_the_same(parameters: dict[str, object]) -> None:
    """The hall of fame holds one of them then; generations stay as large all the same."""
    servers = [handmade.server("client", "client", ghz=1)]
    made = handmade.instance(servers, [], [handmade.task("t", handmade.layer("a", 1))])
    assert solve(parse(made), "genetic", parameters=parameters, max_evaluations=500).evaluations == 500


def test_nsga2_finds_the_front_of_a_tiny_instance() -> None:
    """All of it, by enumeration."""
    problem = P1(load("tiny-graphs"))
    rows = np.array(np.meshgrid(*[np.flatnonzero(row) for row in problem.allowed])).reshape(problem.n_subtasks, -1).T
    search = Search(problem)
    values = search.propose_indicators(rows)
    front = np.unique(values[~dominated(values, values)], axis=0)
    search = Search(problem, Budget(max_evaluations=30_000), 1)
    search.front = Front()
    with pytest.raises(SearchEnded):
        Nsga2().solve(problem, search)
    assert search.front.values == pytest.approx(front)


def test_indicators_are_the_evaluators() -> None:
    problem = P1(load("alexnet"))
    servers = problem.everything_on(3)
    evaluation = evaluate(problem, servers)
    expected = [[evaluation.delay_s, evaluation.energy_j, evaluation.cost_usd]]
    assert Search(problem).propose_indicators(servers[None]).tolist() == expected


def test_what_breaks_constraints_is_dominated_by_what_breaks_less() -> None:
    """An edge that holds one of two layers, or one and a half, or none more than on the client."""
    layers = [{**handmade.layer(name, 1), "weights_mb": 2} for name in "ab"]
    servers = [handmade.server("c", "client"), {**handmade.server("e", "edge", ghz=100), "memory_mb": 1}]
    made = handmade.instance(servers, [handmade.link("c", "e")], [handmade.task("t", *layers)], format="offbench/2")
    client, one, both = Search(P1(parse(made))).propose_indicators([[0, 0], [0, 1], [1, 1]])
    assert (client < one).all() and (one < both).all()
    assert np.isfinite(both).all()


def test_inertia_of_pso_ga() -> None:
    """Least at the swarm's best, and at 0.9 - 0.5 exp(0.5 / -0.51) halfway."""
    inertia = adaptive_inertia(np.array([0.0, 0.5, 1.0]), 0.4, 0.9)
    assert inertia == pytest.approx([0.4, 0.9 - 0.5 * np.exp(-0.5 / 0.51), 0.9])


def test_twins_are_the_same_to_the_hall_of_fame() -> None:
    one = Individual(np.array([1, 2]), None, Fitness((1.0,)))
    assert one.copy() == one
    assert one.copy().fitness.values == (1.0,)
