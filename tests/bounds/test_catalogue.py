"""No relaxation's bound lies above the optimum by brute force, dispatch orders included."""

from itertools import islice
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import instances, servers_for

from experiments._shared.brute_force import best, placements
from experiments._shared.checks import Kind, optimum, problem_of
from experiments._shared.tiny import SEEDS
from offbench.bounds import RELAXATIONS, Relaxation
from offbench.evaluation.client_only import client_only
from offbench.evaluation.gaps import contradict
from offbench.model.instance import parse
from offbench.model.objectives import with_objective
from offbench.model.placement import parse_placement
from offbench.model.problem import P1, P2, Problem

# A relaxation may go on improving for long.
MOST_BOUNDS = 20
MOST_PLACEMENTS = 20_000

every_relaxation = pytest.mark.parametrize("relaxation", RELAXATIONS, ids=lambda relaxation: relaxation.name)


def assert_below(relaxation: Relaxation, problem: Problem, objective: float) -> None:
    for k, bound in enumerate(islice(relaxation.bounds(problem), MOST_BOUNDS)):
        assert not contradict(objective, bound, client_only=client_only(problem).objective), (
            relaxation.name,
            k,
            bound,
            objective,
        )


def least(problem: Problem) -> float:
    """Return the optimum by brute force, of an instance small enough."""
    assume(problem.n_subtasks <= 6 and placements(problem) <= MOST_PLACEMENTS)
    return best(problem)[0]


@st.composite
def residual(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an instance with residual blocks: joins that read the layer before and one farther back."""
    made = draw(instances(max_tasks=2, max_layers=5, max_edges=2, max_clouds=1))
    for task in made["tasks"]:
        names = [layer["name"] for layer in task["layers"]]
        length = draw(st.integers(2, 3))  # from one fork to the next
        for j, layer in enumerate(task["layers"]):
            layer["inputs"] = names[j - 1 : j] if j else []
            if j >= length and j % length == 0:
                layer["inputs"] = draw(st.permutations([names[j - 1], names[j - length]]))
    return made


@every_relaxation
@settings(max_examples=100)
@given(data=st.data())
def test_bound_on_p1(relaxation: Relaxation, data: Any) -> None:
    problem = P1(parse(data.draw(instances(max_tasks=2, max_layers=3, max_edges=2, max_clouds=2))))
    assert_below(relaxation, problem, least(problem))


@every_relaxation
@settings(max_examples=75)
@given(data=st.data())
def test_bound_on_residual_blocks(relaxation: Relaxation, data: Any) -> None:
    problem = P1(parse(data.draw(residual())))
    assert_below(relaxation, problem, least(problem))


@every_relaxation
@settings(max_examples=100)
@given(data=st.data())
def test_bound_on_p2(relaxation: Relaxation, data: Any) -> None:
    made = data.draw(instances(max_layers=3, max_edges=1, max_clouds=1))  # few servers: queues
    instance = parse(made)
    problem = P2(instance, parse_placement({"servers": data.draw(servers_for(made))}, instance))
    assert_below(relaxation, problem, least(problem))


@pytest.mark.parametrize("problem", ["P1", "P2"])
def test_bounds_are_no_empty_words(problem: Kind) -> None:
    """On every tiny instance there is a bound, on many it is tight."""
    bounds = {
        seed: max(bound for relaxation in RELAXATIONS for bound in islice(relaxation.bounds(made), MOST_BOUNDS))
        for seed in SEEDS[::10]
        for made in [problem_of(seed, problem)]
    }
    assert all(bound > -np.inf for bound in bounds.values())
    assert sum(bound > optimum(seed, problem) - 1e-3 for seed, bound in bounds.items()) >= len(bounds) // 4


@every_relaxation
@pytest.mark.parametrize("problem", ["P1", "P2"])
def test_bound_on_the_tiny_instances(relaxation: Relaxation, problem: Kind) -> None:
    for seed in SEEDS[::4]:
        assert_below(relaxation, problem_of(seed, problem), optimum(seed, problem))


@pytest.mark.parametrize("objective", ["cost", "energy", "latency"])
def test_no_bound_is_below_0_where_q_cant_be(objective: str) -> None:
    """Rounding takes something off every bound; of money the client alone needs none."""
    problem = P1(with_objective("alexnet", objective))
    values = [value for relaxation in RELAXATIONS for value in islice(relaxation.bounds(problem), 2)]
    assert values and min(values) >= 0
    assert objective != "cost" or max(values) == 0
