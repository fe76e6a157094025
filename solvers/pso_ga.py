"""PSO-GA: a particle swarm that moves by the operators of a genetic algorithm."""

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from offbench import P1, Search, Solver

Ints = NDArray[np.int64]


class PsoGa(Solver):
    """A particle swarm with genetic operators, after Lin et al.

    Cost-Driven Off-Loading for DNN-Based Applications Over Cloud, Edge, and End Devices, IEEE Trans. Ind. Inform.
    16(8), 2020; arXiv 1907.13306. A particle is a placement of the free subtasks. Its inertia is a mutation, the server
    of one subtask drawn anew; what it knows and what the swarm knows are crossovers, a segment taken over from its own
    best or from the swarm's. The inertia adapts: a particle far from the swarm's best mutates more often. The first
    coefficient falls and the second rises with the share of the budget used.

    Of the article we could read the abstract alone, which names a self-adaptive discrete swarm with a mutation and a
    crossover, and no number. The inertia's formula, the ranges of both coefficients, the mutation of one place and the
    crossover between two are also those of `PSOGA` in the code of Multiple-DNN-Scheduling (GitHub, yhjh5302), another
    group's baseline. That one has 50 or 100 particles and an inertia of 0.2 to 0.8, one for the whole swarm, by its
    agreement with the best. Ours, unchecked: 0.4 to 0.9, for each particle, by its difference.
    """

    particles: int = Field(default=100, ge=1)
    inertia_least: float = Field(default=0.4, ge=0, le=1)
    """probability of a mutation, for a particle at the swarm's best"""
    inertia_most: float = Field(default=0.9, ge=0, le=1)
    """likewise, for one that is far from it"""
    own_first: float = Field(default=0.9, ge=0, le=1)
    """probability of a crossover with the particle's own best, at the beginning"""
    own_last: float = Field(default=0.2, ge=0, le=1)
    """likewise, at the end"""
    swarm_first: float = Field(default=0.4, ge=0, le=1)
    """probability of a crossover with the swarm's best, at the beginning"""
    swarm_last: float = Field(default=0.9, ge=0, le=1)
    """likewise, at the end"""

    def solve(self, problem: P1, search: Search) -> None:
        rng, free = search.rng, problem.free
        n = len(free)
        choices = np.argsort(~problem.allowed[free], axis=1, kind="stable")
        counts = problem.allowed[free].sum(axis=1)
        swarm = choices[np.arange(n), (rng.random((self.particles, n)) * counts).astype(np.int64)]
        placements = np.repeat(problem.everything_on(problem.arrays.client)[None], self.particles, axis=0)
        placements[:, free] = swarm
        value = search.propose_many(placements)
        own, own_value = swarm.copy(), value.copy()
        while search.running:
            best = own[own_value.argmin()]
            done = min(1.0, search.progress)
            inertia = adaptive_inertia((swarm != best).mean(axis=1), self.inertia_least, self.inertia_most)
            mutant = np.flatnonzero(rng.random(self.particles) < inertia)
            k = rng.integers(n, size=len(mutant))
            swarm[mutant, k] = choices[k, (rng.random(len(mutant)) * counts[k]).astype(np.int64)]
            for teacher, first, last in (
                (own, self.own_first, self.own_last),
                (np.broadcast_to(best, swarm.shape), self.swarm_first, self.swarm_last),
            ):
                learns = rng.random(self.particles) < first + (last - first) * done
                taken = _segments(rng, self.particles, n) & learns[:, None]
                swarm = np.where(taken, teacher, swarm)
            placements[:, free] = swarm
            value = search.propose_many(placements)
            better = value < own_value
            own[better], own_value[better] = swarm[better], value[better]


def adaptive_inertia(difference: NDArray[np.float64], least: float, most: float) -> NDArray[np.float64]:
    """Return the inertia of particles that differ from the swarm's best in this share of their subtasks."""
    inertia: NDArray[np.float64] = most - (most - least) * np.exp(difference / (difference - 1.01))
    return inertia


def _segments(rng: np.random.Generator, rows: int, n: int) -> NDArray[np.bool_]:
    """Draw a stretch of subtasks for each row."""
    ends = np.sort(rng.integers(n, size=(rows, 2)), axis=1)
    place = np.arange(n)
    inside: NDArray[np.bool_] = (ends[:, :1] <= place) & (place <= ends[:, 1:])
    return inside
