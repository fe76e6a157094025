"""Costs of subtasks: never more than what a subtask costs, and exactly that where nothing is relaxed."""

from collections.abc import Sequence
from typing import Any

import handmade
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import placed

from experiments._shared.flat_chains import LAYERS, READINGS, flat_chain, weights_with_balance
from offbench.bounds import flows
from offbench.bounds.subtask_costs import Flow, SubtaskCost, SubtaskCosts, _gains, _largest, never_queues
from offbench.evaluation.coordination import coordination
from offbench.evaluation.evaluator import evaluate, evaluate_many
from offbench.evaluation.kernel import PARTS
from offbench.model.arrays import WEIGHT, Arrays
from offbench.model.instance import load, parse
from offbench.model.placement import parse_placement
from offbench.model.problem import P1

Floats = NDArray[np.float64]
Drawn = tuple[dict[str, Any], list[list[str]], list[list[int]] | None]

BLANK = P1(parse(handmade.phone())).arrays
LAMBDAS = [(0.33, 0.33, 0.34), (1, 0, 0), (0, 0.5, 0.5), (0.9, 0.05, 0.05), (0.02, 0.9, 0.08), (0, 0, 1)]
QUEUEING = PARTS.index("queueing_s")


def reading(benefits: bool, root: int, lambdas: Sequence[float]) -> Arrays:
    """Return arrays with a reading of Eq. 11; nothing else of them counts here."""
    return BLANK._replace(benefits=benefits, root=root, lambdas=np.array(lambdas, dtype=float))


readings = st.builds(reading, st.booleans(), st.sampled_from([2, 3]), st.sampled_from(LAMBDAS))
indicator = st.one_of(st.sampled_from([0.0, 1.0, 1e-3, 1 - 1e-9, 1e-9]), st.floats(1e-9, 1.5), st.floats(1e-4, 0.1))
delay = st.one_of(st.sampled_from([0.0, 1.0, 1e-9, 0.5]), st.floats(1e-6, 3), st.floats(1e-12, 100))


def samples(low: float, high: float) -> Floats:
    """Return values all over an interval, close to its ends and to 1."""
    even = np.linspace(low, high, 501)
    steps = (high - low) * 10.0 ** -np.arange(1, 15)
    values: Floats = np.clip(np.concatenate([even, low + steps, high - steps, 1 + steps, 1 - steps]), low, high)
    return values


def counted(arrays: Arrays, *costs: float) -> list[float]:
    """Return standardised costs as they count."""
    return [1 - min(1.0, cost) if arrays.benefits else cost for cost in costs]


def largest(arrays: Arrays, low: float, high: float, e: float, u: float) -> float:
    return float(_largest(0.0, high - low, *counted(arrays, low, e, u), arrays.lambdas, arrays.root, arrays.benefits))


@settings(max_examples=100)
@given(readings, indicator, indicator, delay, delay)
def test_largest_is_at_least_h(arrays: Arrays, e: float, u: float, a: float, b: float) -> None:
    low, high = sorted((a, b))
    h = coordination(arrays, samples(low, high), e, u)
    assert h.max() <= largest(arrays, low, high, e, u) * (1 + 1e-12)


@settings(max_examples=100)
@given(readings, indicator, indicator, delay)
def test_largest_is_h_where_the_ends_meet(arrays: Arrays, e: float, u: float, t: float) -> None:
    assert largest(arrays, t, t, e, u) == pytest.approx(float(coordination(arrays, t, e, u)), rel=1e-12, abs=0)


def gain(
    arrays: Arrays, t: float, e: float, u: float, most: float, still: bool = False, worth: float = 1, per_t: float = 0
) -> float:
    """Return `_gains` of one delay."""
    rows = *(np.array([each]) for each in (t, *counted(arrays, t, e, u))), np.array([still])
    return float(_gains(*rows, worth, per_t, most, arrays.lambdas, arrays.root, arrays.benefits)[0])


worths = st.sampled_from([0.0, 0.2, 1.0])
slopes = st.one_of(st.just(0.0), st.floats(1e-3, 3))
longer = st.one_of(st.just(0.0), st.floats(1e-9, 50))


@settings(max_examples=100)
@given(readings, indicator, indicator, delay, longer, worths, slopes)
def test_gains_are_at_least_what_queueing_gains(
    arrays: Arrays, e: float, u: float, t: float, longer: float, worth: float, per_t: float
) -> None:
    most = t + longer
    queued = samples(t, most)
    h = worth * coordination(arrays, queued, e, u)
    price = per_t * (queued - t)
    found = gain(arrays, t, e, u, most, worth=worth, per_t=per_t)
    assert np.all(h - price <= found + 1e-12 * (h + price))
    # And not by much: H itself is no smaller anywhere that it is tried. The longest delay is taken a little longer.
    assert found <= worth * largest(arrays, t, most * (1 + 1e-11), e, u) * (1 + 1e-12)


@given(readings, indicator, indicator, delay, worths, slopes)
def test_gain_of_what_never_queues_is_h(
    arrays: Arrays, e: float, u: float, t: float, worth: float, per_t: float
) -> None:
    h = worth * float(coordination(arrays, t, e, u))
    for most, still in ((t + 5, True), (t, False), (t * (1 - 1e-14), False)):
        assert gain(arrays, t, e, u, most, still, worth, per_t) == pytest.approx(h, rel=1e-11, abs=0)


def test_delay_beyond_the_longest_is_impossible() -> None:
    assert gain(BLANK, 1.0, 0.5, 0.5, most=0.9) == -np.inf


@pytest.mark.parametrize("root", [2, 3])
def test_gain_is_close_to_the_best_way_to_queue(root: int) -> None:
    arrays = reading(False, root, LAMBDAS[0])
    for t, e, u, per_t in ((0.1, 0.5, 0.4, 0.1), (0.01, 0.2, 0.9, 0.05), (0.5, 0.01, 0.02, 0.01)):
        queued = np.linspace(t, 20, 200_001)
        best = (coordination(arrays, queued, e, u) - per_t * (queued - t)).max()
        assert best <= gain(arrays, t, e, u, 20, per_t=per_t) <= best * 1.002


@settings(max_examples=75)
@given(placed(ordered=True), st.booleans())
def test_what_never_queues_never_queues(drawn: Drawn, first_come: bool) -> None:
    made, servers, order = drawn
    instance = parse(made)
    problem = P1(instance)
    placement = parse_placement({"servers": servers, "order": None if first_come else order}, instance)
    queueing = evaluate(problem, placement).parts[:, QUEUEING]
    never = never_queues(problem)[np.arange(problem.n_subtasks), placement.servers]
    assert not queueing[never].any()


def pair(pool: int, layers: int = 2, **more: Any) -> P1:
    """Return as many tasks of one layer as *layers*, all on a client with so many slots."""
    tasks = [handmade.task(f"t{i}", {**handmade.layer("a", 1), **more}) for i in range(layers)]
    return P1(parse(handmade.instance([handmade.server("client", "client", pool=pool)], [], tasks)))


@pytest.mark.parametrize(("pool", "layers"), [(1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 4)])
def test_as_many_others_as_slots_can_queue(pool: int, layers: int) -> None:
    problem = pair(pool, layers)
    assert never_queues(problem).tolist() == [[layers <= pool]] * layers
    assert evaluate(problem, [0] * layers).parts[:, QUEUEING].any() == (layers > pool)


def test_who_needs_whom_never_waits_for_it() -> None:
    problem = P1(parse(handmade.phone()))
    # The chain of three may wait for the four of the graph anywhere; on the cloud's four slots the graph waits for
    # none, with two of the chain (the third may not run there) and a branch beside the other.
    assert never_queues(problem).tolist() == [[False] * 4] * 3 + [[False, False, False, True]] * 4
    alone = P1(parse(handmade.phone() | {"tasks": handmade.phone()["tasks"][1:]}))
    assert never_queues(alone).tolist() == [
        [True] * 4, [False, True, True, True], [False, True, True, True], [True] * 4
    ]  # fmt: skip


def test_without_queueing_nothing_queues() -> None:
    assert SubtaskCosts(pair(1), queueing=False).never_queues.all()
    assert not SubtaskCosts(pair(1)).never_queues.any()


def total(steps: list[SubtaskCost], servers: NDArray[np.int64]) -> float:
    """Return the sum of the steps of one placement."""
    return sum(float(step.cost[(*servers[list(step.inputs)], servers[k])]) for k, step in enumerate(steps))


@pytest.mark.parametrize("queueing", [True, False])
@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize("name", LAYERS)
def test_steps_of_a_chain_sum_to_the_objective(name: str, read: str, queueing: bool) -> None:
    problem = P1(flat_chain(name, weights=weights_with_balance(0), coordination=READINGS[read]))
    flow = Flow(np.ones(problem.n_subtasks), np.ones(problem.n_subtasks))
    steps = SubtaskCosts(problem, queueing).under(flow)
    rng = np.random.default_rng(7)
    rows = rng.integers(problem.n_servers, size=(100, problem.n_subtasks))
    rows[0] = problem.everything_on(problem.arrays.client)
    sums = np.array([total(steps, servers) for servers in rows])
    np.testing.assert_allclose(sums, evaluate_many(problem, rows), rtol=1e-12, atol=1e-12)


@settings(max_examples=75)
@given(placed(ordered=True), st.booleans())
def test_steps_cost_no_more_than_any_placement(drawn: Drawn, first_come: bool) -> None:
    made, servers, order = drawn
    instance = parse(made)
    problem = P1(instance)
    placement = parse_placement({"servers": servers, "order": None if first_come else order}, instance)
    evaluation = evaluate(problem, placement)
    a = problem.arrays
    without_balance = evaluation.objective - a.weights[WEIGHT.balance] * evaluation.balance
    steps = SubtaskCosts(problem)
    for flow in flows(problem):
        assert total(steps.under(flow), placement.servers) <= without_balance + 1e-9 * max(1, abs(without_balance))


def test_what_is_not_allowed_costs_infinitely_much() -> None:
    problem = P1(parse(handmade.phone()))
    for flow in flows(problem):
        for k, step in enumerate(SubtaskCosts(problem).under(flow)):
            assert np.array_equal(np.isinf(step.cost), np.broadcast_to(~problem.allowed[k], step.cost.shape))


def test_too_many_inputs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    problem = P1(parse(handmade.phone()))
    flow = next(iter(flows(problem)))
    known = SubtaskCosts(problem).under(flow)
    monkeypatch.setattr("offbench.bounds.subtask_costs._LARGEST_TABLE", 20)  # of four servers one input fits, not two
    forgetful = SubtaskCosts(problem).under(flow)
    join = problem.n_subtasks - 1
    assert [step.inputs for step in forgetful] == [*(step.inputs for step in known[:join]), ()]
    assert np.all(forgetful[join].cost <= known[join].cost.min(axis=(0, 1)))
    assert np.all(np.isfinite(forgetful[join].cost))


@pytest.mark.parametrize("read", READINGS)
@pytest.mark.parametrize(("largest_table", "n_kept"), [(11**4 * 4, 3), (11**3 * 16, 2), (11 * 4**4, 0)])
def test_of_a_place_that_is_forgotten_the_cheapest_counts(
    largest_table: int, n_kept: int, read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if all were in the table: of eleven places, four ways lead to another."""
    googlenet = load("googlenet").model_dump(exclude_none=True)
    problem = P1(parse(googlenet | {"coordination": READINGS[read]}))
    join = next(k for k in range(problem.n_subtasks) if len(problem.inputs_of(k)) == 4)
    flow = Flow(np.full(problem.n_subtasks, 0.5), np.full(len(problem.arrays.input_of), 0.125))
    known = SubtaskCosts(problem).step(join, 0.5, flow.transfer)
    monkeypatch.setattr("offbench.bounds.subtask_costs._LARGEST_TABLE", largest_table)
    step = SubtaskCosts(problem).step(join, 0.5, flow.transfer)
    assert len(known.inputs) == 4
    assert len(step.inputs) == n_kept
    assert n_kept == 0 or join - 1 in step.inputs
    forgotten = tuple(axis for axis, source in enumerate(known.inputs) if source not in step.inputs)
    np.testing.assert_allclose(step.cost, known.cost.min(axis=forgotten), rtol=1e-12)


@pytest.mark.parametrize("arrival_s", [0.1, 0.3, 2.5, 7.7, 1e6, 123456.789])
def test_arrival_that_dwarfs_the_work_makes_nothing_impossible(arrival_s: float) -> None:
    """Alone on the client the delay is its scale: all indicators are 1, whenever it arrives."""
    for work in np.random.default_rng(3).uniform(1e-9, 1e-8, 20).tolist():
        servers = [handmade.server("client", "client", price=1, power=1)]
        tasks = [handmade.task("t", handmade.layer("a", work), arrival_s=arrival_s)]
        weights = {"delay": 0.5, "energy": 0.3, "cost": 0.2, "score": 1, "coordination": 0, "balance": 0}
        problem = P1(parse(handmade.instance(servers, [], tasks, weights=weights)))
        (step,) = SubtaskCosts(problem).under(next(flows(problem)))
        assert step.cost.tolist() == [pytest.approx(1)]
