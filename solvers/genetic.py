"""A genetic algorithm on DEAP; with local search a memetic one."""

from itertools import count
from typing import Any

import numpy as np
from deap import base, tools
from pydantic import Field

from offbench import P1, Search, Solver
from offbench.evaluation.delta import segments_of
from offbench.solvers._shared.evolution import Individual, ends_of, exchange, first_population, move_run
from offbench.solvers._shared.heat_bath import HeatBath, warm_up
from offbench.solvers._shared.windows import by_windows, is_large

# Individuals without and with local search, which takes so long that there are few.
_MANY, _FEW = 60, 10
# The local search's temperatures, first and last, in median differences.
_HOT, _COLD, _FROZEN = 0.15, 1e-3, 1e-6


class Fitness(base.Fitness):
    """Q, to be minimised."""

    weights = (-1.0,)


class Genetic(Solver):
    """A genetic algorithm that moves runs of layers, on DEAP; far better as a memetic one: --set local_search=true.

    Transfers make neighbours belong together: a crossover exchanges a stretch of subtasks (of one task: of whole
    segments, with their part of the dispatch order), a mutation puts a run of subtasks on one server. The first
    population has the greedy's placement, everything on each server, and placements at random. With `local_search` the
    best children of each generation, all of them by default, are improved by short walks in a heat bath (`annealing`),
    the cooler the more of the budget is used.
    """

    population: int | None = Field(default=None, ge=4)
    """how many individuals; 60 by default, 10 with local search"""
    crossover: float = Field(default=0.9, ge=0, le=1)
    """probability that a pair of parents exchanges a stretch"""
    mutation: float = Field(default=0.5, ge=0, le=1)
    """probability that a run of a child moves"""
    tournament: int = Field(default=3, ge=1)
    """of how many drawn individuals the best becomes a parent"""
    elite: int = Field(default=2, ge=1)
    """how many of the best pass to the next generation as they are"""
    longest_run: int = Field(default=9, ge=2)
    """subtasks moved together at most"""
    local_search: bool = False
    """whether the best children of each generation are improved"""
    improved: int = Field(default=8, ge=1)
    """how many of them"""
    steps: int = Field(default=5, ge=1)
    """steps of the walk that improves one, for each subtask"""

    def warm_up(self) -> None:
        warm_up()

    def solve(self, problem: P1, search: Search) -> None:
        if is_large(problem):
            by_windows(self, problem, search)
        self.evolve(problem, search, tools.HallOfFame(self.elite), tools.Logbook())

    def evolve(self, problem: P1, search: Search, best: Any, logbook: Any) -> None:
        """Let a population evolve until the search ends.

        Parameters
        ----------
        problem, search
            What is solved.
        best
            DEAP's `HallOfFame`; its individuals are the elite.
        logbook
            DEAP's `Logbook`: gets a record of the objectives for each generation.
        """
        toolbox = self.toolbox(problem, search)
        statistics = tools.Statistics(_objective)
        statistics.register("least", np.min)
        statistics.register("median", np.median)
        population = toolbox.population()
        toolbox.evaluate(population)
        wanted = max(1, len(population) - self.elite)
        improve = _Improver(problem, search, population[0], self.longest_run, self.steps) if self.local_search else None
        for generation in count():
            best.update(population)
            logbook.record(generation=generation, evaluations=search.evaluations, **statistics.compile(population))
            children = [toolbox.clone(parent) for parent in toolbox.select(population, wanted)]
            for one, other in zip(children[::2], children[1::2], strict=False):
                if search.rng.random() < self.crossover:
                    toolbox.mate(one, other)
            for child in children:
                if search.rng.random() < self.mutation:
                    toolbox.mutate(child)
            toolbox.evaluate([child for child in children if not child.fitness.valid])
            if improve is not None:
                best_children = sorted(children, key=_objective)[: self.improved]
                for child in best_children:
                    improve(child)
                toolbox.evaluate(best_children)
            population = [*map(toolbox.clone, best), *children]

    def toolbox(self, problem: P1, search: Search) -> Any:
        """Return DEAP's toolbox for a problem: population, evaluate, clone, select, mate, mutate."""
        # Several tasks, of which all orders are one segment, are served as they come.
        ordered = len(problem.arrays.arrival_s) == 1 and not segments_of(problem).in_turn.all()
        size = self.population or (_FEW if self.local_search else _MANY)
        toolbox = base.Toolbox()
        toolbox.register("population", first_population, problem, search, size, ordered, Fitness)
        toolbox.register("evaluate", _evaluate, search)
        toolbox.register("clone", Individual.copy)
        toolbox.register("select", _tournament, search.rng, self.tournament)
        toolbox.register("mate", exchange, search.rng, ends_of(problem, by_segment=ordered))
        toolbox.register("mutate", move_run, problem, search.rng, self.longest_run)
        return toolbox


def _objective(individual: Individual) -> float:
    value: float = individual.fitness.values[0]
    return value


def _evaluate(search: Search, individuals: list[Individual]) -> None:
    """Score all that have no fitness, in one call."""
    if not individuals:
        return
    orders = None if individuals[0].order is None else np.array([each.order for each in individuals])
    values = search.propose_many(np.array([each.servers for each in individuals]), orders)
    for individual, value in zip(individuals, values.tolist(), strict=True):
        individual.fitness.values = (value,)


def _tournament(rng: np.random.Generator, size: int, population: list[Individual], wanted: int) -> list[Individual]:
    """As `tools.selTournament`, by the search's generator."""
    values = np.array([_objective(each) for each in population])
    drawn = rng.integers(len(population), size=(wanted, size))
    return [population[i] for i in drawn[np.arange(wanted), values[drawn].argmin(axis=1)]]


class _Improver:
    """Local search: a short walk in a heat bath."""

    def __init__(self, problem: P1, search: Search, first: Individual, longest_run: int, steps: int) -> None:
        self._search = search
        self._bath = HeatBath(problem, search, first.servers, longest_run, first.order)
        self._typical = self._bath.typical_difference()
        self._steps = steps * problem.n_subtasks

    def __call__(self, individual: Individual) -> None:
        self._bath.place(individual.servers, individual.order)
        temperature = self._typical * _HOT * (_COLD / _HOT) ** min(1.0, self._search.progress)
        self._bath.steps(self._steps, temperature)
        self._bath.steps(self._steps // 10, self._typical * _FROZEN)
        individual.servers = self._bath.servers.copy()
        if individual.order is not None:
            individual.order = self._bath.order
