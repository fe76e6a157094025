"""`graph-exact` against enumeration of all servers and all dispatch orders, and what it can't do."""

import numpy as np
import pytest

from experiments._shared.drawn_format2 import draw
from offbench import P1, OffbenchError, load, solve, with_objective
from offbench.model.gates import gates, longest_stretch
from offbench.model.instance import Instance, parse
from offbench.runs.conformance.instances import binding, one_graph
from offbench.runs.conformance.optimum import optimum


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
