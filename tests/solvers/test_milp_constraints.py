"""milp under memories, deadlines and limits, with several clients: held against enumeration, and at the edge."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade import DELAY_ALONE, instance, layer, link, server, task

from experiments._shared.brute_force import assignments, dispatch_orders
from experiments._shared.tiny import tiny_instance, tiny_servers
from offbench import Placement, Solution, solve
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import evaluate, totals_of_many
from offbench.evaluation.gaps import tolerance
from offbench.evaluation.kernel import TOTAL
from offbench.model.instance import Instance, parse
from offbench.model.problem import FEASIBLE, P1, P2, Problem
from offbench.solvers.milp import refinement
from offbench.solvers.milp.inputs import transfer_j, transfer_s, transfer_usd

Json = dict[str, Any]
KINDS = ("memory", "deadlines", "limits")


@pytest.fixture(autouse=True)
def _poor_start(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with all on the last server, which hides nothing that the model forbids by mistake."""
    monkeypatch.setattr(refinement, "greedy", lambda search: search.problem.everything_on(search.problem.n_servers - 1))


def optimum(problem: Problem) -> float:
    """Return the least objective of a feasible placement, infinite where there is none."""
    orders = dispatch_orders(problem)
    rows = np.repeat(np.array(list(assignments(problem))), len(orders), axis=0)
    totals = totals_of_many(problem, rows, np.tile(orders, (len(rows) // len(orders), 1)))
    return float(totals[totals[:, TOTAL.violation] <= FEASIBLE, TOTAL.objective].min(initial=math.inf))


def check(problem: Problem, found: Solution) -> None:
    """Hold a solution's status, objective and bound against enumeration."""
    best = optimum(problem)
    if best == math.inf:
        assert found.status == "infeasible"
        return
    baseline = client_only(problem).objective
    assert found.status == "optimal"
    assert found.evaluation is not None
    assert found.evaluation.feasible
    assert found.objective <= best + 1.0001 * tolerance(best, client_only=baseline)
    assert found.lower_bound <= best + 1e-12 * max(abs(best), abs(baseline))


def two_phones() -> Json:
    """Return a chain and a diamond of two clients, with everything that format 2 adds but constraints."""
    chain = (
        {**layer("a", 0.9, 1.1), "seconds": {"one": 0.8, "edge": 0.07}, "weights_mb": 4, "weights_id": "net/a"},
        {**layer("b", 0.5, 0.2), "inputs": [{"layer": "a", "mb": 0.3}], "weights_mb": 2.5},
    )
    diamond = (
        {**layer("a", 0.9, 1.1), "weights_mb": 4, "weights_id": "net/a"},
        {**layer("b", 0.4, 0.4, ("a",)), "weights_mb": 1.5},
        {**layer("c", 0.6, 0.3), "inputs": ["a", {"input_mb": 0.2}], "weights_mb": 3},
        {**layer("d", 0.3, 0, ("b", "c")), "weights_mb": 0.5},
    )
    return instance(
        [
            {**server("one", "client", 1, power=4), "idle_power_w": 0.7},
            server("edge", "edge", 8, price=2.2, power=1),
            server("other", "client", 2, power=3),
            server("cloud", "cloud", 40, price=0.9, power=1, pool=2),
        ],
        [
            {"from": "client", "to": "edge", "rate_mb_per_s": 4, "latency_s": 0.02, "price_per_gb": 0.1,
             "transmit_power_w": 2.1},
            {"from": "edge", "to": "client", "rate_mb_per_s": 11, "latency_s": 0.03, "price_per_gb": 0.1,
             "transmit_power_w": 1.1},
            {"from": "other", "to": "edge", "rate_mb_per_s": 2, "latency_s": 0.05, "price_per_gb": 0.2,
             "transmit_power_w": 2.5},
            {**link("client", "cloud", 1.5, 0.4, 1.9), "latency_s": 0.08},
            {**link("edge", "cloud", 30, 0.3), "latency_s": 0.04},
        ],
        [
            {**task("chain", *chain, input_mb=0.5), "client": "one"},
            {**task("diamond", *diamond, input_mb=0.6, arrival_s=0.1), "client": "other"},
        ],
        format="offbench/2",
    )  # fmt: skip


def constrained(data: Json, placement: Placement, kinds: Iterable[str], factor: float = 1.0) -> Instance:
    """Return an instance that admits of each kind *factor* times what a placement needs."""
    problem = P1(parse(data))
    evaluation, at = evaluate(problem, placement), problem.stations(placement.servers)
    layers = [each for one in data["tasks"] for each in one["layers"]]
    data = {**data, "servers": [dict(each) for each in data["servers"]]}
    data["tasks"] = [dict(each) for each in data["tasks"]]
    if "memory" in kinds:
        for station, name in enumerate(problem.station_names):
            here = [(k, each) for k, each in enumerate(layers) if at[k] == station]
            held = {each.get("weights_id", k): each.get("weights_mb", 0.0) for k, each in here}
            if sum(held.values()) > 0:
                one = next(each for each in data["servers"] if each["name"] == name)
                one["memory_mb"] = sum(held.values()) * factor
    if "deadlines" in kinds:
        end_s = [row["completion_s"] for row in evaluation.subtasks]
        for i, one in enumerate(data["tasks"]):
            needed_s = max(end_s[k] for k in problem.subtasks_of(i)) - one.get("arrival_s", 0)
            if needed_s > 0:
                one["deadline_s"] = needed_s * factor
    if "limits" in kinds:
        names = ("delay_s", "energy_j", "cost_usd")
        totals = {name: getattr(evaluation, name) * factor for name in names}
        data["limits"] = {name: total for name, total in totals.items() if total > 0}
    return parse(data)


@pytest.mark.parametrize(
    "kinds", [(), *((kind,) for kind in KINDS), KINDS], ids=lambda kinds: "+".join(kinds) or "none"
)
@pytest.mark.parametrize("servers", [[0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 1], [1, 0, 2, 2, 0, 0]])
def test_optimum_under_constraints(servers: list[int], kinds: tuple[str, ...]) -> None:
    made = constrained(two_phones(), Placement(servers), kinds)
    check(P1(made), solve(made, "milp", time_limit=120))
    check(P2(made, servers), solve(made, "milp", placement=Placement(servers), time_limit=60))


@pytest.mark.parametrize("factor", [0.4, 0.75])
def test_what_no_placement_keeps_is_infeasible(factor: float) -> None:
    for kinds in (("deadlines",), ("limits",), KINDS):
        made = constrained(two_phones(), Placement([1, 1, 1, 1, 1, 1]), kinds, factor)
        check(P1(made), solve(made, "milp", time_limit=120))


def edge_case(seed: int) -> tuple[Instance, Placement]:
    """Return a tiny instance of which a drawn placement needs just what is admitted, or a hair more or less."""
    rng = np.random.default_rng([seed, 21])
    data = tiny_instance(seed).model_dump(mode="json", exclude_none=True, by_alias=True)
    for each in (each for one in data["tasks"] for each in one["layers"]):
        each["weights_mb"] = round(rng.uniform(0.1, 9), 2)
    data["format"] = "offbench/2"
    problem = P1(parse(data))
    orders = dispatch_orders(problem)
    servers = [rng.choice(np.flatnonzero(row)) for row in problem.allowed]
    if seed % 3 == 0:
        servers = tiny_servers(seed).servers.tolist()
    placement = Placement(servers, orders[rng.integers(len(orders))])
    kinds = [kind for kind in KINDS if rng.random() < 0.6] or KINDS
    # Admitted, at least where it is one; too much, but by no more than the model has to spare; clearly too much.
    factor = rng.choice([1, 1, 1 - 0.3e-9, 1 - 2e-9, 1 - 1e-6])
    return constrained(data, placement, kinds, float(factor)), placement


@pytest.mark.parametrize("first", range(0, 40, 10))
def test_no_placement_at_the_edge_is_cut_off(first: int) -> None:
    for seed in range(first, first + 10):
        made, placement = edge_case(seed)
        check(P2(made, placement), solve(made, "milp", placement=placement, time_limit=60))
        check(P1(made), solve(made, "milp", time_limit=60))


@pytest.mark.parametrize(
    ("factor", "status"), [(1 - 0.5e-9, "optimal"), (1 - 2e-9, "infeasible"), (1 + 1e-12, "optimal")]
)
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_feasible_is_the_evaluator_s_to_say(kind: str, factor: float, status: str) -> None:
    """Up to 3e-9 beyond is in the model, up to 1e-9 of it feasible; one server, so that nothing else can be found."""
    layers = ({**layer("a", 1, 1), "weights_mb": 3}, {**layer("b", 2, 0, ("a",)), "weights_mb": 4})
    data = instance([server("c", "client", 3, power=7)], [], [task("t", *layers), task("u", layer("a", 1, 0))])
    made = constrained(data | {"format": "offbench/2"}, Placement([0, 0, 0]), [kind], factor)
    if kind == "limits":
        made = made.model_copy(update={"limits": made.limits and made.limits.model_copy(update={"delay_s": None})})
    found = solve(made, "milp", time_limit=60)
    assert found.status == status
    check(P1(made), found)


@pytest.mark.parametrize(("shared", "delay_s"), [(True, 1.5 + 1.5 + 4), (False, 1.5 + 4 + 4)])
def test_layers_of_the_same_weights_share_memory(shared: bool, delay_s: float) -> None:
    """Two layers of 4 s here, or 0.5 s on an edge that holds one set of weights; to send takes 1 s, for a third 9 s."""
    held = {"weights_mb": 60, **({"weights_id": "net/a"} if shared else {})}
    tasks = [
        {**task("t", {**layer("a", 4), **held}, input_mb=1), "client": "p"},
        {**task("u", {**layer("a", 4), **held}, input_mb=1), "client": "o"},
        {**task("v", {**layer("a", 4), "weights_mb": 50}, input_mb=9), "client": "p"},
    ]
    edge = {**server("q", "edge", 8, pool=2), "memory_mb": 100}
    data = instance(
        [server("p", "client"), edge, server("o", "client")],
        [link("client", "edge")], tasks, weights=DELAY_ALONE, format="offbench/2",
    )  # fmt: skip
    found = solve(parse(data), "milp", time_limit=60)
    check(P1(parse(data)), found)
    assert found.evaluation is not None
    assert found.evaluation.delay_s == pytest.approx(delay_s)


@pytest.mark.parametrize("clients", [1, 2])
def test_clients_don_t_wait_for_one_another(clients: int) -> None:
    """Three tasks of 2 s, the last of another client or not; deadlines leave no time to wait more than one must.

    An edge is faster, but to send what it makes takes 10 s.
    """
    names = ["p", "o"][:clients]
    tasks: list[Json] = []
    deadlines_s = {1: (2, 4, 6), 2: (2, 4, 2)}[clients]
    for name, deadline_s in zip(("p", "p", names[-1]), deadlines_s, strict=True):
        layers = layer("a", 1, 10), {**layer("b", 1, 0, ("a",)), "allowed": [name]}
        made = task(f"t{len(tasks)}", *layers, input_mb=0.1)
        tasks.append({**made, "client": name, "deadline_s": deadline_s})
    data = instance(
        [server("p", "client"), server("q", "edge", 2), *(server(name, "client") for name in names[1:])],
        [link("client", "edge")], tasks, weights=DELAY_ALONE, format="offbench/2",
    )  # fmt: skip
    found = solve(parse(data), "milp", time_limit=60)
    check(P1(parse(data)), found)
    assert found.evaluation is not None
    assert found.evaluation.delay_s == sum(deadlines_s)


def test_parts_of_the_model_are_the_evaluator_s() -> None:
    problem = P1(parse(two_phones()))
    a = problem.arrays
    for servers in assignments(problem):
        at = [*servers, a.client, a.client]
        for k, row in enumerate(evaluate(problem, servers).subtasks):
            ways = [(a, k, i, at[p], at[k]) for i, p in zip(problem.inputs_of(k), problem.sources_of(k), strict=True)]
            assert row["transmission_s"] in [transfer_s(*way) for way in ways]
            assert row["energy_j"] == sum(transfer_j(*way) for way in ways) + a.run_energy_j[k, at[k]]
            assert row["cost_usd"] == sum(transfer_usd(*way) for way in ways) + a.run_usd[k, at[k]]


def test_what_cannot_be_exceeded_costs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    free = two_phones()
    ample = {**free, "limits": {"delay_s": 1e3, "energy_j": 1e4, "cost_usd": 1e2}}
    ample["servers"] = [{**each, "memory_mb": 11.5} for each in free["servers"]]
    ample["tasks"] = [{**each, "deadline_s": 1e3} for each in free["tasks"]]
    for name, data in (("free.lp", free), ("ample.lp", ample)):
        solve(parse(data), "milp", parameters={"write": name}, time_limit=60)
    assert Path("free.lp").read_text() == Path("ample.lp").read_text()
    tight = {**ample, "servers": [{**each, "memory_mb": 11.4} for each in free["servers"]]}
    solve(parse(tight), "milp", parameters={"write": "tight.lp"}, time_limit=60)
    assert "memory" in Path("tight.lp").read_text()


def test_too_many_that_wait_for_one_another_are_no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refinement, "_MOST_RIVALS", 15)  # a chain of two and a diamond: 2 * 2 * 4 and 2
    found = solve(parse(two_phones()), "milp", time_limit=60)
    assert found.status == "feasible"
    assert "18 pairs" in found.reason
    assert found.lower_bound > -math.inf
