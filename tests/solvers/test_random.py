"""Random placements."""

from itertools import pairwise
from typing import Any

import handmade
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import instances

from offbench import P1, Budget, Search, SearchEnded, solve
from offbench.model.instance import parse
from offbench.solvers.random import Random

Json = dict[str, Any]


class Watched(Search):
    """A search that keeps what was proposed."""

    def propose_many(self, assignments: Any, orders: Any = None) -> Any:
        self.proposed = np.array(assignments)
        return super().propose_many(assignments, orders)


@settings(max_examples=50)
@given(instances(), st.integers(0, 100))
def test_every_draw_is_allowed_and_the_incumbent_improves(data: Json, seed: int) -> None:
    instance = parse(data)
    solution = solve(instance, "random", seed=seed, max_evaluations=300, parameters={"batch": 7})
    assert solution.evaluations == 300
    assert solution.placement is not None
    for allowed, server in zip(P1(instance).allowed, solution.placement.servers, strict=True):
        assert allowed[server]
    objectives = [point.objective for point in solution.trace]
    assert objectives[-1] == solution.objective
    assert all(after < before for before, after in pairwise(objectives))


def test_allowed_servers_are_equally_likely() -> None:
    problem = P1(parse(handmade.phone()))
    search = Watched(problem, Budget(max_evaluations=20_000), seed=1)
    with pytest.raises(SearchEnded):
        Random(batch=20_000).solve(problem, search)
    for k, allowed in enumerate(problem.allowed):
        shares = np.bincount(search.proposed[:, k], minlength=problem.n_servers) / 20_000
        assert shares == pytest.approx(allowed / allowed.sum(), abs=0.02)
    # Subtasks are drawn independently.
    both = np.corrcoef(search.proposed[:, 0], search.proposed[:, 2])[0, 1]
    assert abs(both) < 0.03


def test_random_on_its_way_to_all_placements_finds_the_best() -> None:
    data = handmade.phone()
    data["tasks"] = [{**data["tasks"][0], "layers": data["tasks"][0]["layers"][:2]}]
    data["tasks"][0]["layers"][1]["allowed"] = ["phone", "edge-1"]
    problem = P1(parse(data))
    search = Search(problem)
    every = [[a, b] for a in range(4) for b in range(2)]
    best = search.propose_many(every).min()
    assert solve(parse(data), "random", max_evaluations=1000).objective == best
