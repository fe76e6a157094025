"""cp-sat and chain-exact under memories, deadlines and limits, with several clients: against enumeration.

The solvers run by themselves, without the check that every run begins with: what is infeasible they must prove.
"""

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import handmade
import numpy as np
import pytest

from experiments._shared.brute_force import best
from experiments._shared.drawn_format2 import draw
from experiments._shared.exact_arithmetic import ExactArithmetic
from experiments._shared.tiny_format2 import constrain, tiny_data
from offbench.errors import OffbenchError
from offbench.evaluation.evaluator import evaluate, totals_of_many
from offbench.evaluation.kernel import TOTAL
from offbench.model.instance import Instance, load, parse
from offbench.model.modules import Nesting, pin
from offbench.model.placement import Placement
from offbench.model.problem import FEASIBLE, P1, P2, Problem
from offbench.runs.solve import solve
from offbench.search.budget import Budget, Infeasible, SearchEnded
from offbench.search.search import Search
from offbench.search.solver import Solver
from offbench.solvers.chain_exact import ChainExact
from offbench.solvers.cp_sat import CpSat
from offbench.solvers.cp_sat.symmetry import interchangeable

Json = dict[str, Any]

CONFORMANCE = Path(__file__).parents[1] / "conformance2-tiny"
# s; a proof takes a second, but on a busy machine more.
UNHURRIED = 600
KINDS = ("memory_mb", "deadline_s", "delay_s", "energy_j", "cost_usd")
# What a placement needs, times one of these, is what is admitted: from all of it to just too little.
AT_THE_EDGE = (1, 1 - 1e-12, 1 / (1 + 1e-9), 1 / (1 + 1e-9) - 4e-15, 1 - 2e-9, 1 - 1e-8, 1 - 1e-6)


def proven(solver: Solver, problem: Problem) -> float:
    """Return the optimum that a solver proves, infinite where it proves that nothing is feasible."""
    search = Search(problem, Budget(time_limit=UNHURRIED))
    try:
        solver.solve(problem, search)
    except Infeasible:
        assert search.violation > 0
        return math.inf
    except SearchEnded:
        pass
    assert search.ended_by == "optimal"
    return search.objective


def near(expected: float) -> Any:
    return pytest.approx(expected, rel=2e-6, abs=1e-12)


def free(seed: int) -> Json:
    """Return a drawn instance without its constraints."""
    data = json.loads(json.dumps(tiny_data(seed)))
    data.pop("limits", None)
    for each in (*data["servers"], *data["tasks"]):
        each.pop("memory_mb", None)
        each.pop("deadline_s", None)
    return dict(data)


def admit(data: Json, kind: str, share: float) -> Instance:
    """Admit a share of what the best placement needs of something."""
    problem = P1(parse(data))
    placement = best(problem)[1]
    found = evaluate(problem, placement)
    if kind == "memory_mb":
        held = ExactArithmetic(data).held([
            problem.instance.servers.index(problem.instance.server_at(int(problem.task_of[k]), s))
            for k, s in enumerate(placement.servers.tolist())
        ])  # fmt: skip
        for server, needed in zip(data["servers"], held, strict=True):
            if needed > 0:
                server["memory_mb"] = float(needed) * share
    elif kind == "deadline_s":
        for i, task in enumerate(data["tasks"]):
            subtasks = problem.subtasks_of(i)
            done_s = max(found.subtasks[k]["completion_s"] for k in subtasks) - float(problem.arrays.arrival_s[i])
            if done_s > 0:
                task["deadline_s"] = done_s * share
    elif getattr(found, kind) > 0:
        data["limits"] = {kind: getattr(found, kind) * share}
    return parse(data)


@pytest.mark.parametrize("file", sorted(CONFORMANCE.glob("*.json")), ids=lambda file: file.stem)
def test_cp_sat_finds_the_optima_of_the_conformance_set(file: Path) -> None:
    case = json.loads(file.read_text())
    optimum = math.inf if case["optimum"] is None else case["optimum"]
    assert proven(CpSat(), P1(parse(case["instance"]))) == near(optimum)


@pytest.mark.parametrize("seed", range(24))
def test_cp_sat_agrees_with_enumeration(seed: int) -> None:
    problem = P1(parse(tiny_data(seed)))
    assert proven(CpSat(), problem) == near(best(problem)[0])


@pytest.mark.parametrize("seed", range(100, 120))
def test_cp_sat_orders_what_is_placed(seed: int) -> None:
    instance = parse(tiny_data(seed))
    rng = np.random.default_rng(seed)
    servers = [int(rng.choice(np.flatnonzero(row))) for row in P1(instance).allowed]
    problem = P2(instance, servers)
    assert proven(CpSat(), problem) == near(best(problem)[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", AT_THE_EDGE)
def test_cp_sat_at_the_edge_of_what_is_admitted(kind: str, share: float) -> None:
    """There numbers are rounded in the model, and the evaluator decides."""
    seed = 200 + 10 * KINDS.index(kind) + AT_THE_EDGE.index(share)
    problem = P1(admit(free(seed), kind, share))
    assert proven(CpSat(), problem) == near(best(problem)[0])


def chain(seed: int) -> Json:
    """Return a drawn chain without weights that layers share."""
    rng = np.random.default_rng([seed, 77])
    size, remotes = int(rng.integers(2, 7)), int(rng.integers(1, 4))
    data = draw(rng, f"chain-{seed}", int(rng.integers(1, 3)), remotes, [size])
    (task,) = data["tasks"]
    for before, layer in zip([None, *task["layers"]], task["layers"], strict=False):
        layer.pop("weights_id", None)
        layer["inputs"] = [] if before is None else [{"layer": before["name"], "mb": float(rng.choice([0, 0.3, 2]))}]
    return dict(data)


@pytest.mark.parametrize("seed", range(30))
def test_chain_exact_agrees_with_enumeration(seed: int) -> None:
    data = chain(seed)
    constrain(data, ExactArithmetic(data), np.random.default_rng([seed, 78]))
    problem = P1(parse(data))
    assert problem.is_chain
    assert proven(ChainExact(), problem) == near(best(problem)[0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", AT_THE_EDGE)
def test_chain_exact_at_the_edge_of_what_is_admitted(kind: str, share: float) -> None:
    problem = P1(admit(chain(300 + 10 * KINDS.index(kind) + AT_THE_EDGE.index(share)), kind, share))
    assert proven(ChainExact(), problem) == near(best(problem)[0])


@pytest.mark.parametrize("labels", [1, 3])
def test_chain_exact_without_room_proves_nothing_false(labels: int) -> None:
    for seed in range(20):
        data = chain(seed)
        constrain(data, ExactArithmetic(data), np.random.default_rng([seed, 78]))
        problem = P1(parse(data))
        optimum = best(problem)[0]
        search = Search(problem)
        try:
            ChainExact(labels=labels).solve(problem, search)
        except Infeasible:
            assert optimum == math.inf
        except SearchEnded:
            assert search.objective == near(optimum)
        else:
            assert search.lower_bound <= optimum + 1e-9


def test_chain_exact_refuses_weights_that_layers_share() -> None:
    layers = [
        {**handmade.layer(name, 1, 0, inputs), "weights_mb": 4, "weights_id": "same"}
        for name, inputs in (("a", ()), ("b", ("a",)))
    ]
    servers = [handmade.server("phone", "client"), {**handmade.server("edge", "edge", ghz=9), "memory_mb": 5}]
    links = [handmade.link("client", "edge", 9)]
    made = handmade.instance(servers, links, [handmade.task("t", *layers)], format="offbench/2")
    # Both fit, for they hold the same: nothing can be exceeded.
    assert proven(ChainExact(), P1(parse(made))) == near(best(P1(parse(made)))[0])
    made["servers"][1]["memory_mb"] = 3
    with pytest.raises(OffbenchError, match="share the memory of server 'edge': use cp-sat or milp"):
        solve(parse(made), "chain-exact")


@pytest.mark.parametrize("share", [0.7, 0.95, 1.05])
@pytest.mark.parametrize("kind", ["deadline_s", "energy_j", "cost_usd"])
def test_blocks_between_pinned_layers(kind: str, share: float) -> None:
    """The first residual blocks of ResNet101, seven layers free, as chain-exact takes them in two steps."""
    full = load("resnet")
    spine = pin(full, np.zeros(full.subtasks, dtype=np.int64), Nesting(full).depth == 0)
    names = ("client", "edge-1", "edge-4", "cloud-2")
    layers = tuple(each.model_copy(update={"allowed": each.allowed or names}) for each in spine.tasks[0].layers[:11])
    task = spine.tasks[0].model_copy(update={"layers": layers})
    # With four slots nothing waits in modules of four layers.
    servers = tuple(each.model_copy(update={"pool": max(each.pool, 4)}) for each in spine.servers if each.name in names)
    few = spine.model_copy(update={"servers": servers, "tasks": (task,), "format": "offbench/2"})
    found = evaluate(P1(few), best_of_blocks(P1(few))[1])
    most = {"deadline_s": found.delay_s}.get(kind) or getattr(found, kind)
    if kind == "deadline_s":
        few = few.model_copy(update={"tasks": (task.model_copy(update={"deadline_s": most * share}),)})
    else:
        few = parse({**json.loads(few.to_text()), "limits": {kind: most * share}})
    assert proven(ChainExact(), P1(few)) == near(best_of_blocks(P1(few))[0])


def best_of_blocks(problem: Problem) -> tuple[float, Placement]:
    """Return the best placement; nothing waits, so the order is no matter."""
    rows = np.array(list(product(*(np.flatnonzero(row).tolist() for row in problem.allowed))))
    totals = totals_of_many(problem, rows)
    values = np.where(totals[:, TOTAL.violation] <= FEASIBLE, totals[:, TOTAL.objective], math.inf)
    return float(values.min()), Placement(rows[values.argmin()])


def phones(*of: str, **facts: Any) -> Instance:
    """Return tasks of two phones that can run nowhere else, each of one layer of a second."""
    servers = [handmade.server(name, "client", ghz=1) for name in ("phone-1", "phone-2")]
    tasks = [
        {**handmade.task(f"t{i}", handmade.layer("l", 1)), "client": client, **facts} for i, client in enumerate(of)
    ]
    made = handmade.instance(servers, [], tasks, format="offbench/2", weights=handmade.DELAY_ALONE)
    return parse({**made, "scales": {"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1}})


@pytest.mark.parametrize(("of", "delay_s"), [(["phone-1", "phone-2"], 2), (["phone-1", "phone-1"], 3)])
def test_tasks_queue_at_their_own_client_alone(of: list[str], delay_s: float) -> None:
    assert proven(CpSat(), P1(phones(*of))) == near(delay_s)
    for rule in ("fcfs", "srpt", "spt", "search"):
        assert solve(phones(*of), rule, placement=Placement([0, 0]), time_limit=0.5).objective == near(delay_s)


def test_who_may_change_places() -> None:
    assert interchangeable(P1(phones("phone-1", "phone-1", "phone-2", deadline_s=9))) == [(0, 1)]
    alike = phones("phone-1", "phone-1", deadline_s=9)
    later = alike.tasks[1].model_copy(update={"deadline_s": 8.0})
    assert interchangeable(P1(alike.model_copy(update={"tasks": (alike.tasks[0], later)}))) == []


@pytest.mark.parametrize(("ids", "pairs"), [(["a", "b", "c"], [(0, 1), (1, 2)]), (["a", "b", "b"], [])])
def test_tasks_that_share_weights_with_others_stay(ids: list[str], pairs: list[tuple[int, int]]) -> None:
    made = json.loads(phones(*["phone-1"] * 3).to_text())
    made["servers"][0]["memory_mb"] = 1
    for task, name in zip(made["tasks"], ids, strict=True):
        task["layers"][0] |= {"weights_mb": 1, "weights_id": name}
    assert interchangeable(P1(parse(made))) == (pairs or [(1, 2)])


def test_rules_know_latency() -> None:
    """What edge-2 hands on is ready after 5 s, though it has no size; the task that arrives at 3 s goes first."""
    servers = [handmade.server("phone", "client"), *(handmade.server(name, "edge") for name in ("edge-1", "edge-2"))]
    tasks = [
        handmade.task("handed-on", handmade.layer("a", 0), handmade.layer("b", 1, 0, ("a",))),
        handmade.task("late", handmade.layer("l", 4), arrival_s=3),
    ]
    links = [handmade.link("client", "edge"), {**handmade.link("edge", "edge"), "latency_s": 5}]
    made = handmade.instance(servers, links, tasks, format="offbench/2", weights=handmade.DELAY_ALONE)
    for rule in ("srpt", "spt"):
        found = solve(parse(made), rule, placement=Placement([2, 1, 1])).placement
        assert found is not None
        assert found.order is not None
        assert found.order.tolist() == [0, 2, 1]


def test_what_cannot_bind_costs_nothing() -> None:
    data = free(7)
    data["limits"] = {"energy_j": 1e9}
    data["tasks"][0]["deadline_s"] = 1e9
    loose, without = (solve(parse(each), "cp-sat", seed=1) for each in (data, free(7)))
    assert (loose.objective, loose.evaluations) == (without.objective, without.evaluations)
