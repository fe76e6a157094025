"""Split costs: the bound and its guides against brute force on short chains."""

from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments._shared.flat_chains import READINGS, flat_chain, weights_with_balance
from offbench import SearchEnded
from offbench.bounds import Flow, Group, Guide, Program, Split, SubtaskCosts, Window, alone, sweep
from offbench.bounds.state_space import balanced_groups, narrowed
from offbench.evaluation.evaluator import evaluate, evaluate_many
from offbench.model.arrays import Floats
from offbench.model.problem import P1

LAYERS = 6


@cache
def program_of(
    read: str, balance: float, *, score_alone: bool, name: str = "vgg19", servers: tuple[int, int] = (2, 2)
) -> Program:
    """Return the program of a short chain."""
    weights = weights_with_balance(balance, score_alone=score_alone)
    edges, clouds = servers
    problem = P1(
        flat_chain(name, layers=LAYERS, edges=edges, clouds=clouds, weights=weights, coordination=READINGS[read])
    )
    flow = Flow(np.ones(problem.n_subtasks), np.ones(problem.n_subtasks))
    return Program(problem, [[[step]] for step in SubtaskCosts(problem).under(flow)])


@cache
def objectives(program: Program) -> Floats:
    """Return the objective of all placements."""
    problem = program.problem
    return evaluate_many(problem, np.array(list(product(range(problem.n_servers), repeat=problem.n_subtasks))))


def groups_of(program: Program, *widths: int) -> list[Group]:
    return [Group(*each) for each in zip(balanced_groups(program.problem.arrays), widths, strict=True)]


def nothing() -> None:
    """Check nothing."""


settings_of_chains = st.tuples(
    st.sampled_from(list(READINGS)), st.sampled_from([0.0, 0.05, 0.3, 0.9, 1.0]), st.booleans(),
    st.sampled_from(["vgg19", "alexnet", "resnet"]),
)  # fmt: skip


@given(settings_of_chains, st.tuples(st.integers(1, 4), st.integers(1, 4)), st.data())
@settings(deadline=None)
def test_never_above_the_optimum_and_never_worse(
    setting: tuple[str, float, bool, str], widths: tuple[int, int], data: st.DataObject
) -> None:
    read, balance, score_alone, name = setting
    program = program_of(read, balance, score_alone=score_alone, name=name)
    every = np.sort(objectives(program))
    # Placements from the incumbent on may be left out: so the optimum is bounded as far as it is below.
    incumbent = float(data.draw(st.sampled_from([np.inf, every[0], every[1], every[50], every[-1]])))
    split = Split(program, groups_of(program, *widths))
    best = before = split.lower_bound
    for _ in range(data.draw(st.integers(1, 4))):
        if data.draw(st.booleans()):
            split.wider(1 << 30, nothing)
        split.improve(incumbent, nothing)
        best = min(split.lower_bound, incumbent)
        assert best - split.rounding <= every[0]
        assert best >= before - split.rounding
        before = best
    found = sweep(program, split.guides, nothing, incumbent, 1_000_000)
    assert found.exact
    assert found.lower_bound == pytest.approx(min(every[0], incumbent), abs=1e-11)
    assert found.lower_bound - split.rounding <= every[0]
    if every[0] < incumbent - 1e-9:
        assert found.servers is not None
        assert evaluate(program.problem, found.servers).objective == pytest.approx(every[0], abs=1e-11)


@pytest.mark.parametrize("room", [1, 3, 10])
def test_guides_with_little_room_have_a_valid_bound(room: int) -> None:
    program = program_of("costs-2", 0.3, score_alone=True)
    split = Split(program, groups_of(program, 2, 2))
    split.improve(np.inf, nothing)
    found = sweep(program, split.guides, nothing, np.inf, room)
    assert found.lower_bound - split.rounding <= objectives(program).min()


def test_split_is_stronger_than_either_window_alone() -> None:
    """Each window alone lets a placement hide in the servers that it forgets."""
    program = program_of("costs-2", 0.9, score_alone=True)
    groups = groups_of(program, LAYERS, LAYERS)
    alone_bounds = [program.lower_bound(Window(program.problem.arrays, (group,))) for group in groups]
    split = Split(program, groups)
    for _ in range(5):
        split.improve(np.inf, nothing)
    assert split.lower_bound - split.rounding > max(alone_bounds) + 1e-3


def test_one_group_and_none_are_the_window_itself() -> None:
    program = program_of("costs-2", 0.3, score_alone=True, servers=(3, 1))
    (group,) = groups_of(program, 2)
    window = Window(program.problem.arrays, (group,))
    split = Split(program, [group])
    assert split.name == window.name == "3x2"
    assert split.lower_bound == pytest.approx(program.lower_bound(window), abs=1e-12)
    for k, table in enumerate(program.to_go(window)):
        # Before the first subtask nothing has been placed.
        here = slice(None) if k else slice(1)
        np.testing.assert_allclose(split.guides[0].tables[k][:, here], table[:, here], atol=1e-12)
    bare = program_of("costs-2", 0.3, score_alone=True, servers=(1, 1))
    assert Split(bare, []).lower_bound == pytest.approx(objectives(bare).min(), abs=1e-12)


def test_an_incumbent_that_is_optimal_leaves_nothing() -> None:
    program = program_of("costs-2", 0.3, score_alone=True)
    best = objectives(program).min()
    split = Split(program, groups_of(program, LAYERS, LAYERS))
    for _ in range(20):
        split.improve(best - 0.1, nothing)
    assert split.lower_bound == np.inf
    assert sweep(program, split.guides, nothing, best - 0.1, 100).servers is None


def test_windows_are_widened_until_nothing_is_forgotten_or_room_ends() -> None:
    program = program_of("costs-2", 0.3, score_alone=True)
    split = Split(program, groups_of(program, 1, 4))
    assert split.name == "2x1 | 2x4"
    assert not split.wider(100, nothing)
    assert split.wider(1 << 20, nothing)
    assert split.name == "2x2 | 2x5"
    while split.wider(1 << 20, nothing):
        pass
    assert split.name == f"2x{LAYERS} | 2x{LAYERS}"


def test_improving_can_be_ended() -> None:
    program = program_of("costs-2", 0.3, score_alone=True)
    split = Split(program, groups_of(program, 2, 2))
    calls = iter(range(3))

    def end() -> None:
        if next(calls) == 2:
            raise SearchEnded

    with pytest.raises(SearchEnded):
        split.improve(np.inf, end)


def test_guides_add_up_where_they_say_so() -> None:
    program = program_of("costs-2", 0.3, score_alone=True)
    window = Window(program.problem.arrays, ())
    half = [table / 2 for table in program.to_go(window)]
    whole = Guide(window, program.to_go(window))
    for guides in ([Guide(window, half), Guide(window, half, adds=True)], [Guide(window, half), whole]):
        found = sweep(program, guides, nothing, np.inf, 3)
        assert found.lower_bound == sweep(program, [whole], nothing, np.inf, 3).lower_bound


def test_alone_is_the_widest_of_each_kind() -> None:
    arrays = program_of("costs-2", 0.3, score_alone=True, servers=(4, 2)).problem.arrays
    assert alone(arrays, 100) == [Group((1, 2, 3, 4), 2), Group((5, 6), 49)]
    many = P1(flat_chain("alexnet", layers=1, edges=40, clouds=1)).arrays
    assert alone(many, 1_000) == [Group(tuple(range(1, 10)), 1)]


def test_narrowed_keeps_what_the_narrow_window_tells_apart() -> None:
    arrays = program_of("costs-2", 0.3, score_alone=True, servers=(3, 1)).problem.arrays
    wide, narrow = (Window(arrays, (Group((1, 2, 3), width),)) for width in (4, 2))
    of = narrowed(wide, narrow)
    for counts in product(range(5), repeat=3):
        if min(counts) == 0:
            state, seen = (
                window.state_of[sum(min(n, window.width[s]) * window.radix[s] for s, n in enumerate(counts, 1))]
                for window in (wide, narrow)
            )
            assert of[state] == seen
