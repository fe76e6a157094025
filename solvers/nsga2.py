"""NSGA-II: the Pareto front of delay, energy and cost, on DEAP."""

from typing import ClassVar

import numpy as np
from deap import base, tools
from pydantic import Field

from offbench import P1, Search, Solver
from offbench.solvers._shared.evolution import Individual, ends_of, exchange, first_population, move_run


class Fitness(base.Fitness):
    """Delay, energy and cost, to be minimised."""

    weights = (-1.0, -1.0, -1.0)


class Nsga2(Solver):
    """NSGA-II for delay, energy and cost (Deb et al., 2002); `offbench pareto` shows its front.

    The objective Q plays no part in the selection; the run's result is the placement with the least Q that was
    met. Crossover, mutation and first population are those of `genetic`, ranks and crowding DEAP's. What is feasible
    dominates what isn't, and of two that aren't the one that breaks constraints less (Deb's constrained domination).
    """

    finds_front: ClassVar[bool] = True

    population: int = Field(default=100, ge=4)
    crossover: float = Field(default=0.9, ge=0, le=1)
    """probability that a pair of parents exchanges a stretch"""
    mutation: float = Field(default=0.5, ge=0, le=1)
    """probability that a run of a child moves"""
    longest_run: int = Field(default=9, ge=2)
    """subtasks moved together at most"""

    def solve(self, problem: P1, search: Search) -> None:
        rng, ends = search.rng, ends_of(problem, by_segment=False)
        parents = first_population(problem, search, self.population, False, Fitness)
        _evaluate(search, parents)
        parents = tools.selNSGA2(parents, self.population, nd="log")
        while search.running:
            children = [_tournament(rng, parents).copy() for _ in range(self.population)]
            for one, other in zip(children[::2], children[1::2], strict=False):
                if rng.random() < self.crossover:
                    exchange(rng, ends, one, other)
            for child in children:
                if rng.random() < self.mutation:
                    move_run(problem, rng, self.longest_run, child)
            _evaluate(search, [child for child in children if not child.fitness.valid])
            parents = tools.selNSGA2(parents + children, self.population, nd="log")


def _evaluate(search: Search, individuals: list[Individual]) -> None:
    if not individuals:
        return
    values = search.propose_indicators(np.array([each.servers for each in individuals]))
    for individual, row in zip(individuals, values.tolist(), strict=True):
        individual.fitness.values = row


def _tournament(rng: np.random.Generator, parents: list[Individual]) -> Individual:
    """Return the better of two: the one that dominates, else the one that is less crowded."""
    drawn: list[int] = rng.integers(len(parents), size=2).tolist()
    one, other = (parents[i] for i in drawn)
    if one.fitness.dominates(other.fitness):
        return one
    if other.fitness.dominates(one.fitness) or other.fitness.crowding_dist > one.fitness.crowding_dist:
        return other
    return one
