"""Many tasks solved a few at a time: the whole gets better, and what is pinned or limited stays so."""

import numpy as np
import pytest

from offbench import P1, Budget, Placement, Search, SearchEnded, evaluate, load
from offbench.model.composition import arrivals, compose
from offbench.model.instance import Limits
from offbench.search.budget import Clock
from offbench.solvers._shared.moves import start
from offbench.solvers._shared.windows import by_windows
from offbench.solvers.annealing import Annealing
from offbench.solvers.random import Random

# AlexNet alone (instances/references.json).
OPTIMUM_OF_ONE = 0.20308857892995213


def tasks(count: int, interval_s: float) -> P1:
    return P1(compose("tasks", [load("alexnet")], arrivals(count, interval_s=interval_s)))


def test_windows_find_what_no_share_of_all_tasks_can() -> None:
    """Twelve tasks far apart: each for itself is near the optimum of one, which moves of shares alone don't reach."""
    problem = tasks(12, 100.0)
    search = Search(problem, Budget(max_evaluations=60_000), seed=1)
    begun = evaluate(problem, start(problem, Search(problem))).objective
    with pytest.raises(SearchEnded):
        by_windows(Annealing(), problem, search)
    assert search.evaluations == 60_000
    assert search.objective < 0.5 * begun + 0.5 * 12 * OPTIMUM_OF_ONE  # whose balance is another


def test_a_solver_that_finds_little_makes_nothing_worse() -> None:
    problem = tasks(6, 1.0)
    search = Search(problem, Budget(max_evaluations=300), seed=2)
    with pytest.raises(SearchEnded):
        by_windows(Random(), problem, search)
    assert search.incumbent is not None
    assert search.objective <= evaluate(problem, start(problem, Search(problem))).objective


def test_pinned_layers_and_limits_of_the_whole_hold() -> None:
    instance = tasks(6, 0.1).instance
    first = instance.tasks[0]
    layers = (first.layers[0].model_copy(update={"allowed": ("edge-2",)}), *first.layers[1:])
    free = P1(instance)
    cost = evaluate(free, Placement(free.everything_on(3))).cost_usd
    instance = instance.model_copy(
        update={
            "format": "offbench/2",
            "limits": Limits(cost_usd=cost / 2),
            "tasks": (first.model_copy(update={"layers": layers}), *instance.tasks[1:]),
        }
    )
    problem = P1(instance)
    search = Search(problem, Budget(max_evaluations=20_000), seed=3)
    with pytest.raises(SearchEnded):
        by_windows(Annealing(), problem, search)
    assert search.incumbent is not None
    assert search.violation == 0
    assert search.incumbent.servers[0] == 2
    assert np.isfinite(search.objective)


def test_evaluations_alone_decide_what_comes_out() -> None:
    """Neither a slow machine nor the length of a window changes what a seed comes to, where no seconds are counted."""

    class Uneven(Clock):
        """A clock that goes fast now and slow then."""

        looks = 0

        @property
        def seconds(self) -> float:
            self.looks += 1
            return float((self.looks // 3) ** 2)

    problem, found = tasks(8, 0.5), []
    for clock, window_s in ((Clock(), 1e-3), (Uneven(), 10.0)):
        search = Search(problem, Budget(max_evaluations=20_000), seed=4, clock=clock)
        with pytest.raises(SearchEnded):
            by_windows(Annealing(), problem, search, window_s)
        assert search.evaluations == 20_000
        found.append([(each.evaluations, each.objective) for each in search.trace])
    assert found[0] == found[1]
