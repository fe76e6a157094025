"""Where the residual blocks are, and how the delay flows."""

from itertools import pairwise
from typing import Any

import handmade
import numpy as np
import pytest
from handmade import layer
from hypothesis import given
from strategies import instances

from offbench.bounds import Flow, SubtaskCosts, flows
from offbench.bounds.frontier import Case
from offbench.bounds.residual_cases import ResidualBlock, find_blocks, parts
from offbench.bounds.subtask_costs import SubtaskCost
from offbench.model.instance import load, parse
from offbench.model.problem import P1, Problem

Json = dict[str, Any]

SERVERS = [handmade.server("client", "client", ghz=1, power=1), handmade.server("edge", "edge", ghz=4, price=1)]
LINKS = [handmade.link("client", "edge", rate=2, price=0.1, power=0.2)]


def problem_of(*layers: Json, before: int = 0) -> Problem:
    """Return a problem of one graph, after *before* tasks of one layer."""
    others = [handmade.task(f"other-{i}", layer("a", 1)) for i in range(before)]
    return P1(parse(handmade.instance(SERVERS, LINKS, [*others, handmade.task("graph", *layers, input_mb=1)])))


def residual(*more: Json, join: tuple[str, ...] = ("second", "fork")) -> list[Json]:
    """Return a block of two layers between fork and join, and *more* behind it."""
    return [
        layer("start", 1, 1),
        layer("fork", 1, 1, ("start",)),
        layer("first", 2, 1, ("fork",)),
        layer("second", 1, 1, ("first",)),
        layer("join", 1, 1, join),
        *more,
    ]


@pytest.mark.parametrize(
    ("name", "blocks"), [("resnet", 32), ("mixed-4", 32), ("googlenet", 0), ("vgg19", 0), ("alexnet", 0)]
)
def test_blocks_of_the_networks(name: str, blocks: int) -> None:
    problem = P1(load(name))
    found = list(find_blocks(problem))
    assert len(found) == blocks
    a = problem.arrays
    for block in found:
        assert (a.input_of[block.chain], a.input_of[block.skip]) == (block.join - 1, block.fork)
        assert block.fork < block.join - 1
        assert all(a.input_start[block.join] <= i < a.input_start[block.join + 1] for i in (block.chain, block.skip))
    assert all(first.join <= second.fork for first, second in pairwise(found))


def test_block_by_hand() -> None:
    # Inputs: one each of start, fork, first and second, then the join's two.
    assert list(find_blocks(problem_of(*residual()))) == [ResidualBlock(fork=1, join=4, chain=4, skip=5)]
    assert list(find_blocks(problem_of(*residual(join=("fork", "second"))))) == [ResidualBlock(1, 4, chain=5, skip=4)]
    assert list(find_blocks(problem_of(*residual(layer("end", 1, 0, ("join",)))))) == [ResidualBlock(1, 4, 4, 5)]
    assert list(find_blocks(problem_of(*residual(), before=2))) == [ResidualBlock(3, 6, chain=6, skip=7)]


def test_shorter_skip_is_a_shorter_block() -> None:
    assert list(find_blocks(problem_of(*residual(join=("second", "first"))))) == [ResidualBlock(2, 4, chain=4, skip=5)]


def test_blocks_one_after_the_other() -> None:
    more = (layer("third", 1, 1, ("join",)), layer("last", 1, 1, ("join", "third")))
    assert list(find_blocks(problem_of(*residual(*more)))) == [
        ResidualBlock(1, 4, 4, 5),
        ResidualBlock(4, 6, chain=8, skip=7),
    ]


def test_block_at_the_beginning_of_a_task() -> None:
    layers = (layer("fork", 1, 1), layer("only", 1, 1, ("fork",)), layer("join", 1, 0, ("only", "fork")))
    assert list(find_blocks(problem_of(*layers))) == [ResidualBlock(0, 2, chain=2, skip=3)]


def changed(place: int, made: Json) -> list[Json]:
    """Return the block with a layer inserted."""
    layers = residual()
    return [*layers[:place], made, *layers[place:]]


@pytest.mark.parametrize(
    "layers",
    [
        pytest.param(changed(3, layer("leaf", 1, 1, ("first",))), id="leaf of the chain"),
        pytest.param(changed(2, layer("leaf", 1, 1, ("fork",))), id="leaf of the fork"),
        pytest.param(changed(4, layer("leaf", 1, 1, ("second",))), id="leaf before the join"),
        pytest.param(changed(3, layer("leaf", 1, 1)), id="leaf from the task's input"),
        pytest.param(residual(layer("end", 1, 0, ("join", "first"))), id="second reader of the chain"),
        pytest.param(residual(layer("end", 1, 0, ("join", "fork"))), id="second reader of the fork"),
        pytest.param(residual(layer("end", 1, 0, ("join", "start"))), id="second reader of what is before the fork"),
        pytest.param(residual(join=("second",)), id="no skip"),
        pytest.param(residual(join=("second", "fork", "start")), id="three inputs"),
        pytest.param([*residual()[:3], layer("second", 1, 1, ("first", "fork")), *residual()[4:]], id="skip within"),
        pytest.param([*residual()[:3], layer("second", 1, 1, ("fork",)), *residual()[4:]], id="no chain"),
    ],
)
def test_no_block(layers: list[Json]) -> None:
    assert list(find_blocks(problem_of(*layers))) == []


def steps_of(case: Case) -> list[SubtaskCost]:
    assert isinstance(case, list)
    return case


def test_parts_are_the_subtasks_in_order() -> None:
    problem = problem_of(*residual(layer("end", 1, 0, ("join",))), before=1)
    steps = SubtaskCosts(problem)
    flow = next(iter(flows(problem)))
    made = [[steps_of(case) for case in cases] for cases in parts(problem, steps, flow)]
    # The skip's transfer takes no time, or what the link takes.
    assert [len(cases) for cases in made] == [1, 1, 1, 3, 1]
    assert [{len(case) for case in cases} for cases in made] == [{1}, {1}, {1}, {3}, {1}]
    for single, k in ((0, 0), (1, 1), (2, 2), (4, 6)):
        expected = steps.step(k, flow.subtask[k], flow.transfer)
        assert made[single][0][0].inputs == expected.inputs
        assert np.array_equal(made[single][0][0].cost, expected.cost)
    for case in made[3]:
        assert [step.inputs for step in case] == [(2,), (3,), (4, 2)]


def assert_conserved(problem: Problem, flow: Flow) -> None:
    """Check that what enters a subtask passes through it, and that all of a task's delay ends somewhere in it."""
    a, n = problem.arrays, problem.n_subtasks
    assert np.all(flow.subtask >= 0)
    assert np.all(flow.transfer >= 0)
    assert np.add.reduceat(flow.transfer, a.input_start[:-1].astype(int)) == pytest.approx(flow.subtask, abs=1e-12)
    sent = np.bincount(a.input_of, flow.transfer, n + len(a.arrival_s))
    ends = flow.subtask - sent[:n]
    assert ends.min() >= -1e-12
    readers = np.diff(a.reader_start.astype(int))
    assert ends[readers > 0] == pytest.approx(0, abs=1e-12)
    assert np.add.reduceat(ends, a.task_start[:-1].astype(int)) == pytest.approx(1)
    # What no subtask sends comes from the tasks' inputs.
    assert sent[n:] == pytest.approx(1)


@given(instances(max_layers=6))
def test_flows_conserve_what_flows(made: Json) -> None:
    problem = P1(parse(made))
    found = list(flows(problem))
    assert 1 <= len(found) <= 2
    for flow in found:
        assert_conserved(problem, flow)


@pytest.mark.parametrize("name", ["resnet", "googlenet", "mixed-4"])
def test_flows_of_the_networks(name: str) -> None:
    problem = P1(load(name))
    heavy, even = flows(problem)
    for flow in (heavy, even):
        assert_conserved(problem, flow)
    assert set(heavy.transfer) == {0, 1}
    assert set(even.transfer) - {0, 1}


def test_flow_through_most_work() -> None:
    problem = problem_of(
        layer("fork", 1, 1),
        layer("left", 3, 1, ("fork",)),
        layer("right", 2, 1, ("fork",)),
        layer("join", 1, 1, ("left", "right")),
        layer("leaf", 2, 1, ("right",)),
    )
    heavy, even = flows(problem)
    assert heavy.subtask.tolist() == [1, 1, 0, 1, 0]
    assert heavy.transfer.tolist() == [1, 1, 0, 1, 0, 0]
    assert even.subtask.tolist() == [1, 0.25, 0.75, 0.5, 0.5]
    assert even.transfer.tolist() == [1, 0.25, 0.75, 0.25, 0.25, 0.5]


def test_chain_has_one_flow() -> None:
    (flow,) = flows(P1(load("vgg19")))
    assert set(flow.subtask) == set(flow.transfer) == {1}
