"""Min-cut: the cheapest split by brute force."""

from itertools import product
from typing import Any

import handmade
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from strategies import instances

from offbench import P1, evaluate, solve
from offbench.model.arrays import LINK
from offbench.model.instance import parse
from offbench.runs.two_step import solve_two_step
from offbench.solvers.min_cut import minimum_cut, split

SCORE_ALONE = {"delay": 0.5, "energy": 0.3, "cost": 0.2, "score": 1, "coordination": 0, "balance": 0}


@st.composite
def pinned(draw: st.DrawFn, /, chain: bool = False, **how: Any) -> dict[str, Any]:
    """Draw an instance with layers tied here and there, and numbers of many magnitudes."""
    made = draw(instances(settings={"weights": SCORE_ALONE}, **how))
    names = [server["name"] for server in made["servers"]]
    magnitude = st.sampled_from([1.0, 1.0, 1e-9, 1e-4, 1e5, 1e9])
    for task in made["tasks"]:
        task["input_mb"] *= draw(magnitude)
        task["arrival_s"] = 0  # a delay of 1e-9 s has few digits left some seconds after 0
        for j, layer in enumerate(task["layers"]):
            layer["gcycles"] *= draw(magnitude)
            layer["output_mb"] *= draw(magnitude)
            layer.pop("allowed", None)
            if draw(st.booleans()):
                layer["allowed"] = draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
            if chain:
                layer["inputs"] = [task["layers"][j - 1]["name"]] if j else []
    return made


def splits(problem: P1, remote: int) -> list[NDArray[np.int64]]:
    """Return every split between the client and a remote; what may run on neither stays where the cut leaves it."""
    client = problem.arrays.client
    placed = split(problem, remote)
    choices = [
        [s for s in (client, remote) if row[s]] or [int(at)] for row, at in zip(problem.allowed, placed, strict=True)
    ]
    return [np.array(servers) for servers in product(*choices)]


@given(pinned(chain=True, max_tasks=1, max_layers=7))
def test_best_split_of_a_chain(made: dict[str, Any]) -> None:
    problem = P1(parse(made))
    remotes = [s for s in range(problem.n_servers) if s != problem.arrays.client and problem.allowed[:, s].any()]
    assume(remotes)
    best = min(evaluate(problem, servers).objective for remote in remotes for servers in splits(problem, remote))
    assert solve(problem.instance, "min-cut").objective <= best + 1e-9 * abs(best)


@given(pinned(chain=True, max_tasks=1, max_layers=7, max_edges=1, max_clouds=0))
def test_optimum_of_a_chain_with_one_remote(made: dict[str, Any]) -> None:
    instance = parse(made)
    exact = solve(instance, "chain-exact").objective
    assert solve(instance, "min-cut").objective == pytest.approx(exact, rel=1e-6, abs=0)


@given(pinned(max_tasks=2, max_layers=4, max_edges=2, max_clouds=1))
def test_cut_of_any_graph(made: dict[str, Any]) -> None:
    """No split has a smaller sum of executions and transfers, each in the score's units."""
    problem = P1(parse(made))
    a = problem.arrays
    weights = a.weights[:3] / a.scale[:3]
    readers = np.repeat(np.arange(problem.n_subtasks), np.diff(a.input_start.astype(int)))

    def price(servers: NDArray[np.int64]) -> float:
        at = np.append(servers, [a.client] * len(a.arrival_s))
        run = np.arange(len(servers)), servers
        link = a.link[a.links_of[readers], at[a.input_of], servers[readers]]
        sent = a.input_mb / link[:, LINK.rate_mb_per_s]
        parts = (
            a.execution_s[run].sum() + (sent + link[:, LINK.latency_s]).sum(),
            a.run_energy_j[run].sum() + (link[:, LINK.power_w] * sent).sum(),
            a.run_usd[run].sum() + (a.input_gb * link[:, LINK.usd_per_gb]).sum(),
        )
        return float(weights @ np.array(parts))

    for remote in range(problem.n_servers):
        if remote != a.client:
            found = split(problem, remote)
            assert problem.allowed[np.arange(problem.n_subtasks), found].all()
            least = min(price(servers) for servers in splits(problem, remote))
            assert price(found) <= least * (1 + 1e-9)


def camera(first: dict[str, Any], last: dict[str, Any], input_mb: float = 5) -> dict[str, Any]:
    """Return three layers on a camera and a server ten times as fast, of which only the delay counts."""
    capture, classify = handmade.layer("capture", 1, 1), handmade.layer("classify", 10, 0.001, ("conv",))
    return handmade.instance(
        [handmade.server("camera", "client"), handmade.server("server", "edge", ghz=10)],
        [handmade.link("client", "edge", rate=10)],
        [handmade.task("t", capture | first, handmade.layer("conv", 10, 1, ("capture",)), classify | last,
                       input_mb=input_mb)],
        weights=handmade.DELAY_ALONE,
        scales={"delay_s": 1, "energy_j": 1, "cost_usd": 1, "balance": 1},
    )  # fmt: skip


@pytest.mark.parametrize("input_mb", [5, 0, 1e9])
@pytest.mark.parametrize("last", [{}, {"allowed": ["server"]}])
def test_first_layer_tied_to_the_client(last: dict[str, Any], input_mb: float) -> None:
    """1 s on the camera, 0.1 s for 1 MB, 2 s on the server."""
    made = camera({"allowed": ["camera"]}, last, input_mb)
    assert solve(parse(made), "min-cut").objective == pytest.approx(3.1, rel=1e-12)


def test_everything_tied_to_the_remote() -> None:
    """The input takes 0.5 s, the layers 2.1 s."""
    made = camera({"allowed": ["server"]}, {"allowed": ["server"]})
    made["tasks"][0]["layers"][1]["allowed"] = ["server"]
    assert solve(parse(made), "min-cut").objective == pytest.approx(2.6, rel=1e-12)


def test_layer_tied_to_a_third_server() -> None:
    """The middle layer is on the slow box, so both others go to the server next to it and not to the camera.

    Input 0.5 s, 1 MB to the box and back 0.02 s, on the server 1.1 s, on the box 20 s.
    """
    made = camera({}, {})
    made["servers"].append(handmade.server("box", "cloud", ghz=0.5))
    made["links"] += [handmade.link("client", "cloud", rate=0.01), handmade.link("edge", "cloud", rate=100)]
    made["tasks"][0]["layers"][1]["allowed"] = ["box"]
    found = solve(parse(made), "min-cut")
    assert found.placement is not None
    assert found.placement.servers.tolist() == [1, 2, 1]
    assert found.objective == pytest.approx(0.5 + 0.1 + 0.01 + 20 + 0.01 + 1, rel=1e-12)


def test_stages_of_two_steps_have_layers_tied_anywhere() -> None:
    """The second stage has the layers outside modules where the first one left them."""
    made = handmade.phone()
    made["tasks"] = made["tasks"][1:]
    for layers in product(["phone", "edge-2"], ["edge-1", "cloud-1"]):
        for j, name in zip((0, 3), layers, strict=True):
            made["tasks"][0]["layers"][j]["allowed"] = [name]
        found = solve_two_step(parse(made), "min-cut")
        assert found.placement is not None


def test_capacities_of_many_magnitudes() -> None:
    """From source 0 to sink 4: what must not be cut, what nobody would, and the cheapest, 1e-12 below the next."""
    tail, head = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4])
    capacity = np.array([np.inf, 1e-6 * (1 + 1e-9), 1e-6, 1e12])
    known = np.array([True, True, True, True, False])
    assert minimum_cut(tail, head, capacity, 0, 4, known).tolist() == [True, True, True, False, False]


@given(st.data())
def test_minimum_of_all_cuts(data: st.DataObject) -> None:
    """Of six nodes, whatever the capacities."""
    n = 6
    pairs = data.draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), min_size=1, max_size=12))
    tail, head = np.array(pairs).T
    capacity = np.array([
        data.draw(st.one_of(st.just(0.0), st.just(np.inf), st.floats(1e-15, 1e15), st.floats(1e-3, 1)))
        for _ in pairs
    ])  # fmt: skip
    sides = [np.array([True, *inner, False]) for inner in product((True, False), repeat=n - 2)]

    def value(side: NDArray[np.bool_]) -> float:
        return float(capacity[side[tail] & ~side[head]].sum())

    known = data.draw(st.sampled_from(sides))
    assume(value(known) < np.inf)
    found = minimum_cut(tail, head, capacity, 0, n - 1, known)
    assert value(found) <= min(map(value, sides)) * (1 + 1e-9)
