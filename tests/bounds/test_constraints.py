"""Bounds of format 2 against brute force: several clients, latency, directions, memories, deadlines and limits."""

import math
from itertools import islice
from random import Random
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import instances

from experiments._shared.brute_force import assignments, dispatch_orders, placements
from offbench.bounds import RELAXATIONS, Relaxation, tightened, why_infeasible
from offbench.evaluation.client_only import client_only
from offbench.evaluation.evaluator import evaluate, totals_of_many
from offbench.evaluation.gaps import contradict
from offbench.evaluation.kernel import TOTAL
from offbench.model.arrays import Floats, Ints
from offbench.model.instance import parse
from offbench.model.problem import FEASIBLE, P1, P2, Problem

Json = dict[str, Any]

MOST_BOUNDS = 20
MOST_PLACEMENTS = 20_000

every_relaxation = pytest.mark.parametrize("relaxation", RELAXATIONS, ids=lambda relaxation: relaxation.name)


class Feasible(NamedTuple):
    """All feasible placements of a problem."""

    servers: Ints
    objectives: Floats


@st.composite
def format_2(draw: st.DrawFn) -> Json:
    """Draw an instance whose constraints are about what one of its placements needs."""
    made = draw(instances(max_tasks=2, max_layers=3, max_edges=2, max_clouds=1))
    made["format"] = "offbench/2"
    rng = Random(draw(st.integers(0, 10**6)))
    client = next(server for server in made["servers"] if server["kind"] == "client")
    clients = [client["name"]]
    if client["name"] != "client" and rng.random() < 0.6:  # what is the name of a kind must be the only one of it
        clients.append("tablet")
        idle = {"idle_power_w": rng.choice([0, 2])} if rng.random() < 0.5 else {}
        made["servers"].append({**client, "name": "tablet", "compute_ghz": rng.choice([0.5, 3]), **idle})
    made["links"] = [each for link in made["links"] for each in _directed(link, rng)]
    for i, task in enumerate(made["tasks"]):
        task["client"] = clients[i % len(clients)]
        for j, layer in enumerate(task["layers"]):
            _measure(layer, j, task["client"], clients, rng)
    for server in made["servers"]:
        if rng.random() < 0.4:
            server["memory_mb"] = rng.choice([0.5, 1, 2, 3])
    problem = P1(parse(made))
    servers = [rng.choice(np.flatnonzero(row).tolist()) for row in problem.allowed]
    needs = evaluate(problem, servers)
    completion_s = needs.parts[:, 9]
    for i, task in enumerate(made["tasks"]):
        delay_s = completion_s[problem.task_of == i].max() - task["arrival_s"]
        if rng.random() < 0.4 and delay_s > 0:
            task["deadline_s"] = float(delay_s * rng.choice([0.5, 0.9, 1, 1, 1.2]))
    limits = {
        name: float(getattr(needs, name) * rng.choice([0.5, 0.9, 1, 1, 1.2]))
        for name in ("delay_s", "energy_j", "cost_usd")
        if rng.random() < 0.3 and getattr(needs, name) > 0
    }
    return made | ({"limits": limits} if limits else {})


def _directed(link: Json, rng: Random) -> list[Json]:
    link["latency_s"] = rng.choice([0, 0, 0.25, 1])
    a, b = link["between"]
    if a == b or rng.random() < 0.5:
        return [link]
    rest = {name: value for name, value in link.items() if name != "between"}
    back = {**rest, "latency_s": rng.choice([0, 0.5])}
    if "rate_mb_per_s" in back:
        back["rate_mb_per_s"] *= rng.choice([0.25, 4])
    return [{"from": a, "to": b, **rest}, {"from": b, "to": a, **back}]


def _measure(layer: Json, j: int, own: str, clients: list[str], rng: Random) -> None:
    if rng.random() < 0.3:
        layer["seconds"] = {rng.choice(["client", "edge", own]): rng.choice([0, 0.125, 2])}
    if "allowed" in layer:
        layer["allowed"] = sorted({own if name in clients else name for name in layer["allowed"]})
    layer["inputs"] = [{"layer": name, "mb": rng.choice([0, 60])} if rng.random() < 0.3 else name
                       for name in layer["inputs"]]  # fmt: skip
    if j > 0 and rng.random() < 0.2:
        layer["inputs"].append({"input_mb": rng.choice([0, 125])})
    if rng.random() < 0.7:
        layer["weights_mb"] = rng.choice([0.5, 1, 2])
        if rng.random() < 0.4:
            layer["weights_id"] = f"{layer['weights_mb']:g} MB"


def problem_of(data: Any, kind: str) -> Problem:
    """Draw a P1, or a P2 on servers at random."""
    problem: Problem = P1(parse(data.draw(format_2())))
    if kind == "P2":
        rng = Random(data.draw(st.integers(0, 10**6)))
        problem = P2(problem.instance, [rng.choice(np.flatnonzero(row).tolist()) for row in problem.allowed])
    assume(problem.n_subtasks <= 6 and placements(problem) <= MOST_PLACEMENTS)
    return problem


def feasible(problem: Problem) -> Feasible:
    """Return every feasible placement, over servers and dispatch orders."""
    servers, orders = np.array(list(assignments(problem))), dispatch_orders(problem)
    rows = np.repeat(servers, len(orders), axis=0)
    totals = totals_of_many(problem, rows, np.tile(orders, (len(servers), 1)))
    keeps = totals[:, TOTAL.violation] <= FEASIBLE
    return Feasible(rows[keeps], totals[keeps, TOTAL.objective])


@every_relaxation
@pytest.mark.parametrize("kind", ["P1", "P2"])
@settings(max_examples=80)
@given(data=st.data())
def test_bounds_hold_for_feasible_placements(relaxation: Relaxation, kind: str, data: Any) -> None:
    problem = problem_of(data, kind)
    objective = float(feasible(problem).objectives.min(initial=math.inf))
    base = client_only(problem).objective
    for bound in islice(relaxation.bounds(problem), MOST_BOUNDS):
        assert bound < math.inf
        assert objective == math.inf or not contradict(objective, bound, client_only=base), (bound, objective)


@pytest.mark.parametrize("kind", ["P1", "P2"])
@settings(max_examples=100)
@given(data=st.data())
def test_nothing_feasible_is_ruled_out(kind: str, data: Any) -> None:
    """Neither a whole problem is called infeasible nor a place left out that a feasible placement uses."""
    problem = problem_of(data, kind)
    servers = feasible(problem).servers
    if len(servers):
        assert why_infeasible(problem) is None
        left = tightened(problem).allowed
        assert left[np.arange(problem.n_subtasks), servers].all()


@settings(max_examples=100)
@given(data=st.data())
def test_given_servers_tell_all_of_memory(data: Any) -> None:
    """Of P2 every memory that is exceeded is told."""
    problem = problem_of(data, "P2")
    assert isinstance(problem, P2)
    if evaluate(problem, problem.servers).memory_violation > 1e-8:
        assert why_infeasible(problem) is not None
