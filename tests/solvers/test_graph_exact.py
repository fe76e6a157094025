"""`graph-exact` against enumeration of all servers and all dispatch orders, and what it can't do."""

from typing import Any

import numpy as np
import pytest

from experiments._shared.drawn_format2 import draw
from offbench import P1, OffbenchError, load, solve, with_objective
from offbench.model.gates import gates, longest_stretch
from offbench.model.instance import Instance, parse
from offbench.runs.conformance.instances import binding, one_graph
from offbench.runs.conformance.optimum import optimum
from offbench.search.budget import Budget, SearchEnded
from offbench.search.search import Search
from offbench.solvers.graph_exact import GraphExact, _Ends
from offbench.solvers.graph_exact import branching as branching_of_graph_exact
from offbench.solvers.graph_exact.segments import segments


def drawn(seed: int) -> Instance:
    """Return one task of three to six layers, mostly with branches, on servers that mostly run one layer at a time."""
    rng = np.random.default_rng([seed, 20])
    layers = int(rng.integers(3, 7))
    data = draw(rng, f"drawn {seed}", 1, 3 if layers < 6 else 2, [layers], chains=False if seed % 5 else None)
    for server in data["servers"]:
        if rng.random() < 0.8:
            server["pool"] = 1
    if seed % 2:  # a fork, a join, and a fork behind it: gates in between
        made = data["tasks"][0]["layers"]
        for layer, sources in zip(made[1:], ((0,), (0,), (1, 2), (3,), (3,)), strict=False):
            layer["inputs"] = [made[source]["name"] for source in sources]
    delay, energy = (round(float(share), 3) for share in rng.dirichlet([1, 1, 1])[:2])
    if seed % 4 == 0:
        delay, energy = 1.0, 0.0
    weights = {"delay": delay, "energy": energy, "cost": 1 - delay - energy}
    return parse(data | {"weights": weights | {"score": 1, "coordination": 0, "balance": 0}})


@pytest.mark.parametrize("seed", range(60))
def test_proves_what_enumeration_finds(seed: int) -> None:
    instance = drawn(seed)
    solution = solve(instance, "graph-exact", time_limit=60)
    assert solution.status == "optimal"
    assert solution.objective == pytest.approx(optimum(P1(instance)), rel=1e-9)
    assert solution.lower_bound <= solution.objective


PURE_DELAY = {"delay": 1, "energy": 0, "cost": 0, "score": 1, "coordination": 0, "balance": 0}


def modules(seed: int, count: int, branches: int) -> dict[str, Any]:
    """Return modules one behind the other, whose branches wait for one another on servers of one slot."""
    rng = np.random.default_rng([seed, 21])

    def number(low: float, high: float) -> float:
        return round(float(rng.uniform(low, high)), 3)

    layers: list[dict[str, Any]] = [{"name": "g0", "inputs": []}]
    gate = "g0"
    for m in range(count):
        names = [f"m{m}-{b}" for b in range(branches)]
        layers += [{"name": name, "inputs": [gate]} for name in names]
        gate = f"g{m + 1}"
        layers.append({"name": gate, "inputs": names})
    for layer in layers:
        layer |= {"gcycles": number(0.1, 4), "output_mb": number(0.1, 2)}
    facts = {"price_per_hour": 1, "client_power_w": 1, "pool": 1}
    servers = [
        {"name": name, "kind": kind, "compute_ghz": number(1, 4), **facts}
        for name, kind in (("me", "client"), ("e1", "edge"), ("e2", "edge"))
    ]
    links = [
        {"between": [kind, "edge"], "rate_mb_per_s": number(0.5, 6), "price_per_gb": 0.2, "transmit_power_w": 0}
        for kind in ("client", "edge")
    ]
    return {
        "format": "offbench/1", "name": "modules", "source": "drawn", "servers": servers, "links": links,
        "tasks": [{"name": "t", "arrival_s": 0, "input_mb": 0.5, "layers": layers}],
        "weights": {"delay": 0.8, "energy": 0.1, "cost": 0.1, "score": 1, "coordination": 0, "balance": 0},
    }  # fmt: skip


@pytest.mark.parametrize("seed", range(12))
def test_proves_stretches_that_wait_one_behind_the_other(seed: int) -> None:
    """What a stretch was looked through for on one path isn't all that another path needs of it."""
    solution = solve(parse(modules(seed, 2 + seed % 3, 2 + seed % 2)), "graph-exact", time_limit=60)
    assert solution.status == "optimal"


@pytest.mark.parametrize("seed", range(3))
def test_two_stretches_have_the_optimum_of_enumeration(seed: int) -> None:
    instance = parse(modules(seed, 2, 2))
    found = solve(instance, "graph-exact", time_limit=60)
    assert found.objective == pytest.approx(optimum(P1(instance)), rel=1e-9)


def test_what_is_free_late_may_get_nothing_more() -> None:
    """Of three layers on two slots the short one and the long one go first, by hand: 1 + 1.5 + 1 s on air."""
    data = modules(0, 1, 3) | {"format": "offbench/2", "weights": PURE_DELAY}
    data["scales"] = {"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1}
    data["servers"][1]["pool"] = 2
    for link in data["links"]:
        link["rate_mb_per_s"] = 1
    facts = [("me", 0, 0), ("e1", 3, 0), ("e1", 1, 2.5), ("e1", 1.5, 1), ("me", 0, 0)]
    for layer, (server, seconds, mb) in zip(data["tasks"][0]["layers"], facts, strict=True):
        layer |= {"allowed": [server], "seconds": {server: seconds}, "output_mb": mb}
    problem = P1(parse(data))
    assert optimum(problem) == pytest.approx(3.5)
    total = 0.0
    for ends in map(_Ends, segments(problem)):
        branching = ends.between(0, 0)
        assert branching.advance(np.inf)
        total += branching.found.bound
    assert total == pytest.approx(3.5)


@pytest.mark.parametrize("seed", range(0, 60, 3))
def test_linear_program_is_below_what_enumeration_finds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each stretch between each two places, and where it is used from the first node on."""
    problem = P1(drawn(seed))
    for ends in map(_Ends, segments(problem)):
        for row in range(len(ends.segment.starts)):
            for column in range(len(ends.segment.ends)):
                branching = ends.between(row, column)
                branching.tighten()
                tightened = branching.found.bound
                while not branching.advance(np.inf):
                    pass
                assert tightened <= branching.found.bound * (1 + 1e-12)
    monkeypatch.setattr(branching_of_graph_exact, "_WIDE", 0)
    assert solve(problem.instance, "graph-exact", time_limit=60).objective == pytest.approx(optimum(problem), rel=1e-9)


def test_linear_program_sees_the_work_of_branches() -> None:
    """Four branches of 1 s on one slot between a fork and a join of 1 s each: 4 + 1 s behind the fork; paths say 2."""
    data = modules(0, 1, 4) | {"format": "offbench/2", "weights": PURE_DELAY}
    data["scales"] = {"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1}
    for layer in data["tasks"][0]["layers"]:
        layer |= {"allowed": ["e1"], "seconds": {"e1": 1}}
    data["servers"][1]["pool"] = 1
    behind = _Ends(segments(P1(parse(data)))[1]).between(0, 0)
    assert behind.found.bound == pytest.approx(2)
    behind.tighten()
    assert behind.found.bound == pytest.approx(5)
    assert behind.found.bound <= 5


def test_units_of_measure_decide_nothing() -> None:
    data = modules(0, 2, 2) | {"scales": {"delay_s": 1e9, "energy_j": 1e9, "cost_usd": 1e9, "balance": 1}}
    solution = solve(parse(data), "graph-exact", time_limit=60)
    assert solution.status == "optimal" and solution.objective < 1e-6


def test_gives_way_in_a_large_graph_without_gates() -> None:
    """Eight chains side by side: orders beyond number, for servers beyond number."""
    data = modules(0, 1, 80)
    layers = data["tasks"][0]["layers"][1:-1]
    for j, layer in enumerate(layers):
        layer["inputs"] = [layers[j - 8]["name"]] if j >= 8 else []
    data["tasks"][0]["layers"] = layers
    problem = P1(parse(data))
    assert not gates(problem)
    solver = GraphExact()
    solver.warm_up()
    search = Search(problem, Budget(time_limit=1))
    with pytest.raises(SearchEnded):
        solver.solve(problem, search)
    assert search.seconds < 6
    assert search.lower_bound > 0


def test_draws_have_gates_and_orders_that_matter() -> None:
    """Else the test above would hold without half of the solver."""
    inner = [gates(P1(drawn(seed)))[:-1] for seed in range(60)]
    assert sum(map(bool, inner)) > 10
    ordered = [solve(drawn(seed), "graph-exact", time_limit=60).placement for seed in range(60)]
    assert any(one is not None and one.order is not None for one in ordered)


def test_gates_are_what_everything_goes_through() -> None:
    assert gates(P1(load("alexnet"))) == list(range(11))
    problem = P1(load("googlenet"))
    names = [problem.instance.tasks[0].layers[k].name for k in gates(problem)]
    assert names[0] == "conv1/7x7_s2" and names[-1] == problem.instance.tasks[0].layers[-1].name
    assert sum("concat" in name.lower() or "output" in name.lower() for name in names) >= 8
    assert longest_stretch(problem) == 8
    # Without its join, the fork is the last gate.
    graph = one_graph()
    layers = graph.tasks[0].layers
    assert gates(P1(graph)) == [0, 3, 4]
    cut = graph.model_copy(update={"tasks": (graph.tasks[0].model_copy(update={"layers": layers[:3]}),)})
    assert gates(P1(cut)) == [0] and longest_stretch(P1(cut)) == 2


@pytest.mark.parametrize("objective", ["score", "latency", "energy", "cost"])
@pytest.mark.parametrize("name", ["alexnet", "vgg19", "googlenet", "resnet", "inception-nested"])
def test_networks_that_ship_are_proven(name: str, objective: str) -> None:
    solution = solve(with_objective(load(name), objective), "graph-exact", time_limit=60)
    assert solution.status == "optimal"


@pytest.mark.parametrize(
    ("instance", "why"),
    [
        (load("tiny-graphs"), "one network; instance 'tiny-graphs' has 2"),
        (load("alexnet"), "no coordination H and no balance Z"),
        (with_objective(binding().model_copy(update={"tasks": binding().tasks[:1]}), "score"), "no constraints"),
    ],
)
def test_refuses_what_it_cant_do(instance: Instance, why: str) -> None:
    with pytest.raises(OffbenchError, match=why):
        solve(instance, "graph-exact", time_limit=5)
