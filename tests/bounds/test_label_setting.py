"""Label setting and the frontier's own placements, against brute force on short chains."""

from functools import cache
from itertools import pairwise, product

import handmade
import numpy as np
import pytest
from numpy.typing import NDArray

from experiments._shared.flat_chains import READINGS, flat_chain, weights_with_balance
from offbench import SearchEnded
from offbench.bounds import Flow, Guide, Program, SubtaskCosts, Window, sweep, widest
from offbench.bounds.frontier import ProgramStage
from offbench.bounds.state_space import Group, balanced_groups
from offbench.bounds.subtask_costs import SubtaskCost
from offbench.evaluation.evaluator import evaluate, evaluate_many
from offbench.model.instance import parse
from offbench.model.problem import P1

LAYERS = 6
BALANCES = [0, 0.1, 0.3, 1]


@cache
def program_of(read: str, balance: float, name: str = "vgg19") -> Program:
    """Return the program of a short chain on a client, two edges and two clouds."""
    weights = weights_with_balance(balance, score_alone=balance == 0.1)
    problem = P1(flat_chain(name, layers=LAYERS, edges=2, clouds=2, weights=weights, coordination=READINGS[read]))
    flow = Flow(np.ones(problem.n_subtasks), np.ones(problem.n_subtasks))
    return Program(problem, [[[step]] for step in SubtaskCosts(problem).under(flow)])


@cache
def optimum(read: str, balance: float) -> float:
    """Return the least objective of all placements."""
    problem = program_of(read, balance).problem
    every = product(range(problem.n_servers), repeat=problem.n_subtasks)
    return float(evaluate_many(problem, np.array(list(every))).min())


def nothing() -> None:
    """Check nothing."""


def guide(program: Program, states: int) -> Guide:
    """Return the guide of the most even window with so many states."""
    window = Window(program.problem.arrays, widest(program.problem.arrays, states)[0])
    return Guide(window, program.to_go(window))


def objective(program: Program, servers: NDArray[np.int64] | None) -> float:
    assert servers is not None
    return evaluate(program.problem, servers).objective


every_chain = pytest.mark.parametrize(("read", "balance"), list(product(READINGS, BALANCES)))


@every_chain
@pytest.mark.parametrize("states", [(1,), (9,), (400,), (1, 25, 400)])
def test_sweep_with_room_is_exact(read: str, balance: float, states: tuple[int, ...]) -> None:
    program = program_of(read, balance)
    found = sweep(program, [guide(program, each) for each in states], nothing, np.inf, 1_000_000)
    assert found.exact
    assert objective(program, found.servers) == pytest.approx(optimum(read, balance), abs=1e-12)
    assert found.lower_bound == pytest.approx(optimum(read, balance), abs=1e-12)
    assert found.lower_bound - program.rounding <= optimum(read, balance)


@every_chain
@pytest.mark.parametrize("room", [1, 2, 3, 4, 5])
def test_sweep_with_little_room_has_a_valid_bound(read: str, balance: float, room: int) -> None:
    program = program_of(read, balance)
    for states in (1, 25):
        found = sweep(program, [guide(program, states)], nothing, np.inf, room)
        assert found.lower_bound - program.rounding <= optimum(read, balance)
        value = objective(program, found.servers)
        assert value >= optimum(read, balance)
        # "No placement is cheaper than this and than that placement": with no more bound than that, it is proven.
        if found.lower_bound >= value:
            assert value == pytest.approx(optimum(read, balance), abs=1e-12)
        if found.exact:
            assert found.lower_bound == pytest.approx(value, abs=1e-12)


@every_chain
def test_sweep_drops_what_is_no_better_than_the_incumbent(read: str, balance: float) -> None:
    program = program_of(read, balance)
    best = optimum(read, balance)
    enough = best - 1e-9
    found = sweep(program, [guide(program, 25)], nothing, enough, 1_000_000)
    assert found.exact
    assert (found.servers, found.lower_bound) == (None, enough)
    above = sweep(program, [guide(program, 25)], nothing, best + 1e-6, 1_000_000)
    assert objective(program, above.servers) == pytest.approx(best, abs=1e-12)


def test_sweep_can_be_ended() -> None:
    program = program_of("costs-2", 0.3)
    calls = iter(range(3))

    def end() -> None:
        if next(calls) == 2:
            raise SearchEnded

    with pytest.raises(SearchEnded):
        sweep(program, [guide(program, 9)], end, np.inf, 10)


@every_chain
def test_window_that_forgets_nothing_finds_the_optimum(read: str, balance: float) -> None:
    program = program_of(read, balance)
    arrays = program.problem.arrays
    window = Window(arrays, tuple(Group(servers, LAYERS) for servers in balanced_groups(arrays)))
    tables = program.to_go(window)
    value = objective(program, program.cheapest(window, tables))
    assert value == pytest.approx(optimum(read, balance), abs=1e-12)
    assert value == pytest.approx(program.bound_of(tables), abs=1e-12)
    assert program.bound_of(tables) <= value
    assert program.lower_bound(window) == program.bound_of(tables)


@every_chain
def test_wider_windows_bound_better(read: str, balance: float) -> None:
    program = program_of(read, balance)
    arrays = program.problem.arrays
    bounds = [program.lower_bound(Window(arrays, ()))]
    for width in range(1, LAYERS + 1):
        window = Window(arrays, tuple(Group(servers, width) for servers in balanced_groups(arrays)))
        bounds.append(program.lower_bound(window))
        tables = program.to_go(window)
        assert objective(program, program.cheapest(window, tables)) >= bounds[-1]
    assert all(narrow <= wide + 1e-12 for narrow, wide in pairwise(bounds))
    assert bounds[-1] <= optimum(read, balance) <= bounds[-1] + 1e-12


def test_tables_are_for_every_subtask_and_the_end() -> None:
    program = program_of("costs-2", 0.3)
    window = Window(program.problem.arrays, widest(program.problem.arrays, 25)[0])
    tables = program.to_go(window)
    assert [table.shape for table in tables] == [
        (1, window.n_states), *[(5, window.n_states)] * (LAYERS - 1), (1, window.n_states)
    ]  # fmt: skip
    assert not tables[-1].any()
    assert len(program.stages) == LAYERS


def test_counts_of_more_than_16_bits() -> None:
    """65,540 layers on one of two edges, then ten on the other: the cost is that of the evaluator."""
    many, few = 65_540, 10
    layers = [handmade.layer(f"l{k}", 0, 0, (f"l{k - 1}",) if k else ()) for k in range(many + few)]
    made = handmade.instance(
        [handmade.server("client", "client"), handmade.server("e", "edge"), handmade.server("f", "edge")],
        [handmade.link("client", "edge"), handmade.link("edge", "edge")],
        [handmade.task("t", *layers)],
    )
    problem = P1(parse(made))
    servers = np.repeat([2, 1], [many, few])
    program = Program(problem, [[[SubtaskCost((), np.zeros(3))]]])
    at = [ProgramStage((), np.where(np.arange(3) == s, 0, np.inf)[None], np.zeros((1, 3), np.int64)) for s in range(3)]
    program._parts = [[[at[s] for s in servers]]]  # quicker than to lay out so many steps
    free = Guide(Window(problem.arrays, ()), [np.zeros((1, 1))] * (len(servers) + 1))
    found = sweep(program, [free], nothing, np.inf, 10)
    assert found.lower_bound == pytest.approx(evaluate(problem, servers).objective, rel=1e-9)
